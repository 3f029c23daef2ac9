/* plugin/builtin_ops.h: the ops of the library, as inline functions over clip_builder.op. Those of grids are in
 * grid_ops.h. */
#ifndef CLIPCORE_PLUGIN_BUILTIN_OPS_H
#define CLIPCORE_PLUGIN_BUILTIN_OPS_H

#include "encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pre-norm transformer blocks, those of both CLIP towers, in scopes "resblocks.<i>":
 *   x = x + attn.out_proj(attention(attn.q_proj, attn.k_proj, attn.v_proj of ln_1(x)))
 *   x = x + mlp.c_proj(activation(mlp.c_fc(ln_2(x)))) */
typedef struct clip_transformer {
  uint32_t layers;    /* 0 to 1024 */
  uint32_t heads;     /* divides the width */
  uint32_t mlp_width;
  clip_activation activation;
  uint32_t flags;     /* CLIP_CAUSAL */
  double epsilon;     /* of the layer norms */
} clip_transformer;

/* An op of one input. */
static inline clip_value clip_op_unary(clip_builder *b, const char *op, const char *name, clip_value x,
                                       const clip_setting *settings, size_t setting_count) {
  return b->op(b, op, name, &x, 1, settings, setting_count);
}

/* An op of two inputs, without parameters or settings. */
static inline clip_value clip_op_binary(clip_builder *b, const char *op, clip_value x, clip_value y) {
  const clip_value inputs[] = {x, y};
  return b->op(b, op, NULL, inputs, 2, NULL, 0);
}

/* Shape of a value; all zeros after an error. */
static inline clip_shape clip_shape_of(clip_builder *b, clip_value x) {
  clip_shape shape;
  b->shape(b, x, &shape);
  return shape;
}

/* ---- Inputs ---- */

/* The image: a grid of height x width rows, 3 wide. */
static inline clip_value clip_op_pixels(clip_builder *b, uint32_t height, uint32_t width) {
  const clip_setting settings[] = {{"height", (double)height}, {"width", (double)width}};
  return b->op(b, "pixels", NULL, NULL, 0, settings, 2);
}

/* The text: one row for each token id, width 1. Ids are in [0, vocabulary), at most context_length of them. The end
 * rule finds the row that clip_op_end_row takes; end_token matters to CLIP_END_TOKEN_ID and CLIP_END_PADDING. */
static inline clip_value clip_op_tokens(clip_builder *b, uint32_t vocabulary, uint32_t context_length,
                                        clip_end_rule rule, int32_t end_token) {
  const clip_setting settings[] = {{"vocabulary", (double)vocabulary}, {"context_length", (double)context_length},
                                   {"end_rule", (double)rule}, {"end_token", (double)end_token}};
  return b->op(b, "tokens", NULL, NULL, 0, settings, 4);
}

/* A parameter "<name>" [width] as one row, the same for every item. */
static inline clip_value clip_op_row_parameter(clip_builder *b, const char *name, uint32_t width) {
  const clip_setting settings[] = {{"width", (double)width}};
  return b->op(b, "row_parameter", name, NULL, 0, settings, 1);
}

/* A parameter "<name>" [rows, width] as that many rows, the same for every item. */
static inline clip_value clip_op_table(clip_builder *b, const char *name, uint32_t rows, uint32_t width) {
  const clip_setting settings[] = {{"rows", (double)rows}, {"width", (double)width}};
  return b->op(b, "table", name, NULL, 0, settings, 2);
}

/* Row `row` of a parameter "<name>" [rows, width], such as a token type's embedding. */
static inline clip_value clip_op_table_row(clip_builder *b, const char *name, uint32_t rows, uint32_t row,
                                           uint32_t width) {
  const clip_setting settings[] = {{"rows", (double)rows}, {"row", (double)row}, {"width", (double)width}};
  return b->op(b, "table_row", name, NULL, 0, settings, 3);
}

/* ---- Row by row ---- */

/* "<name>.weight" [features, width], "<name>.bias" [features]. flags: CLIP_NO_BIAS. */
static inline clip_value clip_op_linear(clip_builder *b, clip_value x, const char *name, uint32_t features,
                                        uint32_t flags) {
  const clip_setting settings[] = {{"features", (double)features}, {"bias", flags & CLIP_NO_BIAS ? 0.0 : 1.0}};
  return clip_op_unary(b, "linear", name, x, settings, 2);
}

