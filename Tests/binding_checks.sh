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

# The wheel in two environments, one that has nothing else and one with NumPy and Pillow. Built twice, it is the same.
python_wheel_works() {
  local python=/usr/bin/python3 folder=$root/build/tests/wheel name wheel log good=0 bad=0
  rm -rf "$folder" && mkdir -p "$folder" || return
  for name in one two; do
    CLIPCORE_TREE=$root/build $python -m build --wheel --no-isolation --outdir "$folder/$name" Bindings/python || return
  done
  wheel=$(ls "$folder"/one/*.whl) && cmp "$wheel" "$folder/two/${wheel##*/}" || return
  for name in plain numpy; do
    $python -m venv $([ $name = plain ] || echo --system-site-packages) "$folder/$name" &&
      "$folder/$name/bin/pip" install --quiet --no-index --no-deps "$wheel" || return
    log=$folder/$name.log
    (cd Bindings/python/tests && CLIPCORE_ROOT=$root timeout 300 "$folder/$name/bin/python" -X dev -m unittest -v) > "$log" 2>&1
    cat "$log"
    good=$((good + $(grep -c ' \.\.\. ok$' "$log")))
    bad=$((bad + $(grep -cE ' \.\.\. (FAIL|ERROR)$' "$log")))
    tail -1 "$log" | grep -q '^OK' || bad=$((bad + (bad == 0)))
    [ $name = plain ] || ! grep -q ' \.\.\. skipped' "$log" || bad=$((bad + 1))
  done
  echo "$good passed, $bad failed"
}
