/* The input is a WebDataset archive. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_dataset("archive.tar", data, size);
  return 0;
}