/* Rows of "<name>.weight" [vocabulary, width] picked by token. */
static inline clip_value clip_op_embedding(clip_builder *b, clip_value tokens, const char *name, uint32_t width) {
  const clip_setting settings[] = {{"width", (double)width}};
  return clip_op_unary(b, "embedding", name, tokens, settings, 1);
}

/* Adds row i of "<name>" [rows, width] to row i. rows: at least the most rows of x; 0: exactly that many. */
static inline clip_value clip_op_positions(clip_builder *b, clip_value x, const char *name, uint32_t rows) {
  const clip_setting settings[] = {{"rows", (double)rows}};
  return clip_op_unary(b, "positions", name, x, settings, 1);
}

/* Row i has the cosines, then the sines, of (first + i) times each of width / 2 frequencies, theta^(-2 j / width) / factor.
 * With `spread` the frequencies are theta^(-j / (width / 2 - 1)), and sines come first. x gives the number of rows. */
typedef struct clip_sinusoids {
  uint32_t width; /* even */
  double theta;
  double factor;  /* 0: 1 */
  uint32_t first;
  uint32_t spread;
} clip_sinusoids;
static inline clip_value clip_op_sinusoids(clip_builder *b, clip_value x, clip_sinusoids options) {
  const clip_setting settings[] = {{"width", (double)options.width},
                                   {"theta", options.theta},
                                   {"factor", options.factor == 0 ? 1 : options.factor},
                                   {"first", (double)options.first},
                                   {"spread", (double)options.spread}};
  return clip_op_unary(b, "sinusoids", NULL, x, settings, 5);
}

/* Rotary positions (Su et al., 2021): rotates pairs of elements in each head by `angles` (cosines, then sines, as from
 * clip_op_sinusoids); elements without an angle stay. A pair is element i and the one half of the rotated elements later
 * or, with `interleaved`, elements 2 i and 2 i + 1. */
static inline clip_value clip_op_rotary(clip_builder *b, clip_value x, clip_value angles, uint32_t heads,
                                        uint32_t interleaved) {
  const clip_value inputs[] = {x, angles};
  const clip_setting settings[] = {{"heads", (double)heads}, {"interleaved", (double)interleaved}};
  return b->op(b, "rotary", NULL, inputs, 2, settings, 2);
}

/* "<name>.weight" and "<name>.bias" [width]. */
static inline clip_value clip_op_layer_norm(clip_builder *b, clip_value x, const char *name, double epsilon) {
  const clip_setting settings[] = {{"epsilon", epsilon}};
  return clip_op_unary(b, "layer_norm", name, x, settings, 1);
}

/* x / sqrt(mean of squares + epsilon) * "<name>.weight" [width]. */
static inline clip_value clip_op_rms_norm(clip_builder *b, clip_value x, const char *name, double epsilon) {
  const clip_setting settings[] = {{"epsilon", epsilon}};
  return clip_op_unary(b, "rms_norm", name, x, settings, 1);
}

/* "<name>.weight", ".bias", ".running_mean" and ".running_var" [width]. */
static inline clip_value clip_op_batch_norm(clip_builder *b, clip_value x, const char *name, double epsilon) {
  const clip_setting settings[] = {{"epsilon", epsilon}};
  return clip_op_unary(b, "batch_norm", name, x, settings, 1);
}

/* Scales each head of each row to unit length times e^"<name>" [heads, 1, 1], at most 100; name NULL: times 1. */
static inline clip_value clip_op_normalize_heads(clip_builder *b, clip_value x, const char *name, uint32_t heads) {
  const clip_setting settings[] = {{"heads", (double)heads}};
  return clip_op_unary(b, "normalize_heads", name, x, settings, 1);
}

static inline clip_value clip_op_activate(clip_builder *b, clip_value x, clip_activation activation) {
  const clip_setting settings[] = {{"activation", (double)activation}};
  return clip_op_unary(b, "activate", NULL, x, settings, 1);
}

/* Sum and product. y has x's shape, or is one row, which is used for each row of x, or has x's rows and width 1, each
 * element of which is used for a whole row. x and y may be exchanged. */
