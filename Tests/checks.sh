# Checks of what was built, each a function that fails with words. Sourced by run.sh.

# header_compiles COMPILER STANDARD: each header alone.
header_compiles() {
  local compiler=$1 standard=$2 language=c header
  [[ $standard == c++* ]] && language=c++
  for header in Include/*.h Include/plugin/*.h; do
    echo "#include \"$header\"" | "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wpedantic -Werror \
      -fsyntax-only -I. - || return
  done
}

# declared_functions HEADER...: the functions that these headers declare themselves.
declared_functions() { sed -n '/^CLIP_API/,/;/p' "$@" | grep -oE '\bclip_[a-z_]+ ?\(' | tr -d '( ' | sort -u; }

# exports_match LIBRARY HEADER...: the functions that the headers declare are the symbols that the library exports.
exports_match() {
  local library=$1 declared exported
  shift
  declared=$(declared_functions "$@")
  exported=$(nm -D --extern-only --defined-only "build/lib/$library" | awk '$2 != "A" { sub(/@@CLIPCORE_[0-9.]+$/, "", $3); print $3 }' | sort)
  [ -n "$declared" ] && diff <(echo "$declared") <(echo "$exported")
}

# Every function of the headers is in docs/c-interface.md, and nothing else of that name is.
interface_documented() {
  local declared documented
  declared=$(declared_functions Include/clip*.h)
  documented=$(grep -oE '`clip_[a-z_]+`' docs/c-interface.md | tr -d '`' | grep -vE '^clip_(image_view|image_options|model_options|encode_options)$' | sort -u)
  [ -n "$declared" ] && diff <(echo "$declared") <(echo "$documented")
}

# The C of README and docs. A block with an #include is a file, one that begins with "static" goes beside functions,
# any other into one; what is neither has no "c" at its fence. README's program also runs, and ranks the right caption first.
documented_c_compiles() {
  local folder=build/tests/docs page block source out bad=0
  rm -rf "$folder" && mkdir -p "$folder" || return
  for page in README.md docs/*.md; do
    awk -v name="$folder/$(basename "$page" .md)" '
      /^```c$/ { block = name "-" NR ".block"; next }
      /^```/ { block = "" }
      block != "" { print > block }' "$page"
  done
  for block in "$folder"/*.block; do
    source=${block%.block}.c
    if grep -q '^#include' "$block"; then
      cp "$block" "$source"
    elif grep -q '^static [^=]*) {' "$block"; then
      { echo '#include "docs_prelude.h"'; cat "$block"; } > "$source"
    else
      { echo '#include "docs_prelude.h"'; echo 'int piece(void);'; echo 'int piece(void) {'; cat "$block"; echo 'return 0; }'; } > "$source"
    fi
    cc -std=c11 -Wall -Wextra -Wno-unused -Wno-unused-parameter -Werror -fsyntax-only -Ibuild/include -Ibuild/include/clipcore \
      -ITests/C "$source" || { echo "in $(basename "${block%-*}").md, line $(basename "${block##*-}" .block)"; bad=1; }
  done
  [ "$bad" = 0 ] || return
  source=$(grep -l 'int main(void)' "$folder"/README-*.c) && cc -std=c11 -Ibuild/include "$source" -o "$folder/readme" -Lbuild/lib -lclipcore \
    -Wl,-rpath,"$root/build/lib" || return
  out=$("$folder/readme") || return
  echo "$out"
  awk 'NR == 1 { exit !($1 > 90 && $1 <= 100 && $4 == "cat") }' <<< "$out" || return
  # Elsewhere there is no Models/emoji: a message, and not zeros.
  ! (cd "$folder" && ./readme) 2> "$folder/message" && grep -q Models/emoji "$folder/message"
}

# The kernels against plain loops.
kernels_work() {
  cc -std=gnu11 -O2 -IInclude Tests/C/kernels_test.c -o build/tests/kernels_test -ldl -lm &&
    timeout 600 build/tests/kernels_test build/lib/clipcore/plugins/{,on-demand/}kernels_*.so
}

plugins_export_entry() {
  local file exported
  for file in build/lib/clipcore/plugins/{*,on-demand/*}.so; do
    exported=$(nm -D --extern-only --defined-only "$file" | awk '{ print $3 }')
    [ "$exported" = clip_plugin_entry ] || { echo "$file exports $exported"; return 1; }
  done
}

# Options first, then CLIP_PLUGIN_PATH in its order, then the folder beside the library: of plugins
# that bring the same encoder the first one counts. The tree is a small one of its own.
plugins_found_in_order() {
  local tree=$root/build/tests/search place version=0 found
  rm -rf "$tree" && mkdir -p "$tree/bin" "$tree"/{option,one,two} "$tree/lib/clipcore/plugins" || return
  ln build/bin/clip "$tree/bin/clip" && cp -P build/lib/libclip*.so* "$tree/lib/" || return
  for place in option one two lib/clipcore/plugins; do
    version=$((version + 1))
    compile cc "$tree/$place/grey.so" Tests/C/plugins/grey.c -shared -fPIC -fvisibility=hidden \
      -DGREY_VERSION=$version "-DGREY_PLUGIN=\"test.grey$version\"" || return
  done
  # found PATH [OPTION...]: the description of the encoder that counts, and who else is skipped.
  found() { CLIP_PLUGIN_PATH=$1 "$tree/bin/clip" plugins "${@:2}" 2>&1 | grep -oE 'version [0-9]|skipped: .*|already loaded.*'; }
  [ "$(found "$tree/one:$tree/two" --plugins "$tree/option" | grep ^version)" = "version 1" ] || return
  [ "$(found "$tree/one:$tree/two" | grep ^version)" = "version 2" ] || return
  [ "$(found "$tree/two/grey.so:$tree/one" | grep ^version)" = "version 3" ] || return
  [ "$(found "" | grep ^version)" = "version 4" ] || return
  [ "$(found ":/nowhere:" | grep ^version)" = "version 4" ] || return
  found "$tree/one:$tree/two" | grep -F "$tree/two/grey.so" | grep -qF "already loaded from $tree/one/grey.so"
}

# Without the plugin that reads tokenizers a model with a text tower says which it needs.
missing_tokenizer_is_said() {
  local tree=$root/build/tests/missing out
  rm -rf "$tree" && mkdir -p "$tree/bin" "$tree/lib/clipcore/plugins/on-demand" || return
  ln build/bin/clip "$tree/bin/clip" && cp -P build/lib/libclip*.so* "$tree/lib/" &&
    cp build/lib/clipcore/plugins/encoder_siglip.so "$tree/lib/clipcore/plugins/" || return
  Tests/.build/release/make-model siglip-text "$tree/model" || return
  ! out=$("$tree/bin/clip" tokenize --model "$tree/model" "a cat" 2>&1) || return
  echo "$out"
  grep -F "expected the plugin clipcore.tokenizer.subword" <<< "$out" &&
    build/bin/clip tokenize --model "$tree/model" "a cat"
}

# The plugin and the manifest of docs/augmentation.md: built and loaded as they stand there.
augmentation_examples_work() {
  local folder=build/tests/augmentation-docs out
  rm -rf "$folder" && mkdir -p "$folder" || return
  awk '/^```c$/ { block = "" } { if (!/^```/) block = block $0 "\n" } /^```$/ { if (block ~ /CLIP_PLUGIN\(/) printf "%s", block; block = "" }' \
    docs/augmentation.md | sed -n '/^#include/,$p' > "$folder/invert.c"
  awk '/^```json$/ { block = "" } { if (!/^```/) block = block $0 "\n" } /^```$/ { if (block ~ /"library"/) printf "%s", block; block = "" }' \
    docs/augmentation.md > "$folder/libyuv.ffi.json"
  compile cc "$folder/invert.so" "$folder/invert.c" -shared -fPIC -fvisibility=hidden || return
  out=$(build/bin/clip plugins --plugins "$folder" 2>&1) || return
  grep -F example.augment.invert <<< "$out" && grep -F example.augment.mirror <<< "$out" && ! grep -F skipped <<< "$out"
}

# A page of pairs and variants of their captions: both files are whole, the page needs no other, and what
# captions hold is shown and not obeyed.
analysis_page_works() {
  local folder=build/tests/analysis name out page
  rm -rf "$folder" && mkdir -p "$folder/pairs" || return
  for name in bicycle cat dog guitar pizza rainbow rocket strawberry; do
    cp "Examples/images/$name.png" "$folder/pairs/" && echo "a $name" > "$folder/pairs/$name.txt" || return
  done
  printf '<script>alert("&")</script>\n' > "$folder/pairs/dog.txt"
  echo "no image" > "$folder/pairs/zebra.png" && echo zebra > "$folder/pairs/zebra.txt"
  compile cc "$folder/marks.so" Tests/C/plugins/marks.c -shared -fPIC -fvisibility=hidden -IInclude || return
  echo '[{"op": "marks", "text": "pizza"}]' > "$folder/variants.json"
  out=$(build/bin/clip analyze --model "$emoji" --data "$folder/pairs" --report "$folder/out" --white \
    --variants "$folder/variants.json" --plugins "$folder" 2>&1) || { echo "$out"; return 1; }
  page=$folder/out/report.html
  grep -F "8 pairs, 1 left out" <<< "$out" || return
  grep -qF '</html>' "$page" && grep -qF 'prefers-color-scheme: dark' "$page" && grep -qF '@media print' "$page" || return
  [ "$(grep -cF '<figure>' "$page")" -eq 3 ] && grep -qF 'variants.json' "$page" || return
  grep -qF '&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;' "$page" || return
  # Nothing is fetched and nothing runs: no address but those of the images in the page itself.
  ! sed -E 's,"data:image/bmp;base64\,[A-Za-z0-9+/=]+",DATA,g' "$page" |
    grep -nEi '<script|<link|<iframe|<object|@import|url\(|//|(src|href)="|data:image/' || return
  grep -qE '"recall_at_1": [01]\.' "$folder/out/report.json" && grep -qF '"changed": 1.0' "$folder/out/report.json" || return
  # The same again is the same; what cannot be done is said.
  cp -r "$folder/out" "$folder/first" && build/bin/clip analyze --model "$emoji" --data "$folder/pairs" --report "$folder/out" \
    --white --variants "$folder/variants.json" --plugins "$folder" --threads 3 > /dev/null 2>&1 || return
  diff -r "$folder/first" "$folder/out" || return
  ! build/bin/clip analyze --model "$emoji" --data "$folder/pairs" --report "$page" 2> /dev/null || return
  ! build/bin/clip analyze --model "$emoji" --data "$folder/pairs" --report "$folder/out" --limit 1 2> /dev/null || return
  echo '[{"op": "random_horizontal_flip"}]' > "$folder/wrong.json"
  ! build/bin/clip analyze --model "$emoji" --data "$folder/pairs" --report "$folder/out" --variants "$folder/wrong.json" 2> /dev/null
}

# The catalogue as people see it.
catalogue_is_shown() {
  build/bin/clip gap text image | grep -F "Alignment difficulty 0.82 of 1: very high" &&
    build/bin/clip gap --catalogue share/modalities.json | grep -F "Granularity" &&
    build/bin/clip gap --json text video | grep -F '"main_challenges"' && ! build/bin/clip gap text taste
}

# No Swift runtime, no C++ runtime, no OpenBLAS: only libc, libm and utf8proc.
needs_only_allowed() {
  local found file
  found=$(ldd build/lib/libclipcore.so | awk '{ print $1 }' |
    grep -vE '^(linux-vdso\.so\.1|libc\.so\.6|libm\.so\.6|/lib64/ld-linux-x86-64\.so\.2)$')
  [ -z "$found" ] || { echo "libclipcore.so needs $found"; return 1; }
  found=$(ldd build/lib/libcliptools.so | awk '{ print $1 }' |
    grep -vE '^(linux-vdso\.so\.1|libc\.so\.6|libm\.so\.6|libclipcore\.so\.1|libutf8proc\.so\.[0-9]+|/lib64/ld-linux-x86-64\.so\.2)$')
  [ -z "$found" ] || { echo "libcliptools.so needs $found"; return 1; }
  found=$(ldd build/lib/libclipindex.so | awk '{ print $1 }' |
    grep -vE '^(linux-vdso\.so\.1|libc\.so\.6|libm\.so\.6|libclipcore\.so\.1|libsqlite3\.so\.0|libutf8proc\.so\.[0-9]+|/lib64/ld-linux-x86-64\.so\.2)$')
  [ -z "$found" ] || { echo "libclipindex.so needs $found"; return 1; }
  for file in build/lib/clipcore/plugins/{*,on-demand/*}.so; do
    # Libraries in C++, such as libheif, are those of codecs on demand and of neighbours alone.
    local cxx='|libstdc\+\+'
    [[ $file != */on-demand/codec_* && $file != */on-demand/neighbours_* ]] || cxx=
    ! ldd "$file" | grep -E "libswift|libclipcore|not found$cxx" || { echo "in $file"; return 1; }
  done
  ! ldd build/bin/clip | grep -E 'libswift|not found'
}

