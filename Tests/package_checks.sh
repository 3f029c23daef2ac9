# Checks of what is shipped: which systems it runs on, and that programs of earlier releases keep running. Sourced by
# run.sh.

# The headers of the last release: at a release, a copy of Include without the module map is added.
last_release=$(find Tests/Fixtures/abi -mindepth 1 -maxdepth 1 | sort -V | tail -1)

# The libraries and plugins run with glibc 2.34 (RHEL 9; Ubuntu 22.04 has 2.35): no newer version of a symbol is needed,
# nor a newer loader, which is asked for as GLIBC_ABI_DT_RELR.
glibc_is_old_enough() {
  local file needed bad=0 files=0
  while read -r file; do
    files=$((files + 1))
    needed=$(readelf -V "$file" | grep -oE 'GLIBC_(ABI_[A-Z_]+|[0-9.]+)' | sort -uV) || return
    if grep -q ABI <<< "$needed" || [ "$(printf '%s\nGLIBC_2.34\n' "$needed" | sort -V | tail -1)" != GLIBC_2.34 ]; then
      echo "$file needs $(tail -1 <<< "$needed")"
      bad=1
    fi
    ! readelf -d "$file" | grep -q '(RELR)' || { echo "$file has relocations that older loaders skip"; bad=1; }
  done < <(find build/lib -name '*.so' ! -path '*san/*' -not -path 'build/lib/*/lib/*')
  [ "$files" -gt 30 ] && [ "$bad" = 0 ]
}

# What is installed names no folder that it was built in.
no_build_folder_is_named() {
  local tree=build/tests/named
  rm -rf "$tree" && scripts/install-tree build "$tree" > /dev/null || return
  ! grep -rlF "$root" "$tree" && ! grep -rlE '\.build(-tool)?/' "$tree" --include='*.so*'
}

# abi_source HEADERS: C with a variable for each function and struct of these headers, for abidiff to compare.
abi_source() {
  local name
  for name in "$1"/*.h; do echo "#include \"$name\""; done
  for name in $(declared_functions "$1"/*.h); do echo "__typeof__($name) *function_$name = $name;"; done
  for name in $(sed -nE 's/^(typedef )?struct (clip_[a-z0-9_]+) \{.*/\2/p' "$1"/*.h "$1"/plugin/*.h | sort -u); do
    echo "struct $name *struct_$name;"
  done
}

# abi_constants HEADERS NAMES: C that prints the values of these constants.
abi_constants() {
  printf '#include <stdio.h>\n#include "%s/clipcore.h"\n#include "%s/clip_plugin.h"\nint main(void) {\n' "$1" "$1"
  sed 's/.*/  printf("& %lld\\n", (long long)&);/' "$2"
  echo '}'
}

