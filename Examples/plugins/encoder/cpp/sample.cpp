// A small image encoder: patches, a 3 x 3 convolution over them, their mean, a linear layer.
// `make` builds sample.so; `clip plugins check sample.so` looks it over.
#include <clipcore/clip_plugin.h>

namespace {

// An exception must not leave a plugin; there is nothing here that throws.
clip_value build(clip_builder *b) noexcept {
  const auto height = static_cast<uint32_t>(b->need_int(b, "image_height", 8, 4096));
  const auto width = static_cast<uint32_t>(b->need_int(b, "image_width", 8, 4096));
  const auto channels = static_cast<uint32_t>(b->get_int(b, "width", 64));
  const auto features = static_cast<uint32_t>(b->get_int(b, "embed_dim", 32));

  clip_window patch{}, around{};
  patch.kernel_height = patch.kernel_width = patch.stride = 8;
  around.kernel_height = around.kernel_width = 3;
  around.padding = 1;

  // Errors are sticky: after the first, calls do nothing, and the host reports it.
  clip_value x = clip_op_pixels(b, height, width);
  x = clip_op_activate(b, clip_op_conv(b, x, "patch", channels, patch, 0), CLIP_GELU);
  clip_value y = clip_op_batch_norm(b, clip_op_conv(b, x, "mix", channels, around, CLIP_NO_BIAS), "norm", 1e-5);
  x = clip_op_add(b, x, clip_op_activate(b, y, CLIP_RELU));
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", features, 0);
}

const clip_encoder encoder = {
  sizeof(clip_encoder), CLIP_TOWER_IMAGE, "example.encoder.sample", "Patches, a convolution over them, their mean",
  build, R"({"image_height": 64, "image_width": 64})", "small-data:1,texture:1",
};
const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, &encoder}};

}  // namespace

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