# Stripped: libclipcore.so under 1.21 MB, all .so files together under 6 MB.
sizes_fit() {
  local tree=build/tests/sizes core all
  rm -rf "$tree" && scripts/install-tree build "$tree" || return
  core=$(stat -Lc %s "$tree/lib/libclipcore.so")
  all=$(find "$tree/lib" -name '*.so*' -type f -print0 | xargs -0 stat -c %s | awk '{ n += $1 } END { print n }')
  echo "libclipcore.so $core bytes, all $all bytes"
  [ "$core" -lt 1235000 ] && [ "$all" -lt 6000000 ]
}

# Installed, moved elsewhere, found by pkg-config and CMake; the example is built against it, and it and the tool run.
# Uninstalled, nothing is left. The libraries are in lib, and in a folder of the architecture as Debian has them.
installed_tree_works() {
  local stage=$root/build/tests/stage moved=$root/build/tests/moved lib
  for lib in lib "lib/$(cc -print-multiarch)"; do
    rm -rf "$stage" "$moved"
    make -s install DESTDIR="$stage" PREFIX=/opt/clipcore LIBDIR="/opt/clipcore/$lib" || return
    cp -a "$stage/opt/clipcore" "$moved" || return
    moved_tree_works "$moved" "$lib" || return
    make -s uninstall DESTDIR="$stage" PREFIX=/opt/clipcore LIBDIR="/opt/clipcore/$lib" || return
    ! find "$stage" ! -type d -o -name '*clipcore*' ! -path "$stage/opt/clipcore" | grep . || return
  done
}