# abi_agrees OLD NEW: whether a program compiled with headers OLD runs with a library of headers NEW. Structs that begin
# with struct_size may grow at their end, and functions, structs and constants may be new.
abi_agrees() {
  local old=$1 new=$2 work=build/tests/abi side
  rm -rf "$work" && mkdir -p "$work" || return
  awk '/^(typedef )?struct clip_[a-z0-9_]+ \{/ { name = $0; sub(/^(typedef )?struct /, "", name); sub(/ .*/, "", name)
      getline; if (/^  uint32_t struct_size;/) names = names (names ? "|" : "") name }
    END { printf "[suppress_type]\n  type_kind = struct\n  name_regexp = ^(%s)$\n  has_data_member_inserted_at = end\n", names }' \
    "$old"/*.h "$old"/plugin/*.h > "$work/may-grow"
  sed -nE 's/^ +(CLIP_[A-Z0-9_]+)( = .*|,.*)$/\1/p; s/^#define (CLIP_[A-Z0-9_]+) \(?[0-9].*/\1/p' "$old"/*.h "$old"/plugin/*.h | sort -u > "$work/constants"
  [ "$(wc -l < "$work/constants")" -gt 50 ] || return
  for side in old new; do
    abi_source "${!side}" > "$work/$side.c"
    cc -g -Og -fPIC -shared "$work/$side.c" -o "$work/$side.so" -Wl,-z,defs -Lbuild/lib -lcliptools -lclipindex -lclipcore || return
    abi_constants "${!side}" "$work/constants" > "$work/$side-constants.c"
    cc "$work/$side-constants.c" -o "$work/$side-constants" && "$work/$side-constants" > "$work/$side.constants" || return
  done
  diff "$work/old.constants" "$work/new.constants" || return
  abidiff --suppressions "$work/may-grow" --no-added-syms "$work/old.so" "$work/new.so"
}

# changed_abi FILE EDIT: headers with one line changed, in build/tests/changed-abi.
changed_abi() {
  rm -rf build/tests/changed-abi && cp -r Include build/tests/changed-abi && sed -i -E "$2" "build/tests/changed-abi/$1" &&
    ! cmp -s "Include/$1" "build/tests/changed-abi/$1"
}

# Against the headers of the last release; and abidiff sees what it should.
abi_is_kept() {
  local changed=$root/build/tests/changed-abi file edit
  abi_agrees "$root/$last_release" "$root/Include" || return
  while IFS='|' read -r file edit; do
    changed_abi "$file" "$edit" || { echo "$file is not as this test expects: $edit"; return 1; }
    ! abi_agrees "$root/Include" "$changed" > /dev/null 2>&1 || { echo "not seen: $file $edit"; return 1; }
  done <<'CHANGES'
clip.h|s/uint32_t clip_abi_version/uint64_t clip_abi_version/
clip.h|s/clip_abi_version\(void\);/clip_abi_version_2(void);/
clip.h|s/CLIP_PLUGIN = 9,/CLIP_PLUGIN = 19,/
clip.h|s/^  uint32_t towers; .*/  float more;\n&/
clip_index.h|s/^} clip_index_bytes;/  int more;\n&/
plugin/kernels.h|s/^typedef struct clip_kernels \{/&\n  void (*more)(int);/
CHANGES
  changed_abi clip.h 's/^} clip_model_info;/  uint64_t more;\n&/' && abi_agrees "$root/Include" "$changed"
}

# A program that was compiled with the last release's headers, against a library that has the functions of then alone,
# runs with today's library and gives what one of today gives.
old_programs_run() {
  local work=build/tests/old-program version
  rm -rf "$work" && mkdir -p "$work/include" "$work/lib" || return
  ln -s "$root/$last_release" "$work/include/clipcore"
  {
    echo '#include <clipcore/clipcore.h>'
    declared_functions "$last_release"/clip{,_extend,_host,_train}.h | sed 's/.*/void *old_&(void) __asm__("&"); void *old_&(void) { return 0; }/'
  } > "$work/old.c"
  echo 'CLIPCORE_0.1 { global: clip_*; local: *; };' > "$work/old.map"
  cc -shared -fPIC -w -I"$work/include" "$work/old.c" -o "$work/lib/libclipcore.so" -Wl,-soname,libclipcore.so.1 \
    -Wl,--version-script="$work/old.map" || return
  cc -std=c11 -I"$work/include" Examples/c/embed.c -o "$work/old" -L"$work/lib" -lclipcore || return
  cc -std=c11 -Ibuild/include Examples/c/embed.c -o "$work/new" -Lbuild/lib -lclipcore || return
  for version in old new; do
    LD_LIBRARY_PATH=build/lib "$work/$version" $emoji $image Examples/images/sailboat.jpg cat sailboat > "$work/$version.out" || return
  done
  grep -q sailboat "$work/old.out" && cmp "$work/old.out" "$work/new.out"
}

