/* A model like that of plugins/grey.h, whose encoder applies one op to pixels; and plain ops for it. */
#ifndef CLIPCORE_TESTS_OP_MODEL_H
#define CLIPCORE_TESTS_OP_MODEL_H

#include <clip_plugin.h>
#include <math.h>

#include "augment.h"

/* The encoder under test: one op on pixels. */
static const char *op_id;
static double op_setting;
static size_t op_settings;

static clip_value build(clip_builder *b) {
  clip_value pixels = clip_op_pixels(b, (uint32_t)b->need_int(b, "image_height", 1, 1024), (uint32_t)b->need_int(b, "image_width", 1, 1024));
  clip_value y = b->op(b, op_id, "op", &pixels, 1, &(clip_setting){"power", op_setting}, op_settings);
  return clip_op_linear(b, clip_op_mean_rows(b, y), "head", (uint32_t)b->need_int(b, "width", 1, 1024), 0);
}

static clip_status plain_shape(const clip_op_use *use, clip_shape *output, const char **message) {
  (void)message;
  *output = use->inputs[0];
  return CLIP_OK;
}

#define PLAIN(name, id_text, expression) \
  static void name(const clip_op_run *run) { \
    for (size_t i = 0; i < run->output.rows * run->output.width; i++) { \
      float x = run->inputs[0].data[i]; \
      run->output.data[i] = expression; \
    } \
  } \
  static const clip_op name##_op = {.struct_size = sizeof(clip_op), .id = id_text, .description = "a plain loop", \
                                    .input_count = 1, .shape = plain_shape, .forward = name};
PLAIN(tanh_plain, "test.op.tanh", tanhf(x))
PLAIN(erf_plain, "test.op.erf", (float)erf(x))
PLAIN(square_plain, "test.op.square", powf(x, 2))
PLAIN(scale_plain, "test.op.scale", ldexpf(x, -3))

static const clip_encoder encoder = {
    .struct_size = sizeof encoder, .tower = CLIP_TOWER_IMAGE, .id = "test.encoder.grey", .description = "an op", .build = build};
static const clip_plugin_item op_items[] = {{.kind = CLIP_KIND_ENCODER, .table = &encoder}, {.kind = CLIP_KIND_OP, .table = &tanh_plain_op},
                                            {.kind = CLIP_KIND_OP, .table = &erf_plain_op}, {.kind = CLIP_KIND_OP, .table = &square_plain_op},
                                            {.kind = CLIP_KIND_OP, .table = &scale_plain_op}};
static const clip_plugin op_plugin = {.struct_size = sizeof op_plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.ops",
                                      .version = "1.0.0", .license = "Apache-2.0", .items = op_items, .item_count = 5};
static const clip_plugin *op_entry(void) { return &op_plugin; }

/* Writes the features of `n` equal images with this op to `rows`. 0 on error. */
enum { MOST = 64 };
static inline int features_of(const char *model_folder, const char *id, double setting, size_t settings, size_t n, float *rows) {
  uint8_t pixels[16 * 16 * 3];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 + i / 256);
  clip_image_view in[MOST];
  for (size_t i = 0; i < n; i++) in[i] = view_of(CLIP_PIXELS_RGB, 16, 16, pixels);
  clip_encode_options raw = {.struct_size = sizeof raw, .flags = CLIP_ENCODE_RAW};
  clip_model *model = NULL;
  op_id = id, op_setting = setting, op_settings = settings;
  int good = clip_model_open(runtime, model_folder, NULL, &model) == CLIP_OK && clip_encode_image(model, in, n, &raw, rows, n * 8) == CLIP_OK;
  clip_model_release(model);
  return good;
}

#endif
