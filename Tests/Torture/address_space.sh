# `ulimit -v` from too little to enough: calls fail with a status, and nothing ends the process.
. Tests/Torture/common
torture_program api_test || exit
status=0
for ((kilobytes = 20000; kilobytes <= 400000; kilobytes += 10000)); do
  (ulimit -v $kilobytes; timeout 60 "$program" Models/emoji "$torture_image") > /dev/null 2>&1
  ended $? "ulimit -v $kilobytes" || status=1
done
exit $status
