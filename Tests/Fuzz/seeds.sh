#!/usr/bin/env bash
# seeds.sh TO: writes inputs of each target to TO/<target>, from the models of FUZZ_FOLDER and the fixtures.
set -euo pipefail
cd "$(dirname "$0")/../.."
to=$1

# with BYTE FILE: the file behind a byte that chooses it.
with() { printf "\\x$1"; cat "$2"; }

# Archives of each format, and a table of each kind.
dataset_seeds() {
  local pairs long format name
  pairs=$(mktemp -d)
  long=$(printf 'long-%.0s' {1..30})
  for name in a b "$long"; do
    cp Tests/Fixtures/codecs/gray1.png "$pairs/$name.png"
    echo "caption $name" > "$pairs/$name.txt"
  done
  echo '{"caption": ["one", "two"]}' > "$pairs/b.json"
  for format in gnu pax; do tar --format=$format -C "$pairs" -cf "$to/archive/$format" .; done
  (cd "$pairs" && tar --format=v7 -cf - a.png a.txt b.*) > "$to/archive/v7"
  printf '\x00path,caption\r\na.png,"one, ""two"""\r\nb.png,two\n' > "$to/table/csv"
  printf '\x01path\tcaption\na.png\tone\n' > "$to/table/tsv"
  printf '\x02{"path": "a.png", "caption": ["one", "two"]}\n{"image": "b.png", "text": "two"}\n' > "$to/table/jsonl"
  rm -rf "$pairs"
}

# A pipeline of each op with its settings, and of all kinds of steps.
pipeline_seeds() {
  local at="$to/pipeline"
  printf '\x00"default"' > "$at/default"
  printf '\x00%s' '[{"op": "random_resized_crop", "size": [9, 7], "scale": [0.5, 1], "ratio": [0.5, 2]}, {"op": "jpeg", "quality": [20, 90]},
    {"op": "gaussian_blur", "kernel_size": [5, 3], "sigma": 1.5}, {"op": "random_erasing", "p": 1, "value": [1, 2, 3]}]' > "$at/crop"
  printf '\x00%s' '[{"op": "random_rotation", "degrees": [10, 80], "expand": true, "fill": [1, 2, 3], "interpolation": "bicubic"},
    {"op": "random_affine", "degrees": 5, "translate": [0.1, 0.2], "scale": [0.5, 2], "shear": [1, 2, 3, 4], "center": [3, 4]},
    {"op": "random_perspective", "p": 1, "distortion_scale": 1}, {"op": "elastic_transform", "alpha": [60, 9], "sigma": 0.5}]' > "$at/warp"
  printf '\x00%s' '[{"one_of": [{"op": "color_jitter", "brightness": [0.5, 2], "contrast": 1, "saturation": 3, "hue": 0.5, "weight": 2},
    {"sequence": [{"op": "rand_augment", "num_ops": 5, "magnitude": 30}, {"op": "random_grayscale", "p": 0.5}]}], "p": 0.9}]' > "$at/steps"
  printf '\x01%s' '[{"op": "random_swap", "alpha": 0.5}, {"op": "random_deletion"}, {"op": "typo_noise", "alpha": 0.5},
    {"op": "case_noise", "change": "title"}, {"op": "punctuation_noise", "change": "replace", "alpha": 1}]' > "$at/text"
}

rm -rf "$to"
for target in $(cat Tests/Fuzz/targets); do mkdir -p "$to/$target"; done
cp "$FUZZ_FOLDER/open_clip/open_clip_model.safetensors" "$to/safetensors/"
cp Tests/Fixtures/weights/zip/pytorch_model.bin "$to/pytorch/zip"
cp Tests/Fixtures/weights/legacy/pytorch_model.bin "$to/pytorch/legacy"
cp Tests/Fixtures/weights/script/model.pt "$to/pytorch/script"
with 00 "$FUZZ_FOLDER/open_clip/open_clip_config.json" > "$to/config/open_clip"
with 01 "$FUZZ_FOLDER/huggingface/config.json" > "$to/config/huggingface"
with 02 "$FUZZ_FOLDER/huggingface/preprocessor_config.json" > "$to/config/preprocessor"
with 03 "$FUZZ_FOLDER/sharded/model.safetensors.index.json" > "$to/config/index"
with 00 "$FUZZ_FOLDER/open_clip/vocab.json" > "$to/tokenizer/vocab"
with 01 "$FUZZ_FOLDER/open_clip/merges.txt" > "$to/tokenizer/merges"
with 02 Tests/Fuzz/tokenizer.json > "$to/tokenizer/tokenizer"
with 03 "$FUZZ_FOLDER/open_clip/tokenizer_config.json" > "$to/tokenizer/config"
cp Tests/Fixtures/tokenizer/models/*.model "$to/sentencepiece/"
split -l 1 -a 3 Tests/Fixtures/tokenizer/cases.jsonl "$to/text/"
cp Tests/Fixtures/codecs/*.{png,jpg,webp} "$to/image/"
for format in bmp gif tiff jxl; do cp Tests/Fixtures/photos/*.$format "$to/image_$format/"; done
cp Tests/Fixtures/photos/*.{heic,avif} "$to/image_heif/"
dataset_seeds
pipeline_seeds
cp Tests/Fixtures/manifests/*.ffi.json "$to/manifest/"
cp share/modalities.json "$to/modalities/"
