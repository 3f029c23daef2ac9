/* The first byte chooses an image or a text, which the pipeline that the rest is varies. */
#include <stdlib.h>
#include <string.h>

#include "common.h"

/* Small images alone, and without the plugin whose step runs a shell command. Its code stays in memory with a
 * pipeline: a fuzzer counts in it. */
static clip_runtime *runtime(void) {
  static clip_runtime *runtime;
  static clip_pipeline *kept;
  if (runtime) return runtime;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 1, .max_image_pixels = 2000};
  if (clip_runtime_create(&options, &runtime) != CLIP_OK) exit(3);
  if (clip_pipeline_create(runtime, "[{\"op\": \"back_translation\"}]", &kept) != CLIP_OK) exit(3);
  if (clip_plugin_unload(runtime, "clipcore.augment-translate") != CLIP_OK) exit(3);
  return runtime;
}

static void vary_image(const clip_pipeline *pipeline, uint64_t index) {
  static uint8_t pixels[19 * 13 * 3];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 41);
  clip_image_view view = {.pixels = pixels, .width = 19, .height = 13, .format = CLIP_PIXELS_RGB};
  clip_image *image = NULL;
  clip_status status = clip_augment_image(pipeline, &view, 1, index, &image);
  fuzz_check(status);
  if (status != CLIP_OK) return;
  clip_image_view made;
  fuzz_check(clip_image_get_view(image, &made));
  for (uint32_t y = 0; y < made.height; y++)
    for (uint32_t x = 0; x < made.width * 3; x++) (void)*((const volatile uint8_t *)made.pixels + y * made.stride + x);
  if (made.format != CLIP_PIXELS_RGB) abort();
  clip_image_release(image);
}

static void vary_text(const clip_pipeline *pipeline, uint64_t index) {
  static const char text[] = "Two old dogs sat, and one \xe7\x8c\xab\xe5\x9c\xa8 watched the bird's nest.";
  static char made[(1 << 24) + 1];
  size_t length = 0;
  clip_status status = clip_augment_text(pipeline, text, 1, index, made, sizeof made, &length);
  fuzz_check(status);
  if (status == CLIP_OK && strlen(made) != length) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *json = malloc(size);
  if (!json) exit(3);
  memcpy(json, data + 1, size - 1);
  json[size - 1] = 0;
  clip_pipeline *pipeline = NULL;
  clip_status status = clip_pipeline_create(runtime(), json, &pipeline);
  fuzz_check(status);
  free(json);
  if (status != CLIP_OK) return 0;
  for (uint64_t index = 0; index < 3; index++) {
    if (data[0] & 1) vary_text(pipeline, index);
    else vary_image(pipeline, index);
  }
  clip_pipeline_release(pipeline);
  return 0;
}
