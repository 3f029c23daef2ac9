#!/usr/bin/env bash
# run.sh smoke|full [PATTERN]: the tests over build/, two at a time: a line for each with its counts, and a last line
# "N passed, N failed". PATTERN, a glob, picks tests by the names in these lines; Swift suites have their own names.
set -uo pipefail
cd "$(dirname "$0")/.."
tier=${1:-full} pattern=${2:-}
root=$PWD
logs=build/test-logs
rm -rf "$logs" && mkdir -p "$logs" build/tests build/models
: > "$logs/counts"
# What SwiftPM and tests leave among the temporary files, also when they fail, goes with this run.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
cxx=$(command -v c++ || echo "$clang++")
emoji=Models/emoji image=Examples/images/cat.png

# chosen TIER NAME: whether a test is run.
chosen() {
  # shellcheck disable=SC2053 # the pattern is one
  if [ -n "$pattern" ]; then [[ $2 == $pattern ]]; else [ "$1" = smoke ] || [ "$tier" = full ]; fi
}

# background COMMAND...: runs it beside one other.
background() {
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  "$@" &
}

# report NAME PASSED FAILED LOG START: the line of a test that began at $SECONDS = START, after the end of its log when it
# failed. Tests report one by one.
report() {
  exec 8> "$logs/lock" && flock 8
  [ "$3" -eq 0 ] || tail -60 "$4"
  printf '%-32s %5d passed, %d failed, %d s\n' "$1" "$2" "$3" $((SECONDS - $5)) | tee -a "$logs/counts"
  exec 8>&-
}

# timed COMMAND...: what hangs has failed. timeout starts no function, so those run as they are.
timed() {
  if declare -F "$1" > /dev/null; then "$@"; else timeout 600 "$@"; fi
}

# run_check NAME COMMAND...: one test; it fails when the command does.
run_check() {
  local log=$logs/$1.log start=$SECONDS
  if timed "${@:2}" > "$log" 2>&1; then report "$1" 1 0 "$log" "$start"; else report "$1" 0 1 "$log" "$start" && return 1; fi
}

# run_program NAME COMMAND...: a program that ends with "N passed, N failed". One that does not, or ends badly, failed.
run_program() {
  local log=$logs/$1.log status=0 good=0 bad=1 start=$SECONDS line
  timed "${@:2}" > "$log" 2>&1 || status=$?
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1)
  if [ -n "$line" ]; then
    read -r good _ bad _ <<< "$line"
    # A sanitizer or valgrind fails a program whose own checks are all well.
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  else
    echo "$1 ended with status $status and no count" >> "$log"
  fi
  report "$1" "$good" "$bad" "$log" "$start"
}

# check TIER NAME COMMAND..., program TIER NAME COMMAND...: a test of the tables below.
check() { ! chosen "$1" "$2" || background run_check "${@:2}"; }
program() { ! chosen "$1" "$2" || background run_program "${@:2}"; }

# compile COMPILER OUT SOURCE FLAGS...: a C test against the library in build/lib.
compile() {
  local compiler=$1 out=$2 source=$3
  shift 3
  "$compiler" -std=c11 -O1 -g -Wall -Wextra -Wpedantic -Werror -IInclude "$source" -o "$out" "$@" -lm -lpthread
}

# libraries TEST: what a C test is linked with.
libraries() {
  ! grep -qE 'clip_index|index_check' "Tests/C/$1.c" || echo -lclipindex
  echo -lcliptools -lclipcore
}

# sanitized KIND TEST [ARGUMENT...]: a C test with a sanitizer, against the library built with it.
sanitized() {
  local kind=$1 name=$2
  shift 2
  local runtime swift_libraries arguments
  with_folder "$@"
  runtime=$(dirname "$("$clang" -print-file-name=libclang_rt.asan-x86_64.so)")
  swift_libraries=$(dirname "$clang")/../lib/swift/linux
  # The thread sanitizer's runtime, as Swift ships it, needs libdispatch.
  local more=()
  [ "$kind" != thread ] || more=(-Wl,--no-as-needed -L"$swift_libraries" -ldispatch -lBlocksRuntime -Wl,-rpath,"$swift_libraries")
  compile "$clang" "build/tests/$name.$kind" "Tests/C/$name.c" "-fsanitize=$kind" -DSANITIZED -shared-libsan -Lbuild/$kind/lib $(libraries "$name") \
    -Wl,-rpath,"$root/build/$kind/lib" -Wl,-rpath,"$runtime" "${more[@]}" || return
  timeout 600 "build/tests/$name.$kind" "${arguments[@]}"
}

