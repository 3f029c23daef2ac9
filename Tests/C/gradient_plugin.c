/* Encoders with one op each, between a convolution or an embedding and a linear layer, for gradients_test. "op" in the
 * configuration selects the op. */
#include "clip_plugin.h"

#include <string.h>

#include "gradient_ops.h"

typedef clip_builder B;
typedef clip_value V;

static clip_window window(uint32_t kernel, uint32_t stride, uint32_t padding, uint32_t dilation, uint32_t groups) {
  clip_window w = {sizeof(clip_window), kernel, kernel, stride, padding, dilation, groups};
  return w;
}

static V conv(B *b, V x, const char *name, uint32_t features, clip_window w, uint32_t flags) {
  return b->conv(b, x, name, features, &w, flags);
}

static V attend(B *b, V x, uint32_t flags) {
  return b->attention(b, b->linear(b, x, "q", 4, 0), b->linear(b, x, "k", 4, 0), b->linear(b, x, "v", 4, 0), 2, flags);
}

static V custom(B *b, const char *id, const char *name, V x, V y) {
  const double setting = 0.7;
  int is_bend = !strcmp(id, "test.op.bend"), is_pair = !strcmp(id, "test.op.gather") || !strcmp(id, "test.op.product");
  return b->custom(b, id, name, (const V[]){x, y}, is_pair ? 2 : 1, &setting, is_bend ? 1 : 0);
}

static V image_op(B *b, V x, const char *op) {
  static const char *const activations[] = {"relu", "gelu", "quick_gelu", "gelu_tanh", "sigmoid", "silu", "tanh"};
  for (uint32_t i = 0; i < 7; i++)
    if (!strcmp(op, activations[i])) return b->activate(b, x, (clip_activation)(i + 1));
  if (!strcmp(op, "conv")) return conv(b, x, "op", 6, window(3, 2, 1, 1, 1), 0);
  if (!strcmp(op, "conv_1x1")) return conv(b, x, "op", 6, window(1, 1, 0, 1, 1), CLIP_NO_BIAS);
  if (!strcmp(op, "conv_dilated")) return conv(b, x, "op", 5, window(3, 1, 1, 2, 1), CLIP_NO_BIAS);
  if (!strcmp(op, "conv_grouped")) return conv(b, x, "op", 6, window(3, 1, 1, 1, 2), 0);
  if (!strcmp(op, "conv_depthwise")) return conv(b, x, "op", 4, window(3, 2, 1, 1, 4), 0);
  if (!strcmp(op, "batch_norm")) return b->batch_norm(b, x, "op", 1e-5f);
  if (!strcmp(op, "layer_norm")) return b->layer_norm(b, x, "op", 1e-5f);
  if (!strcmp(op, "dropout")) return b->dropout(b, x, 0.4f);
  if (!strcmp(op, "custom_bend")) return custom(b, "test.op.bend", "op", x, 0);
  if (!strcmp(op, "custom_gather")) return custom(b, "test.op.gather", "op", x, b->mean_rows(b, x));
  if (!strcmp(op, "custom_same")) return custom(b, "test.op.product", "op", x, x);
  if (!strcmp(op, "custom_blind")) return custom(b, "test.op.blind", "op", x, 0);
  if (!strcmp(op, "custom_spoiled")) return custom(b, "test.op.spoiled", "op", x, 0);
  if (!strcmp(op, "custom_all")) {
    V y = custom(b, "test.op.bend", "op", custom(b, "test.op.bend", "op", x, 0), 0); /* both uses share their parameters */
    return custom(b, "test.op.gather", "gather", custom(b, "test.op.product", "", x, y), b->mean_rows(b, y));
  }
  clip_window two = window(2, 2, 0, 1, 1), three = window(3, 2, 1, 1, 1);
  if (!strcmp(op, "avg_pool")) return b->avg_pool(b, x, &three);
  if (!strcmp(op, "max_pool")) return b->max_pool(b, x, &two);
  if (!strcmp(op, "resize_nearest")) return b->resize(b, x, 9, 4, CLIP_RESIZE_NEAREST);
  if (!strcmp(op, "resize_larger")) return b->resize(b, x, 11, 7, CLIP_RESIZE_BILINEAR);
  if (!strcmp(op, "resize_smaller")) return b->resize(b, x, 4, 3, CLIP_RESIZE_BILINEAR);
  if (!strcmp(op, "channel_attention")) return b->channel_attention(b, x, 2);
  if (!strcmp(op, "spatial_attention")) return b->spatial_attention(b, x, 3);
  if (!strcmp(op, "scale_attention")) return b->scale_attention(b, x, (const uint32_t[]){1, 3}, 2);
  if (!strcmp(op, "feature_pyramid")) {
    V levels[2] = {x, b->avg_pool(b, x, &two)};
    return b->feature_pyramid(b, levels, 2, 5);
  }
  V y = conv(b, x, "other", 4, window(1, 1, 0, 1, 1), 0);
  if (!strcmp(op, "add")) return b->add(b, x, y);
  if (!strcmp(op, "add_same")) return b->add(b, y, y);
  if (!strcmp(op, "add_row")) return b->add(b, x, b->linear(b, b->mean_rows(b, y), "row", 4, 0));
  if (!strcmp(op, "add_column")) return b->add(b, x, b->mean_columns(b, y));
  if (!strcmp(op, "multiply")) return b->multiply(b, x, y);
  if (!strcmp(op, "multiply_same")) return b->multiply(b, y, y);
  if (!strcmp(op, "multiply_row")) return b->multiply(b, x, b->mean_rows(b, y));
  if (!strcmp(op, "multiply_column")) return b->multiply(b, x, b->max_columns(b, y));
  if (!strcmp(op, "concat")) return b->concat(b, x, y);
  if (!strcmp(op, "mix")) return b->mix(b, (const V[]){x, y}, 2, "mix");
  if (!strcmp(op, "mix_mean")) return b->mix(b, (const V[]){x, y}, 2, NULL);
  if (!strcmp(op, "max_rows")) return b->max_rows(b, x);
  V rows = b->positions(b, b->prepend(b, x, b->row_parameter(b, "class", 4)), "position");
  if (!strcmp(op, "attention")) return attend(b, rows, 0);
  if (!strcmp(op, "attention_same")) return b->attention(b, rows, rows, rows, 2, 0);
  if (!strcmp(op, "attention_shared")) {
    V keys = b->linear(b, rows, "k", 4, 0);
    return b->add(b, b->attention(b, rows, keys, keys, 2, 0), rows);
  }
  /* Two consecutive layers share one matrix. */
  if (!strcmp(op, "linear_twice")) return b->linear(b, b->activate(b, b->linear(b, rows, "l", 4, 0), CLIP_TANH), "l", 4, 0);
  if (!strcmp(op, "class_token")) return b->first_row(b, b->layer_norm(b, b->add(b, rows, attend(b, rows, 0)), "norm", 1e-5f));
  if (!strcmp(op, "checkpointed")) {
    for (int i = 0; i < 6; i++) {
      b->push(b, (const char *[]){"a", "b", "c", "d", "e", "f"}[i]);
      rows = b->add(b, rows, b->activate(b, b->linear(b, b->layer_norm(b, rows, "norm", 1e-5f), "mlp", 4, 0), CLIP_GELU));
      b->pop(b);
    }
    return b->first_row(b, rows);
  }
  b->fail(b, "no such op");
  return -1;
}

