# Checks of clip index, clip search and clip duplicates, each a function that fails with words. Sourced by run.sh.

# begins NAME: an empty folder build/tests/search-NAME as $here, with images/ of Examples, and the tool's output as a
# script sees it.
begins() {
  here=$root/build/tests/search-$1
  rm -rf "$here" && mkdir -p "$here/images/more" || return
  cp Examples/images/*.{png,jpg,webp} "$here/images/" || return
  mv "$here"/images/{rocket,guitar}.png "$here/images/more/"
}
index() { build/bin/clip index --index "$here/index" --model Models/emoji "$@"; }
search() { build/bin/clip search --index "$here/index" "$@"; }
complain() { echo "line ${BASH_LINENO[0]}: $*"; return 1; }

# says WORDS COMMAND...: the command's output has these words.
says() {
  local words=$1 out
  shift
  out=$("$@" 2>&1)
  [[ $out == *"$words"* ]] || { echo "line ${BASH_LINENO[0]}: $* has no \"$words\": $out"; return 1; }
}

# fails STATUS WORDS COMMAND...: the command ends with this status and these words on standard error.
fails() {
  local status=$1 words=$2 out found=0
  shift 2
  out=$("$@" 2>&1 > /dev/null) || found=$?
  [[ $found = "$status" && $out == *"$words"* ]] ||
    { echo "line ${BASH_LINENO[0]}: $*: status $found, expected $status with \"$words\": $out"; return 1; }
}

# many COUNT [FOLDER]: as many images of different content, in folders of 1,000 in FOLDER ($here/images).
many() {
  local number folder=${2:-$here/images} escaped=() source
  for source in Examples/images/*.png; do escaped+=("$(od -An -v -tx1 "$source" | tr -d '\n' | sed 's/ /\\x/g')"); done
  for ((number = 0; number < $1; number++)); do
    [ $((number % 1000)) != 0 ] || mkdir -p "$folder/$((number / 1000))" || return
    # What follows the end of a PNG file is no part of the image.
    # shellcheck disable=SC2059 # the bytes are the format
    printf "${escaped[number % ${#escaped[@]}]}$number" > "$folder/$((number / 1000))/$number.png" || return
  done
}

# What is new, changed, moved, copied and removed is told, and a file of known content is not embedded again.
index_follows_changes() {
  begins changes || return
  local images=$here/images
  says "12 images: 12 added" index "$images" && says "12 images: up to date." index || return
  touch "$images/cat.png" && says "up to date" index || return
  cp "$images/dog.png" "$images/cat.png" && says "12 images: 1 changed." index || return
  mv "$images/more" "$images/other" && says "2 moved." index || return
  mv "$images/pizza.png" "$images/other/pie.png" && cp "$images/other/pie.png" "$images/second.png" || return
  says "13 images: 1 added, 1 moved." index || return
  rm "$images/snowman.jpg" && says "12 images: 1 removed." index || return
  # An empty folder may be one whose disk is away: what is indexed of it stays, until it is known to be there.
  rm "$images"/other/* && says "12 images: 3 kept." index && says "the folder is empty" index || return
  mkdir "$images/other/x" && says "9 images: 3 removed." index 
}

# What several new files hold is embedded once, and each has its embedding; copies of what cannot be embedded are told.
index_embeds_a_content_once() {
  begins once || return
  local number one all TIMEFORMAT=%U
  for ((number = 0; number < 500; number++)); do ln "$here/images/cat.png" "$here/images/more/$number.png" || return; done
  : > "$here/images/bad.png" && cp "$here/images/bad.png" "$here/images/more/"
  one=$({ time build/bin/clip index --index "$here/one" --model Models/emoji "$here/images" > "$here/out" 2>&1; } 2>&1)
  grep -q "512 images: 512 added, 2 skipped" "$here/out" || complain "$(cat "$here/out")" || return
  says "501 images, similarity 1.0000" build/bin/clip duplicates --index "$here/one" --threshold 0.999 || return
  rm -r "$here/images/more" && many 500
  all=$({ time build/bin/clip index --index "$here/all" --model Models/emoji "$here/images" > "$here/out" 2>&1; } 2>&1)
  grep -q "510 images: 510 added, 1 skipped" "$here/out" || complain "$(cat "$here/out")" || return
  echo "seconds of the processor: $one for copies, $all for others"
  [ "${one/./}" -lt $((${all/./} / 3)) ]
}

# What changes while it is read is not taken for what it was; it is embedded when it rests.
index_sees_changes_while_it_reads() {
  begins reading || return
  local pid status=0
  while touch "$here/images/cat.png"; do :; done 2> /dev/null &
  pid=$!
  says "cat.png: the file changed while it was read" index "$here/images" && says "11 images: 1 skipped." index || status=1
  kill $pid && wait $pid 2> /dev/null
  [ $status = 0 ] && says "12 images: 1 added." index
}

# Folders that vanish while they are read, and files that cannot be: told, and nothing is lost of the others.
index_reads_what_vanishes() {
  begins vanishes || return
  many 1000
  build/bin/clip index --index "$here/index" --model Models/emoji --batch 4 "$here/images" > "$here/out" 2>&1 &
  local pid=$! status=0
  sleep 0.5 && rm -rf "$here/images/0" && wait $pid || status=$?
  grep -q " images: .* added" "$here/out" && [ $status -le 1 ] || complain "status $status: $(cat "$here/out")" || return
  index > /dev/null && says "12 images: up to date." index
}

# A name has any bytes; what is no regular file is never opened, and links that lead in circles end.
index_takes_any_name() {
  begins names || return
  local images=$here/images long name
  long=$(printf '%0251d.png' 0)
  for name in "$(printf 'new\nline.png')" -rf.png "$long" "a b'\"\$.png" $'\351\377.png' $'\033[31m.png' --model.png; do
    cp "$images/cat.png" "$images/$name" || return
  done
  mkfifo "$images/pipe.png" && : > "$images/empty.png" && mkdir "$images/folder.png" && ln -s . "$images/more/circle" || return
  ln -s "$images/more" "$images/more/again" && ln -s self.png "$images/self.png" && ln -s ../.. "$images/more/up.png" || return
  fails 1 "empty.png: expected an image" timeout 60 build/bin/clip index --index "$here/index" --model Models/emoji --follow-links "$images" || return
  says "self.png: Too many levels of symbolic links" timeout 60 build/bin/clip index --index "$here/index" || return
  (cd "$images" && says "-rf.png" ../../../bin/clip search --index ../index --no-update --paths --top 30 ./-rf.png) || return
  [ "$(search --no-update --json --top 30 x | grep -c '"image"')" = 19 ]
}

# A disk that is full ends the command with words; what was written before is whole, and the next run goes on.
index_fills_a_disk() {
  begins full || return
  many 300
  (ulimit -f 600; fails 1 "$here/index" build/bin/clip index --index "$here/index" --model Models/emoji "$here/images") || return
  local count
  count=$(search --no-update --json x | sed -n 's/.*"searched": \([0-9]*\).*/\1/p')
  [ "$count" -gt 0 ] && [ "$count" -lt 312 ] && says "312 images: $((312 - count)) added." index
}

