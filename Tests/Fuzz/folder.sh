#!/usr/bin/env bash
# folder.sh: makes a folder in memory with the models that the targets overwrite, and prints its path.
set -euo pipefail
cd "$(dirname "$0")/../.."
make_model=$(ls Tests/.build/release/make-model)
parent=${TMPDIR:-/tmp}
[ -w /dev/shm ] && parent=/dev/shm
folder=$(mktemp -d "$parent/clipcore-fuzz-XXXXXX")
"$make_model" small "$folder/open_clip"
"$make_model" hf-vit-tiny "$folder/huggingface"
"$make_model" siglip-text "$folder/siglip"
cp -r "$folder/huggingface" "$folder/sharded"
mv "$folder/sharded/model.safetensors" "$folder/sharded/model-00001-of-00001.safetensors"
cp -r Tests/Fixtures/weights/zip "$folder/pytorch"
"$make_model" index "$folder/sharded"
echo "$folder"