static inline clip_value clip_op_add(clip_builder *b, clip_value x, clip_value y) { return clip_op_binary(b, "add", x, y); }
static inline clip_value clip_op_multiply(clip_builder *b, clip_value x, clip_value y) {
  return clip_op_binary(b, "multiply", x, y);
}

/* x - y, where x is not the smaller. */
static inline clip_value clip_op_subtract(clip_builder *b, clip_value x, clip_value y) {
  return clip_op_binary(b, "subtract", x, y);
}

/* Rows of x and y side by side. */
static inline clip_value clip_op_concat(clip_builder *b, clip_value x, clip_value y) {
  return clip_op_binary(b, "concat", x, y);
}

/* Of 1 to 1024 values of one shape: the sum of weights[i] * values[i], the weights a softmax of "<name>" [count];
 * with name NULL their mean. */
static inline clip_value clip_op_mix(clip_builder *b, const clip_value *values, size_t count, const char *name) {
  return b->op(b, "mix", name, values, count, NULL, 0);
}

/* Training only: sets values to 0 with a probability from 0 to below 1, and scales the others. */
static inline clip_value clip_op_dropout(clip_builder *b, clip_value x, double probability) {
  const clip_setting settings[] = {{"probability", probability}};
  return clip_op_unary(b, "dropout", NULL, x, settings, 1);
}

/* The mean or the maximum of each row: width 1. */
static inline clip_value clip_op_mean_columns(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "mean_columns", NULL, x, NULL, 0);
}
static inline clip_value clip_op_max_columns(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "max_columns", NULL, x, NULL, 0);
}

/* ---- Between rows ---- */

/* q, k and v are of one width, with the heads side by side in it. flags: CLIP_CAUSAL. */
static inline clip_value clip_op_attention(clip_builder *b, clip_value q, clip_value k, clip_value v, uint32_t heads,
                                           uint32_t flags) {
  const clip_value inputs[] = {q, k, v};
  const clip_setting settings[] = {{"heads", (double)heads}, {"causal", flags & CLIP_CAUSAL ? 1.0 : 0.0}};
  return b->op(b, "attention", NULL, inputs, 3, settings, 2);
}

/* Attention with options. bias, or -1 for none, is added to the scaled scores. It has a row for each query with heads x
 * keys elements or, with bias_distance, a row for each bucket of distances with an element for each head: the first half
 * for keys before the query, the second for keys after it (T5, Raffel et al., 2020). */
typedef struct clip_attention_options {
  uint32_t heads, kv_heads; /* kv_heads 0: as many; neighbouring heads share keys and values */
  uint32_t flags;           /* CLIP_CAUSAL */
  double scale;             /* the factor of q k'; 0: 1 / sqrt(width of a head) */
  uint32_t window;          /* a query sees keys at most this far away; 0: all */
  uint32_t bias_distance;   /* distances from this one on share a bucket; 0: bias has a row for each query */
} clip_attention_options;
static inline clip_value clip_op_attention_with(clip_builder *b, clip_value q, clip_value k, clip_value v, clip_value bias,
                                                clip_attention_options options) {
  const clip_value inputs[] = {q, k, v, bias};
  const clip_setting settings[] = {{"heads", (double)options.heads},
                                   {"causal", options.flags & CLIP_CAUSAL ? 1.0 : 0.0},
                                   {"kv_heads", (double)options.kv_heads},
                                   {"scale", options.scale},
                                   {"window", (double)options.window},
                                   {"bias_distance", (double)options.bias_distance}};
  return b->op(b, "attention", NULL, inputs, bias < 0 ? 3 : 4, settings, 6);
}

/* DeBERTa's attention (He et al., 2021). key_positions and query_positions have 2 span rows, one for each bucket of the
 * offset of a query from a key; one of the two may be -1. With distance, offsets beyond span / 2 share buckets on a
 * logarithmic scale up to distance; 0: each offset has its own bucket. */
static inline clip_value clip_op_disentangled_attention(clip_builder *b, clip_value q, clip_value k, clip_value v,
                                                        clip_value key_positions, clip_value query_positions,
                                                        uint32_t heads, double scale, uint32_t span, uint32_t distance) {
  const clip_value inputs[] = {q, k, v, key_positions < 0 ? query_positions : key_positions, query_positions};
  const clip_setting settings[] = {{"heads", (double)heads},
                                   {"scale", scale},
                                   {"span", (double)span},
                                   {"distance", (double)distance},
                                   {"key_positions", key_positions < 0 ? 0.0 : 1.0},
                                   {"query_positions", query_positions < 0 ? 0.0 : 1.0}};
  return b->op(b, "disentangled_attention", NULL, inputs, key_positions < 0 || query_positions < 0 ? 4 : 5, settings, 6);
}

