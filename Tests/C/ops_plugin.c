/* Ops over texts, and encoders whose results are known from "ends":
 * test.encoder.ends       each text's last row
 * test.encoder.reversed   the first row of the rows in reverse order: the same
 * test.encoder.doubled    each row doubled by an op, then the last: the same times 2
 * test.encoder.summed     the last row and its half, added by an op of two inputs: the same times 1.5 */
#include "../../Include/clip_plugin.h"
#include <string.h>

static clip_status same_shape(const clip_op_use *use, clip_shape *output, const char **message) {
  for (uint32_t i = 1; i < use->input_count; i++)
    if (use->inputs[i].width != use->inputs[0].width) return *message = "two widths", CLIP_INVALID_ARGUMENT;
  *output = use->inputs[0];
  return CLIP_OK;
}

static size_t all_rows(const clip_op_use *use, size_t rows) { return rows * use->inputs[0].width; }

/* Copies through the scratch, so that scratch that is too small or shared is noticed. */
static void reverse(const clip_op_run *run) {
  const clip_block x = run->inputs[0];
  memcpy(run->scratch, x.data, x.rows * x.width * sizeof(float));
  for (size_t row = 0; row < x.rows; row++)
    memcpy(run->output.data + (x.rows - 1 - row) * x.width, run->scratch + row * x.width, x.width * sizeof(float));
}

static void twice(const clip_op_run *run) {
  for (size_t i = 0; i < run->output.rows * run->output.width; i++) run->output.data[i] = 2 * run->inputs[0].data[i];
}

static void with_part(const clip_op_run *run) {
  float part = (float)run->use->settings[0];
  for (size_t i = 0; i < run->output.rows * run->output.width; i++)
    run->output.data[i] = run->inputs[0].data[i] + part * run->inputs[1].data[i];
}

static const clip_op ops[] = {
  {.struct_size = sizeof(clip_op), .id = "test.op.reverse", .description = "rows in reverse order", .input_count = 1,
   .shape = same_shape, .scratch = all_rows, .forward = reverse},
  {.struct_size = sizeof(clip_op), .flags = CLIP_OP_ROW_WISE | CLIP_OP_IN_PLACE, .id = "test.op.twice",
   .description = "two times x", .input_count = 1, .shape = same_shape, .forward = twice},
  {.struct_size = sizeof(clip_op), .flags = CLIP_OP_ROW_WISE, .id = "test.op.with-part", .description = "x and a part of y",
   .input_count = 2, .setting_count = 1, .setting_names = (const char *const[]){"part"}, .shape = same_shape, .forward = with_part},
};

static clip_value words(clip_builder *b) {
  clip_value ids = clip_op_tokens(b, 100, 12, CLIP_END_PADDING, 0);
  return clip_op_positions(b, clip_op_embedding(b, ids, "words", 24), "places", 0);
}
static clip_value ends(clip_builder *b) { return clip_op_end_row(b, words(b)); }
static clip_value reversed(clip_builder *b) {
  clip_value x = words(b);
  return clip_op_first_row(b, b->op(b, "test.op.reverse", "", &x, 1, NULL, 0));
}
static clip_value doubled(clip_builder *b) {
  clip_value x = words(b);
  return clip_op_end_row(b, b->op(b, "test.op.twice", "", &x, 1, NULL, 0));
}
static clip_value summed(clip_builder *b) {
  clip_value x = words(b), both[] = {x, x};
  return clip_op_end_row(b, b->op(b, "test.op.with-part", "", both, 2, &(clip_setting){"part", 0.5}, 1));
}

#define ENCODER(name, function) {sizeof(clip_encoder), CLIP_TOWER_TEXT, "test.encoder." name, name, function, NULL, NULL}
static const clip_encoder encoders[] = {
  ENCODER("ends", ends), ENCODER("reversed", reversed), ENCODER("doubled", doubled), ENCODER("summed", summed),
};
static const clip_plugin_item items[] = {
  {CLIP_KIND_OP, &ops[0]}, {CLIP_KIND_OP, &ops[1]}, {CLIP_KIND_OP, &ops[2]},
  {CLIP_KIND_ENCODER, &encoders[0]}, {CLIP_KIND_ENCODER, &encoders[1]},
  {CLIP_KIND_ENCODER, &encoders[2]}, {CLIP_KIND_ENCODER, &encoders[3]},
};
static const clip_plugin plugin = {
  sizeof plugin, CLIP_PLUGIN_ABI_VERSION, "test.ops", "1.0.0", "Apache-2.0", items, sizeof items / sizeof *items,
};
const clip_plugin *clip_plugin_entry(void) { return &plugin; }
