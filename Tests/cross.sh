#!/usr/bin/env bash
# cross.sh ARCH fast|all: C tests on the libraries for another processor, which qemu imitates; the last line is
# "N passed, N failed". fast builds them unoptimised and takes the tests of seconds; all is after `make cross`.
set -uo pipefail
cd "$(dirname "$0")/.."
arch=$1 which=$2
build=build-$arch sysroot=.build-$arch/sysroot
if [ "$which" = fast ]; then
  build+=/unoptimised
  UNOPTIMISED=1 scripts/cross "$arch" || exit
fi
tests=$build/tests models=build/models emoji=Models/emoji image=Examples/images/cat.png
mkdir -p "$tests"
clang=$(dirname "$(readlink -f "$(command -v swiftc)")")/clang
compile() {
  "$clang" --target="$arch-linux-gnu" --sysroot="$PWD/$sysroot" -fuse-ld=lld -O2 -Wall -Wextra -Werror -IInclude "$@" -lm -lpthread
}
good=0 bad=0
TMPDIR=$(mktemp -d) # for empty folders and what tests leave
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# run NAME CPU PROGRAM ARGUMENT...: each @ is an empty folder.
run() {
  local name=$1 cpu=$2 line arguments=() argument
  for argument in "${@:3}"; do
    if [ "$argument" = @ ]; then argument=$(mktemp -d); fi
    arguments+=("$argument")
  done
  line=$(timeout 600 "qemu-$arch" -cpu "$cpu" -L "$sysroot" "${arguments[@]}" 2>&1 | tee "$tests/log" | tail -1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    good=$((good + BASH_REMATCH[1])) bad=$((bad + BASH_REMATCH[2]))
  else
    bad=$((bad + 1))
  fi
  echo "$name: $line"
  [[ $line == *", 0 failed" ]] || grep -v ' passed, ' "$tests/log" | tail -20
}

# c_test NAME ARGUMENT...
c_test() {
  compile -std=c11 "Tests/C/$1.c" -o "$tests/$1" -L"$build/lib" -lclipindex -lcliptools -lclipcore -Wl,-rpath,"$PWD/$build/lib" || { bad=$((bad + 1)) && return; }
  run "$1" max "$tests/$1" "${@:2}"
}

# Processors with dot products and without.
compile -std=gnu11 Tests/C/kernels_test.c -o "$tests/kernels_test" || exit
run kernels_test max "$tests/kernels_test" "$build"/lib/clipcore/plugins/kernels_*.so
c_test processor_test arm64-dot
run processor_test cortex-a53 "$tests/processor_test" arm64 arm64-dot

c_test zoo_test Tests/Fixtures/zoo
c_test sentence_test Tests/Fixtures/zoo/sentence
c_test augment_test
c_test closures_test $models/grey
c_test analysis_test share/modalities.json
if [ "$which" = all ]; then
  run kernels_openblas max "$tests/kernels_test" "$build"/lib/clipcore/plugins/on-demand/kernels_*.so
  c_test conventions_test $emoji $image
  c_test system_test $emoji $image
  c_test structs_test $models/rn-tiny @
  c_test dataset_test $emoji $image
  c_test extend_test $emoji $image
  c_test text_augment_test
  c_test weights_test Tests/Fixtures/weights $image @
  c_test trainer_test $emoji $models/rn-tiny $image
  c_test ops_test @
  c_test index_test $emoji @
  c_test images_test $emoji Tests/Fixtures/photos
  c_test tokenizers_test Tests/Fixtures/tokenizer/parts Tests/Fixtures/tokenizer/models @
fi
echo "$good passed, $bad failed"
[ "$bad" -eq 0 ]