/* Adds the one row of `row` before the rows of x. */
static inline clip_value clip_op_prepend(clip_builder *b, clip_value x, clip_value row) {
  return clip_op_binary(b, "prepend", x, row);
}

/* One row: the first, the one at a text's end, the mean of all, the maximum of each column. */
static inline clip_value clip_op_first_row(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "first_row", NULL, x, NULL, 0);
}
static inline clip_value clip_op_end_row(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "end_row", NULL, x, NULL, 0);
}
static inline clip_value clip_op_mean_rows(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "mean_rows", NULL, x, NULL, 0);
}
static inline clip_value clip_op_max_rows(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "max_rows", NULL, x, NULL, 0);
}

/* x (1 + "<name>.weight" u) + "<name>.bias", both [width]. u is the norm of a column over an item's rows, divided by the
 * mean of all columns' norms plus epsilon (ConvNeXt V2, Woo et al., 2023). */
static inline clip_value clip_op_response_norm(clip_builder *b, clip_value x, const char *name, double epsilon) {
  const clip_setting settings[] = {{"epsilon", epsilon}};
  return clip_op_unary(b, "response_norm", name, x, settings, 1);
}

/* ---- Compositions ---- */

static inline clip_value clip_op_transformer(clip_builder *b, clip_value x, clip_transformer options) {
  const clip_setting settings[] = {{"layers", (double)options.layers},
                                   {"heads", (double)options.heads},
                                   {"mlp_width", (double)options.mlp_width},
                                   {"activation", (double)options.activation},
                                   {"causal", options.flags & CLIP_CAUSAL ? 1.0 : 0.0},
                                   {"epsilon", options.epsilon}};
  return clip_op_unary(b, "transformer", NULL, x, settings, 6);
}

/* 1 to 32 grids from fine to coarse, brought to `features` by "lateral_convs.<i>" (1 x 1), summed from the top down,
 * smoothed by "output_convs.<i>" (3 x 3): a pyramid (Lin et al., 2017). Its levels, at the finest one's size, are
 * averaged. */
static inline clip_value clip_op_feature_pyramid(clip_builder *b, const clip_value *levels, size_t count,
                                                 uint32_t features) {
  const clip_setting settings[] = {{"features", (double)features}};
  return b->op(b, "feature_pyramid", NULL, levels, count, settings, 1);
}

/* x times the sigmoid of a two-layer network, "fc.0" and "fc.2" without bias, width / reduction between, of the mean
 * and of the maximum of all pixels (CBAM, Woo et al., 2018). */
static inline clip_value clip_op_channel_attention(clip_builder *b, clip_value x, uint32_t reduction) {
  const clip_setting settings[] = {{"reduction", (double)reduction}};
  return clip_op_unary(b, "channel_attention", NULL, x, settings, 1);
}

/* x times the sigmoid of "conv", kernel x kernel without bias, of each pixel's mean and maximum. */
static inline clip_value clip_op_spatial_attention(clip_builder *b, clip_value x, uint32_t kernel) {
  const clip_setting settings[] = {{"kernel", (double)kernel}};
  return clip_op_unary(b, "spatial_attention", NULL, x, settings, 1);
}

/* Mix by "scale_weights" of the convolutions "scales.<i>" of x with itself, one for each of `count` odd kernel sizes,
 * 32 at most. */
static inline clip_value clip_op_scale_attention(clip_builder *b, clip_value x, const uint32_t *kernels, size_t count) {
  clip_setting settings[33]; /* one more than the op takes, so that it refuses what does not fit here */
  if (count > 33) count = 33;
  for (size_t i = 0; i < count; i++) {
    settings[i].name = "kernel";
    settings[i].value = (double)kernels[i];
  }
  return clip_op_unary(b, "scale_attention", NULL, x, settings, count);
}

#ifdef __cplusplus
}
#endif

#include "grid_ops.h"

#endif
