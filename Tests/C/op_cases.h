/* The table of op cases: each row is an op in an encoder, and where a formula exists the same in plain loops.
 * ops_test.c runs every row by each kernel set, against the plain loops, against finite differences, and for speed.
 * A new op is a row here; ops_test fails for an op without one. */
#include "clip_plugin.h"

#include <string.h>

#include "op_reference.h"
#include "op_samples.h"

typedef clip_builder B;
typedef clip_value V;

/* Width of the value x that a row gets, and the sides of its grid. */
static uint32_t W = 4, S = 6;

static clip_window window(uint32_t kernel, uint32_t stride, uint32_t padding, uint32_t dilation, uint32_t groups) {
  clip_window w = {kernel, kernel, stride, padding, dilation, groups};
  return w;
}
static V other(B *b, V x) { return clip_op_conv(b, x, "other", W, window(1, 1, 0, 1, 1), 0); }
static plain plain_other(plain x) { return plain_conv(x, "other", W, 1, 1, 0, 1, 1); }
static V linear(B *b, V x, const char *name) { return clip_op_linear(b, x, name, W, 0); }
static V attend(B *b, V x, uint32_t flags) {
  return clip_op_attention(b, linear(b, x, "q"), linear(b, x, "k"), linear(b, x, "v"), 2, flags);
}
static plain plain_attend(plain x, int causal) {
  return plain_attention(plain_linear(x, "q", W), plain_linear(x, "k", W), plain_linear(x, "v", W), 2, causal);
}
/* Without padding before the grid, and one pixel after it. */
static V conv_late(B *b, V x, uint32_t groups) {
  const clip_setting settings[] = {{"features", W}, {"kernel_height", 3}, {"kernel_width", 3}, {"stride", 2},
                                   {"padding", 0}, {"padding_end", 1}, {"groups", groups}};
  return clip_op_unary(b, "conv", "op", x, settings, 7);
}
/* A value twice: one node, two inputs. */
static V add_same(B *b, V x) { return clip_op_add(b, x, x); }
static V multiply_same(B *b, V x) { return clip_op_multiply(b, x, x); }
static V attend_same(B *b, V x) { return clip_op_attention(b, x, x, x, 2, 0); }
static V attend_shared(B *b, V x) {
  V keys = linear(b, x, "k");
  return clip_op_add(b, clip_op_attention(b, x, keys, keys, 2, 0), x);
}
static V rows(B *b, V x) {
  return clip_op_positions(b, clip_op_prepend(b, x, clip_op_row_parameter(b, "class", W)), "position", 0);
}
static plain plain_rows(plain x) { return plain_positions(plain_prepend(x, "class"), "position"); }
static V class_token(B *b, V x) {
  return clip_op_first_row(b, clip_op_layer_norm(b, clip_op_add(b, x, attend(b, x, 0)), "norm", 1e-5));
}
static V residual_layers(B *b, V x) {
  for (int i = 0; i < 6; i++) {
    b->push(b, (const char *[]){"a", "b", "c", "d", "e", "f"}[i]);
    x = clip_op_add(b, x, clip_op_activate(b, linear(b, clip_op_layer_norm(b, x, "norm", 1e-5), "mlp"), CLIP_GELU));
    b->pop(b);
  }
  return clip_op_first_row(b, x);
}
static V pyramid(B *b, V x) {
  V levels[] = {x, clip_op_avg_pool(b, x, window(2, 2, 0, 1, 1))};
  return clip_op_feature_pyramid(b, levels, 2, W + 1);
}
static V blocks(B *b, V x) {
  return clip_op_transformer(b, x, (clip_transformer){1, 2, W + 2, CLIP_QUICK_GELU, 0, 1e-5});
}
/* An op of op_samples.h. */
static V sample(B *b, const char *id, const char *name, V x, V y) {
  const clip_setting setting = {"factor", 0.7};
  int is_bend = !strcmp(id, "test.op.bend"), is_pair = !strcmp(id, "test.op.gather") || !strcmp(id, "test.op.product");
  return b->op(b, id, name, (const V[]){x, y}, is_pair ? 2 : 1, &setting, is_bend ? 1 : 0);
}
static V sample_chain(B *b, V x) {
  V y = sample(b, "test.op.bend", "op", sample(b, "test.op.bend", "op", x, 0), 0); /* one set of parameters */
  return sample(b, "test.op.gather", "gather", sample(b, "test.op.product", "", x, y), clip_op_mean_rows(b, y));
}

