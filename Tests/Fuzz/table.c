/* The first byte chooses how a table is written, which the rest is. */
#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"table.csv", "table.tsv", "table.jsonl"};
  if (size > 0) fuzz_dataset(names[data[0] % 3], data + 1, size - 1);
  return 0;
}