# A folder that is away keeps its images, and is as it was when it comes back.
index_keeps_what_is_away() {
  begins away || return
  says "12 added" index "$here/images" || return
  mv "$here/images" "$here/away" || return
  says "12 images: 12 kept." index && says "No such file or directory" index || return
  says "cat.png" search "a cat" --top 3 || return
  mkdir "$here/images" && says "12 images: 12 kept." index || return
  rmdir "$here/images" && mv "$here/away" "$here/images" && says "12 images: up to date." index || return
  mv "$here/images" "$here/away" && says "Dropped 12 images" index --forget "$here/images" || return
  mkdir "$here/images" && cp -r "$here/away" "$here/images/sub" && index "$here/images" > /dev/null || return
  fails 1 "which is indexed: expected --exclude" index --forget "$here/images/sub" && says "up to date" index || return
  index "$here/images/sub" > /dev/null && says "Dropped 0 images" index --forget "$here/images/sub" && says "up to date" index || return
  says "Dropped 12 images" index --forget "$here/images" || return
  fails 1 "has no folders" index && fails 1 "has no images of" index --forget "$here/images"
}

# A file that cannot be read now is tried again, and what is indexed of it stays.
index_tries_again() {
  begins again || return
  local images=$here/images
  # Nobody may read it, root neither.
  index "$images" --follow-links > /dev/null && ln -s /proc/sys/vm/compact_memory "$images/new.png" || return
  fails 1 "new.png: Permission denied" index && says "12 images: 1 skipped." index && says "12 images: 1 skipped." index || return
  ln -sf /proc/sys/vm/compact_memory "$images/cat.png" && says "12 images: 2 skipped." index || return
  says "$images/cat.png" search --paths --no-update --top 12 "a cat" || return
  rm "$images/new.png" "$images/cat.png" && cp Examples/images/cat.png "$images/new.png" && cp Examples/images/cat.png "$images/" || return
  says "13 images: 1 added." index
}

