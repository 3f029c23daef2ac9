/* An op of one's own, y = gain * x / (1 + |hardness * x|), and an encoder that uses it.
 * `make` builds sample.so; `clip plugins check sample.so` looks it over, gradients included. */
#include <clipcore/clip_plugin.h>
#include <math.h>

/* The output has the input's shape. */
static clip_status shape(const clip_op_use *use, clip_shape *output, const char **message) {
  if (!(use->settings[0] >= 0)) return *message = "expected a hardness of at least 0", CLIP_INVALID_ARGUMENT;
  *output = use->inputs[0];
  return CLIP_OK;
}

static size_t parameters(const clip_op_use *use, clip_op_parameter *list, size_t capacity) {
  if (capacity > 0) list[0] = (clip_op_parameter){.name = "gain", .rank = 1, .shape = {use->inputs[0].width}};
  return 1;
}

static void forward(const clip_op_run *run) {
  const float *x = run->inputs[0].data, *gain = run->parameters[0], hardness = (float)run->use->settings[0];
  float *y = run->output.data;
  for (size_t i = 0; i < run->output.rows * run->output.width; i++)
    y[i] = gain[i % run->output.width] * x[i] / (1 + fabsf(hardness * x[i]));
}

/* dy/dx = gain / (1 + |hardness x|)^2, dy/dgain = x / (1 + |hardness x|). Gradients are added. */
static void backward(const clip_op_gradient *gradient) {
  const clip_op_run *run = gradient->run;
  const float *x = run->inputs[0].data, *gain = run->parameters[0], hardness = (float)run->use->settings[0];
  for (size_t i = 0; i < run->output.rows * run->output.width; i++) {
    size_t column = i % run->output.width;
    float bend = 1 + fabsf(hardness * x[i]);
    if (gradient->inputs[0]) gradient->inputs[0][i] += gradient->output[i] * gain[column] / (bend * bend);
    if (gradient->parameters[0]) gradient->parameters[0][column] += gradient->output[i] * x[i] / bend;
  }
}

static const clip_op op = {
  .struct_size = sizeof op,
  .flags = CLIP_OP_ROW_WISE | CLIP_OP_IN_PLACE,
  .id = "example.op.sample",
  .description = "A soft sign with a learned gain",
  .input_count = 1,
  .setting_count = 1,
  .setting_names = (const char *const[]){"hardness"},
  .shape = shape,
  .parameters = parameters,
  .forward = forward,
  .backward = backward,
};

static clip_value build(clip_builder *b) {
  clip_setting hardness = {"hardness", b->get_number(b, "hardness", 1)};
  clip_window patch = {.kernel_height = 8, .kernel_width = 8, .stride = 8};
  clip_value x = clip_op_pixels(b, (uint32_t)b->need_int(b, "image_height", 8, 4096), (uint32_t)b->need_int(b, "image_width", 8, 4096));
  x = clip_op_conv(b, x, "patch", 32, patch, 0);
  x = b->op(b, "example.op.sample", "soft", &x, 1, &hardness, 1);
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", 16, 0);
}

static const clip_encoder encoder = {
  .struct_size = sizeof encoder,
  .tower = CLIP_TOWER_IMAGE,
  .id = "example.encoder.sample-op",
  .description = "Patches under an op of the same plugin",
  .build = build,
  .example = "{\"image_height\": 64, \"image_width\": 64}",
};

static const clip_plugin_item items[] = {{CLIP_KIND_OP, &op}, {CLIP_KIND_ENCODER, &encoder}};

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