static V build_image(B *b) {
  const char *op = b->get_string(b, "op", "conv");
  V x = b->pixels(b, 6, 6);
  /* No gradient with respect to the pixels is needed, so an op without one may precede all trained parameters. */
  int is_first = op != NULL && !strcmp(op, "custom_first");
  if (is_first) x = custom(b, "test.op.bend", "op", custom(b, "test.op.blind", "", x, 0), 0);
  x = conv(b, x, "stem", 4, window(3, 1, 1, 1, 1), 0);
  if (op != NULL && !is_first && strcmp(op, "none")) x = image_op(b, x, op);
  return b->linear(b, b->mean_rows(b, x), "head", 5, 0);
}

static V build_text(B *b) {
  const char *op = b->get_string(b, "op", "");
  clip_end_rule rule = op && !strcmp(op, "last") ? CLIP_END_LAST : op && !strcmp(op, "padding") ? CLIP_END_PADDING : CLIP_END_TOKEN_ID;
  V x = b->embedding(b, b->tokens(b, 20, 6, rule, rule == CLIP_END_PADDING ? 0 : 19), "table", 4);
  if (op && !strcmp(op, "positions")) x = b->positions(b, x, "position");
  if (op && !strcmp(op, "position_table")) x = b->position_table(b, x, "position", 9);
  if (op && !strcmp(op, "table_row")) x = b->add(b, x, b->table_row(b, "types", 3, 1, 4));
  if (op && !strcmp(op, "causal")) x = b->end_row(b, b->add(b, x, attend(b, x, CLIP_CAUSAL)));
  if (op && !strcmp(op, "causal_mean")) x = attend(b, x, CLIP_CAUSAL);
  if (op && (!strcmp(op, "padding") || !strcmp(op, "last"))) x = attend(b, x, 0);
  if (op && !strcmp(op, "max")) x = b->max_rows(b, x);
  if (op && !strcmp(op, "tanh_first")) x = b->activate(b, b->linear(b, b->first_row(b, x), "pool", 4, 0), CLIP_TANH);
  if (op && !strcmp(op, "dropout")) x = b->dropout(b, x, 0.3f);
  if (op && !strcmp(op, "custom_running")) x = b->mean_rows(b, custom(b, "test.op.running", "op", x, 0));
  if (op && !strcmp(op, "custom_end")) x = b->end_row(b, custom(b, "test.op.bend", "op", custom(b, "test.op.running", "", x, 0), 0));
  return b->linear(b, b->mean_rows(b, x), "head", 5, 0);
}

static const clip_encoder image = {.struct_size = sizeof(clip_encoder), .tower = CLIP_TOWER_IMAGE,
                                   .id = "test.encoder.image-op", .description = "one op of a picture", .build = build_image};
static const clip_encoder text = {.struct_size = sizeof(clip_encoder), .tower = CLIP_TOWER_TEXT,
                                   .id = "test.encoder.text-op", .description = "one op of a text", .build = build_text};
static const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, 0, &image}, {CLIP_KIND_ENCODER, 0, &text},
                                         {CLIP_KIND_OP, 0, &ops[0]}, {CLIP_KIND_OP, 0, &ops[1]}, {CLIP_KIND_OP, 0, &ops[2]},
                                         {CLIP_KIND_OP, 0, &ops[3]}, {CLIP_KIND_OP, 0, &ops[4]}, {CLIP_KIND_OP, 0, &ops[5]}};
static const clip_plugin plugin = {
    sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, "test.gradients", "1.0.0", "Apache-2.0", items, 8};

__attribute__((visibility("default"))) const clip_plugin *clip_plugin_entry(void);
const clip_plugin *clip_plugin_entry(void) { return &plugin; }