moved_tree_works() { # TREE LIB
  local moved=$1 lib=$2 flags program out project=build/tests/cmake
  flags=$(PKG_CONFIG_PATH=$moved/$lib/pkgconfig pkg-config --cflags --libs clipcore) || return
  case $flags in *"$moved"*) ;; *) echo "pkg-config says $flags"; return 1 ;; esac
  # shellcheck disable=SC2086 # the flags are words
  cc -std=c11 -Wall -Wextra -Wpedantic -Werror Examples/c/embed.c -o build/tests/embed $flags -Wl,-rpath,"$moved/$lib" || return
  rm -rf "$project" && mkdir -p "$project" && cat > "$project/CMakeLists.txt" <<PROJECT || return
cmake_minimum_required(VERSION 3.16)
project(embed C)
find_package(clipcore 0.1 REQUIRED)
add_executable(embed "$root/Examples/c/embed.c")
target_link_libraries(embed clipcore::clipcore clipcore::cliptools clipcore::clipindex)
PROJECT
  cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$moved" -DCMAKE_C_FLAGS=-Werror > /dev/null || return
  cmake --build "$project/build" > /dev/null || return
  for program in "$root/build/tests/embed" "$root/$project/build/embed"; do
    out=$(cd / && "$program" "$root/$emoji" "$root/Examples/images/cat.png" "$root/Examples/images/sailboat.jpg" cat sailboat pizza) || return
    # The first caption fits the first image, the second the second.
    awk '/cat$/ { cat[++c] = $1 } /sailboat$/ { boat[++b] = $1 } END { exit !(cat[1] > 50 && boat[2] > 50) }' <<< "$out" || { echo "$out"; return 1; }
  done
  (cd / && "$moved/bin/clip" classify --model "$root/$emoji" "$root/$image" --label cat pizza) || return
  (cd / && "$moved/bin/clip" gap text image) > /dev/null || return
  (cd / && "$moved/bin/clip" plugins | grep -qF "$moved/") || { echo "plugins are not the moved ones"; return 1; }
  grep -q '^\.SH OPTIONS' "$moved/share/man/man1/clip-embed.1" && grep -q embed "$moved/share/bash-completion/completions/clip" || return
  ! ldd "$moved/bin/clip" | grep -E 'not found|/build/lib'
}

