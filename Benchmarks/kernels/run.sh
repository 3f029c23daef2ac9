#!/bin/sh
# run.sh [quick] [f32] [f16] [bf16] [int8] [int8-fast]: times the kernel plugins in $BUILD (default .build/release), and OpenBLAS if
# libopenblas.so.0 is installed and NO_BLAS is not set.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/.build/release}
program=$(mktemp)
trap 'rm -f "$program"' EXIT
${CC:-cc} -O2 -I "$root/Include" "$root/Benchmarks/kernels/bench.c" -ldl -o "$program"
for plugin in ${PLUGINS:-$(ls "$build"/*kernels_*.so)}; do "$program" "$plugin" "$@"; done