/* Windows of 4 x 3 in the grid of S x S, moved by 1 x 2; `dilated` or not, and the shift before the padding or not. */
static clip_windows windows(uint32_t dilated, uint32_t shifts_first) {
  clip_windows w = {S, S, 4, 3, 1, 2, shifts_first, dilated};
  return w;
}
static V partition(B *b, V x, clip_windows w) { return clip_op_window_partition(b, x, w); }
/* Each window's rows attend with a bias that two layers make of the offsets. */
static V in_windows(B *b, V x, clip_windows w, uint32_t trained) {
  V y = partition(b, x, w);
  V offsets = clip_op_window_offsets(b, w.window_height, w.window_width, trained, trained);
  V bias = clip_op_activate(b, clip_op_linear(b, offsets, "bias", 2, 0), CLIP_SIGMOID);
  V q = clip_op_normalize_heads(b, linear(b, y, "q"), "scale", 2), k = clip_op_normalize_heads(b, linear(b, y, "k"), NULL, 2);
  y = clip_op_window_attention(b, q, k, linear(b, y, "v"), bias, 2, w, 1, 3);
  return clip_op_window_merge(b, y, w);
}
static V in_square(B *b, V x) {
  clip_windows w = {S, S, 3, 3, 0, 0, 0, 0};
  V y = partition(b, x, w), table = clip_op_table(b, "table", 25, 2);
  return clip_op_window_merge(b, clip_op_window_attention(b, linear(b, y, "q"), linear(b, y, "k"), linear(b, y, "v"), table, 2, w, 0, 1), w);
}

static V turned(B *b, V x, double halves) {
  const clip_setting settings[] = {{"heads", W / 4.0}, {"first", 1}, {"height", S}, {"width", S}, {"halves", halves},
                                   {"row_origin", 0.5}, {"column_origin", -1},
                                   {"row_frequency", 0.3}, {"row_frequency", 0},
                                   {"column_frequency", 0.1}, {"column_frequency", 0.7}};
  return clip_op_unary(b, "rotary_grid", NULL, rows(b, x), settings, 11);
}
static V attend_grid(B *b, V x, uint32_t more) {
  const clip_setting sides[] = {{"height", S}, {"width", S}, {"first", 1}}, heads = {"heads", 2};
  V table = clip_op_table(b, "table", (2 * S - 1) * (2 * S - 1) + more, 2), y = rows(b, x);
  const V inputs[] = {linear(b, y, "q"), linear(b, y, "k"), linear(b, y, "v"),
                      clip_op_unary(b, "grid_bias", NULL, table, sides, 3)};
  return b->op(b, "attention", NULL, inputs, 4, &heads, 1);
}
/* A class token after the text; keys after token 3 are hidden. */
static V class_after(B *b, V x) {
  const clip_setting last = {"last", 1}, hidden[] = {{"heads", 2}, {"token", 3}}, heads[] = {{"heads", 2}, {"causal", 1}};
  V ids = clip_op_tokens(b, 20, 6, CLIP_END_LAST, 0);
  V y = b->op(b, "prepend", NULL, (const V[]){x, clip_op_row_parameter(b, "class", W)}, 2, &last, 1);
  const V inputs[] = {linear(b, y, "q"), linear(b, y, "k"), linear(b, y, "v"), clip_op_unary(b, "padding_bias", NULL, ids, hidden, 2)};
  return b->op(b, "attention", NULL, inputs, 4, heads, 2);
}
static V mean_of_some(B *b, V x) {
  const clip_setting settings[] = {{"first", 2}, {"count", 5}};
  return clip_op_unary(b, "mean_rows", NULL, x, settings, 2);
}
static V placed_from(B *b, V x) {
  const clip_setting settings[] = {{"rows", S * S + 4}, {"first", 3}};
  return clip_op_unary(b, "positions", "table", x, settings, 2);
}
static V attend_with(B *b, V x, V bias, clip_attention_options o) {
  uint32_t narrow = o.kv_heads ? W / o.heads * o.kv_heads : W;
  return clip_op_attention_with(b, linear(b, x, "q"), clip_op_linear(b, x, "k", narrow, 0), clip_op_linear(b, x, "v", narrow, 0), bias, o);
}
static plain plain_attend_with(plain x, const char *bias, size_t rows, clip_attention_options o) {
  uint32_t narrow = o.kv_heads ? W / o.heads * o.kv_heads : W;
  return plain_attention_with(plain_linear(x, "q", W), plain_linear(x, "k", narrow), plain_linear(x, "v", narrow), bias, rows, o);
}
static const clip_attention_options grouped = {4, 2, 0, 0, 0, 0}, narrow = {2, 0, 0, 0.4, 1, 0}, trailing = {2, 1, CLIP_CAUSAL, 0, 2, 0},
    bucketed = {2, 0, 0, 1, 0, 4}, bucketed_trailing = {2, 0, CLIP_CAUSAL, 0.3, 3, 5}, square_bias = {2, 0, 0, 0, 0, 0},
    square_window = {2, 0, 0, 0, 3, 0};