# An index whose making was ended early is made again.
index_is_finished() {
  begins finished && : > "$here/index" || return
  fails 1 "run clip index" search "a cat" && fails 1 "run clip index" build/bin/clip duplicates --index "$here/index" || return
  fails 1 "there is no index" build/bin/clip duplicates --index "$here/none" || return
  says "12 added" index "$here/images" --background white
}

# What is no image, excluded, hidden or a link is left out and told; a name need not be UTF-8.
index_walks_folders() {
  begins walk || return
  local images=$here/images name
  name=$(printf 'caf\351.PNG')
  mkdir "$images/.hidden" "$images/@eaDir" "$images/raw" && cp "$images/cat.png" "$images/.hidden/" || return
  cp "$images/cat.png" "$images/@eaDir/" && cp "$images/dog.png" "$images/raw/" && cp "$images/dog.png" "$images/$name" || return
  ln -s ../away "$images/link" && ln -s cat.png "$images/cat2.png" && ln -s . "$images/loop" || return
  echo > "$images/a.txt" && echo > "$images/b.TXT" && echo > "$images/film.mp4" && echo > "$images/README" || return
  echo "no image" > "$images/broken.png" || return
  mkdir "$here/away" && cp "$images/pizza.png" "$here/away/" || return
  fails 1 "broken.png: expected an image" index "$images" --exclude 'raw' --exclude 'more/r*.png' || return
  says "12 images: 1 skipped before; left out: 2 .txt, 1 without an ending, 1 .mp4; 3 symbolic links not followed; 2 excluded." \
    index || return
  says "$name" search ./Examples/images/dog.png --paths --no-update || return
  says "15 images: 3 added, 1 moved, 1 skipped before; left out: 2 .txt, 1 without an ending, 1 .mp4; 1 excluded." \
    index "$images" --exclude '*.PNG' --follow-links || return
  cp "$images/cat.png" "$images/broken.png" && says "1 added" index || return
  fails 1 "expected a folder" index "$images/cat.png" && fails 1 "No such file" index "$here/nowhere"
}

