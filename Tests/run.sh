#!/usr/bin/env bash
# run.sh smoke|full: the tests over build/, each group's counts, and a last line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
tier=${1:-full}
root=$PWD
logs=build/test-logs
mkdir -p "$logs" build/tests
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

# sanitized KIND FLAG TEST [ARGUMENT...]: a C test with a sanitizer, against the library built with it.
sanitized() {
  local kind=$1 flag=$2 name=$3
  shift 3
  [ $# -gt 0 ] || set -- "$emoji" "$picture"
  local runtime swift_libraries
  runtime=$(dirname "$("$clang" -print-file-name=libclang_rt.asan-x86_64.so)")
  swift_libraries=$(dirname "$clang")/../lib/swift/linux
  # The thread sanitizer's runtime, as Swift ships it, needs libdispatch.
  local more=()
  [ "$kind" != thread ] || more=(-Wl,--no-as-needed -L"$swift_libraries" -ldispatch -lBlocksRuntime -Wl,-rpath,"$swift_libraries")
  compile "$clang" "build/tests/$name-$kind" "Tests/C/$name.c" "$flag" -DSANITIZED -shared-libsan -Lbuild/$kind/lib -lclipcore \
    -Wl,-rpath,"$root/build/$kind/lib" -Wl,-rpath,"$runtime" "${more[@]}" || return
  timeout 600 "build/tests/$name-$kind" "$@"
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

if ! swift build --package-path Tests -c release --build-tests > "$logs/swift-build.log" 2>&1; then
  cat "$logs/swift-build.log"
  count "Swift suites (do not build)" 0 1
  echo "$passed passed, $failed failed"
  exit 1
fi

echo "C headers, symbols and sizes"
check "headers in C11" header_compiles cc c11
check "headers in C++17" header_compiles "$cxx" c++17
check "exported symbols are clip.h's functions" exports_match
check "docs/c-interface.md names every function" interface_documented
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
compile cc build/tests/api_test Tests/C/api_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/allocations_test Tests/C/allocations_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/threads_test Tests/C/threads_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
cc -std=gnu11 -O2 -IInclude Tests/C/kernels_test.c -o build/tests/kernels_test -ldl -lm
compile cc build/tests/plugins_test Tests/C/plugins_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/swap_test Tests/C/swap_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/dataset_test Tests/C/dataset_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
for name in augment_test foreign_test closures_test; do
  compile cc build/tests/$name Tests/C/$name.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
done
compile cc build/tests/analysis_test Tests/C/analysis_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/text_augment_test Tests/C/text_augment_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
for version in 1 2; do
  compile cc "build/tests/grey$version.so" Tests/C/plugins/grey.c -shared -fPIC -fvisibility=hidden -DGREY_VERSION=$version
done
for name in grey small-32; do
  [ -d "build/models/$name" ] || Tests/.build/release/make-model "$name" "build/models/$name"
done
plugins=(build/models/grey build/tests/grey1.so build/tests/grey2.so "$picture")
swap=(build/models/small-32 "$(Tests/.build/release/make-model rn-tiny)" "$picture")
foreign=(build/models/grey Tests/Fixtures/manifests)
program "the interface from C" build/tests/api_test "$emoji" "$picture"
program "many threads on one model" build/tests/threads_test "$emoji" "$picture"
program "allocations of warm calls" build/tests/allocations_test "$emoji" "$picture"
program "plugins that come, go and change" build/tests/plugins_test "${plugins[@]}"
program "data sets from C" build/tests/dataset_test "$emoji" "$picture"
program "augmentations" build/tests/augment_test
program "functions of other libraries" build/tests/foreign_test "${foreign[@]}"
program "closures" build/tests/closures_test build/models/grey
program "analysis from C" build/tests/analysis_test share/modalities.json
program "text augmentations" build/tests/text_augment_test
check "the examples of docs/augmentation.md" augmentation_examples_work
check "clip analyze and its page" analysis_page_works
check "clip gap" catalogue_is_shown
check "plugins are looked for in order" plugins_found_in_order
check "what to install for SentencePiece is said" missing_sentencepiece_is_said
program "kernels against plain loops" build/tests/kernels_test build/lib/clipcore/plugins/kernels_*.so
program "fuzzers' seeds and findings" replay_fuzzers
compile cc build/tests/gradients_test Tests/C/gradients_test.c -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib"
compile cc build/tests/gradient_plugin.so Tests/C/gradient_plugin.c -shared -fPIC -fvisibility=hidden
mkdir -p build/tests/gradients
program "each op's gradient" build/tests/gradients_test build/tests/gradient_plugin.so build/tests/gradients
if [ "$tier" = full ]; then
  program "the interface under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/api_test "$emoji" "$picture"
  program "encoders swapped under load" build/tests/swap_test "${swap[@]}"
  program "plugins under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/plugins_test "${plugins[@]}"
  program "data sets under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/dataset_test "$emoji" "$picture"
  program "augmentations under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/augment_test
  program "functions of other libraries under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/foreign_test "${foreign[@]}"
  program "closures under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/closures_test build/models/grey
  program "analysis under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/analysis_test share/modalities.json
  program "text augmentations under valgrind" valgrind --quiet --error-exitcode=1 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible build/tests/text_augment_test
  check "a library with AddressSanitizer" scripts/build-sanitized address
  program "the interface under AddressSanitizer" sanitized address -fsanitize=address api_test
  program "threads under AddressSanitizer" sanitized address -fsanitize=address threads_test
  program "plugins under AddressSanitizer" sanitized address -fsanitize=address plugins_test "${plugins[@]}"
  program "swaps under AddressSanitizer" sanitized address -fsanitize=address swap_test "${swap[@]}"
  program "data sets under AddressSanitizer" sanitized address -fsanitize=address dataset_test
  program "augmentations under AddressSanitizer" sanitized address -fsanitize=address augment_test
  program "functions of other libraries under AddressSanitizer" sanitized address -fsanitize=address foreign_test "${foreign[@]}"
  program "closures under AddressSanitizer" sanitized address -fsanitize=address closures_test build/models/grey
  program "analysis under AddressSanitizer" sanitized address -fsanitize=address analysis_test share/modalities.json
  program "text augmentations under AddressSanitizer" sanitized address -fsanitize=address text_augment_test
  program "gradients under AddressSanitizer" sanitized address -fsanitize=address gradients_test \
    build/tests/gradient_plugin.so build/tests/gradients
  check "a library with ThreadSanitizer" scripts/build-sanitized thread
  program "threads under ThreadSanitizer" sanitized thread -fsanitize=thread threads_test
  program "augmentations under ThreadSanitizer" sanitized thread -fsanitize=thread augment_test
  program "functions of other libraries under ThreadSanitizer" sanitized thread -fsanitize=thread foreign_test "${foreign[@]}"
  program "closures under ThreadSanitizer" sanitized thread -fsanitize=thread closures_test build/models/grey
  program "text augmentations under ThreadSanitizer" sanitized thread -fsanitize=thread text_augment_test
  program "plugins under ThreadSanitizer" sanitized thread -fsanitize=thread plugins_test "${plugins[@]}"
  program "swaps under ThreadSanitizer" sanitized thread -fsanitize=thread swap_test "${swap[@]}"
  program "analysis under ThreadSanitizer" sanitized thread -fsanitize=thread analysis_test share/modalities.json
  program "data sets under ThreadSanitizer" sanitized thread -fsanitize=thread dataset_test
  program "gradients under ThreadSanitizer" sanitized thread -fsanitize=thread gradients_test \
    build/tests/gradient_plugin.so build/tests/gradients
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
