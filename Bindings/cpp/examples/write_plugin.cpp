// A plugin in the program: an encoder and an augmentation.   write_plugin IMAGE
#include <algorithm>
#include <clipcore/clip_plugin.h>
#include <clipcore/clipcore.hpp>
#include <cstdio>

// An image's mean colour through one linear layer.
static clip_value build(clip_builder *b) {
  const auto size = static_cast<std::uint32_t>(b->need_int(b, "size", 1, 1024));
  const auto width = static_cast<std::uint32_t>(b->need_int(b, "width", 1, 4096));
  return clip_op_linear(b, clip_op_mean_rows(b, clip_op_pixels(b, size, size)), "projection", width, 0);
}

// Keeps the upper bits of each channel.
static clip_status create(const clip_augmentation *, const clip_settings *settings, void **instance, clip_plugin_error *) {
  *instance = new (std::nothrow) int(static_cast<int>(settings->number(settings, "bits")));
  return *instance ? CLIP_OK : CLIP_OUT_OF_MEMORY;
}
static void destroy(void *instance) { delete static_cast<int *>(instance); }
static clip_status apply(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *, clip_plugin_error *) {
  const int drop = 8 - *static_cast<int *>(instance);
  std::size_t stride = 0;
  std::uint8_t *pixels = out->allocate(out, in->width, in->height, in->format, &stride);
  if (!pixels) return CLIP_PLUGIN;
  const std::size_t row = in->width * std::size_t{3}, from = in->stride ? in->stride : row;
  for (std::size_t y = 0; y < in->height; y++)
    for (std::size_t x = 0; x < row; x++) pixels[y * stride + x] = static_cast<std::uint8_t>(in->pixels[y * from + x] >> drop << drop);
  return CLIP_OK;
}

static const clip_plugin *entry() {
  static const clip_encoder encoder = {sizeof(clip_encoder), CLIP_TOWER_IMAGE, "example.encoder.mean-color", "Mean colour", build,
                                       R"({"size": 32, "width": 8})", nullptr};
  static const clip_setting_info bits = {"bits", "bits to keep", CLIP_SETTING_INTEGER, 1, 8, 4, nullptr, 0, 0, 0, nullptr, nullptr, 0};
  static const clip_augmentation posterize = {sizeof(clip_augmentation), 1u << CLIP_PIXELS_RGB, "example.augment.posterize",
                                              "Keeps the upper bits", "posterize", 0, &bits, 1, nullptr, create, destroy, apply, nullptr};
  static const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, &encoder}, {CLIP_KIND_IMAGE_AUGMENTATION, &posterize}};
  static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, "example.cpp", "1.0.0", "Apache-2.0", items, 2};
  return &plugin;
}

int main(int argc, char **argv) try {
  if (argc != 2) return std::fputs("usage: write_plugin IMAGE\n", stderr), 2;
  const clip::Runtime runtime;
  runtime.register_plugin(entry);

  const clip::Pipeline pipeline(runtime, R"([{"op": "posterize", "bits": 1}])");
  const clip::Image image(runtime, argv[1]);
  const clip::Image result = pipeline.image(image.view(), 1, 0);
  const auto view = result.view();
  std::vector<std::uint8_t> values(view.pixels, view.pixels + std::size_t{view.width} * view.height);
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::printf("values");
  for (int value : values) std::printf(" %d", value);
  std::printf("\n");

  const auto info = runtime.describe_encoder("example.encoder.mean-color", nullptr, [](std::string_view name, std::span<const std::uint64_t> shape) {
    std::printf("%s of rank %zu\n", std::string(name).c_str(), shape.size());
  });
  std::printf("%u features\n", info.features);
} catch (const std::exception &error) {
  std::fprintf(stderr, "write_plugin: %s\n", error.what());
  return 1;
}