# Texts, images and sums of them; results as a table, as paths and as JSON; the index is brought up to date first.
search_takes_queries() {
  begins queries || return
  fails 1 "there is no index" search "a cat" || return
  index "$here/images" > /dev/null || return
  local images=$here/images first
  first=$(search --paths --top 1 "a rainbow") && [ "$first" = "$images/rainbow.png" ] || complain "$first" || return
  first=$(search --paths --top 1 "$images/snowman.jpg") && [ "$first" = "$images/snowman.jpg" ] || complain "$first" || return
  first=$(cd "$images" && ../../../bin/clip search --index ../index --paths --top 1 dog.png) &&
    [ "$first" = "$images/dog.png" ] || complain "$first" || return
  # An image that is not in the index is embedded; the same weights in other words give the same sum.
  cp "$images/pizza.png" "$here/query.png" || return
  first=$(search --paths --top 1 ./"${here#"$root/"}/query.png" + "0.1:a pizza") && [ "$first" = "$images/pizza.png" ] ||
    complain "$first" || return
  [ "$(search --json "2:a cat" - "a dog")" != "$(search --json "a cat" - "a dog")" ] || complain "a weight is lost" || return
  diff <(search --no-update "a cat" - "2:a dog" + ./Examples/images/pizza.png) \
    <(search --no-update ./Examples/images/pizza.png - "2.0:a dog" + "1:a cat") || return
  first=$(search --paths - "a rainbow" | tail -1) && [ "$first" != "$images/rainbow.png" ] || complain "$first" || return
  [ "$(search --paths --top 100 "a cat" | wc -l)" = 12 ] || complain "not all images" || return
  [ "$(search --paths --threshold 0.99 --top 100 "$images/cat.png")" = "$images/cat.png" ] || complain "the threshold" || return
  [ "$(search --paths --top 100 --in "$images/more" "a cat" | wc -l)" = 2 ] || complain "not the folder's images" || return
  says '"query": ["a cat"]' search --json "a cat" && says '"searched": 12' search --json "a cat" &&
    says '"rank": 1' search --json "a cat" && says '"update": null' search --json --no-update "a cat" || return
  # What changed since then counts at once, unless told not to.
  cp "$images/cat.png" "$images/new.png" || return
  search --no-update --paths --top 100 "a cat" | grep -q new.png && { complain "not as it was"; return 1; }
  search --paths --top 100 "a cat" | grep -q new.png || complain "not brought up to date" || return
  fails 1 'has "a dog" where + or - was expected' search "a cat" "a dog" || return
  fails 1 "query ends" search "a cat" + && fails 1 "has - where" search "a cat" + - "a dog" || return
  fails 1 "the image nowhere.png" search nowhere.png && fails 1 "the image ./x" search ./x || return
  fails 1 "add up to nothing" search "a cat" - "a cat" && fails 1 "weight" search "0:a cat" || return
  fails 2 "--top" search --top 0 x && fails 2 "--threshold" search --threshold 2 x && fails 2 "Missing" search
}

duplicates_are_grouped() {
  begins duplicates || return
  mkdir "$here/images/copies" && cp "$here"/images/{cat,dog}.png "$here/images/copies/" || return
  cp "$here/images/cat.png" "$here/images/copies/another.png" && index "$here/images" > /dev/null || return
  local found
  found=$(build/bin/clip duplicates --index "$here/index" --threshold 0.999 --paths) || return
  diff <(echo "$found") <(cd "$here/images" && printf '%s\n' "$PWD/cat.png" "$PWD/copies/another.png" "$PWD/copies/cat.png" "" \
    "$PWD/copies/dog.png" "$PWD/dog.png") || return
  says "3 images, similarity 1.0000" build/bin/clip duplicates --index "$here/index" --threshold 0.999 || return
  says '"groups": [' build/bin/clip duplicates --index "$here/index" --json &&
    fails 2 "--threshold" build/bin/clip duplicates --index "$here/index" --threshold 1.5
}

# Another model, a damaged index, and settings that are none: told, and the index as it was.
index_refuses() {
  begins refuses || return
  index "$here/images" > /dev/null || return
  cp -r Models/emoji "$here/other" && sed -i '1s/{/{ /' "$here/other/open_clip_config.json" || return
  local before
  before=$(sha256sum "$here/index")
  fails 1 "has embeddings of $root/Models/emoji" build/bin/clip search --index "$here/index" --model "$here/other" x &&
    fails 1 "found the model $here/other" build/bin/clip index --index "$here/index" --model "$here/other" || return
  # The same model elsewhere is the same.
  cp -r Models/emoji "$here/same" && build/bin/clip search --index "$here/index" --model "$here/same" x > /dev/null || return
  [ "$before" = "$(sha256sum "$here/index")" ] || complain "the index is another" || return
  cp "$here/index" "$here/good" && echo '{"model": 3}' > "$here/index.json" && fails 1 "model: expected a text" index || return
  rm "$here/index.json" && fails 1 "expected --model" search x || return
  head -c 5000 "$here/good" > "$here/index" && rm -f "$here/index"-{wal,shm} &&
    fails 1 "$here/index" build/bin/clip index --index "$here/index" --model Models/emoji "$here/images" || return
  [ "$(stat -c %s "$here/index")" = 5000 ] || complain "a damaged index was changed" || return
  echo "no index" > "$here/index" && fails 1 "$here/index" build/bin/clip index --index "$here/index" --model Models/emoji "$here/images" &&
    [ "$(cat "$here/index")" = "no index" ] || return
  fails 1 "expected --model" build/bin/clip index --index "$here/none" "$here/images" &&
    fails 1 "--model nowhere: No such file" build/bin/clip index --index "$here/none" --model nowhere "$here/images"
}

