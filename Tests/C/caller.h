/* A runtime, views of an image and captions, for tests of what callers are promised. */
#include <clipcore.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define INVALID(call, words) CHECK((call) == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), words))

enum { ITEMS = 4, MANY = 200 };

static clip_runtime *runtime;
static clip_image *image;
static clip_image_view views[MANY];
static const char *captions[ITEMS] = {"a cat", "a dog", "a red bicycle", "snow"};

static inline clip_model *opened(const char *folder, uint32_t flags) {
  clip_model *model = NULL;
  clip_model_options options = CLIP_INIT(clip_model_options);
  options.flags = flags;
  CHECK(clip_model_open(runtime, folder, &options, &model) == CLIP_OK);
  return model;
}

static inline clip_model_info described(const clip_model *model) {
  clip_model_info info = CLIP_INIT(clip_model_info);
  CHECK(clip_model_describe(model, &info) == CLIP_OK);
  return info;
}

static inline void begin(const char *image_path) {
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 2;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK);
  for (int i = 0; i < MANY; i++) {
    CHECK(clip_image_get_view(image, &views[i]) == CLIP_OK);
    views[i].height -= (uint32_t)(i % 4) * (views[i].height / 5); /* four that differ */
  }
}

static inline int end(void) {
  clip_image_release(image);
  clip_runtime_release(runtime);
  return checks_report();
}