# What is no image is counted by its kind, a name's ending counts in any case, and a name need not be UTF-8.
embed_says_what_it_takes() {
  local folder out
  folder=$(mktemp -d)
  mkdir "$folder/in"
  cp Tests/Fixtures/photos/o6.jpg "$folder/PHOTO.JPG"
  cp Tests/Fixtures/photos/{photo.heic,palette.gif,o3.tiff} "$folder/in/"
  cp Tests/Fixtures/photos/upright.png "$folder/in/$(printf 'caf\xe9').png"
  for out in a.txt b.TXT c.mov d; do echo x > "$folder/in/$out"; done
  (cd "$folder" && tar -cf all.tar in PHOTO.JPG) || return
  out=$(build/bin/clip embed --model $emoji --image "$folder/in" "$folder/all.tar" --output "$folder/x.jsonl" --json 2> "$folder/log") || return
  grep -qF 'Left out: 4 .txt, 2 without an ending, 2 .mov.' "$folder/log" || { cat "$folder/log"; return 1; }
  tr -d ' \n' <<< "$out" | grep -qF '"images":9,"texts":0,"width":128,"skipped":[],"left_out":{"":2,"mov":2,"txt":4}' || { echo "$out"; return 1; }
  [ "$(grep -cF 'caf\udce9.png' "$folder/x.jsonl")" = 2 ] || return
  # Upright, all are the same photograph; as stored, the turned ones are not.
  build/bin/clip embed --model $emoji --image "$folder/PHOTO.JPG" --output "$folder/upright.npy" &&
    build/bin/clip embed --model $emoji --image "$folder/PHOTO.JPG" --as-stored --output "$folder/stored.npy" || return
  ! cmp -s "$folder/upright.npy" "$folder/stored.npy" || return
  # A damaged image, and a colour under a transparent one.
  head -c 2000 "$folder/PHOTO.JPG" > "$folder/damaged.jpg"
  ! build/bin/clip embed --model $emoji --image "$folder/damaged.jpg" --output "$folder/y.npy" 2> /dev/null || return
  build/bin/clip embed --model $emoji --image "$folder/damaged.jpg" --lenient --output "$folder/y.npy" || return
  for out in white '#ff0000'; do
    build/bin/clip embed --model $emoji --image Tests/Fixtures/codecs/rgba8.png --background $out --output "$folder/$out.npy" || return
  done
  ! cmp -s "$folder/white.npy" "$folder/#ff0000.npy" || return
  ! build/bin/clip embed --model $emoji --image Tests/Fixtures/codecs/rgba8.png --background reddish --output "$folder/z.npy" 2> /dev/null
}

