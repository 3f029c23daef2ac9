#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

clip_runtime *fuzz_runtime(void) {
  static clip_runtime *runtime;
  if (runtime) return runtime;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 1, .max_image_pixels = 4000000};
  if (clip_runtime_create(&options, &runtime) != CLIP_OK) {
    fprintf(stderr, "no runtime: %s\n", clip_last_error());
    exit(3);
  }
  return runtime;
}

const char *fuzz_path(const char *model) {
  static char path[1024];
  const char *folder = getenv("FUZZ_FOLDER");
  if (!folder) {
    fprintf(stderr, "FUZZ_FOLDER is not set\n");
    exit(3);
  }
  snprintf(path, sizeof path, "%s/%s", folder, model);
  return path;
}

static void file_path(char *path, size_t capacity, const char *model, const char *file, const char *ending) {
  snprintf(path, capacity, "%s/%s%s", fuzz_path(model), file, ending);
}

static void write_file(const char *path, const uint8_t *data, size_t size) {
  FILE *out = fopen(path, "wb");
  if (!out || (size && fwrite(data, 1, size, out) != size) || fclose(out) != 0) {
    perror(path);
    exit(3);
  }
}

const char *fuzz_file(const char *file, const uint8_t *data, size_t size) {
  static char path[2048];
  file_path(path, sizeof path, ".", file, "");
  write_file(path, data, size);
  return path;
}

void fuzz_write(const char *model, const char *file, const uint8_t *data, size_t size) {
  char path[2048], kept[2048];
  file_path(path, sizeof path, model, file, "");
  file_path(kept, sizeof kept, model, file, ".kept");
  rename(path, kept);
  write_file(path, data, size);
}

void fuzz_restore(const char *model, const char *file) {
  char path[2048], kept[2048];
  file_path(path, sizeof path, model, file, "");
  file_path(kept, sizeof kept, model, file, ".kept");
  if (rename(kept, path) != 0) remove(path);
}

void fuzz_check(clip_status status) {
  if (status != CLIP_OK && clip_last_error()[0] == 0) abort();
}

void fuzz_open(const char *model, uint32_t towers) {
  clip_model *opened = NULL;
  clip_model_options options = {.struct_size = sizeof options, .towers = towers};
  clip_status status = clip_model_open(fuzz_runtime(), fuzz_path(model), &options, &opened);
  fuzz_check(status);
  if (status != CLIP_OK) return;
  clip_model_info info = {.struct_size = sizeof info};
  fuzz_check(clip_model_describe(opened, &info));
  float *row = malloc(info.embedding_width * sizeof(float));
  if (row && info.towers & CLIP_TOWER_TEXT) {
    const char *text = "A photo of 2 cats, d'accord?";
    clip_encode_options cut = {.struct_size = sizeof cut, .flags = CLIP_ENCODE_TRUNCATE};
    fuzz_check(clip_encode_text(opened, &text, 1, &cut, row, info.embedding_width));
  }
  if (row && info.towers & CLIP_TOWER_IMAGE) {
    static const uint8_t pixels[21 * 13 * 4] = {1, 2, 3, 4};
    clip_image_view view = {.pixels = pixels, .width = 21, .height = 13, .format = CLIP_PIXELS_RGBA};
    fuzz_check(clip_encode_image(opened, &view, 1, NULL, row, info.embedding_width));
  }
  free(row);
  clip_model_release(opened);
}

/* Reads up to `batches` batches, keeps the state after the last, and returns how many there were. */
static int read_dataset(clip_dataset *dataset, int batches, uint8_t *state) {
  clip_batch batch = {.struct_size = sizeof batch};
  int count = 0;
  while (count < batches) {
    clip_status status = clip_dataset_next(dataset, &batch);
    fuzz_check(status);
    if (status != CLIP_OK || batch.count == 0) break;
    for (uint32_t i = 0; i < batch.count; i++) {
      if (strlen(batch.captions[i]) == 0 || !batch.keys[i]) abort();
      for (size_t k = 0; k < batch.file_sizes[i]; k++) (void)*((const volatile uint8_t *)batch.files[i] + k);
    }
    count++;
    fuzz_check(clip_dataset_save(dataset, state, CLIP_DATASET_STATE_BYTES));
  }
  return count;
}

void fuzz_dataset(const char *file, const uint8_t *data, size_t size) {
  const char *sources[] = {fuzz_file(file, data, size)};
  const char *captions[] = {"txt", "caption"};
  clip_dataset_options options = {.struct_size = sizeof options, .flags = CLIP_DATASET_FILES, .batch_size = 2, .epochs = 1,
                                  .shuffle_buffer = 3, .max_file_bytes = 1 << 20, .max_bad_share = 1};
  for (uint32_t fields = 0; fields <= 2; fields += 2) {
    if (fields && strstr(file, ".tar") == NULL) break;
    options.caption_fields = captions, options.caption_field_count = fields;
    clip_dataset *dataset = NULL;
    clip_status status = clip_dataset_open(fuzz_runtime(), NULL, sources, 1, &options, &dataset);
    fuzz_check(status);
    if (status != CLIP_OK) return;
    /* Going on from the first batch gives as many as going through. */
    uint8_t first[CLIP_DATASET_STATE_BYTES], last[CLIP_DATASET_STATE_BYTES];
    int one = read_dataset(dataset, 1, first), rest = read_dataset(dataset, 1 << 20, last);
    if (one > 0) {
      fuzz_check(clip_dataset_restore(dataset, first, sizeof first));
      if (read_dataset(dataset, 1 << 20, last) != rest) abort();
    }
    clip_dataset_release(dataset);
  }
}
