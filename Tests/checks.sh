# Checks of what was built, each a function that fails with words. Sourced by run.sh.

# header_compiles COMPILER STANDARD: each header alone.
header_compiles() {
  local compiler=$1 standard=$2 language=c header
  [[ $standard == c++* ]] && language=c++
  for header in Include/*.h; do
    echo "#include \"$header\"" | "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wpedantic -Werror \
      -fsyntax-only -I. - || return
  done
}

# The functions that clip.h declares, and the symbols that the library exports.
exports_match() {
  local declared exported
  declared=$(cc -E -P Include/clip.h | grep -oE '\bclip_[a-z_]+ ?\(' | tr -d '( ' | sort -u)
  exported=$(nm -D --extern-only --defined-only build/lib/libclipcore.so | awk '{ print $3 }' | sort)
  [ -n "$declared" ] && diff <(echo "$declared") <(echo "$exported")
}

# Every function of clip.h is in docs/c-interface.md, and nothing else of that name is.
interface_documented() {
  local declared documented
  declared=$(cc -E -P Include/clip.h | grep -oE '\bclip_[a-z_]+ ?\(' | tr -d '( ' | sort -u)
  documented=$(grep -oE '`clip_[a-z_]+`' docs/c-interface.md | tr -d '`' | grep -vE '^clip_(image_view|model_options|encode_options)$' | sort -u)
  [ -n "$declared" ] && diff <(echo "$declared") <(echo "$documented")
}

plugins_export_entry() {
  local file exported
  for file in build/lib/clipcore/plugins/*.so; do
    exported=$(nm -D --extern-only --defined-only "$file" | awk '{ print $3 }')
    [ "$exported" = clip_plugin_entry ] || { echo "$file exports $exported"; return 1; }
  done
}

# Options first, then CLIP_PLUGIN_PATH in its order, then the folder beside the library: of plugins
# that bring the same encoder the first one counts. The tree is a small one of its own.
plugins_found_in_order() {
  local tree=$root/build/tests/search place version=0 found
  rm -rf "$tree" && mkdir -p "$tree/bin" "$tree"/{option,one,two} "$tree/lib/clipcore/plugins" || return
  ln build/bin/clip "$tree/bin/clip" && cp -P build/lib/libclipcore.so* "$tree/lib/" || return
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

# The plugin and the manifest of docs/augmentation.md: built and loaded as they stand there.
augmentation_examples_work() {
  local folder=build/tests/augmentation-docs out
  rm -rf "$folder" && mkdir -p "$folder" || return
  awk '/^```c$/ { block = "" } { if (!/^```/) block = block $0 "\n" } /^```$/ { if (block ~ /clip_plugin_entry\(void\)/) printf "%s", block; block = "" }' \
    docs/augmentation.md | sed -n '/^#include/,$p' > "$folder/invert.c"
  awk '/^```json$/ { block = "" } { if (!/^```/) block = block $0 "\n" } /^```$/ { if (block ~ /"library"/) printf "%s", block; block = "" }' \
    docs/augmentation.md > "$folder/libyuv.ffi.json"
  compile cc "$folder/invert.so" "$folder/invert.c" -shared -fPIC -fvisibility=hidden || return
  out=$(build/bin/clip plugins --plugins "$folder" 2>&1) || return
  grep -F example.augment.invert <<< "$out" && grep -F example.augment.mirror <<< "$out" && ! grep -F skipped <<< "$out"
}

# No Swift runtime, no C++ runtime, no OpenBLAS: only libc, libm and the three parsers' libraries.
needs_only_allowed() {
  local found file
  found=$(ldd build/lib/libclipcore.so | awk '{ print $1 }' |
    grep -vE '^(linux-vdso\.so\.1|libc\.so\.6|libm\.so\.6|libffi\.so\.[0-9]+|libjansson\.so\.4|libutf8proc\.so\.[0-9]+|/lib64/ld-linux-x86-64\.so\.2)$')
  [ -z "$found" ] || { echo "libclipcore.so needs $found"; return 1; }
  for file in build/lib/clipcore/plugins/*.so; do
    ! ldd "$file" | grep -E 'libswift|libstdc\+\+|libclipcore|not found' || { echo "in $file"; return 1; }
  done
  ! ldd build/bin/clip | grep -E 'libswift|not found'
}

# Stripped: libclipcore.so under 1.5 MB, all .so files together under 6 MB.
sizes_fit() {
  local tree=build/tests/sizes core all
  rm -rf "$tree" && scripts/install-tree build "$tree" || return
  core=$(stat -Lc %s "$tree/lib/libclipcore.so")
  all=$(find "$tree/lib" -name '*.so*' -type f -print0 | xargs -0 stat -c %s | awk '{ n += $1 } END { print n }')
  echo "libclipcore.so $core bytes, all $all bytes"
  [ "$core" -lt 1500000 ] && [ "$all" -lt 6000000 ]
}

# Installed, moved elsewhere, found by pkg-config; the example is built against it, and it and the tool run.
installed_tree_works() {
  local stage=$root/build/tests/stage moved=$root/build/tests/moved flags out
  rm -rf "$stage" "$moved"
  make -s install DESTDIR="$stage" PREFIX=/opt/clipcore || return
  mv "$stage/opt/clipcore" "$moved" || return
  flags=$(PKG_CONFIG_PATH=$moved/lib/pkgconfig pkg-config --cflags --libs clipcore) || return
  case $flags in *"$moved"*) ;; *) echo "pkg-config says $flags"; return 1 ;; esac
  # shellcheck disable=SC2086 # the flags are words
  cc -std=c11 -Wall -Wextra -Wpedantic -Werror Examples/c/embed.c -o build/tests/embed $flags -Wl,-rpath,"$moved/lib" || return
  out=$(cd / && "$root/build/tests/embed" "$root/$emoji" "$root/Examples/images/cat.png" "$root/Examples/images/sailboat.jpg" cat sailboat pizza) || return
  echo "$out"
  # The first caption fits the first picture, the second the second.
  awk '/cat$/ { cat[++c] = $1 } /sailboat$/ { boat[++b] = $1 } END { exit !(cat[1] > 50 && boat[2] > 50) }' <<< "$out" || return
  (cd / && "$moved/bin/clip" classify --model "$root/$emoji" "$root/$picture" --label cat pizza) || return
  (cd / && "$moved/bin/clip" plugins | grep -qF "$moved/") || { echo "plugins are not the moved ones"; return 1; }
  ! ldd "$moved/bin/clip" | grep -E 'not found|/build/lib'
}

# Every file that a fuzzer once found a fault with, through the same code, without the fuzzer.
replay_findings() {
  local target
  for target in safetensors config tokenizer text image; do
    compile cc "build/tests/replay-$target" "Tests/Fuzz/$target.c" Tests/Fuzz/common.c Tests/Fuzz/replay.c \
      -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib" || return
  done
  local good=0 bad=0 file
  FUZZ_FOLDER=$(Tests/Fuzz/folder.sh) || return
  export FUZZ_FOLDER
  for target in safetensors config tokenizer text image; do
    for file in Tests/Fixtures/fuzz/"$target"/*; do
      [ -f "$file" ] || continue
      if timeout 20 "build/tests/replay-$target" "$file"; then good=$((good + 1)); else bad=$((bad + 1)); echo "FAILED $file"; fi
    done
  done
  rm -rf "$FUZZ_FOLDER"
  echo "$good passed, $bad failed"
}
