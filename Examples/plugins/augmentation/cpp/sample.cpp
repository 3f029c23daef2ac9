// A small image augmentation, cutout (DeVries and Taylor, 2017): a square of one grey at a random place.
// `make` builds sample.so; `clip plugins check sample.so` looks it over.
#include <clipcore/clip_plugin.h>
#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

struct Cutout {
  double size;
  uint8_t value;
};

// The host has checked the settings against what is declared below.
clip_status create(const clip_augmentation *, const clip_settings *settings, void **instance, clip_plugin_error *) noexcept {
  void *memory = std::malloc(sizeof(Cutout));
  if (!memory) return CLIP_OUT_OF_MEMORY;
  const auto value = static_cast<uint8_t>(settings->number(settings, "value"));
  *instance = new (memory) Cutout{settings->number(settings, "size"), value};
  return CLIP_OK;
}

// Called from any threads at once: nothing of the instance changes, and every number comes from `random`.
// An exception must not leave a plugin; there is nothing here that throws.
clip_status apply(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                  clip_plugin_error *) noexcept {
  const auto &cutout = *static_cast<const Cutout *>(instance);
  const size_t bytes = in->format == CLIP_PIXELS_GRAY ? 1 : 3;
  size_t stride;
  uint8_t *pixels = out->allocate(out, in->width, in->height, in->format, &stride);
  if (!pixels) return CLIP_PLUGIN;  // the host knows why
  for (uint32_t y = 0; y < in->height; y++) std::copy_n(in->pixels + y * in->stride, in->width * bytes, pixels + y * stride);

  const auto side = static_cast<uint32_t>(cutout.size * std::min(in->width, in->height));
  const uint32_t left = random->below(random, in->width - side + 1);
  const uint32_t top = random->below(random, in->height - side + 1);
  for (uint32_t y = top; y < top + side; y++) std::fill_n(pixels + y * stride + left * bytes, side * bytes, cutout.value);
  return CLIP_OK;
}

clip_setting_info setting(const char *name, const char *description, clip_setting_type type, double high, double number) {
  clip_setting_info made{};
  made.name = name, made.description = description, made.type = type, made.high = high, made.number = number;
  return made;
}

const clip_setting_info settings[] = {
  setting("size", "side of the square, as a share of the shorter side", CLIP_SETTING_NUMBER, 1, 0.25),
  setting("value", "its grey", CLIP_SETTING_INTEGER, 255, 128),
};
const clip_augmentation augmentation = {
  sizeof(clip_augmentation), 1u << CLIP_PIXELS_RGB | 1u << CLIP_PIXELS_GRAY,  // the host converts others
  "example.augment.sample", "A grey square at a random place", "sample_op",
  0.5, settings, 2, nullptr, create, std::free, apply, nullptr,
};
const clip_plugin_item items[] = {{CLIP_KIND_IMAGE_AUGMENTATION, &augmentation}};

}  // namespace

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
