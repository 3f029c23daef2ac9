/* A small image augmentation, cutout (DeVries and Taylor, 2017): a square of one grey at a random place.
 * `make` builds sample.so; `clip plugins check sample.so` looks it over. */
#include <clipcore/clip_plugin.h>
#include <stdlib.h>
#include <string.h>

struct cutout {
  double size;
  uint8_t value;
};

/* The host has checked the settings against what is declared below. */
static clip_status create(const clip_augmentation *self, const clip_settings *settings, void **instance,
                          clip_plugin_error *error) {
  (void)self, (void)error;
  struct cutout *cutout = malloc(sizeof *cutout);
  if (!cutout) return CLIP_OUT_OF_MEMORY;
  cutout->size = settings->number(settings, "size");
  cutout->value = (uint8_t)settings->number(settings, "value");
  *instance = cutout;
  return CLIP_OK;
}

/* Called from any threads at once: nothing of the instance changes, and every number comes from `random`. */
static clip_status apply(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                         clip_plugin_error *error) {
  (void)error;
  const struct cutout *cutout = instance;
  size_t stride, bytes = in->format == CLIP_PIXELS_GRAY ? 1 : 3;
  uint8_t *pixels = out->allocate(out, in->width, in->height, in->format, &stride);
  if (!pixels) return CLIP_PLUGIN; /* the host knows why */
  for (uint32_t y = 0; y < in->height; y++) memcpy(pixels + y * stride, in->pixels + y * in->stride, in->width * bytes);

  uint32_t side = (uint32_t)(cutout->size * (in->width < in->height ? in->width : in->height));
  uint32_t left = random->below(random, in->width - side + 1), top = random->below(random, in->height - side + 1);
  for (uint32_t y = top; y < top + side; y++) memset(pixels + y * stride + left * bytes, cutout->value, side * bytes);
  return CLIP_OK;
}

static const clip_setting_info settings[] = {
  {.name = "size", .description = "side of the square, as a share of the shorter side", .type = CLIP_SETTING_NUMBER,
   .low = 0, .high = 1, .number = 0.25},
  {.name = "value", .description = "its grey", .type = CLIP_SETTING_INTEGER, .low = 0, .high = 255, .number = 128},
};

static const clip_augmentation augmentation = {
  .struct_size = sizeof augmentation,
  .formats = 1u << CLIP_PIXELS_RGB | 1u << CLIP_PIXELS_GRAY, /* the host converts others */
  .id = "example.augment.sample",
  .description = "A grey square at a random place",
  .op = "sample_op",
  .probability = 0.5,
  .settings = settings,
  .setting_count = 2,
  .create = create,
  .destroy = free,
  .apply_image = apply,
};

static const clip_plugin_item items[] = {{CLIP_KIND_IMAGE_AUGMENTATION, &augmentation}};

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
