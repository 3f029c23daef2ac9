/* Data sets: workers, order, saved states, release at any moment, while another thread reads the counters.
 *
 *   dataset_test MODEL IMAGE
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum { PAIRS = 40, BAD = 3, EPOCHS = 2 };

static clip_runtime *runtime;
static clip_model *model;
static clip_model_info info = {.struct_size = sizeof info};
static char folder[] = "/tmp/clipcore-dataset-XXXXXX";
static atomic_int is_over;

static char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *name, const void *bytes, size_t size) {
  FILE *file = fopen(path_of(name), "wb");
  CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* PAIRS pairs, some with an invalid image. */
static void write_pairs(const char *image_path) {
  FILE *file = fopen(image_path, "rb");
  static char bytes[1 << 20];
  size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  CHECK(size > 0 && size < sizeof bytes && fclose(file) == 0);
  for (int i = 0; i < PAIRS; i++) {
    char name[32], caption[32];
    snprintf(name, sizeof name, "%03d.png", i);
    write_file(name, bytes, i < BAD ? 5 : size);
    snprintf(name, sizeof name, "%03d.txt", i);
    snprintf(caption, sizeof caption, "image number %d\n", i);
    write_file(name, caption, strlen(caption));
  }
}

static clip_dataset *open_pairs(uint32_t workers, uint32_t flags) {
  const char *sources[] = {folder};
  clip_dataset_options options = {.struct_size = sizeof options, .flags = flags, .seed = 7, .batch_size = 5,
                                  .epochs = EPOCHS, .shuffle_buffer = 16, .workers = workers, .prefetch = 7, .max_bad_share = 1};
  clip_dataset *dataset = NULL;
  CHECK(clip_dataset_open(runtime, model, sources, 1, &options, &dataset) == CLIP_OK);
  return dataset;
}

/* A batch as text: its keys and captions, and the sum of its elements. */
static size_t describe(const clip_batch *batch, char *text, size_t capacity) {
  size_t length = 0;
  double sum = 0;
  const size_t pixels = 3 * (size_t)info.image_width * info.image_height;
  for (uint32_t i = 0; i < batch->count; i++) {
    for (size_t k = 0; k < pixels; k++) sum += batch->pixels[i * pixels + k];
    for (size_t k = 0; k < info.context_length; k++) sum += batch->tokens[i * info.context_length + k];
    length += (size_t)snprintf(text + length, capacity - length, "%s=%s %u;", batch->keys[i], batch->captions[i], batch->lengths[i]);
  }
  return length + (size_t)snprintf(text + length, capacity - length, "%llu %f\n", (unsigned long long)batch->epoch, sum);
}

/* All batches from `state`, or from the start if it is NULL. After `stop_after` batches the state is saved there. */
static void run(uint32_t workers, const uint8_t *state, int stop_after, uint8_t *saved, char *text, size_t capacity) {
  clip_dataset *dataset = open_pairs(workers, 0);
  if (state) CHECK(clip_dataset_restore(dataset, state, CLIP_DATASET_STATE_BYTES) == CLIP_OK);
  clip_batch batch = {.struct_size = sizeof batch};
  size_t length = 0;
  text[0] = 0;
  for (int i = 0; clip_dataset_next(dataset, &batch) == CLIP_OK && batch.count > 0; i++) {
    length += describe(&batch, text + length, capacity - length);
    if (i + 1 == stop_after) {
      CHECK(clip_dataset_save(dataset, saved, CLIP_DATASET_STATE_BYTES) == CLIP_OK);
      text[0] = 0, length = 0;
    }
  }
  clip_dataset_counters counters = {.struct_size = sizeof counters};
  CHECK(clip_dataset_get_counters(dataset, &counters) == CLIP_OK);
  CHECK(counters.samples == EPOCHS * (PAIRS - BAD) && counters.bad_images == EPOCHS * BAD);
  clip_dataset_release(dataset);
}

