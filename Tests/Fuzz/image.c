/* The input is an image's file: decoded exactly, then kept as far as it goes where it is damaged, and at a fraction of its
 * size. What decodes is preprocessed too. Targets named image_<format> begin from files of that format. */
#include <stdlib.h>

#include "common.h"

static clip_model *model;
static clip_model_info info = {.struct_size = sizeof info};

static clip_status decode(const uint8_t *data, size_t size, clip_image_options options) {
  clip_image *image = NULL;
  options.struct_size = sizeof options;
  clip_status status = clip_image_decode(fuzz_runtime(), data, size, &options, &image);
  fuzz_check(status);
  if (status != CLIP_OK) return status;
  clip_image_view view;
  fuzz_check(clip_image_get_view(image, &view));
  size_t count = (size_t)3 * info.image_width * info.image_height;
  float *pixels = malloc(count * sizeof(float));
  if (!pixels) exit(3);
  fuzz_check(clip_preprocess(model, &view, 1, NULL, pixels, count));
  free(pixels);
  clip_image_release(image);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!model) {
    clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_IMAGE};
    if (clip_model_open(fuzz_runtime(), fuzz_path("open_clip"), &options, &model) != CLIP_OK) exit(3);
    fuzz_check(clip_model_describe(model, &info));
  }
  clip_status status = decode(data, size, (clip_image_options){.flags = 0});
  if (status == CLIP_OK) decode(data, size, (clip_image_options){.flags = CLIP_IMAGE_AS_STORED, .smaller_side = 16});
  if (status == CLIP_FORMAT) decode(data, size, (clip_image_options){.flags = CLIP_IMAGE_LENIENT});
  return 0;
}
