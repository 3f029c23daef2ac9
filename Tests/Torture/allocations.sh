# Every allocation that may fail.
. Tests/Torture/common
[ -f Tests/C/torture.c ] || { echo "Tests/C/torture.c is not there"; exit 1; }
torture_program torture && timeout 6000 "$program" 0 "$(folder)"
