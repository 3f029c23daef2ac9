/* The first byte chooses a configuration file, which the rest is. */
#include "common.h"

static const char *const files[][2] = {
    {"open_clip", "open_clip_config.json"},
    {"huggingface", "config.json"},
    {"huggingface", "preprocessor_config.json"},
    {"sharded", "model.safetensors.index.json"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const char *const *file = files[data[0] % 4];
  fuzz_write(file[0], file[1], data + 1, size - 1);
  fuzz_open(file[0], 0);
  fuzz_restore(file[0], file[1]);
  return 0;
}
