#!/bin/sh
# run.sh FOLDER [ROWS [WIDTH [THREADS [CENTRES]]]]: search with libclipindex of build/, FAISS and NumPy in one run. FOLDER keeps vectors
# and indexes: 10 GB for 1,000,000 rows of 512. PYTHON has numpy and faiss-cpu.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(mktemp)
trap 'rm -f "$program"' EXIT
${CC:-cc} -std=gnu11 -O2 -mavx2 -I "$root/Include" "$root/Benchmarks/index/bench.c" -o "$program" -L"$root/build/lib" -lclipindex \
  -lclipcore -lpthread -Wl,-rpath,"$root/build/lib"
exec "${PYTHON:-python3}" "$root/Benchmarks/index/compare.py" "$program" "$@"