# c_test TIER KINDS NAME ARGUMENT...: the program Tests/C/NAME.c, built as for users, and in the full tier also each of
# KINDS: valgrind, address and thread (with that sanitizer). These are named NAME.KIND.
address=() thread=()
c_test() {
  local test_tier=$1 kinds=$2 name=$3 kind
  shift 3
  ! chosen "$test_tier" "$name" || background run_program "$name" plain "$name" "$@"
  for kind in ${kinds//,/ }; do
    chosen full "$name.$kind" || continue
    case $kind in
      valgrind) background run_program "$name.valgrind" under_valgrind "$name" "$@" ;;
      address) address+=("$name $*") ;;
      thread) thread+=("$name $*") ;;
    esac
  done
}

# with_folder ARGUMENT...: sets `arguments` to these, each @ an empty folder.
with_folder() { arguments=("${@/#@/$(mktemp -d)}"); }

plain() {
  local arguments
  with_folder "${@:2}"
  compile cc "build/tests/$1" "Tests/C/$1.c" -Lbuild/lib $(libraries "$1") -Wl,-rpath,"$root/build/lib" || return
  timeout 300 "build/tests/$1" "${arguments[@]}"
}

# valgrind computes a fused multiply-add in a function of its own, so that an image takes 13 times as long as with the
# kernels that have none. api_test alone runs with what the processor would get.
under_valgrind() {
  local arguments kernels=(CLIP_KERNELS=x86-64)
  [ "$1" != api_test ] || kernels=()
  with_folder "${@:2}"
  compile cc "build/tests/$1.valgrind" "Tests/C/$1.c" -Lbuild/lib $(libraries "$1") -Wl,-rpath,"$root/build/lib" || return
  timeout 600 env "${kernels[@]}" valgrind --quiet --fair-sched=try --error-exitcode=1 --suppressions=Tests/valgrind.supp --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible "build/tests/$1.valgrind" "${arguments[@]}"
}

build_sanitized() { scripts/build-sanitized "$1"; } # takes longer than `timed` allows