# How weights are held stays with the index; a search may take another way.
index_keeps_storage() {
  begins storage || return
  index "$here/images" --storage int8 > /dev/null && index > /dev/null && grep -q '"storage": "int8"' "$here/index.json" || return
  ! diff <(search --json "a cat" --storage f16) <(search --json "a cat") > /dev/null || complain "one storage for all" || return
  grep -q '"storage": "int8"' "$here/index.json" && sed -i 's/int8/int7/' "$here/index.json" || return
  fails 1 'expected one of f32, f16, bf16, int8, int8-fast, found "int7"' index
}

# An index with damage at any place: searched as it was, or told; no other end.
index_is_damaged() {
  begins damaged || return
  index "$here/images" > /dev/null && cp "$here/index" "$here/good" || return
  local expected found status place size
  expected=$(search --no-update --json --top 20 "a cat")
  size=$(stat -c %s "$here/good")
  RANDOM=5
  for place in 0 16 24 100 4100 $(for _ in {1..25}; do echo $(((RANDOM * 32768 + RANDOM) % size)); done); do
    cp "$here/good" "$here/index" && rm -f "$here/index"-{wal,shm} || return
    printf '\xa5\x5a\xa5\x5a\xff\xff\x00\x01' | dd of="$here/index" bs=1 seek="$place" conv=notrunc status=none || return
    status=0
    found=$(timeout 60 build/bin/clip search --index "$here/index" --no-update --json --top 20 "a cat" 2> "$here/out") || status=$?
    if [ $status = 0 ]; then [ "$found" = "$expected" ]; else [ $status = 1 ] && grep -q "$here/index" "$here/out"; fi ||
      complain "damage at $place: status $status, $(cat "$here/out")" || return
    status=0
    touch "$here/images/cat.png"
    timeout 60 build/bin/clip index --index "$here/index" > "$here/out" 2>&1 || status=$?
    [ $status -le 1 ] && grep -q "$here/index" "$here/out" || complain "damage at $place: status $status, $(cat "$here/out")" || return
  done
}

# One command at a time changes an index; a search then takes it as it is.
index_is_changed_by_one() {
  begins one || return
  index "$here/images" > /dev/null && cp "$here/images/cat.png" "$here/images/new.png" || return
  fails 1 "another command changes" flock "$here/index.lock" build/bin/clip index --index "$here/index" || return
  says "as it is" flock "$here/index.lock" build/bin/clip search --index "$here/index" "a cat" || return
  says "1 added" index || return
  # Before anything is embedded; root may write all.
  [ "$(id -u)" = 0 ] || {
    cp "$here/images/cat.png" "$here/images/newer.png" && chmod a-w "$here/index" && fails 1 "cannot write $here/index" index &&
      says "as it is" search "a cat" && chmod a-w "$here" && fails 1 "cannot write $here: " index &&
      fails 1 "cannot write $here: " build/bin/clip index --index "$here/other" --model Models/emoji "$here/images" &&
      says "as it is" search "a cat" && chmod u+w "$here" "$here/index"
  }
}

# After a kill at any moment the index opens, has whole entries alone, and the next run completes it.
index_survives_kill() {
  begins kill || return
  many 100
  local moment start count=0 whole
  build/bin/clip index --index "$here/whole" --model Models/emoji "$here/images" > /dev/null || return
  whole=$(build/bin/clip search --index "$here/whole" --json --no-update --top 500 "a cat")
  start=$(date +%s%N)
  RANDOM=7
  for ((moment = 0; moment < 50; moment++)); do
    # Once complete, it begins anew.
    if [ $count -ge 112 ]; then rm -f "$here"/index*; fi
    timeout -s KILL "0.$(printf %03d $((20 + RANDOM % 400)))" build/bin/clip index --index "$here/index" --model Models/emoji --batch 8 "$here/images" \
      > /dev/null 2>&1
    count=0
    if [ -e "$here/index" ]; then
      count=$(build/bin/clip search --index "$here/index" --model Models/emoji --json --no-update x 2> "$here/out" | sed -n 's/.*"searched": \([0-9]*\).*/\1/p') &&
        [ -n "$count" ] || is_made_only || complain "it does not open after kill $moment" || return
    fi
  done
  index "$here/images" > /dev/null || return
  diff <(echo "$whole") <(search --json --no-update --top 500 "a cat")
}

