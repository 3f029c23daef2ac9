/* Shared by the tests of augmentations: a runtime, pipelines from JSON, their results. */
#ifndef CLIPCORE_TESTS_AUGMENT_H
#define CLIPCORE_TESTS_AUGMENT_H

#include <clipcore.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static clip_runtime *runtime;

static inline clip_pipeline *pipeline(const char *json) {
  clip_pipeline *made = NULL;
  CHECK(clip_pipeline_create(runtime, json, &made) == CLIP_OK);
  return made;
}

/* Whether the call failed with this status and a message that contains `words`. */
static inline int says(clip_status got, clip_status want, const char *words) {
  if (got == want && strstr(clip_last_error(), words)) return 1;
  printf("  wanted %s \"%s\", found %s\n", clip_status_name(want), words, clip_status_name(got));
  return 0;
}

static inline int refused(const char *json, clip_status want, const char *words) {
  clip_pipeline *none = NULL;
  clip_status got = clip_pipeline_create(runtime, json, &none);
  if (none) clip_pipeline_release(none);
  return none == NULL && says(got, want, words);
}

static inline clip_image_view view_of(clip_pixel_format format, uint32_t width, uint32_t height, const uint8_t *pixels) {
  return (clip_image_view){.format = format, .width = width, .height = height, .pixels = pixels};
}

/* The image after the pipeline `json`: sets width and height; the caller frees the pixels. NULL on error. */
static inline uint8_t *image(clip_pipeline *p, const clip_image_view *in, uint64_t seed, uint64_t index, clip_image_view *out) {
  clip_image *made = NULL;
  if (clip_augment_image(p, in, seed, index, &made) != CLIP_OK || clip_image_get_view(made, out) != CLIP_OK) return NULL;
  size_t size = out->stride * out->height;
  uint8_t *copy = malloc(size);
  memcpy(copy, out->pixels, size);
  clip_image_release(made);
  out->pixels = copy;
  return copy;
}

static inline char *text(clip_pipeline *p, const char *given, uint64_t seed, uint64_t index) {
  size_t length = 0, capacity = 2 * strlen(given) + 256;
  for (;;) {
    char *out = malloc(capacity);
    if (clip_augment_text(p, given, seed, index, out, capacity, &length) == CLIP_OK) return out;
    free(out);
    if (length < capacity) return NULL;
    capacity = length + 1;
  }
}

/* ---------------------------------------------------------------- threads */

enum { ITEMS = 64 };
static clip_pipeline *shared_image, *shared_text;
static uint8_t shared_pixels[31 * 17 * 3];
static uint64_t want_image[ITEMS], want_text[ITEMS];

static inline uint64_t hash(const void *bytes, size_t size) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
  return sum;
}

static inline uint64_t image_hash(uint64_t index) {
  clip_image_view in = view_of(CLIP_PIXELS_RGB, 31, 17, shared_pixels), view;
  uint8_t *got = image(shared_image, &in, 9, index, &view);
  uint64_t sum = got ? hash(got, view.stride * view.height) : 0;
  free(got);
  return sum;
}

static inline uint64_t text_hash(uint64_t index) {
  char *got = text(shared_text, "a text", 9, index);
  uint64_t sum = got ? hash(got, strlen(got)) : 0;
  free(got);
  return sum;
}

static inline void *worker(void *argument) {
  size_t first = (size_t)argument, bad = 0;
  for (size_t i = 0; i < ITEMS; i++) {
    size_t index = (i * 13 + first) % ITEMS;
    bad += image_hash(index) != want_image[index] || text_hash(index) != want_text[index];
  }
  return (void *)bad;
}

/* Four threads get the same results from two pipelines as one thread, and the images differ. */
static inline void same_on_threads(const char *image_json, const char *text_json) {
  for (size_t i = 0; i < sizeof shared_pixels; i++) shared_pixels[i] = (uint8_t)(i * 31);
  shared_image = pipeline(image_json), shared_text = pipeline(text_json);
  size_t different = 0;
  for (size_t i = 0; i < ITEMS; i++) {
    want_image[i] = image_hash(i), want_text[i] = text_hash(i);
    different += i > 0 && want_image[i] != want_image[0];
  }
  CHECK(different > ITEMS / 2 && want_image[0] != 0);
  pthread_t callers[4];
  for (size_t i = 0; i < 4; i++) pthread_create(&callers[i], NULL, worker, (void *)i);
  for (size_t i = 0; i < 4; i++) {
    void *bad = NULL;
    pthread_join(callers[i], &bad);
    CHECK(bad == NULL);
  }
  clip_pipeline_release(shared_image), clip_pipeline_release(shared_text);
}

static inline void make_runtime(void) {
  clip_runtime_options options = {.struct_size = sizeof options, .max_image_pixels = 1 << 20};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
}

#endif
