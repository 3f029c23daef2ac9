# Checks of examples and plugins, each a function that fails with words. Sourced by run.sh.

# shellcheck disable=SC2086 # flags are words
# The embedding programs in C++, Rust and Swift, built as their first lines say, name the image.
example_programs() {
  local flags folder=build/tests/examples out
  flags=$(PKG_CONFIG_PATH=build/lib/pkgconfig pkg-config --cflags --libs clipcore) || return
  mkdir -p $folder
  "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror Examples/cpp/embed.cpp -o $folder/embed-cpp $flags -Wl,-rpath,"$root/build/lib" || return
  # A package outside of ours, which finds the library through pkg-config.
  PKG_CONFIG_PATH=$root/build/lib/pkgconfig swift build --package-path Examples/swift --scratch-path "$root/$folder/swift" \
    -Xlinker -rpath -Xlinker "$root/build/lib" || return
  cp $folder/swift/debug/embed $folder/embed-swift || return
  swift_examples_work "$folder/swift/debug/examples" "$folder/work" || return
  if command -v rustc > /dev/null; then
    rustc --edition 2021 -O Examples/rust/embed.rs -o $folder/embed-rust -L build/lib -C link-arg=-Wl,-rpath,"$root/build/lib" || return
  fi
  for program in $folder/embed-*; do
    out=$("$program" "$emoji" "$image" cat sailboat pizza) || return
    echo "$program"$'\n'"$out"
    awk '$3 == "cat" && $1 > 50 { found = 1 } END { exit !found }' <<< "$out" || return
    # A model that is not there ends with words and not with a crash.
    "$program" /nowhere "$image" cat 2> build/tests/examples.err && return 1
    grep -q nowhere build/tests/examples.err || return
  done
}

swift_examples_work() { # PROGRAM FOLDER
  local program=$1 folder=$2
  rm -rf "$folder" && mkdir -p "$folder" || return
  "$program" embed-and-compare $emoji Examples/images/{cat,dog,pizza}.png | head -1 | grep 'cat.png.*dog.png' || return
  "$program" zero-shot $emoji Examples/images/dog.png cat dog pizza | grep ' dog$' || return
  "$program" search-folder $emoji Examples/images "$folder/x.index" "a guitar" | head -2 | grep guitar.png || return
  "$program" search-folder $emoji Examples/images "$folder/x.index" "a cat" | grep '^0 new, 12 in all' || return
  "$program" swap-under-load $emoji $image | grep -E '^10 swaps, [1-9][0-9]* calls meanwhile, 0 wrong$' || return
  "$program" train build/models/small-32 Examples/emoji-pairs.tar "$folder/trained" | grep -E '^loss .* in 100 steps$'
}

# Every example that `clip plugins new` begins from: written, built by its Makefile, checked; and the
# encoders of all languages are one and the same.
new_plugins_work() {
  local good=0 bad=0 folder=$root/build/tests/new kind language name first source
  local PKG_CONFIG_PATH=$root/build/lib/pkgconfig
  export PKG_CONFIG_PATH
  rm -rf "$folder" && mkdir -p "$folder" || return
  for source in Examples/plugins/*/*; do
    language=${source##*/} kind=$(basename "${source%/*}") name=my-$kind-$language
    if ! command -v "$( [ "$language" = rust ] && echo rustc || echo sh)" > /dev/null; then
      echo "$name: left out, there is no rustc here"
      continue
    fi
    if build/bin/clip plugins new "$name" --kind "$kind" --language "$language" --into "$folder" &&
      make -s -C "$folder/$name" && build/bin/clip plugins check "$folder/$name/$name.so" &&
      build/bin/clip plugins --plugins "$folder/$name/$name.so" | grep -q "local\.[a-z]*\.$name"; then
      good=$((good + 1))
    else
      bad=$((bad + 1)); echo "FAILED $name"
    fi
  done
  # What the suites use too.
  cc -std=c11 -O2 -Wall -Wextra -fPIC -shared Tests/C/ops_plugin.c -o "$folder/ops.so" || return
  if build/bin/clip plugins check "$folder/ops.so"; then good=$((good + 1)); else bad=$((bad + 1)); fi
  # By the examples themselves, whose ids are the same in every language.
  local model
  model=$(Tests/.build/release/make-model sample-encoder) || return
  for source in Examples/plugins/{encoder,augmentation}/*; do
    language=${source##*/} kind=$(basename "${source%/*}")
    [ -d "$folder/my-$kind-$language" ] || continue
    name=$folder/$kind-$language
    cp -r "$source" "$name" && make -s -C "$name" || return
    if [ "$kind" = encoder ]; then
      build/bin/clip embed --plugins "$name/sample.so" --model "$model" --image "$image" --output "$name.npy" > /dev/null || return
    else
      build/bin/clip augment --plugins "$name/sample.so" "$image" --pipeline '[{"op": "sample_op", "p": 1}]' --seed 5 \
        --output "$name.png" || return
    fi
  done
  for first in "$folder"/encoder-c.npy "$folder"/augmentation-c.png; do
    for name in "${first%-c.*}"-*."${first##*.}"; do
      [ "$name" != "$first" ] || continue
      if cmp "$first" "$name"; then good=$((good + 1)); else bad=$((bad + 1)); fi
    done
  done
  echo "$good passed, $bad failed"
}

