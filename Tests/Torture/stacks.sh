# Threads with the least stack that docs/reliability.md promises, and `ulimit -s` of that size.
. Tests/Torture/common
torture_program process_test || exit
(ulimit -s 128; timeout 300 "$program" $torture_model "$torture_image" "$(folder)" 128) &&
  timeout 300 "$program" Models/emoji "$PWD/Examples/images/sailboat.jpg" "$(folder)" 128
