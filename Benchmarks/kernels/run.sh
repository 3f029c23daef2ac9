#!/bin/sh
# Times the kernel plugins that are built: run.sh [quick] [f32] [f16] [bf16] [int8], plugins from $BUILD
# (.build/release). OpenBLAS is timed beside them where libopenblas.so.0 is installed (NO_BLAS=1: not).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/.build/release}
program=$(mktemp)
trap 'rm -f "$program"' EXIT
${CC:-cc} -O2 -I "$root/Include" "$root/Benchmarks/kernels/bench.c" -ldl -o "$program"
for plugin in ${PLUGINS:-"$build"/libkernels_*.so}; do "$program" "$plugin" "$@"; done