static void *watch(void *dataset) {
  while (!atomic_load(&is_over)) {
    clip_dataset_counters counters = {.struct_size = sizeof counters};
    if (clip_dataset_get_counters(dataset, &counters) != CLIP_OK || counters.samples > EPOCHS * PAIRS) return dataset;
    usleep(200);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: dataset_test MODEL IMAGE\n"), 2;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, argv[1], NULL, &model) == CLIP_OK);
  CHECK(clip_model_describe(model, &info) == CLIP_OK);
  CHECK(mkdtemp(folder) != NULL);
  write_pairs(argv[2]);

  enum { CAPACITY = 1 << 16 };
  static char whole[CAPACITY], other[CAPACITY];
  static uint8_t state[CLIP_DATASET_STATE_BYTES];
  run(1, NULL, 0, NULL, whole, CAPACITY);
  CHECK(strlen(whole) > 0);
  for (uint32_t workers = 2; workers <= 4; workers += 2) {
    run(workers, NULL, 0, NULL, other, CAPACITY);
    CHECK(!strcmp(whole, other));
    /* The batches after the seventh, without a stop and resumed there. */
    static char rest[CAPACITY];
    run(workers, NULL, 7, state, rest, CAPACITY);
    run(5 - workers, state, 0, NULL, other, CAPACITY);
    CHECK(strlen(rest) > 0 && !strcmp(rest, other));
  }

  /* Released before, during and after its work. */
  for (int batches = 0; batches < 4; batches++) {
    clip_dataset *dataset = open_pairs(4, CLIP_DATASET_IMAGES | CLIP_DATASET_FILES);
    pthread_t watcher;
    atomic_store(&is_over, 0);
    CHECK(pthread_create(&watcher, NULL, watch, dataset) == 0);
    clip_batch batch = {.struct_size = sizeof batch};
    for (int i = 0; i < batches; i++) {
      CHECK(clip_dataset_next(dataset, &batch) == CLIP_OK && batch.count == 5);
      for (uint32_t k = 0; k < batch.count; k++) {
        clip_image *image = NULL;
        clip_image_view view;
        CHECK(clip_image_decode(runtime, batch.files[k], batch.file_sizes[k], NULL, &image) == CLIP_OK);
        CHECK(clip_image_get_view(image, &view) == CLIP_OK);
        CHECK(view.width == batch.images[k].width && view.height == batch.images[k].height);
        CHECK(!memcmp(view.pixels, batch.images[k].pixels, view.stride * view.height));
        clip_image_release(image);
      }
    }
    atomic_store(&is_over, 1);
    void *wrong = NULL;
    pthread_join(watcher, &wrong);
    CHECK(wrong == NULL);
    clip_dataset_release(dataset);
  }

  /* Invalid arguments. */
  clip_dataset *none = NULL;
  const char *sources[] = {folder, NULL};
  CHECK(clip_dataset_open(runtime, NULL, sources, 2, NULL, &none) == CLIP_INVALID_ARGUMENT && !none);
  CHECK(clip_dataset_open(runtime, NULL, NULL, 1, NULL, &none) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_dataset_open(runtime, NULL, sources, 0, NULL, &none) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_dataset_open(NULL, NULL, sources, 1, NULL, &none) == CLIP_INVALID_ARGUMENT);
  clip_dataset_options wrong[] = {
      {.struct_size = sizeof *wrong, .flags = 1u << 31},
      {.struct_size = sizeof *wrong, .workers = 65},
      {.struct_size = sizeof *wrong, .shard_index = 3, .shard_count = 3},
      {.struct_size = sizeof *wrong, .max_bad_share = 1.5},
      {.struct_size = sizeof *wrong, .max_bad_share = -1},
      {.struct_size = sizeof *wrong, .caption_field_count = 2},
      {.struct_size = sizeof *wrong, .prefetch = UINT32_MAX},
      {.struct_size = 2},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK(clip_dataset_open(runtime, NULL, sources, 1, &wrong[i], &none) == CLIP_INVALID_ARGUMENT && !none);
  CHECK(clip_dataset_next(NULL, NULL) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_dataset_save(NULL, state, sizeof state) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_dataset_restore(NULL, state, sizeof state) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_dataset_get_counters(NULL, NULL) == CLIP_INVALID_ARGUMENT);
  clip_dataset_release(NULL);

  /* Invalid states leave the data set unchanged. */
  clip_dataset *dataset = open_pairs(2, CLIP_DATASET_ORDERED);
  CHECK(clip_dataset_restore(dataset, state, sizeof state) == CLIP_MISMATCH);
  CHECK(clip_dataset_restore(dataset, state, 8) == CLIP_FORMAT);
  CHECK(clip_dataset_save(dataset, state, sizeof state - 1) == CLIP_INVALID_ARGUMENT);
  state[100] ^= 1;
  CHECK(clip_dataset_restore(dataset, state, sizeof state) == CLIP_FORMAT);
  clip_batch batch = {.struct_size = 3};
  CHECK(clip_dataset_next(dataset, &batch) == CLIP_INVALID_ARGUMENT);
  batch.struct_size = sizeof batch;
  CHECK(clip_dataset_next(dataset, &batch) == CLIP_OK && batch.count == 5 && !strcmp(batch.keys[0], "003"));
  clip_dataset_release(dataset);

  for (int i = 0; i < PAIRS; i++) {
    char name[32];
    snprintf(name, sizeof name, "%03d.png", i), remove(path_of(name));
    snprintf(name, sizeof name, "%03d.txt", i), remove(path_of(name));
  }
  remove(folder);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
