# Every place of every system call that may fail.
. Tests/Torture/common
torture_program faults_test && timeout 3000 "$program" $torture_model "$torture_image" "$(folder)" all
