/* The whole input is a checkpoint. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_write("open_clip", "open_clip_model.safetensors", data, size);
  fuzz_open("open_clip", 0);
  fuzz_restore("open_clip", "open_clip_model.safetensors");
  return 0;
}