static const clip_sinusoids angles = {2, 100, 2, 1, 0}, fairseq = {4, 50, 0, 2, 1};
static V attend_given(B *b, V x, clip_attention_options o) {
  uint32_t count = S / 2 * (S / 2) + 1;
  return attend_with(b, rows(b, clip_op_avg_pool(b, x, window(2, 2, 0, 1, 1))), clip_op_table(b, "bias", count, 2 * count), o);
}
static plain plain_attend_given(plain x, clip_attention_options o) {
  return plain_attend_with(plain_rows(plain_pool(x, 2, 2, 0, 0)), "bias", 0, o);
}
static V scaled_embedding(B *b, V x) {
  V ids = clip_op_tokens(b, 20, 6, CLIP_END_TOKEN_ID, 19);
  return clip_op_add(b, x, clip_op_unary(b, "embedding", "table", ids, (const clip_setting[]){{"width", W}, {"scale", 2.5}}, 2));
}
static V turn(B *b, V x, clip_sinusoids o, uint32_t heads, uint32_t interleaved) {
  return clip_op_rotary(b, linear(b, x, "q"), clip_op_sinusoids(b, x, o), heads, interleaved);
}
/* Positions are seen on one side alone, or on both. */
static V disentangle(B *b, V x, int sides, uint32_t span, uint32_t distance) {
  V table = clip_op_table(b, "table", 2 * span, W);
  V keys = sides & 1 ? linear(b, table, "pk") : -1, queries = sides & 2 ? linear(b, table, "pq") : -1;
  return clip_op_disentangled_attention(b, linear(b, x, "q"), linear(b, x, "k"), linear(b, x, "v"), keys, queries, 2, 0.5, span, distance);
}
static plain plain_disentangle(plain x, int sides, uint32_t span, uint32_t distance) {
  plain table = plain_table("table", 2 * span, W), keys = table, queries = table;
  if (sides & 1) keys = plain_linear(table, "pk", W);
  if (sides & 2) queries = plain_linear(table, "pq", W);
  return plain_disentangled(plain_linear(x, "q", W), plain_linear(x, "k", W), plain_linear(x, "v", W), sides & 1 ? &keys : NULL,
                            sides & 2 ? &queries : NULL, 2, 0.5, span, distance);
}
/* What reads one row picks its queries early. */
static V last_query(B *b, V x) {
  V turned = clip_op_sinusoids(b, x, angles);
  V q = clip_op_rotary(b, linear(b, x, "q"), turned, 2, 0), k = clip_op_rotary(b, linear(b, x, "k"), turned, 2, 0);
  return clip_op_end_row(b, clip_op_attention_with(b, q, k, linear(b, x, "v"), clip_op_table(b, "bias", 6, 2), bucketed_trailing));
}