# What comes with the library, by the tool that others check theirs with. Encoders with large examples take long:
# the suites hold them against references.
shipped_plugins_pass() {
  local good=0 bad=0 file more
  for file in build/lib/clipcore/plugins/{augment,codec,kernels,encoder_clip}_*.so build/lib/clipcore/plugins/on-demand/*.so; do
    more=()
    case $file in
      *codec_png*) more=(--image Examples/images/cat.png) ;;
      *codec_jpeg*) more=(--image Examples/images/sailboat.jpg) ;;
      *codec_webp*) more=(--image "$(find Tests/Fixtures -name '*.webp' | sort | head -1)") ;;
      *tokenizer*) more=(--model Tests/Fixtures/tokenizer/unigram/spiece.model) ;;
    esac
    if build/bin/clip plugins check "$file" "${more[@]}"; then good=$((good + 1)); else bad=$((bad + 1)); echo "FAILED $file"; fi
  done
  echo "$good passed, $bad failed"
}

# What `clip plugins check` says of each fault of Tests/C/faulty_plugin.c, and from 50 of faulty_data_plugin.c;
# 0, 40 and 50 have none.
faults_are_found() {
  local good=0 bad=0 number words out status expected source folder=build/tests/faults
  mkdir -p $folder && printf 'toy\x1d%0200d' 7 > $folder/model.toy
  while IFS='|' read -r number words; do
    # No -Wall: faults are what it warns of.
    source=Tests/C/faulty_plugin.c
    [ "$number" -lt 50 ] || source=Tests/C/faulty_data_plugin.c
    cc -std=c11 -O1 -w -fPIC -shared -DFAULT="$number" $source -o $folder/$number.so || return
    status=0 expected=1
    case $number in 0 | 40 | 50) expected=0 ;; esac
    out=$(timeout 120 build/bin/clip plugins check $folder/$number.so --model $folder/model.toy) || status=$?
    if [ "$status" -eq "$expected" ] && grep -qF -- "$words" <<< "$out"; then
      good=$((good + 1))
    else
      bad=$((bad + 1)); printf 'FAILED %s: expected "%s", found status %s and:\n%s\n' "$number" "$words" "$status" "$out"
    fi
  done <<'EOF'
0|nothing is wrong
1|test.encoder.faulty: test.op.affine op: shape: expected a width from 1
2|test.op.affine op: shape: expected a clip_rows, found 9
3|test.op.affine op: shape: expected 1 to 268435456 rows and a grid of as many
4|test.op.affine op: parameters: expected each name once, found scale twice
5|test.op.affine op: parameters: expected at most 64, found 1000
6|forward wrote beside its output
7|forward wrote beside its output or its scratch
8|or to an input
9|some of the output was not written
10|some of the output is not finite
11|it is not row-wise
12|called again, it gave other numbers
13|in the first input's place, it gave other numbers
14|the gradient by input 0
15|backward does not add to what is there
16|the gradient by parameter 1
17|backward wrote beside its gradients
20|crashed: Segmentation fault
21|build: expected a value of this builder, found 77
22|build: expected one row an item
23|configs test.encoder.faulty  crashed: Floating point exception
24|I would rather not
25|test.op.absent op: expected an op, one of pixels
26|expected 1 inputs, found 2
27|expected no settings, found the setting hardness
28|expected 1 inputs, found 0
30|test.op.affine: expected all functions and sizes of a clip_op, found no forward
31|expected a table of 32 bytes, found 16
32|expected an id of a-z, 0-9
33|its table is a null pointer
34|expected a table of 48 bytes, found 8
35|expected plugin interface 2.x, found 7.0
36|expected the function clip_plugin_entry, found none
37|ended the process with code 3
38|crashed: Aborted
39|clip_plugin_entry returned no table
40|nothing is wrong
41|backward row by row adds up to other gradients
42|op test.op.affine            crashed: Segmentation fault
43|backward wrote beside its gradients, or to what it was given
44|backward, on 4 threads at once, gave other gradients
50|nothing is wrong
51|it wrote beside its result of 1 x 9
52|image test.augment.image      crashed: Segmentation fault
53|image test.augment.image      crashed: Segmentation fault
54|it wrote to the image it was given
55|some of the result was not written
56|by the same seed, it gave another result
57|by the same seed, it gave another result
58|on 4 threads at once, after other inputs, it gave other results
59|rounds of create and destroy left
60|create asks for a number "amount", which is not declared
61|create asks for a text "strength", which is declared as another type
62|image test.augment.image      crashed: Floating point exception
63|create refused without a word
64|image test.augment.image      crashed: Floating point exception
65|it failed without a word
66|nothing that this check knows is taken
67|it asked for 0 x 1 pixels of format 1
68|it asked for memory a second time
69|the host refused its result, and it said that all is well
70|expected UTF-8 without NUL, found something else
71|by the same seed, it gave another result
72|the host refused its result, and it said that all is well
73|text test.augment.text        crashed: Segmentation fault
74|expected apply_text alone
75|image test.augment.image      crashed: Segmentation fault
80|test.tokenizer.toy: expected all functions and sizes of a clip_tokenizer, found no close
81|expected ids below 29, found 29
82|tokenizer test.tokenizer.toy  crashed: Segmentation fault
83|expected 0 to 64 tokens in a row, found
84|expected CLIP_LIMIT without CLIP_TEXT_TRUNCATE
85|tokenizer test.tokenizer.toy  crashed: Segmentation fault
86|open refused 0 bytes without a word
87|on 4 threads at once, it gave other ids
88|rounds of open and close left
89|called again, it gave something else
EOF
  echo "$good passed, $bad failed"
}

# The encoder for a task with its reasons, as a table and as JSON; a need that nobody has is an error that lists them.
encoders_are_recommended() {
  local out
  out=$(build/bin/clip plugins recommend --need low-latency few-parameters) || return
  echo "$out"
  sed -n 2p <<< "$out" | grep -q 'clipcore.encoder.efficientnet-b0 .*low-latency .*few-parameters' || return
  out=$(build/bin/clip plugins recommend --need global-context --max-parameters 90000000 --json) || return
  grep -q '"id": *"clipcore.encoder.clip-vit"' <<< "$out" || { echo "$out"; return 1; }
  ! grep -q 'encoder.hybrid' <<< "$out" || { echo "$out"; return 1; }
  ! out=$(build/bin/clip plugins recommend --need beauty 2>&1) || return
  grep -q 'texture.*found beauty' <<< "$out" || { echo "$out"; return 1; }
}

# clip plugins check in JSON: the findings, and how many are faults.
plugin_check_writes_json() {
  local out
  out=$(build/bin/clip plugins check --json build/lib/clipcore/plugins/codec_png.so) || return
  echo "$out"
  grep -q '"faults": 0' <<< "$out" && grep -q '"id": "clipcore.codec.png"' <<< "$out" && grep -q '"verdict": "pass"' <<< "$out" || return
  ! out=$(build/bin/clip plugins check --json README.md) || return
  grep -q '"verdict": "fail"' <<< "$out" && grep -q '"faults": [1-9]' <<< "$out"
}

# The files and the commands that docs/plugins.md marks, in an empty folder.
documented_plugin_works() {
  local folder=$root/build/tests/documented
  rm -rf "$folder" && mkdir -p "$folder" || return
  awk -v folder="$folder" '
    /^<!-- file: / { file = folder "/" $3; next }
    /^<!-- run -->/ { file = folder "/commands"; next }
    /^```/ { open = !open && file != ""; if (!open) file = ""; next }
    open { print > file }' docs/plugins.md
  [ -s "$folder/commands" ] || { echo "docs/plugins.md marks no commands"; return 1; }
  (cd "$folder" && PATH=$root/build/bin:$PATH PKG_CONFIG_PATH=$root/build/lib/pkgconfig bash -eux commands)
}
