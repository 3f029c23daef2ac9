/* Many threads use one model at once, from its first call on, while others open and release models of their own.
 *
 *   threads_test MODEL IMAGE
 */
#include <clip.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plugin_list.h"

enum { CALLERS = 6, ROUNDS = 8 };

static clip_runtime *runtime;
static clip_model *model;
static const char *folder, *image_path;
static size_t width;
static float *want_image, *want_text;
static const char *captions[] = {"a cat", "a longer", "dog"};

static int encode(clip_model *m, float *rows) {
  clip_image *image = NULL;
  clip_image_view view;
  int good = clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK &&
             clip_encode_image(m, &view, 1, NULL, rows, width) == CLIP_OK && !memcmp(rows, want_image, width * sizeof(float)) &&
             clip_encode_text(m, captions, 3, NULL, rows, 3 * width) == CLIP_OK && !memcmp(rows, want_text, 3 * width * sizeof(float));
  clip_image_release(image);
  return good;
}

static void *caller(void *argument) {
  size_t index = (size_t)argument, bad = 0;
  float *rows = malloc(3 * width * sizeof(float));
  for (int round = 0; round < ROUNDS; round++) {
    if (index == 0) {
      clip_model *own = NULL;
      bad += clip_model_open(runtime, folder, NULL, &own) != CLIP_OK || !encode(own, rows);
      clip_model_release(own);
    } else if (index == 1) {
      clip_model *none = NULL;
      bad += clip_model_open(runtime, "/nowhere", NULL, &none) != CLIP_NOT_FOUND || !strstr(clip_last_error(), "nowhere");
      clip_model_info info = {.struct_size = sizeof info};
      bad += clip_model_describe(model, &info) != CLIP_OK || info.embedding_width != width;
      bad += plugin_count(runtime) == 0;
    } else {
      bad += !encode(model, rows);
    }
  }
  free(rows);
  return (void *)bad;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: threads_test MODEL IMAGE\n"), 2;
  folder = argv[1], image_path = argv[2];
  for (uint32_t threads = 1; threads <= 3; threads++) {
    clip_runtime_options options = {.struct_size = sizeof options, .threads = threads};
    CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
    CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
    clip_model_info info = {.struct_size = sizeof info};
    CHECK(clip_model_describe(model, &info) == CLIP_OK);
    width = info.embedding_width;
    want_image = malloc(width * sizeof(float)), want_text = malloc(3 * width * sizeof(float));
    clip_image *image = NULL;
    clip_image_view view;
    CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK);
    CHECK(clip_encode_image(model, &view, 1, NULL, want_image, width) == CLIP_OK);
    CHECK(clip_encode_text(model, captions, 3, NULL, want_text, 3 * width) == CLIP_OK);
    clip_image_release(image);
    clip_model_release(model);
    CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);

    pthread_t callers[CALLERS];
    for (size_t i = 0; i < CALLERS; i++) pthread_create(&callers[i], NULL, caller, (void *)i);
    for (size_t i = 0; i < CALLERS; i++) {
      void *bad = NULL;
      pthread_join(callers[i], &bad);
      CHECK(bad == NULL);
    }
    clip_model_release(model);
    clip_runtime_release(runtime);
    free(want_image), free(want_text);
  }
  return checks_report();
}
