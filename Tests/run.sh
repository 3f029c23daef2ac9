#!/usr/bin/env bash
# run.sh smoke|full: the tests over build/, each group's counts, and a last line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
tier=${1:-full}
root=$PWD
logs=build/test-logs
mkdir -p "$logs" build/tests
# What SwiftPM and tests leave among the temporary files, also when they fail, goes with this run.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
passed=0 failed=0
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
cxx=$(command -v c++ || echo "$clang++")
emoji=Models/emoji picture=Examples/images/cat.png

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2)) failed=$((failed + $3))
  printf '%-44s %5d passed, %d failed\n' "$1" "$2" "$3"
}

# check NAME COMMAND...: one test; it fails when the command does. Its output is shown then.
check() {
  local name=$1 log
  log=$logs/$(tr -c 'a-zA-Z0-9\n' - <<< "$name").log
  shift
  if "$@" > "$log" 2>&1; then count "$name" 1 0; else tail -40 "$log"; count "$name" 0 1; fi
}

# program NAME COMMAND...: a program that ends with "N passed, N failed". One that does not, or ends badly, failed.
program() {
  local name=$1 log status=0 line
  log=$logs/$(tr -c 'a-zA-Z0-9\n' - <<< "$name").log
  shift
  # A program that hangs is one that failed. timeout starts no function, so those run as they are.
  if declare -F "$1" > /dev/null; then "$@" > "$log" 2>&1 || status=$?; else timeout 300 "$@" > "$log" 2>&1 || status=$?; fi
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    local good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
    # A sanitizer or valgrind fails a program whose own checks are all well.
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    [ "$bad" -eq 0 ] || tail -60 "$log"
    count "$name" "$good" "$bad"
  else
    tail -60 "$log"
    echo "$name ended with status $status and no count"
    count "$name" 0 1
  fi
}

# compile COMPILER OUT SOURCE FLAGS...: a C test against the library in build/lib.
compile() {
  local compiler=$1 out=$2 source=$3
  shift 3
  "$compiler" -std=c11 -O1 -g -Wall -Wextra -Wpedantic -Werror -IInclude "$source" -o "$out" "$@" -lm -lpthread
}

# sanitized KIND TEST [ARGUMENT...]: a C test with a sanitizer, against the library built with it.
sanitized() {
  local kind=$1 name=$2
  shift 2
  local runtime swift_libraries
  runtime=$(dirname "$("$clang" -print-file-name=libclang_rt.asan-x86_64.so)")
  swift_libraries=$(dirname "$clang")/../lib/swift/linux
  # The thread sanitizer's runtime, as Swift ships it, needs libdispatch.
  local more=()
  [ "$kind" != thread ] || more=(-Wl,--no-as-needed -L"$swift_libraries" -ldispatch -lBlocksRuntime -Wl,-rpath,"$swift_libraries")
  compile "$clang" "build/tests/$name-$kind" "Tests/C/$name.c" "-fsanitize=$kind" -DSANITIZED -shared-libsan -Lbuild/$kind/lib -lcliptools -lclipcore \
    -Wl,-rpath,"$root/build/$kind/lib" -Wl,-rpath,"$runtime" "${more[@]}" || return
  timeout 600 "build/tests/$name-$kind" "$@"
}

# The C programs: where each runs, what it tests, and what it is given. Built as for users it runs in both tiers
# (plain) or in the full one alone (full), where the other runs are too: under valgrind, and with AddressSanitizer
# (address) and ThreadSanitizer (thread).
programs=(
  "api_test          plain,valgrind,address        the interface                | $emoji $picture"
  "conventions_test plain,valgrind,address        conventions of all calls     | build/models/small-32 build/models/rn-tiny $picture"
  "threads_test      plain,address,thread          threads                      | build/models/small-32 $picture"
  "allocations_test  plain                         allocations of warm calls    | $emoji $picture"
  "plugins_test      plain,valgrind,address,thread plugins                      | build/models/grey build/tests/grey1.so build/tests/grey2.so $picture"
  "dataset_test      plain,valgrind,address,thread data sets                    | $emoji $picture"
  "augment_test      plain,valgrind,address,thread augmentations                |"
  "foreign_test      plain,valgrind,address,thread functions of other libraries | build/models/grey Tests/Fixtures/manifests"
  "extend_test       plain,valgrind,address,thread what other libraries use     | $emoji $picture"
  "closures_test     plain,valgrind,address,thread closures                     | build/models/grey"
  "analysis_test     plain,valgrind,address,thread analysis                     | share/modalities.json"
  "text_augment_test plain,valgrind,address,thread text augmentations           |"
  "ops_test          plain,address,thread          ops and their gradients      | build/tests/ops"
  "swap_test         full,address,thread           swaps                        | build/models/small-32 build/models/rn-tiny $picture"
  "publish_test      full,address,thread           publishing                   | build/models/small-32 $picture"
)

