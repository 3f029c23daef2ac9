# Without standard streams: nothing that the library opens may get their descriptors.
. Tests/Torture/common
torture_program process_test && timeout 300 "$program" $torture_model "$torture_image" "$(folder)" <&- >&- 2>&-