# is_made_only: the process ended between making the file and filling it.
is_made_only() {
  count=0
  [ "$(stat -c %s "$here/index")" -le 16384 ]
}

# Ctrl-C keeps what is done and the next run goes on.
index_is_interrupted() {
  begins interrupted || return
  many 1000
  local status=0 count pid tries=0
  build/bin/clip index --index "$here/index" --model Models/emoji --threads 1 --batch 4 "$here/images" > "$here/out" 2>&1 &
  pid=$!
  # Until the first batches are written.
  until [ "$(stat -c %s "$here/index-wal" 2> /dev/null || echo 0)" -gt 300000 ] || [ $((tries += 1)) -gt 3000 ]; do sleep 0.01; done
  kill -INT $pid
  wait $pid || status=$?
  grep -q "goes on from there" "$here/out" || complain "status $status: $(cat "$here/out")" || return
  count=$(sed -n 's/.*: \([0-9]*\) images: .*/\1/p' "$here/out")
  [ "$count" -gt 0 ] && [ "$count" -lt 1012 ] || complain "$(cat "$here/out")" || return
  says "1012 images: $((1012 - count)) added." index
}

# --watch takes in what changes while it runs.
index_watches() {
  begins watch || return
  build/bin/clip index --index "$here/index" --model Models/emoji --watch "$here/images" > "$here/out" 2>&1 &
  local pid=$! status=0
  waits_for "12 images: 12 added" && mkdir "$here/images/later" && cp "$here/images/cat.png" "$here/images/later/cat.png" &&
    waits_for "13 images: 1 added" && cp "$here/images/dog.png" "$here/images/later/dog.png" && waits_for "14 images: 1 added" &&
    rm "$here/images/pizza.png" && waits_for "13 images: 1 removed" || status=1
  kill -INT $pid
  wait $pid || status=1
  [ $status = 0 ] || complain "$(cat "$here/out")"
}

# waits_for WORDS: for 20 seconds at most, until $here/out has them.
waits_for() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    ! grep -q "$1" "$here/out" || return 0
    sleep 0.1
  done
  return 1
}

# The memory of clip index does not grow with the images: 20,000 against 2,000.
index_memory_is_flat() {
  begins memory || return
  local few many
  mkdir "$here/few" && many 8000 "$here/many" || return
  cp -rl "$here/many"/{0,1} "$here/few/" || return
  few=$(peak_memory build/bin/clip index --index "$here/1" --model Models/emoji "$here/few") &&
    many=$(peak_memory build/bin/clip index --index "$here/2" --model Models/emoji "$here/many") || return
  echo "2,000 images: $few KB, 8,000 images: $many KB"
  [ "$few" -gt 1000 ] && [ "$many" -lt $((few + 10000)) ]
}

# peak_memory COMMAND...: in KB.
peak_memory() {
  "$@" > "$here/out" 2>&1 &
  local pid=$! peak=0 now
  while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status 2> /dev/null) && [ -n "$now" ]; do
    peak=$now
    sleep 0.05
  done
  wait $pid && echo "$peak"
}

# The commands of docs/search.md work, one after the other.
documented_search_works() {
  begins documented && mkdir -p "$here/home/Scans" && cp "$here/images/cat.png" "$here/home/Scans/" && mv "$here/images" "$here/home/Pictures" && cp -r Models/emoji "$here/home/emoji" || return
  awk '/^```sh$/ { open = 1; next } /^```/ { open = 0 } open' docs/search.md > "$here/commands"
  [ "$(wc -l < "$here/commands")" -ge 10 ] || complain "docs/search.md has no commands" || return
  (cd "$here/home" && HOME=$PWD XDG_DATA_HOME='' PATH=$root/build/bin:$PATH bash -eu "$here/commands")
}