/* ROW(name, value, plain loops) and CASE(name, value): x is an image's grid of S x S, W wide. */
#define IMAGE_CASES(ROW, CASE) \
  ROW(none, x, x) \
  ROW(conv, clip_op_conv(b, x, "op", W * 3 / 2, window(3, 2, 1, 1, 1), 0), plain_conv(x, "op", W * 3 / 2, 3, 2, 1, 1, 1)) \
  ROW(conv_1x1, clip_op_conv(b, x, "op", W * 3 / 2, window(1, 1, 0, 1, 1), CLIP_NO_BIAS), \
      plain_conv(x, "op", W * 3 / 2, 1, 1, 0, 1, 1)) \
  ROW(conv_dilated, clip_op_conv(b, x, "op", W + 1, window(3, 1, 1, 2, 1), CLIP_NO_BIAS), \
      plain_conv(x, "op", W + 1, 3, 1, 1, 2, 1)) \
  ROW(conv_grouped, clip_op_conv(b, x, "op", W * 3 / 2, window(3, 1, 1, 1, 2), 0), \
      plain_conv(x, "op", W * 3 / 2, 3, 1, 1, 1, 2)) \
  ROW(conv_depthwise, clip_op_conv(b, x, "op", W, window(3, 2, 1, 1, W), 0), plain_conv(x, "op", W, 3, 2, 1, 1, W)) \
  ROW(conv_late, conv_late(b, x, 1), plain_conv_to(x, "op", W, 3, 2, 0, 1, 1, 1)) \
  ROW(conv_depthwise_late, conv_late(b, x, W), plain_conv_to(x, "op", W, 3, 2, 0, 1, 1, W)) \
  ROW(conv_multiplied, clip_op_conv(b, x, "op", W * 2, window(3, 2, 1, 1, W), 0), plain_conv(x, "op", W * 2, 3, 2, 1, 1, W)) \
  ROW(batch_norm, clip_op_batch_norm(b, x, "op", 1e-5), plain_batch_norm(x, "op", 1e-5)) \
  ROW(layer_norm, clip_op_layer_norm(b, x, "op", 1e-5), plain_layer_norm(x, "op", 1e-5)) \
  ROW(rms_norm, clip_op_unary(b, "rms_norm", "op", x, &(clip_setting){"epsilon", 1e-5}, 1), plain_rms_norm(x, "op", 1e-5)) \
  ROW(rms_norm_heads, clip_op_unary(b, "rms_norm", "op", x, (const clip_setting[]){{"epsilon", 1e-5}, {"heads", 2}, {"offset", 1}}, 3), \
      plain_head_norm(x, "op", 2, 1, 0, 1e-5)) \
  ROW(layer_norm_bare, clip_op_unary(b, "layer_norm", "op", x, (const clip_setting[]){{"epsilon", 1e-5}, {"bias", 0}}, 2), \
      plain_head_norm(x, "op", 1, 0, 1, 1e-5)) \
  ROW(response_norm, clip_op_response_norm(b, x, "op", 1e-3), plain_response_norm(x, "op", 1e-3)) \
  ROW(normalize_heads, clip_op_normalize_heads(b, x, "scale", 2), plain_normalize_heads(x, "scale", 2)) \
  ROW(window_partition, clip_op_max_rows(b, partition(b, other(b, x), windows(0, 0))), \
      plain_reduce_rows(plain_windows(plain_other(x), windows(0, 0)), 1)) \
  ROW(window_merge, clip_op_window_merge(b, partition(b, x, windows(1, 1)), windows(1, 1)), x) \
  ROW(window_attention, in_windows(b, x, windows(0, 0), 4), plain_in_windows(x, windows(0, 0), 4, 1, 3)) \
  ROW(window_attention_moved, in_windows(b, x, windows(0, 1), 4), plain_in_windows(x, windows(0, 1), 4, 1, 3)) \
  ROW(window_attention_dilated, in_windows(b, x, (clip_windows){S, S, 3, 2, 0, 0, 0, 1}, 4), \
      plain_in_windows(x, (clip_windows){S, S, 3, 2, 0, 0, 0, 1}, 4, 1, 3)) \
  ROW(window_attention_pixels, in_windows(b, x, windows(0, 0), 0), plain_in_windows(x, windows(0, 0), -1, 1, 3)) \
  ROW(window_table, in_square(b, x), plain_in_windows(x, (clip_windows){S, S, 3, 3, 0, 0, 0, 0}, 0, 0, 1)) \
  ROW(patch_merging, clip_op_patch_merging(b, x), plain_patch_merging(x)) \
  ROW(dropout, clip_op_dropout(b, x, 0.4), x) \
  ROW(relu, clip_op_activate(b, x, CLIP_RELU), plain_activate(x, CLIP_RELU)) \
  ROW(gelu, clip_op_activate(b, x, CLIP_GELU), plain_activate(x, CLIP_GELU)) \
  ROW(quick_gelu, clip_op_activate(b, x, CLIP_QUICK_GELU), plain_activate(x, CLIP_QUICK_GELU)) \
  ROW(gelu_tanh, clip_op_activate(b, x, CLIP_GELU_TANH), plain_activate(x, CLIP_GELU_TANH)) \
  ROW(sigmoid, clip_op_activate(b, x, CLIP_SIGMOID), plain_activate(x, CLIP_SIGMOID)) \
  ROW(silu, clip_op_activate(b, x, CLIP_SILU), plain_activate(x, CLIP_SILU)) \
  ROW(tanh, clip_op_activate(b, x, CLIP_TANH), plain_activate(x, CLIP_TANH)) \
  ROW(avg_pool, clip_op_avg_pool(b, x, window(3, 2, 1, 1, 1)), plain_pool(x, 3, 2, 1, 0)) \
  ROW(avg_pool_inside, clip_op_avg_pool_inside(b, x, window(3, 2, 1, 1, 1)), plain_pool(x, 3, 2, 1, 2)) \
  ROW(max_pool, clip_op_max_pool(b, x, window(2, 2, 0, 1, 1)), plain_pool(x, 2, 2, 0, 1)) \
  ROW(resize_nearest, clip_op_resize(b, x, S + 3, S - 2, CLIP_RESIZE_NEAREST), plain_resize(x, S + 3, S - 2, 0)) \
  ROW(resize_larger, clip_op_resize(b, x, S + 5, S + 1, CLIP_RESIZE_BILINEAR), plain_resize(x, S + 5, S + 1, 1)) \
  ROW(resize_smaller, clip_op_resize(b, x, S - 2, S - 3, CLIP_RESIZE_BILINEAR), plain_resize(x, S - 2, S - 3, 1)) \
  CASE(channel_attention, clip_op_channel_attention(b, x, 2)) \
  CASE(spatial_attention, clip_op_spatial_attention(b, x, 3)) \
  CASE(scale_attention, clip_op_scale_attention(b, x, (const uint32_t[]){1, 3}, 2)) \
  CASE(feature_pyramid, pyramid(b, x)) \
  ROW(layer_norm_heads, clip_op_unary(b, "layer_norm", "op", clip_op_concat(b, x, x), (const clip_setting[]){{"epsilon", 1e-5}, {"heads", 2}}, 2), plain_concat(plain_layer_norm(x, "op", 1e-5), plain_layer_norm(x, "op", 1e-5))) \
  CASE(rotary_grid, turned(b, x, 0)) \
  CASE(rotary_grid_halves, turned(b, x, 1)) \
  CASE(grid_bias, attend_grid(b, x, 3)) \
  CASE(grid_bias_patches, attend_grid(b, x, 0)) \
  CASE(mean_rows_some, mean_of_some(b, x)) \
  CASE(positions_from, placed_from(b, x)) \
  ROW(add, clip_op_add(b, x, other(b, x)), plain_combine(x, plain_other(x), 0)) \
  ROW(add_same, add_same(b, other(b, x)), plain_combine(plain_other(x), plain_other(x), 0)) \
  ROW(add_row, clip_op_add(b, x, linear(b, clip_op_mean_rows(b, other(b, x)), "row")), \
      plain_combine(x, plain_linear(plain_reduce_rows(plain_other(x), 0), "row", W), 0)) \
  ROW(add_column, clip_op_add(b, x, clip_op_mean_columns(b, other(b, x))), \
      plain_combine(x, plain_reduce_columns(plain_other(x), 0), 0)) \
  ROW(multiply, clip_op_multiply(b, x, other(b, x)), plain_combine(x, plain_other(x), 1)) \
  ROW(multiply_same, multiply_same(b, other(b, x)), plain_combine(plain_other(x), plain_other(x), 1)) \
  ROW(multiply_row, clip_op_multiply(b, x, clip_op_mean_rows(b, other(b, x))), \
      plain_combine(x, plain_reduce_rows(plain_other(x), 0), 1)) \
  ROW(multiply_column, clip_op_multiply(b, x, clip_op_max_columns(b, other(b, x))), \
      plain_combine(x, plain_reduce_columns(plain_other(x), 1), 1)) \
  ROW(subtract, clip_op_subtract(b, x, other(b, x)), plain_combine(x, plain_other(x), 2)) \
  ROW(subtract_row, clip_op_subtract(b, x, clip_op_mean_rows(b, other(b, x))), \
      plain_combine(x, plain_reduce_rows(plain_other(x), 0), 2)) \
  ROW(subtract_column, clip_op_subtract(b, x, clip_op_mean_columns(b, other(b, x))), \
      plain_combine(x, plain_reduce_columns(plain_other(x), 0), 2)) \
  ROW(concat, clip_op_concat(b, x, other(b, x)), plain_concat(x, plain_other(x))) \
  ROW(mix, clip_op_mix(b, (const V[]){x, other(b, x)}, 2, "mix"), plain_mix(x, plain_other(x), "mix")) \
  ROW(mix_mean, clip_op_mix(b, (const V[]){x, other(b, x)}, 2, NULL), plain_mix(x, plain_other(x), NULL)) \
  ROW(max_rows, clip_op_max_rows(b, x), plain_reduce_rows(x, 1)) \
  ROW(attention, attend(b, rows(b, x), 0), plain_attend(plain_rows(x), 0)) \
  ROW(attention_same, attend_same(b, rows(b, x)), \
      plain_attention(plain_rows(x), plain_rows(x), plain_rows(x), 2, 0)) \
  CASE(attention_shared, attend_shared(b, rows(b, x))) \
  ROW(attention_bias, attend_given(b, x, square_bias), plain_attend_given(x, square_bias)) \
  ROW(attention_bias_window, attend_given(b, x, square_window), plain_attend_given(x, square_window)) \
  CASE(transformer, blocks(b, rows(b, x))) \
  /* One matrix for two layers, the second of which reads the first. */ \
  ROW(linear_twice, linear(b, clip_op_activate(b, linear(b, rows(b, x), "l"), CLIP_TANH), "l"), \
      plain_linear(plain_activate(plain_linear(plain_rows(x), "l", W), CLIP_TANH), "l", W)) \
  CASE(class_token, class_token(b, rows(b, x))) \
  CASE(checkpointed, residual_layers(b, rows(b, x))) \
  CASE(sample_bend, sample(b, "test.op.bend", "op", x, 0)) \
  CASE(sample_gather, sample(b, "test.op.gather", "op", x, clip_op_mean_rows(b, x))) \
  CASE(sample_same, sample(b, "test.op.product", "op", x, x)) \
  CASE(sample_first, x) \
  CASE(sample_all, sample_chain(b, x))

