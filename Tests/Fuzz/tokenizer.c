/* The first byte chooses a tokenizer file, which the rest is. */
#include "common.h"

static const char *const files[] = {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json",
                                    "added_tokens.json"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const char *file = files[data[0] % 5];
  fuzz_write("open_clip", file, data + 1, size - 1);
  fuzz_open("open_clip", CLIP_TOWER_TEXT);
  fuzz_restore("open_clip", file);
  return 0;
}
