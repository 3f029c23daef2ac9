#!/bin/bash
# packages_inside.sh: run by packages_work in a bare Debian, with what it needs beside it.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 TMPDIR=/tmp
quiet() { "$@" > log 2>&1 || { cat log; return 1; }; }
# All files but those of the packaging system itself and the loader's cache.
files() { find / -xdev \( -path /proc -o -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print | sort; }
purge() {
  local packages
  packages=$(dpkg-query -W -f '${Package} ' '*clipcore*' 2> /dev/null) || return 0
  quiet apt-get purge -y --autoremove $packages
}

purge # what a run that failed left
quiet apt-get update
files > before
quiet apt-get install -y --no-install-recommends ./deb/*.deb
dpkg -s libclipcore1 | grep -q '^Status: install ok installed'

mkdir -p Examples/images cmake && cp cat.png Examples/images/
cc readme.c -o program $(pkg-config --cflags --libs clipcore)
cat > cmake/CMakeLists.txt <<'PROJECT'
cmake_minimum_required(VERSION 3.16)
project(readme C)
find_package(clipcore 0.1 REQUIRED)
add_executable(readme ../readme.c)
target_link_libraries(readme clipcore::clipcore clipcore::cliptools clipcore::clipindex)
PROJECT
quiet cmake -S cmake -B cmake/build
quiet cmake --build cmake/build
for program in ./program cmake/build/readme; do
  "$program" | tee log | awk '/a cat$/ { exit !($1 > 50) }' || { cat log; exit 1; }
done

photos=(photos/o3.{jpg,png,webp,tiff} photos/photo.jxl photos/palette.{gif,bmp})
model=/usr/share/clipcore/models/emoji
clip classify --model $model cat.png --label cat pizza | grep -q cat
clip embed --model $model --image "${photos[@]}" photos/photo.{heic,avif} --output installed.npy 2> /dev/null
clip gap text image > /dev/null
clip plugins new mine > /dev/null
quiet make -C mine
quiet clip plugins check mine/mine.so
test -s /usr/share/man/man1/clip-search.1.gz
test -s /usr/share/bash-completion/completions/clip

purge
files > after
diff before after

# The tarball, from any folder, in a system without the libraries that it brings.
mkdir -p "any folder" && tar -xf dist/*.tar.gz -C "any folder"
tree=$(echo "$PWD/any folder"/*)
! ldd "$tree/bin/clip" | grep 'not found'
(cd / && "$tree/bin/clip" plugins > "$OLDPWD/log" 2>&1) && ! grep -i 'cannot be loaded' log
"$tree/bin/clip" embed --model Models/emoji --image "${photos[@]}" --output unpacked.npy 2> /dev/null
cmp <(tail -c +129 installed.npy | head -c $((7 * 512))) <(tail -c +129 unpacked.npy)
"$tree/bin/clip" gap text image > /dev/null
eval "cc readme.c -o unpacked $(PKG_CONFIG_PATH=$tree/lib/pkgconfig pkg-config --cflags --libs clipcore) -Wl,-rpath,'$tree/lib'"
./unpacked > /dev/null
