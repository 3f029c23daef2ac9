#!/usr/bin/env bash
# Fuzzes each parser with AddressSanitizer for FUZZ_SECONDS. What it finds goes to Tests/Fixtures/fuzz, which the
# tests replay. The corpus is kept in build/fuzz/corpus.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
targets=(safetensors config tokenizer text image archive table)
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
runtime=$(dirname "$("$clang" -print-file-name=libclang_rt.asan-x86_64.so)")
scripts/build-sanitized fuzz || exit
swift build --package-path Tests -c release --product make-model > /dev/null || exit
FUZZ_FOLDER=$(Tests/Fuzz/folder.sh) || exit
export FUZZ_FOLDER
trap 'rm -rf "$FUZZ_FOLDER"' EXIT

# with BYTE FILE: the file behind a byte that chooses it.
with() { printf "\\x$1"; cat "$2"; }

# Archives of each format, and a table of each kind.
dataset_seeds() {
  local to=$1 pairs=build/fuzz/pairs long format name
  long=$(printf 'long-%.0s' {1..30})
  rm -rf "$pairs" && mkdir -p "$pairs"
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
}

seeds() {
  local to=build/fuzz/seeds
  rm -rf "$to"
  for target in "${targets[@]}"; do mkdir -p "$to/$target" "build/fuzz/corpus/$target"; done
  cp "$FUZZ_FOLDER/open_clip/open_clip_model.safetensors" "$to/safetensors/"
  with 00 "$FUZZ_FOLDER/open_clip/open_clip_config.json" > "$to/config/open_clip"
  with 01 "$FUZZ_FOLDER/huggingface/config.json" > "$to/config/huggingface"
  with 02 "$FUZZ_FOLDER/huggingface/preprocessor_config.json" > "$to/config/preprocessor"
  with 03 "$FUZZ_FOLDER/sharded/model.safetensors.index.json" > "$to/config/index"
  with 00 "$FUZZ_FOLDER/open_clip/vocab.json" > "$to/tokenizer/vocab"
  with 01 "$FUZZ_FOLDER/open_clip/merges.txt" > "$to/tokenizer/merges"
  with 02 Tests/Fuzz/tokenizer.json > "$to/tokenizer/tokenizer"
  with 03 "$FUZZ_FOLDER/open_clip/tokenizer_config.json" > "$to/tokenizer/config"
  split -l 1 -a 3 Tests/Fixtures/tokenizer/cases.jsonl "$to/text/"
  cp Tests/Fixtures/codecs/*.{png,jpg,webp} "$to/image/"
  dataset_seeds "$to"
}
seeds

found=0
for target in "${targets[@]}"; do
  program=build/fuzz/$target new=build/fuzz/findings/$target/
  mkdir -p "$new" "Tests/Fixtures/fuzz/$target"
  # libFuzzer by hand, after the sanitizer's shared runtime, which must be loaded first.
  "$clang" -std=c11 -O1 -g -IInclude "Tests/Fuzz/$target.c" Tests/Fuzz/common.c -fsanitize=address -shared-libsan \
    -rdynamic "$runtime/libclang_rt.asan-x86_64.so" "$runtime/libclang_rt.fuzzer-x86_64.a" -lstdc++ -lm -lpthread \
    -Lbuild/fuzz/lib -lclipcore -Wl,-rpath,"$PWD/build/fuzz/lib" -Wl,-rpath,"$runtime" -o "$program" || exit
  echo "fuzzing $target for $seconds seconds"
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 -malloc_limit_mb=1500 -print_final_stats=1 \
    -artifact_prefix="$new" "build/fuzz/corpus/$target" "build/fuzz/seeds/$target" "Tests/Fixtures/fuzz/$target" \
    > "build/fuzz/$target.log" 2>&1
  status=$?
  grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$target.log" | sed 's/^stat::/  /'
  grep -E 'DONE|cov:' "build/fuzz/$target.log" | tail -1
  if [ "$status" -ne 0 ]; then
    found=1
    grep -E 'ERROR|SUMMARY|#[0-9] ' "build/fuzz/$target.log" | head -20
    cp "$new"* "Tests/Fixtures/fuzz/$target/" 2> /dev/null
    echo "a finding: see build/fuzz/$target.log and Tests/Fixtures/fuzz/$target"
  fi
done
exit $found