/* Ops that cannot be trained: ROW and CASE as above. */
#define UNTRAINED_CASES(CASE) \
  CASE(sample_blind, sample(b, "test.op.blind", "op", x, 0)) \
  CASE(sample_spoiled, sample(b, "test.op.spoiled", "op", x, 0))

/* The same with an end rule: x is a text's token embeddings, W wide. */
#define TEXT_CASES(ROW, CASE) \
  ROW(plain_text, CLIP_END_TOKEN_ID, x, x) \
  ROW(positions, CLIP_END_TOKEN_ID, clip_op_positions(b, x, "position", 0), plain_positions(x, "position")) \
  ROW(position_table, CLIP_END_TOKEN_ID, clip_op_positions(b, x, "position", 9), plain_positions(x, "position")) \
  ROW(table_row, CLIP_END_TOKEN_ID, clip_op_add(b, x, clip_op_table_row(b, "types", 3, 1, W)), \
      plain_combine(x, plain_table_row("types", 1, W), 0)) \
  CASE(causal, CLIP_END_TOKEN_ID, clip_op_end_row(b, clip_op_add(b, x, attend(b, x, CLIP_CAUSAL)))) \
  ROW(causal_mean, CLIP_END_TOKEN_ID, attend(b, x, CLIP_CAUSAL), plain_attend(x, 1)) \
  ROW(grouped_heads, CLIP_END_TOKEN_ID, attend_with(b, x, -1, grouped), plain_attend_with(x, NULL, 0, grouped)) \
  ROW(window, CLIP_END_TOKEN_ID, attend_with(b, x, -1, narrow), plain_attend_with(x, NULL, 0, narrow)) \
  ROW(causal_window, CLIP_END_TOKEN_ID, attend_with(b, x, -1, trailing), plain_attend_with(x, NULL, 0, trailing)) \
  ROW(buckets, CLIP_END_TOKEN_ID, attend_with(b, x, clip_op_table(b, "bias", 4, 2), bucketed), plain_attend_with(x, "bias", 4, bucketed)) \
  ROW(causal_buckets, CLIP_END_TOKEN_ID, attend_with(b, x, clip_op_table(b, "bias", 6, 2), bucketed_trailing), \
      plain_attend_with(x, "bias", 6, bucketed_trailing)) \
  ROW(disentangled, CLIP_END_TOKEN_ID, disentangle(b, x, 3, 3, 0), plain_disentangle(x, 3, 3, 0)) \
  ROW(disentangled_keys, CLIP_END_TOKEN_ID, disentangle(b, x, 1, 4, 5), plain_disentangle(x, 1, 4, 5)) \
  ROW(disentangled_queries, CLIP_END_TOKEN_ID, disentangle(b, x, 2, 4, 9), plain_disentangle(x, 2, 4, 9)) \
  ROW(scaled_embedding, CLIP_END_TOKEN_ID, scaled_embedding(b, x), plain_scaled(x, 3.5)) \
  ROW(sinusoids, CLIP_END_TOKEN_ID, clip_op_add(b, x, clip_op_sinusoids(b, x, fairseq)), plain_combine(x, plain_sinusoids(x.rows, fairseq), 0)) \
  ROW(rotary, CLIP_END_TOKEN_ID, turn(b, x, angles, 1, 0), plain_rotary(plain_linear(x, "q", W), plain_sinusoids(x.rows, angles), 1, 0)) \
  ROW(rotary_pairs, CLIP_END_TOKEN_ID, turn(b, x, (clip_sinusoids){4, 10, 0, 0, 0}, 1, 1), \
      plain_rotary(plain_linear(x, "q", W), plain_sinusoids(x.rows, (clip_sinusoids){4, 10, 0, 0, 0}), 1, 1)) \
  CASE(last_query, CLIP_END_TOKEN_ID, last_query(b, x)) \
  CASE(padding, CLIP_END_PADDING, attend(b, x, 0)) \
  ROW(last, CLIP_END_LAST, attend(b, x, 0), plain_attend(x, 0)) \
  CASE(class_after, CLIP_END_LAST, class_after(b, x)) \
  ROW(max, CLIP_END_TOKEN_ID, clip_op_max_rows(b, x), plain_reduce_rows(x, 1)) \
  CASE(tanh_first, CLIP_END_TOKEN_ID, clip_op_activate(b, linear(b, clip_op_first_row(b, x), "pool"), CLIP_TANH)) \
  CASE(text_dropout, CLIP_END_TOKEN_ID, clip_op_dropout(b, x, 0.3)) \
  CASE(sample_running, CLIP_END_TOKEN_ID, clip_op_mean_rows(b, sample(b, "test.op.running", "op", x, 0))) \
  CASE(sample_end, CLIP_END_TOKEN_ID, \
       clip_op_end_row(b, sample(b, "test.op.bend", "op", sample(b, "test.op.running", "", x, 0), 0)))