# libclipcore.a: the example ranks the right caption first with the fastest kernels, loads no library of clipcore's, and
# shows no symbol but those of the headers. Two plugins of one program have their own copies of what they share.
static_library_works() {
  local work=build/tests/static visible
  mkdir -p "$work" && make -s static || return
  cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O2 Examples/static/rank.c -o "$work/rank" -Ibuild/include -Ibuild/static \
    -Wl,--gc-sections build/static/libclipcore.a -lturbojpeg -lspng -lutf8proc -lm || return
  ! ldd "$work/rank" | grep clip || return
  "$work/rank" $emoji $image "a slice of pizza" "a cat" > "$work/out" && awk '/cat$/ { exit !($1 > 50) }' "$work/out" || return
  visible=$(nm --extern-only --defined-only build/static/libclipcore.a | awk 'NF == 3 { print $3 }' | sort)
  diff <(echo "$visible" | grep -v '^clip_plugin_[a-z]*_[a-z0-9_]*$') \
    <(declared_functions Include/clip{,_extend,_host,_train}.h | grep -v '^clip_plugin_[a-z]*_[a-z0-9_]*$') || return
  [ "$(grep -cE '^clip_plugin_(encoder|kernels|codec)_' <<< "$visible")" -gt 15 ] || return
  # All plugins together, at twice the number of runtimes.
  {
    echo '#include <clipcore_plugins.h>'
    echo '#define ENTRY(name) clip_plugin_##name,'
    echo 'static const clip_plugin_entry_fn all[] = {CLIP_PLUGINS(ENTRY)};'
    echo 'int main(void) { clip_runtime *r[2]; for (int i = 0; i < 2; i++) { clip_runtime_options o = CLIP_INIT(clip_runtime_options);'
    echo 'o.plugin_entries = all; o.plugin_entry_count = sizeof all / sizeof *all; if (clip_runtime_create(&o, &r[i])) return 1; }'
    echo 'clip_runtime_release(r[0]); clip_runtime_release(r[1]); return 0; }'
  } > "$work/all.c"
  # shellcheck disable=SC2046 # the flags are words
  cc "$work/all.c" -o "$work/all" -Ibuild/include -Ibuild/static build/static/libclipcore.a \
    $(grep -oE ' -l[a-z0-9]+' build/static/clipcore_plugins.h | sort -u) -lm && "$work/all"
}

# machine_sources: sources.list of this machine's own distribution: its mirror, and no other's packages.
machine_sources() (
  . /etc/os-release
  apt-get indextargets --format "deb [signed-by=/usr/share/keyrings/$ID-archive-keyring.gpg] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    "Created-By: Packages" "Origin: ${NAME%% *}" | grep . || { echo "expected sources of $NAME, found none: apt-get update" >&2; exit 1; }
)

# The .debs: without a word from lintian; with all of BUILD_PACKAGES named; in a bare Debian they are installed, README's
# program is built with pkg-config and with CMake, it and the tool run, and purged they leave nothing. There the tarball
# runs too. build/chroot is kept for the next run.
packages_work() {
  local chroot=$root/build/chroot as_root=() package shared sources
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  for package in $(sed -n 's/^BUILD_PACKAGES [:+]= //p' Makefile); do
    grep -q "^ *$package,\?\$" debian/control || { echo "Build-Depends in debian/control lacks $package"; return 1; }
  done
  make -s deb dist || return
  (cd build/dist && sha256sum --quiet -c SHA256SUMS && jq -e '.packages | length > 10' ./*.spdx.json) || return
  lintian --fail-on error,warning --allow-root build/deb/*.deb || return
  if [ ! -e "$chroot.ready" ]; then
    "${as_root[@]}" rm -rf "$chroot"
    sources=$(machine_sources) || return
    "${as_root[@]}" mmdebstrap --quiet --variant=minbase --mode=root --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' --include=gcc,libc6-dev,pkgconf,cmake,make \
      "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$chroot" - <<< "$sources" && touch "$chroot.ready" || return
  fi
  shared=$chroot/tmp/clipcore
  awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on { print } /^}/ && on { exit }' README.md > build/tests/readme.c
  "${as_root[@]}" rm -rf "$shared" && "${as_root[@]}" mkdir -p "$shared" || return
  "${as_root[@]}" cp -r build/deb build/dist build/tests/readme.c Tests/packages_inside.sh Models Examples/images/cat.png Tests/Fixtures/photos "$shared/" || return
  "${as_root[@]}" cp /etc/resolv.conf "$chroot/etc/resolv.conf"
  # The mount goes with the process.
  "${as_root[@]}" unshare --mount --fork bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/bash /tmp/clipcore/packages_inside.sh' - "$chroot"
}
