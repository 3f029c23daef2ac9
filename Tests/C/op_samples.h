/* Ops that a plugin brings, for op_cases.h. */
#include <math.h>
#include <string.h>

#include "clip_plugin.h"

static clip_status same_shape(const clip_op_use *use, clip_shape *output, const char **message) {
  for (uint32_t i = 1; i < use->input_count; i++)
    if (use->inputs[i].width != use->inputs[0].width) return *message = "two widths", CLIP_INVALID_ARGUMENT;
  *output = use->inputs[0];
  return CLIP_OK;
}

/* bend: y = tanh(setting * scale * x + shift). Its gradient is made from its output. */
static size_t bend_parameters(const clip_op_use *use, clip_op_parameter *list, size_t capacity) {
  for (size_t i = 0; i < 2 && i < capacity; i++)
    list[i] = (clip_op_parameter){.name = i ? "shift" : "scale", .rank = 1, .shape = {use->inputs[0].width}};
  return 2;
}

static void bend(const clip_op_run *run) {
  const float *scale = run->parameters[0], *shift = run->parameters[1], *x = run->inputs[0].data;
  size_t width = run->output.width;
  for (size_t i = 0; i < run->output.rows * width; i++)
    run->output.data[i] = tanhf((float)run->use->settings[0] * scale[i % width] * x[i] + shift[i % width]);
}

static void bend_back(const clip_op_gradient *g) {
  const clip_op_run *run = g->run;
  float setting = (float)run->use->settings[0];
  size_t width = run->output.width;
  for (size_t i = 0; i < run->output.rows * width; i++) {
    size_t c = i % width;
    float y = run->output.data[i], slope = g->output[i] * (1 - y * y);
    if (g->inputs[0]) g->inputs[0][i] += slope * setting * run->parameters[0][c];
    g->parameters[0][c] += slope * setting * run->inputs[0].data[i];
    g->parameters[1][c] += slope;
  }
}

/* gather: one row from the rows of x and the one row z: y = (1 + z) * sum of weights[row] x[row] + table[0] z. */
static clip_status gather_shape(const clip_op_use *use, clip_shape *output, const char **message) {
  const clip_shape *x = &use->inputs[0], *z = &use->inputs[1];
  if (x->rows != CLIP_ROWS_FIXED || z->rows != CLIP_ROWS_ONE || x->width != z->width)
    return *message = "expected an image and a row", CLIP_INVALID_ARGUMENT;
  *output = *z;
  return CLIP_OK;
}

static size_t gather_parameters(const clip_op_use *use, clip_op_parameter *list, size_t capacity) {
  if (capacity < 2) return 2;
  list[0] = (clip_op_parameter){.name = "weights", .rank = 1, .shape = {use->inputs[0].row_count}};
  list[1] = (clip_op_parameter){.name = "table", .rank = 2, .shape = {2, use->inputs[0].width}};
  return 2;
}

static size_t one_row(const clip_op_use *use, size_t rows) { return rows * use->inputs[0].width; }

static void gather_sum(const clip_op_run *run) {
  clip_block x = run->inputs[0];
  memset(run->scratch, 0, x.width * sizeof(float));
  for (size_t i = 0; i < x.rows * x.width; i++) run->scratch[i % x.width] += run->parameters[0][i / x.width] * x.data[i];
}

static void gather(const clip_op_run *run) {
  const float *z = run->inputs[1].data, *table = run->parameters[1];
  gather_sum(run);
  for (size_t c = 0; c < run->output.width; c++)
    run->output.data[c] = (1 + z[c]) * run->scratch[c] + table[c] * z[c];
}

static void gather_back(const clip_op_gradient *g) {
  const clip_op_run *run = g->run;
  clip_block x = run->inputs[0];
  const float *z = run->inputs[1].data;
  gather_sum(run);
  for (size_t i = 0; i < x.rows * x.width; i++) {
    size_t row = i / x.width, c = i % x.width;
    if (g->inputs[0]) g->inputs[0][i] += g->output[c] * (1 + z[c]) * run->parameters[0][row];
    g->parameters[0][row] += g->output[c] * (1 + z[c]) * x.data[i];
  }
  for (size_t c = 0; c < x.width; c++) {
    if (g->inputs[1]) g->inputs[1][c] += g->output[c] * (run->scratch[c] + run->parameters[1][c]);
    g->parameters[1][c] += g->output[c] * z[c];
  }
}

/* product: y = x z. */
static void product(const clip_op_run *run) {
  for (size_t i = 0; i < run->output.rows * run->output.width; i++)
    run->output.data[i] = run->inputs[0].data[i] * run->inputs[1].data[i];
}

static void product_back(const clip_op_gradient *g) {
  for (size_t i = 0; i < g->run->output.rows * g->run->output.width; i++) {
    if (g->inputs[0]) g->inputs[0][i] += g->output[i] * g->run->inputs[1].data[i];
    if (g->inputs[1]) g->inputs[1][i] += g->output[i] * g->run->inputs[0].data[i];
  }
}

/* running: row i is the mean of rows 0 to i. */
static void running(const clip_op_run *run) {
  clip_block x = run->inputs[0], y = run->output;
  for (size_t c = 0; c < x.width; c++) {
    float sum = 0;
    for (size_t row = 0; row < x.rows; row++) y.data[row * y.width + c] = (sum += x.data[row * x.width + c]) / (float)(row + 1);
  }
}

static void running_back(const clip_op_gradient *g) {
  clip_block x = g->run->inputs[0];
  for (size_t c = 0; c < x.width && g->inputs[0]; c++) {
    float sum = 0;
    for (size_t row = x.rows; row-- > 0;) g->inputs[0][row * x.width + c] += sum += g->output[row * x.width + c] / (float)(row + 1);
  }
}

/* twice: y = 2 x. blind has no backward, spoiled one that makes no numbers. */
static void twice(const clip_op_run *run) {
  for (size_t i = 0; i < run->output.rows * run->output.width; i++) run->output.data[i] = 2 * run->inputs[0].data[i];
}

static void spoil(const clip_op_gradient *g) {
  if (g->inputs[0]) g->inputs[0][0] += NAN;
}

#define OP(name) .struct_size = sizeof(clip_op), .id = "test.op." name, .description = name
static const char *const factor_name[] = {"factor"};
static const clip_op samples[] = {
    {OP("bend"), .flags = CLIP_OP_ROW_WISE | CLIP_OP_IN_PLACE, .input_count = 1, .setting_count = 1, .setting_names = factor_name, .shape = same_shape,
     .parameters = bend_parameters, .forward = bend, .backward = bend_back},
    {OP("gather"), .input_count = 2, .shape = gather_shape, .parameters = gather_parameters, .scratch = one_row,
     .forward = gather, .backward = gather_back},
    {OP("product"), .flags = CLIP_OP_ROW_WISE, .input_count = 2, .shape = same_shape, .forward = product, .backward = product_back},
    {OP("running"), .input_count = 1, .shape = same_shape, .forward = running, .backward = running_back},
    {OP("blind"), .flags = CLIP_OP_ROW_WISE, .input_count = 1, .shape = same_shape, .forward = twice},
    {OP("spoiled"), .flags = CLIP_OP_ROW_WISE, .input_count = 1, .shape = same_shape, .forward = twice, .backward = spoil},
};
