/* A small image encoder: patches, a 3 x 3 convolution over them, their mean, a linear layer.
 * `make` builds sample.so; `clip plugins check sample.so` looks it over. */
#include <clipcore/clip_plugin.h>

static clip_value build(clip_builder *b) {
  uint32_t height = (uint32_t)b->need_int(b, "image_height", 8, 4096);
  uint32_t width = (uint32_t)b->need_int(b, "image_width", 8, 4096);
  uint32_t channels = (uint32_t)b->get_int(b, "width", 64);
  uint32_t features = (uint32_t)b->get_int(b, "embed_dim", 32);

  clip_window patch = {.kernel_height = 8, .kernel_width = 8, .stride = 8};
  clip_window around = {.kernel_height = 3, .kernel_width = 3, .padding = 1};

  /* Errors are sticky: after the first, calls do nothing, and the host reports it. */
  clip_value x = clip_op_pixels(b, height, width);
  x = clip_op_activate(b, clip_op_conv(b, x, "patch", channels, patch, 0), CLIP_GELU);
  clip_value y = clip_op_batch_norm(b, clip_op_conv(b, x, "mix", channels, around, CLIP_NO_BIAS), "norm", 1e-5);
  x = clip_op_add(b, x, clip_op_activate(b, y, CLIP_RELU));
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", features, 0);
}

static const clip_encoder encoder = {
  .struct_size = sizeof encoder,
  .tower = CLIP_TOWER_IMAGE,
  .id = "example.encoder.sample",
  .description = "Patches, a convolution over them, their mean",
  .build = build,
  .example = "{\"image_height\": 64, \"image_width\": 64}",
  .strengths = "small-data:1,texture:1",
};

static const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, &encoder}};

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
