#!/usr/bin/env bash
# run.sh [CONDITION...]: the library under hard conditions: each other file of this folder, or those named, is one. A
# condition prints what failed and ends with a status; the last line here is "N passed, N failed". Takes an hour.
set -uo pipefail
cd "$(dirname "$0")/../.."
. Tests/Torture/common
passed=0 failed=0
for file in Tests/Torture/*.sh; do
  name=$(basename "$file" .sh)
  [ "$name" != run ] || continue
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  start=$SECONDS
  if bash "$file" > "$torture/$name.log" 2>&1; then
    passed=$((passed + 1)) result=passed
  else
    failed=$((failed + 1)) result=FAILED
    tail -20 "$torture/$name.log"
  fi
  printf '%-20s %s, %d s\n' "$name" "$result" $((SECONDS - start))
done
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