# c_programs KIND: runs those of the table that run there.
c_programs() {
  local kind=$1 entry name kinds rest what arguments
  for entry in "${programs[@]}"; do
    read -r name kinds rest <<< "$entry"
    [[ ,$kinds, == *,$kind,* ]] || continue
    read -r what <<< "${rest%%|*}"
    read -ra arguments <<< "${rest#*|}"
    case $kind in
      plain | full)
        compile cc "build/tests/$name" "Tests/C/$name.c" -Lbuild/lib -lcliptools -lclipcore -Wl,-rpath,"$root/build/lib"
        program "$what" "build/tests/$name" "${arguments[@]}"
        ;;
      valgrind)
        program "$what under valgrind" valgrind --quiet --fair-sched=try --error-exitcode=1 --leak-check=full \
          --errors-for-leak-kinds=definite,indirect,possible "build/tests/$name" "${arguments[@]}"
        ;;
      address) program "$what under AddressSanitizer" sanitized address "$name" "${arguments[@]}" ;;
      thread) program "$what under ThreadSanitizer" sanitized thread "$name" "${arguments[@]}" ;;
    esac
  done
}

swift_tests() {
  rm -f "$logs"/swift*.xml
  local status=0 tests
  CLIPCORE_TIER=$tier swift test --package-path Tests -c release --skip-build --no-parallel \
    --xunit-output "$logs/swift.xml" > "$logs/swift.log" 2>&1 || status=$?
  grep -E '^(parity|preprocess) ' "$logs/swift.log"
  if [ ! -s "$logs/swift-swift-testing.xml" ]; then
    tail -40 "$logs/swift.log"
    count "Swift suites (ended with status $status)" 0 1
    return
  fi
  tests=$(grep -c '<testcase ' "$logs/swift-swift-testing.xml")
  local failures
  failures=$(awk '/<testcase /{seen=0} /<failure /{if(!seen){n++; seen=1}} END{print n+0}' "$logs/swift-swift-testing.xml")
  if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then failures=1; fi
  [ "$failures" -eq 0 ] || grep -E 'recorded an issue|Caught error|↳' "$logs/swift.log" | cut -c1-600 | head -80
  count "Swift suites" $((tests - failures)) "$failures"
}

. Tests/checks.sh

if ! scripts/swift-build --package-path Tests -c release --build-tests > "$logs/swift-build.log" 2>&1; then
  cat "$logs/swift-build.log"
  count "Swift suites (do not build)" 0 1
  echo "$passed passed, $failed failed"
  exit 1
fi

echo "C headers, symbols and sizes"
check "headers in C11" header_compiles cc c11
check "headers in C++17" header_compiles "$cxx" c++17
check "libclipcore.so exports its headers' functions" exports_match libclipcore.so Include/clip{,_extend,_host,_train}.h
check "libcliptools.so exports its headers' functions" exports_match libcliptools.so Include/clip_{analysis,augment,data,ffi}.h
check "docs/c-interface.md names every function" interface_documented
check "the C of README and docs" documented_c_compiles
check "libraries that libclipcore.so needs" needs_only_allowed
check "the plugins export their entry alone" plugins_export_entry
if [ "$tier" = full ]; then
  check "headers in C17" header_compiles cc c17
  for standard in c++11 c++14 c++20; do check "headers in $standard" header_compiles "$cxx" "$standard"; done
  for standard in c11 c++20; do check "headers in $standard, with clang" header_compiles "$clang" "$standard"; done
  check "size of libclipcore.so and of all" sizes_fit
  check "an installed tree works where it is put" installed_tree_works
fi

echo "C programs"
cc -std=gnu11 -O2 -IInclude Tests/C/kernels_test.c -o build/tests/kernels_test -ldl -lm
for version in 1 2; do
  compile cc "build/tests/grey$version.so" Tests/C/plugins/grey.c -shared -fPIC -fvisibility=hidden -DGREY_VERSION=$version
done
mkdir -p build/tests/ops
for name in grey small-32 rn-tiny; do
  [ -d "build/models/$name" ] || Tests/.build/release/make-model "$name" "build/models/$name"
done
c_programs plain
check "the examples of docs/augmentation.md" augmentation_examples_work
check "clip analyze and its page" analysis_page_works
check "clip gap" catalogue_is_shown
check "plugins are looked for in order" plugins_found_in_order
check "what to install for SentencePiece is said" missing_sentencepiece_is_said
program "kernels against plain loops" build/tests/kernels_test build/lib/clipcore/plugins/kernels_*.so
program "fuzzers' seeds and findings" replay_fuzzers
if [ "$tier" = full ]; then
  c_programs full
  c_programs valgrind
  check "a library with AddressSanitizer" scripts/build-sanitized address
  c_programs address
  check "a library with ThreadSanitizer" scripts/build-sanitized thread
  c_programs thread
fi

echo "Plugins and examples"
check "docs/plugins.md's commands" documented_plugin_works
check "clip plugins recommend" encoders_are_recommended
check "clip plugins check in JSON" plugin_check_writes_json
if [ "$tier" = full ]; then
  command -v rustc > /dev/null || echo "the examples in Rust are left out: there is no rustc here"
  check "programs in C++, Rust and Swift" example_programs
  program "plugins begun with clip plugins new" new_plugins_work
  program "clip plugins check of the shipped plugins" shipped_plugins_pass
  program "faults that clip plugins check finds" faults_are_found
fi

echo "Swift suites"
swift_tests

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
