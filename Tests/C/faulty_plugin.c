/* A plugin with one fault, numbered FAULT, which `clip plugins check` must find. 0: no fault. 40: a shorter clip_encoder,
 * of an older header, which is no fault either. */
#include "../../Include/clip_plugin.h"
#include <stdint.h>
#include <stdlib.h>

static clip_status shape(const clip_op_use *use, clip_shape *output, const char **message) {
  if (use->inputs[0].width > 64) return *message = "too wide", CLIP_INVALID_ARGUMENT;
  *output = use->inputs[0];
  if (FAULT == 1) output->width = 0;
  if (FAULT == 2) output->rows = (clip_rows)9;
  if (FAULT == 3) output->grid_height = 5, output->grid_width = 5;
  return CLIP_OK;
}

static size_t parameters(const clip_op_use *use, clip_op_parameter *list, size_t capacity) {
  for (size_t i = 0; i < 2 && i < capacity; i++)
    list[i] = (clip_op_parameter){.name = i && FAULT != 4 ? "shift" : "scale", .rank = 1, .shape = {use->inputs[0].width}};
  return FAULT == 5 ? 1000 : 2;
}

static size_t scratch(const clip_op_use *use, size_t rows) { return rows * use->inputs[0].width; }

static unsigned calls;

static void forward(const clip_op_run *run) {
  const clip_block x = run->inputs[0], y = run->output;
  const float *scale = run->parameters[0], *shift = run->parameters[1];
  size_t count = y.rows * y.width;
  if (FAULT == 6) y.data[count] = 1;
  if (FAULT == 7) run->scratch[count] = 1;
  if (FAULT == 8) x.data[0] = 7;
  for (size_t i = 0; i < count; i++) run->scratch[i] = x.data[i];
  for (size_t i = 0; i + (FAULT == 9) < count; i++) {
    y.data[i] = scale[i % y.width] * run->scratch[i] + shift[i % y.width];
    if (FAULT == 10) y.data[i] /= 0.0f * x.data[0];
    if (FAULT == 11) y.data[i] += x.data[0];                 /* reads another row, though declared row-wise */
    if (FAULT == 12) y.data[i] += (float)(__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 7);
    if (FAULT == 13) y.data[i] += x.data[count - 1 - i] * 0 + (i ? x.data[i - 1] == y.data[i - 1] : 0); /* differs if the output is in place */
  }
}

static void backward(const clip_op_gradient *g) {
  const clip_block x = g->run->inputs[0];
  const float *scale = g->run->parameters[0];
  for (size_t i = 0; i < x.rows * x.width; i++) {
    size_t column = i % x.width;
    float by_x = g->output[i] * scale[column];
    if (FAULT == 14) by_x *= 1.5f;
    if (FAULT == 41) by_x += x.rows > 1 ? 1e-3f * g->output[0] : 0;
    if (FAULT == 42) g->inputs[0][i] += 0;
    if (FAULT == 44) by_x += (float)(__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2) * 1e-5f;
    if (g->inputs[0]) g->inputs[0][i] = by_x + (FAULT == 15 ? 0 : g->inputs[0][i]);
    if (g->parameters[0]) g->parameters[0][column] += g->output[i] * x.data[i];
    if (g->parameters[1] && FAULT != 16) g->parameters[1][column] += g->output[i];
  }
  if (FAULT == 43) ((float *)(uintptr_t)g->output)[0] = 0;
  if (FAULT == 17) g->parameters[1][x.width] = 0;
}

static clip_value build(clip_builder *b) {
  volatile int64_t side = b->get_int(b, "image_height", 16);
  clip_value x = clip_op_pixels(b, (uint32_t)side, (uint32_t)side);
  if (FAULT == 20) *(volatile int *)0 = 1;
  if (FAULT == 21) return 77;
  if (FAULT == 22) return x;
  if (FAULT == 23) side = 100 / (int64_t)(side - 7); /* a division by zero for a side of 7 */
  if (FAULT == 24) b->fail(b, "I would rather not");
  if (FAULT == 25) x = b->op(b, "test.op.absent", "op", &x, 1, NULL, 0);
  if (FAULT == 26) x = b->op(b, "test.op.affine", "op", &x, 2, NULL, 0);
  if (FAULT == 27) x = b->op(b, "test.op.affine", "op", &x, 1, (clip_setting[]){{"hardness", 1}}, 1);
  if (FAULT == 28) x = b->op(b, "test.op.affine", "op", NULL, 1, NULL, 0);
  x = b->op(b, "test.op.affine", "op", &x, 1, NULL, 0);
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", 8, 0);
}

static const clip_op op = {
  .struct_size = sizeof op, .flags = CLIP_OP_ROW_WISE | CLIP_OP_IN_PLACE, .id = "test.op.affine",
  .description = "scale and shift", .input_count = 1, .shape = shape, .parameters = parameters, .scratch = scratch,
  .forward = FAULT == 30 ? NULL : forward, .backward = backward,
};
static const clip_encoder encoder = {
  .struct_size = FAULT == 31 ? 16 : FAULT == 40 ? 32 : sizeof encoder, .tower = CLIP_TOWER_IMAGE,
  .id = FAULT == 32 ? "Test.Encoder" : "test.encoder.faulty", .description = "an encoder with a fault", .build = build,
  .example = "{\"image_height\": 16, \"image_width\": 16}",
};
static const clip_plugin_item items[] = {{CLIP_KIND_OP, &op}, {CLIP_KIND_ENCODER, FAULT == 33 ? NULL : &encoder}};
static const clip_plugin plugin = {
  .struct_size = FAULT == 34 ? 8 : sizeof plugin, .abi_version = FAULT == 35 ? 7u << 16 : CLIP_PLUGIN_ABI_VERSION,
  .id = "test.faulty", .version = "1.0.0", .license = "Apache-2.0", .items = items, .item_count = 2,
};

#if FAULT != 36
const clip_plugin *clip_plugin_entry(void) {
  if (FAULT == 37) exit(3);
  if (FAULT == 38) abort();
  return FAULT == 39 ? NULL : &plugin;
}
#endif
