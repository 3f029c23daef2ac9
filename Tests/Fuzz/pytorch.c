/* The whole input is a file of PyTorch. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_write("pytorch", "pytorch_model.bin", data, size);
  fuzz_open("pytorch", 0);
  fuzz_restore("pytorch", "pytorch_model.bin");
  return 0;
}
