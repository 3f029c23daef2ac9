/* The processor time of the parts of `clip index`: parts MODEL THREADS IMAGE.... Prints the milliseconds of an image for
 * reading, decoding and preprocessing, by one thread, and for encoding, by THREADS in batches of 32 with INT8 weights. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clipcore.h"

enum { BATCH = 32 };

static double used(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
static void check(clip_status status) {
  if (status) fprintf(stderr, "%s\n", clip_last_error()), exit(1);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  clip_runtime_options runtime_options = CLIP_INIT(clip_runtime_options);
  clip_model_options model_options = CLIP_INIT(clip_model_options);
  clip_model_info info = CLIP_INIT(clip_model_info);
  clip_image_options image_options = CLIP_INIT(clip_image_options);
  clip_runtime *runtime;
  clip_model *model;
  runtime_options.threads = (uint32_t)atoi(argv[2]);
  model_options.towers = CLIP_TOWER_IMAGE, model_options.storage = CLIP_STORAGE_INT8;
  check(clip_runtime_create(&runtime_options, &runtime));
  check(clip_model_open(runtime, argv[1], &model_options, &model));
  check(clip_model_describe(model, &info));
  image_options.smaller_side = info.resized_side / 2 * 3;
  size_t size = 3 * (size_t)info.image_width * info.image_height;
  unsigned char *bytes = malloc(BATCH * size);
  float *pixels = malloc(BATCH * size * sizeof *pixels), *embeddings = malloc(BATCH * info.embedding_width * sizeof *embeddings);
  if (!bytes || !pixels || !embeddings) return 1;
  double decoding = 0, encoding = 0;
  for (int first = 3; first < argc; first += BATCH) {
    size_t count = argc - first < BATCH ? (size_t)(argc - first) : BATCH;
    double begin = used();
    for (size_t i = 0; i < count; i++) {
      clip_image *image;
      clip_image_view view;
      check(clip_image_load(runtime, argv[first + (int)i], &image_options, &image));
      check(clip_image_get_view(image, &view));
      check(clip_preprocess_bytes(model, &view, 1, NULL, bytes + i * size, size));
      clip_image_release(image);
    }
    double decoded = used();
    check(clip_normalize_bytes(model, bytes, count, NULL, pixels, count * size));
    /* The first call allocates. */
    if (first == 3) check(clip_encode_pixels(model, pixels, count, NULL, embeddings, count * info.embedding_width));
    double ready = used();
    check(clip_encode_pixels(model, pixels, count, NULL, embeddings, count * info.embedding_width));
    decoding += decoded - begin, encoding += used() - ready;
  }
  printf("%.3f %.3f\n", decoding / (argc - 3), encoding / (argc - 3));
  clip_model_release(model);
  clip_runtime_release(runtime);
  return 0;
}