typedef struct {
  const char *name;
  V (*value)(B *b, V x);
  plain (*loops)(plain x); /* NULL: there is no formula */
  clip_end_rule rule;
} op_case;

#define VALUE(name, expression) static V value_##name(B *b, V x) { return (void)b, expression; }
#define LOOPS(name, expression) static plain loops_##name(plain x) { return expression; }
#define IMAGE_ROW(name, expression, formula) VALUE(name, expression) LOOPS(name, formula)
#define TEXT_ROW(name, rule, expression, formula) VALUE(name, expression) LOOPS(name, formula)
#define TEXT_CASE(name, rule, expression) VALUE(name, expression)
IMAGE_CASES(IMAGE_ROW, VALUE)
UNTRAINED_CASES(VALUE)
TEXT_CASES(TEXT_ROW, TEXT_CASE)
#undef IMAGE_ROW
#undef TEXT_ROW
#undef TEXT_CASE
#define IMAGE_ROW(name, expression, formula) {#name, value_##name, loops_##name, 0},
#define IMAGE_CASE(name, expression) {#name, value_##name, NULL, 0},
#define TEXT_ROW(name, rule, expression, formula) {#name, value_##name, loops_##name, rule},
#define TEXT_CASE(name, rule, expression) {#name, value_##name, NULL, rule},
static const op_case image_cases[] = {IMAGE_CASES(IMAGE_ROW, IMAGE_CASE)};
static const op_case untrained_cases[] = {UNTRAINED_CASES(IMAGE_CASE)};
static const op_case text_cases[] = {TEXT_CASES(TEXT_ROW, TEXT_CASE)};
enum {
  image_count = sizeof image_cases / sizeof *image_cases,
  untrained_count = sizeof untrained_cases / sizeof *untrained_cases,
  text_count = sizeof text_cases / sizeof *text_cases,
};

