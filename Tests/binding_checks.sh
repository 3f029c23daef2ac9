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

# clipcore.hpp with both compilers: its test and the six examples run under AddressSanitizer.
cpp_header_works() {
  local folder=$root/build/tests/cpp source flags out
  rm -rf "$folder" && mkdir -p "$folder/work" || return
  flags="-std=c++20 -Wall -Wextra -Wpedantic -Werror -Ibuild/include"
  # shellcheck disable=SC2086 # the flags are words
  "$clang++" $flags -fsyntax-only Bindings/cpp/tests/clipcore_test.cpp || return
  for source in Bindings/cpp/tests/clipcore_test.cpp Bindings/cpp/examples/*.cpp; do
    # shellcheck disable=SC2086
    g++ $flags -fsanitize=address,undefined -fno-sanitize-recover=undefined "$source" -o "$folder/$(basename "$source" .cpp)" \
      -Lbuild/lib -lclipindex -lcliptools -lclipcore -Wl,-rpath,"$root/build/lib" || return
  done
  out=$("$folder/embed_and_compare" $emoji Examples/images/{cat,dog,pizza}.png) && echo "$out" &&
    head -1 <<< "$out" | grep -q 'cat.png.*dog.png' || return
  out=$("$folder/zero_shot" $emoji Examples/images/dog.png cat dog pizza) && echo "$out" && grep -q ' dog$' <<< "$out" || return
  out=$("$folder/search_folder" $emoji Examples/images "$folder/work/x.index" "a guitar") && echo "$out" &&
    head -2 <<< "$out" | grep -q guitar.png && "$folder/search_folder" $emoji Examples/images "$folder/work/x.index" "a cat" | grep -q '^0 new, 12 in all' || return
  "$folder/swap_under_load" $emoji $image | grep -E '^10 swaps, [1-9][0-9]* calls meanwhile, 0 wrong$' || return
  "$folder/train" build/models/small-32 Examples/emoji-pairs.tar "$folder/work/trained" | grep -E '^loss .* in 100 steps$' &&
    ls "$folder"/work/trained/*.safetensors || return
  "$folder/write_plugin" $image | grep -x 'values 0 128' || return
  mkdir "$folder/test" && "$folder/clipcore_test" "$root" "$folder/test"
}
