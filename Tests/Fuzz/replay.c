/* Runs a target on the files given, without a fuzzer. */
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) return perror(argv[i]), 3;
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || size < 0 || fread(data, 1, (size_t)size, file) != (size_t)size) return perror(argv[i]), 3;
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
  }
  return 0;
}