/* The cases under test. */
static const op_case *image_case, *text_case;

/* Names of the ops that rows have called. */
static char called_ops[4096];
static clip_value (*host_op)(clip_builder *b, const char *op, const char *name, const clip_value *inputs, size_t input_count,
                             const clip_setting *settings, size_t setting_count);
static V record_op(B *b, const char *op, const char *name, const V *inputs, size_t input_count, const clip_setting *settings,
                   size_t setting_count) {
  char entry[128];
  snprintf(entry, sizeof entry, " %s,", op);
  if (!strstr(called_ops, entry)) strcat(called_ops, entry);
  return host_op(b, op, name, inputs, input_count, settings, setting_count);
}
static void record_ops(B *b) { host_op = b->op, b->op = record_op; }

static V build_image(B *b) {
  record_ops(b);
  V x = clip_op_pixels(b, S, S);
  /* Nobody wants the gradient by pixels: an op without one may stand before all that learns. */
  if (!strcmp(image_case->name, "sample_first"))
    x = sample(b, "test.op.bend", "op", sample(b, "test.op.blind", "", x, 0), 0);
  x = image_case->value(b, clip_op_conv(b, x, "stem", W, window(3, 1, 1, 1, 1), 0));
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", 5, 0);
}

static V build_text(B *b) {
  record_ops(b);
  clip_end_rule rule = text_case->rule;
  V ids = clip_op_tokens(b, 20, 6, rule, rule == CLIP_END_PADDING ? 0 : 19);
  V x = text_case->value(b, clip_op_embedding(b, ids, "table", W));
  return clip_op_linear(b, clip_op_mean_rows(b, x), "head", 5, 0);
}