# Stopped by signals, also in the middle, clip embed goes on to the bytes of a run that nothing stopped.
embed_goes_on() {
  local folder signal i tries=0
  folder=$(mktemp -d)
  for ((i = 0; i < 60; i++)); do printf '%s\0' Tests/Fixtures/photos/o[1-8].{jpg,png} Tests/Fixtures/manifests; done > "$folder/list"
  local command=(build/bin/clip embed --model $emoji --image-file "$folder/list" --text "a cat" "a dog" --batch 4 --elements f16)
  "${command[@]}" --output "$folder/whole.safetensors" 2> /dev/null
  [ -s "$folder/whole.safetensors" ] && [ ! -e "$folder/whole.safetensors.partial" ] || return
  while [ ! -e "$folder/x.safetensors" ] && [ $((tries += 1)) -lt 60 ]; do
    for signal in INT KILL TERM; do
      "${command[@]}" --output "$folder/x.safetensors" 2>> "$folder/log" &
      sleep "0.$((RANDOM % 9 + 1))"
      kill -$signal $! 2> /dev/null
      wait $! 2> /dev/null
    done
  done
  "${command[@]}" --output "$folder/x.safetensors" 2>> "$folder/log"
  grep -qF 'The same command goes on from there.' "$folder/log" && grep -qF 'Going on from' "$folder/log" || return
  cmp "$folder/whole.safetensors" "$folder/x.safetensors" || return
  # Another run's rows are not taken for this one's.
  build/bin/clip embed --model $emoji --image-file "$folder/list" --output "$folder/y.npy" 2> /dev/null &
  sleep 0.5
  kill -KILL $! 2> /dev/null && wait $! 2> /dev/null
  [ ! -e "$folder/y.npy.partial" ] || ! build/bin/clip embed --model $emoji --image-file "$folder/list" --raw --output "$folder/y.npy" 2> /dev/null
}

# Every input that the fuzzers begin from, and every file that one once found a fault with, through the same code,
# without the fuzzer. A target gets all of its files at once; when one fails, each by itself, to name it.
replay_fuzzers() {
  local target targets file files good=0 bad=0 seeds=build/tests/fuzz-seeds
  read -ra targets < Tests/Fuzz/targets
  FUZZ_FOLDER=$(Tests/Fuzz/folder.sh) || return
  export FUZZ_FOLDER
  Tests/Fuzz/seeds.sh "$seeds" || return
  for target in "${targets[@]}"; do
    compile cc "build/tests/replay-$target" "Tests/Fuzz/${target%_*}.c" Tests/Fuzz/common.c Tests/Fuzz/replay.c \
      -Lbuild/lib -lcliptools -lclipcore -Wl,-rpath,"$root/build/lib" || return
    files=()
    for file in "$seeds/$target"/* Tests/Fixtures/fuzz/"$target"/*; do [ ! -f "$file" ] || files+=("$file"); done
    if timeout 120 "build/tests/replay-$target" "${files[@]}"; then
      good=$((good + ${#files[@]}))
    else
      for file in "${files[@]}"; do
        if timeout 20 "build/tests/replay-$target" "$file"; then good=$((good + 1)); else bad=$((bad + 1)); echo "FAILED $file"; fi
      done
    fi
  done
  rm -rf "$FUZZ_FOLDER"
  echo "$good passed, $bad failed"
}
