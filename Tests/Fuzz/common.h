/* What the fuzz targets share. FUZZ_FOLDER in the environment names a folder, best in memory, with
 * small models, "open_clip", "huggingface" and "sharded", whose files the targets overwrite. */
#ifndef CLIPCORE_FUZZ_COMMON_H
#define CLIPCORE_FUZZ_COMMON_H

#include <clipcore.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One runtime for all inputs: one thread, no image over four million pixels. */
clip_runtime *fuzz_runtime(void);

/* FUZZ_FOLDER/<model>, the same string until the next call. */
const char *fuzz_path(const char *model);

/* Writes FUZZ_FOLDER/<model>/<file>, replacing it. */
void fuzz_write(const char *model, const char *file, const uint8_t *data, size_t size);

/* Puts back what fuzz_write replaced first. */
void fuzz_restore(const char *model, const char *file);

/* Opens the model and, if that succeeds, sends an image and a text through it. */
void fuzz_open(const char *model, uint32_t towers);

/* Writes FUZZ_FOLDER/<file> and gives its path, the same string until the next call. */
const char *fuzz_file(const char *file, const uint8_t *data, size_t size);

/* Writes FUZZ_FOLDER/<file> and reads it as a data set, twice from its first batch on. */
void fuzz_dataset(const char *file, const uint8_t *data, size_t size);

/* A failure must have words; anything else is a finding. */
void fuzz_check(clip_status status);

#endif