/* Builds nothing: its error lists the library's ops. */
static V build_unknown(B *b) { return b->op(b, "unknown", NULL, NULL, 0, NULL, 0); }

static const clip_encoder encoders[] = {
    {.struct_size = sizeof(clip_encoder), .tower = CLIP_TOWER_IMAGE, .id = "test.encoder.image-op",
     .description = "one op of an image", .build = build_image},
    {.struct_size = sizeof(clip_encoder), .tower = CLIP_TOWER_TEXT, .id = "test.encoder.text-op",
     .description = "one op of a text", .build = build_text},
    {.struct_size = sizeof(clip_encoder), .tower = CLIP_TOWER_IMAGE, .id = "test.encoder.unknown-op",
     .description = "an op that nobody brings", .build = build_unknown},
};
static const clip_plugin_item items[] = {
    {CLIP_KIND_ENCODER, &encoders[0]}, {CLIP_KIND_ENCODER, &encoders[1]}, {CLIP_KIND_ENCODER, &encoders[2]},
    {CLIP_KIND_OP, &samples[0]}, {CLIP_KIND_OP, &samples[1]}, {CLIP_KIND_OP, &samples[2]},
    {CLIP_KIND_OP, &samples[3]}, {CLIP_KIND_OP, &samples[4]}, {CLIP_KIND_OP, &samples[5]}};
static const clip_plugin plugin = {
    sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, "test.ops", "1.0.0", "Apache-2.0", items, sizeof items / sizeof *items};
static const clip_plugin *op_cases_entry(void) { return &plugin; }
