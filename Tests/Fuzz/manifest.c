/* The input is a manifest of a library's functions, which are looked up and never called. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file("fuzz.ffi.json", data, size);
  clip_status status = clip_plugin_load(fuzz_runtime(), path);
  fuzz_check(status);
  if (status == CLIP_OK) fuzz_check(clip_plugin_unload(fuzz_runtime(), path));
  return 0;
}
