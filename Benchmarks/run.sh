#!/usr/bin/env bash
# run.sh [SECONDS]: times clipcore on this machine: models of real sizes with random weights, then each kernel beside
# the FMA peak and OpenBLAS. `make bench` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-2}
threads=$(nproc)

echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $threads cores, $(uname -sr), clipcore $(git describe --always 2> /dev/null || echo release)"
scripts/swift-build --package-path Tests -c release --product make-model > /dev/null
for name in vit-b-32 rn50; do
  folder=$(Tests/.build/release/make-model "$name")
  for count in $(printf '1\n%s\n' "$threads" | sort -nu); do
    for storage in f32 f16 int8; do
      [ "$storage" = f32 ] || [ "$name $count" = "vit-b-32 $threads" ] || continue
      printf '\n%s, %s, %d thread(s)\n' "$name" "$storage" "$count"
      build/bin/clip bench --model "$folder" --storage "$storage" --threads "$count" --batch 1,8,32 --seconds "$seconds"
    done
  done
done
echo
BUILD=build/lib/clipcore/plugins Benchmarks/kernels/run.sh quick f32
