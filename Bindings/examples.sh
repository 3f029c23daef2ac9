# examples.sh: the six examples of a binding and what they must say. The test that reads this file defines
# `example NAME ARGUMENT...`, which runs one; `root` is the repository, `work` an empty folder.

# says WHAT PATTERN TEXT: fails unless the text has the pattern.
says() {
  grep -Eq -- "$2" <<< "$3" || { echo "FAILED $1: expected $2 in:"; echo "$3"; return 1; }
}

# six_examples: all of them on small models. The plugin, a codec for PPM, is a file, given here, or the example registers it; or
# there is none.
six_examples() {
  local emoji=$root/Models/emoji images=$root/Examples/images small=$root/build/models/small-32 out
  out=$(example embed "$emoji" "$images/cat.png" "a cat" "a slice of pizza") || return
  says embed '^0\.503  a cat' "$out" || return
  says embed '^0\.178  a slice of pizza' "$out" || return
  out=$(example labels "$emoji" "$images/guitar.png" cat guitar pizza) || return
  says labels '^ *(9[0-9]|100)\.[0-9] %  guitar' "$(head -1 <<< "$out")" || return
  out=$(example search "$emoji" "$images" "$work/images.index" "a rocket") || return
  says search '^0\.562  .*rocket.png' "$(head -1 <<< "$out")" || return
  out=$(example swap "$small" "$images/cat.png") || return
  says swap '^10 swaps, [1-9][0-9]* embeddings, all the same' "$out" || return
  out=$(example train "$small" "$images" "$work/trained") || return
  says train '^step 100: loss 2\.[0-9]+ -> [01]\.[0-9]+' "$out" || return
  example embed "$work/trained" "$images/cat.png" cat > /dev/null || return
  if [ "${1-}" = none ]; then return; fi
  if [ -n "${1-}" ]; then
    out=$("$root/build/bin/clip" plugins check "$1") || { echo "$out"; return 1; }
    says plugin '^nothing is wrong' "$out"
  else
    printf 'P6\n2 1\n255\nabcdef' > "$work/two.ppm"
    out=$(example plugin "$work/two.ppm") || return
    says plugin '^2 x 1 pixels' "$out"
  fi
}
