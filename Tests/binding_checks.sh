# Checks of Bindings/, each a function that fails with words. Sourced by run.sh.

# Each binding has every function of the headers, or says why not; and the check sees one that is gone.
bindings_cover() {
  local folder=build/tests/coverage
  Tests/binding-coverage || return
  rm -rf "$folder" && mkdir -p "$folder" || return
  printf '%s: no reason\n' 'clip_[a-ln-z]*' 'clip_m*' > "$folder/left-out.txt"
  Tests/binding-coverage "$folder" || return
  printf 'clip_[a-lo-z]*: one function is not named\nclip_model_[a-hj-z]*: of these\nclip_model_open:\n' > "$folder/left-out.txt"
  ! Tests/binding-coverage "$folder" > "$folder/log" || return
  grep -F "no counterpart of clip_model_initialize" "$folder/log" && grep -F "expected a name, a colon and a reason" "$folder/log" || return
  echo 'clip_*: no reason' > "$folder/left-out.txt" && echo 'clip_version();' > "$folder/code.c" || return
  ! Tests/binding-coverage "$folder" > "$folder/log" || return
  grep -F "clip_version is left out, and the binding has it" "$folder/log"
}