# sanitized_tests KIND TEST...: a library with the sanitizer, then the C tests with it.
sanitized_tests() {
  local kind=$1 test words
  [ $# -gt 1 ] || return 0
  run_check "build.$kind" build_sanitized "$kind" || return
  for test in "${@:2}"; do
    read -ra words <<< "$test"
    run_program "${words[0]}.$kind" sanitized "$kind" "${words[@]}"
  done
}

# swift_tests [SUITE...]: these Swift suites, or all.
swift_tests() {
  local log=$logs/swift.log start=$SECONDS status=0 tests failures suites="$*"
  if ! scripts/swift-build --package-path Tests --build-tests > "$log" 2>&1; then
    report swift 0 1 "$log" "$start"
    return
  fi
  CLIPCORE_TIER=$tier swift test --package-path Tests -c release --skip-build --no-parallel \
    ${suites:+--filter "Suites\.(${suites// /|})/"} --xunit-output "$logs/swift.xml" > "$log" 2>&1 || status=$?
  grep -E '^(parity|preprocess) ' "$log"
  if [ ! -s "$logs/swift-swift-testing.xml" ]; then
    echo "the Swift suites ended with status $status" >> "$log"
    report swift 0 1 "$log" "$start"
    return
  fi
  tests=$(grep -c '<testcase ' "$logs/swift-swift-testing.xml")
  failures=$(awk '/<testcase /{seen=0} /<failure /{if(!seen){n++; seen=1}} END{print n+0}' "$logs/swift-swift-testing.xml")
  if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then failures=1; fi
  grep -E 'recorded an issue|Caught error|↳' "$log" | cut -c1-600 | head -80 > "$logs/swift.failures"
  report swift $((tests - failures)) "$failures" "$logs/swift.failures" "$start"
}

. Tests/checks.sh
. Tests/plugin_checks.sh
. Tests/search_checks.sh
. Tests/processor_checks.sh
. Tests/package_checks.sh
. Tests/binding_checks.sh

# What several tests are given.
for version in 1 2; do
  compile cc "build/tests/grey$version.so" Tests/C/plugins/grey.c -shared -fPIC -fvisibility=hidden -DGREY_VERSION=$version
done
scripts/swift-build --package-path Tests --product make-model > "$logs/make-model.log" 2>&1 || cat "$logs/make-model.log"
for name in grey small-32 rn-tiny; do
  [ -d "build/models/$name" ] || Tests/.build/release/make-model "$name" "build/models/$name"
done

# The Swift suites take longest, and begin.
suites=()
for file in Tests/Suites/*Tests.swift; do
  name=$(basename "$file" .swift)
  if [ -n "$pattern" ] && chosen smoke "$name"; then suites+=("$name"); fi
done
if chosen smoke swift || [ ${#suites[@]} -gt 0 ]; then background swift_tests "${suites[@]}"; fi

# A C test is one row: its tier, what else it runs with, its name and arguments; @ is an empty folder.
c_test smoke valgrind,address        api_test $emoji $image
c_test smoke address                 conventions_test $emoji $image
c_test smoke address                 trainer_test $emoji build/models/rn-tiny $image
c_test smoke address,thread          threads_test build/models/small-32 $image
c_test smoke ''                      allocations_test $root/$emoji $image @
c_test smoke valgrind,address,thread plugins_test build/models/grey build/tests/grey1.so build/tests/grey2.so $image
c_test smoke valgrind,address,thread dataset_test $emoji $image
c_test smoke valgrind,address,thread augment_test
c_test smoke valgrind,address,thread foreign_test build/models/grey Tests/Fixtures/manifests
c_test smoke valgrind,address,thread extend_test $emoji $image
c_test smoke valgrind,address,thread closures_test build/models/grey
c_test smoke valgrind,address,thread analysis_test share/modalities.json
c_test smoke valgrind,address,thread text_augment_test
c_test smoke address,thread          ops_test @
c_test smoke valgrind,address        zoo_test Tests/Fixtures/zoo
c_test smoke valgrind,address        sentence_test Tests/Fixtures/zoo/sentence
c_test full  ''                      torture 6 @
c_test smoke address                 weights_test Tests/Fixtures/weights $image @
c_test smoke valgrind,address,thread index_test $emoji @
c_test smoke valgrind,address,thread index_search_test @
c_test smoke valgrind,address,thread index_processes_test @
c_test smoke valgrind,address,thread index_file_test @
c_test smoke ''                      index_neighbours_test @
c_test smoke ''                      index_memory_test $emoji @
c_test smoke address                 images_test $emoji Tests/Fixtures/photos
c_test smoke address,thread          files_test $emoji Tests/Fixtures/photos @
program full images_test.valgrind under_valgrind images_test build/models/small-32 Tests/Fixtures/photos
program full files_test.valgrind  under_valgrind files_test build/models/small-32 Tests/Fixtures/photos @
c_test smoke ''                      system_test $emoji $image
c_test smoke address                 structs_test build/models/rn-tiny @
c_test smoke ''                      faults_test build/models/small-32 $image @
c_test smoke ''                      process_test build/models/small-32 $image @
c_test smoke ''                      limits_test build/models/small-32 $image @
c_test smoke address                 tokenizers_test Tests/Fixtures/tokenizer/parts Tests/Fixtures/tokenizer/models @
c_test full  address,thread          swap_test build/models/small-32 build/models/rn-tiny $image
c_test full  address,thread          publish_test build/models/small-32 $image
[ ${#address[@]} -eq 0 ] || background sanitized_tests address "${address[@]}"
[ ${#thread[@]} -eq 0 ] || background sanitized_tests thread "${thread[@]}"

check smoke headers.c11 header_compiles cc c11
check full headers.c17 header_compiles cc c17
check smoke headers.c++17 header_compiles "$cxx" c++17
for standard in c++11 c++14 c++20; do check full "headers.$standard" header_compiles "$cxx" $standard; done
for standard in c11 c++20; do check full "headers.clang.$standard" header_compiles "$clang" $standard; done
check smoke exports.clipcore exports_match libclipcore.so Include/clip{,_extend,_host,_train}.h
check smoke exports.cliptools exports_match libcliptools.so Include/clip_{analysis,augment,data,ffi,images}.h
check smoke exports.clipindex exports_match libclipindex.so Include/clip_index.h
for name in interface_documented documented_c_compiles needs_only_allowed plugins_export_entry augmentation_examples_work \
  analysis_page_works catalogue_is_shown plugins_found_in_order missing_tokenizer_is_said documented_plugin_works \
  encoders_are_recommended plugin_check_writes_json embed_says_what_it_takes embed_goes_on; do
  check smoke $name $name
done
for name in index_follows_changes index_embeds_a_content_once index_sees_changes_while_it_reads index_reads_what_vanishes \
  index_takes_any_name index_fills_a_disk index_is_damaged index_keeps_storage index_keeps_what_is_away index_tries_again index_is_finished index_walks_folders \
  search_takes_queries duplicates_are_grouped index_refuses index_is_changed_by_one index_is_interrupted index_watches documented_search_works; do
  check smoke $name $name
done
for language in rust go java node; do check full binding.$language Bindings/$language/test; done
for name in index_survives_kill index_memory_is_flat; do check full $name $name; done
check smoke bindings_cover bindings_cover
for name in sizes_fit installed_tree_works packages_work static_library_works example_programs; do check full $name $name; done
program smoke unit_tests scripts/unit-tests
program full old_processors_work old_processors_work
program full arm64 Tests/cross.sh aarch64 fast
for name in kernels_work replay_fuzzers; do program smoke $name $name; done
for name in new_plugins_work shipped_plugins_pass faults_are_found python_wheel_works cpp_header_works; do program full $name $name; done
wait
command -v rustc > /dev/null || [ "$tier" = smoke ] || echo "without rustc, the examples in Rust were left out"

awk '{ passed += $2; failed += $4 } END { printf "\n%d passed, %d failed\n", passed, failed; exit !(passed > 0 && failed == 0) }' \
  "$logs/counts"
