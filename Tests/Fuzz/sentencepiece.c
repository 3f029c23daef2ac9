/* The input is SentencePiece's model file of a SigLIP text tower. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_write("siglip", "spiece.model", data, size);
  fuzz_open("siglip", CLIP_TOWER_TEXT);
  fuzz_restore("siglip", "spiece.model");
  return 0;
}
