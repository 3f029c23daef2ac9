/* The input is an image's file; what decodes is preprocessed too. */
#include <stdlib.h>

#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static clip_model *model;
  static clip_model_info info = {.struct_size = sizeof info};
  if (!model) {
    clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_IMAGE};
    if (clip_model_open(fuzz_runtime(), fuzz_path("open_clip"), &options, &model) != CLIP_OK) exit(3);
    fuzz_check(clip_model_describe(model, &info));
  }
  clip_image *image = NULL;
  clip_status status = clip_image_decode(fuzz_runtime(), data, size, NULL, &image);
  fuzz_check(status);
  if (status != CLIP_OK) return 0;
  clip_image_view view;
  fuzz_check(clip_image_get_view(image, &view));
  size_t count = (size_t)3 * info.image_width * info.image_height;
  float *pixels = malloc(count * sizeof(float));
  if (!pixels) exit(3);
  fuzz_check(clip_preprocess(model, &view, 1, NULL, pixels, count));
  free(pixels);
  clip_image_release(image);
  return 0;
}
