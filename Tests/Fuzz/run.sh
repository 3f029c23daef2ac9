#!/usr/bin/env bash
# Fuzzes each parser with AddressSanitizer for FUZZ_SECONDS. What it finds goes to Tests/Fixtures/fuzz, which the
# tests replay. The corpus is kept in build/fuzz/corpus. FUZZ_TARGETS names the ones to fuzz; else all are.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
read -ra targets <<< "${FUZZ_TARGETS:-$(cat Tests/Fuzz/targets)}"
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
runtime=$(dirname "$("$clang" -print-file-name=libclang_rt.asan-x86_64.so)")
scripts/build-sanitized fuzz || exit
scripts/swift-build --package-path Tests --product make-model > /dev/null || exit
FUZZ_FOLDER=$(Tests/Fuzz/folder.sh) || exit
export FUZZ_FOLDER
trap 'rm -rf "$FUZZ_FOLDER"' EXIT

seeds=build/fuzz/seeds
Tests/Fuzz/seeds.sh "$seeds" || exit

found=0
for target in "${targets[@]}"; do
  program=build/fuzz/$target new=build/fuzz/findings/$target/
  mkdir -p "$new" "build/fuzz/corpus/$target" "Tests/Fixtures/fuzz/$target"
  # libFuzzer by hand, after the sanitizer's shared runtime, which must be loaded first.
  "$clang" -std=c11 -O1 -g -IInclude "Tests/Fuzz/${target%_*}.c" Tests/Fuzz/common.c Tests/Fuzz/mutate.c -fsanitize=address -shared-libsan \
    -rdynamic "$runtime/libclang_rt.asan-x86_64.so" "$runtime/libclang_rt.fuzzer-x86_64.a" -lstdc++ -lm -lpthread \
    -Lbuild/fuzz/lib -lcliptools -lclipcore -Wl,-rpath,"$PWD/build/fuzz/lib" -Wl,-rpath,"$runtime" -o "$program" || exit
  echo "fuzzing $target for $seconds seconds"
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 -malloc_limit_mb=1500 -print_final_stats=1 \
    -artifact_prefix="$new" "build/fuzz/corpus/$target" "$seeds/$target" "Tests/Fixtures/fuzz/$target" \
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
