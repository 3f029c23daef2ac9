# Processors other than this one, which qemu imitates. Sourced by run.sh.

# The kernels that x86-64 processors compute with; "-xsave" and "-avx": one that reports AVX2 whose registers the system does
# not keep (no OSXSAVE; no AVX in XCR0), as under some hypervisors. The baseline also embeds, with no other instructions.
old_processors_work() {
  local folder=build/tests/processors good=0 bad=0 cpu names test
  mkdir -p $folder
  for test in processor_test zoo_test sentence_test; do
    compile cc "$folder/$test" "Tests/C/$test.c" -Lbuild/lib -lclipcore -Wl,-rpath,"$root/build/lib" || return
  done
  # told COMMAND...: counts it.
  told() { if "$@" 2>&1 | grep -v "TCG doesn't support"; (exit "${PIPESTATUS[0]}"); then good=$((good + 1)); else bad=$((bad + 1)); echo "FAILED $*"; fi; }
  while IFS='|' read -r cpu names; do
    # shellcheck disable=SC2086 # names are words
    told qemu-x86_64 -cpu "$cpu" "$folder/processor_test" $names
  done << END
Nehalem|x86-64 x86-64-v3 x86-64-v4
Haswell|x86-64-v3 x86-64-v4
Haswell,-xsave|x86-64 x86-64-v3
Haswell,-avx|x86-64 x86-64-v3
Haswell,-f16c|x86-64 x86-64-v3
Haswell,-fma|x86-64 x86-64-v3
END
  told qemu-x86_64 -cpu Nehalem "$folder/zoo_test" Tests/Fixtures/zoo
  told qemu-x86_64 -cpu Nehalem "$folder/sentence_test" Tests/Fixtures/zoo/sentence
  for names in x86-64 openblas; do
    told env CLIP_KERNELS=$names "$folder/zoo_test" Tests/Fixtures/zoo
    told env CLIP_KERNELS=$names "$folder/sentence_test" Tests/Fixtures/zoo/sentence
  done
  echo "$good passed, $bad failed"
}
