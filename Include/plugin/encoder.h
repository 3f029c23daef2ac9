/* plugin/encoder.h: encoders, which build graphs. */
#ifndef CLIPCORE_PLUGIN_ENCODER_H
#define CLIPCORE_PLUGIN_ENCODER_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A node of the graph being built, below 0 after an error: errors are sticky, so a plugin
 * passes values on without checking them.
 *
 * Every value is rows x width, for each item of the batch its own rows. A picture is a grid:
 * its rows are its pixels from top left, its width the channels. */
typedef int32_t clip_value;

typedef enum clip_activation {
  CLIP_IDENTITY = 0,
  CLIP_RELU = 1,
  CLIP_GELU = 2,       /* x * Phi(x), exact (Hendrycks and Gimpel, 2016) */
  CLIP_QUICK_GELU = 3, /* x * sigmoid(1.702 x) */
  CLIP_GELU_TANH = 4,  /* GELU's tanh approximation */
  CLIP_SIGMOID = 5,
  CLIP_SILU = 6,
  CLIP_TANH = 7
} clip_activation;

enum {
  CLIP_NO_BIAS = 1u,  /* linear, conv: there is no "<name>.bias" */
  CLIP_CAUSAL = 2u    /* attention: a row sees itself and the rows before it */
};

typedef enum clip_end_rule {
  CLIP_END_LARGEST_ID = 0, /* the first position of a text's largest token id */
  CLIP_END_TOKEN_ID = 1,   /* the first position of the token id given */
  CLIP_END_PADDING = 2,    /* before the first token of the id given, or the last position; rows from
                              there on are never computed, as if masked */
  CLIP_END_LAST = 3        /* the last position, whatever token is there */
} clip_end_rule;

/* How a grid gets another size, as PyTorch's interpolate does with align_corners false. */
typedef enum clip_resize {
  CLIP_RESIZE_NEAREST = 0,
  CLIP_RESIZE_BILINEAR = 1
} clip_resize;

/* Convolution and pooling windows, in pixels. 0 means: kernel 1, stride 1, padding 0,
 * dilation 1, groups 1. */
typedef struct clip_window {
  uint32_t struct_size;
  uint32_t kernel_height, kernel_width;
  uint32_t stride;
  uint32_t padding; /* zeros on every side; pooling leaves them out of a maximum */
  uint32_t dilation;
  uint32_t groups;  /* convolution only: divides both channel counts */
} clip_window;

/* A pre-norm transformer block, the one of both CLIP towers:
 *   x = x + out_proj(attention(q_proj, k_proj, v_proj of ln_1(x)))
 *   x = x + c_proj(activation(c_fc(ln_2(x)))) */
typedef struct clip_transformer {
  uint32_t struct_size;
  uint32_t layers;
  uint32_t heads;     /* divides the width */
  uint32_t mlp_width;
  clip_activation activation;
  uint32_t flags;     /* CLIP_CAUSAL */
  float epsilon;      /* of the layer norms */
} clip_transformer;

/* What the host hands to an encoder's build function. Names of parameters are put under the
 * scopes pushed so far, joined by dots. Shapes are those of PyTorch. Functions return a new
 * value, or one below 0 after an error; they may be called only during build. [owner-thread] */
typedef struct clip_builder clip_builder;
struct clip_builder {
  uint32_t struct_size;
  void *host; /* the host's own */

  /* The encoder's configuration: numbers of a JSON object. `key` may be a path with dots.
   * need_int: an absent key, or a value outside [low, high], is an error. get_*: absent gives
   * the fallback; another type is an error. Strings live until build returns. */
  int64_t (*need_int)(clip_builder *b, const char *key, int64_t low, int64_t high);
  int64_t (*get_int)(clip_builder *b, const char *key, int64_t fallback);
  double (*get_number)(clip_builder *b, const char *key, double fallback);
  const char *(*get_string)(clip_builder *b, const char *key, const char *fallback);
  /* Integers in the array at key, at most `capacity` written; returns its length, 0 if absent. */
  size_t (*get_ints)(clip_builder *b, const char *key, int64_t *values, size_t capacity);

  /* Records an error with the plugin's own words; the first one is what the caller sees. */
  void (*fail)(clip_builder *b, const char *message);

  /* Parameters named from here on are under "<name>."; pop undoes the last push. */
  void (*push)(clip_builder *b, const char *name);
  void (*pop)(clip_builder *b);

  /* Inputs. pixels: a grid of height x width rows, 3 wide. tokens: one row for each token id,
   * width 1; ids are in [0, vocabulary), at most context_length of them; the end rule finds the
   * row that end_row() takes. */
  clip_value (*pixels)(clip_builder *b, uint32_t height, uint32_t width);
  clip_value (*tokens)(clip_builder *b, uint32_t vocabulary, uint32_t context_length, clip_end_rule rule,
                       int32_t end_token);

  /* Parameters as values. row_parameter: "<name>" [width], one row. */
  clip_value (*row_parameter)(clip_builder *b, const char *name, uint32_t width);

  /* Row by row. linear: "<name>.weight" [features, width], "<name>.bias" [features].
   * embedding: rows of "<name>.weight" [vocabulary, width] picked by token.
   * positions: adds row i of "<name>" [at least rows, width] to row i.
   * layer_norm: "<name>.weight" and ".bias" [width].
   * batch_norm: "<name>.weight", ".bias", ".running_mean", ".running_var" [width]. */
  clip_value (*linear)(clip_builder *b, clip_value x, const char *name, uint32_t features, uint32_t flags);
  clip_value (*embedding)(clip_builder *b, clip_value tokens, const char *name, uint32_t width);
  clip_value (*positions)(clip_builder *b, clip_value x, const char *name);
  clip_value (*layer_norm)(clip_builder *b, clip_value x, const char *name, float epsilon);
  clip_value (*batch_norm)(clip_builder *b, clip_value x, const char *name, float epsilon);
  clip_value (*activate)(clip_builder *b, clip_value x, clip_activation activation);
  clip_value (*add)(clip_builder *b, clip_value x, clip_value y);

  /* Between rows. attention: q, k and v of one width, heads side by side in it.
   * prepend: the one row of `row` before the rows of x. first_row, end_row, mean_rows: one row. */
  clip_value (*attention)(clip_builder *b, clip_value q, clip_value k, clip_value v, uint32_t heads, uint32_t flags);
  clip_value (*prepend)(clip_builder *b, clip_value x, clip_value row);
  clip_value (*first_row)(clip_builder *b, clip_value x);
  clip_value (*end_row)(clip_builder *b, clip_value x);
  clip_value (*mean_rows)(clip_builder *b, clip_value x);

  /* On grids. conv: "<name>.weight" [features, width / groups, kernel_height, kernel_width],
   * "<name>.bias" [features]. Output sides are floor((side + 2 padding - dilation (kernel - 1)
   * - 1) / stride) + 1. avg_pool counts padding in, as PyTorch does by default. */
  clip_value (*conv)(clip_builder *b, clip_value x, const char *name, uint32_t features, const clip_window *window,
                     uint32_t flags);
  clip_value (*avg_pool)(clip_builder *b, clip_value x, const clip_window *window);
  clip_value (*max_pool)(clip_builder *b, clip_value x, const clip_window *window);

  /* Parts: compositions of the above. transformer: blocks "resblocks.<i>" with parameters
   * ln_1, attn.{q,k,v,out}_proj, ln_2, mlp.c_fc, mlp.c_proj. */
  clip_value (*transformer)(clip_builder *b, clip_value x, const clip_transformer *options);

  /* Facts of a value; 0 after an error. rows is 0 where it differs from text to text. */
  uint32_t (*width_of)(clip_builder *b, clip_value x);
  uint32_t (*rows_of)(clip_builder *b, clip_value x);

  /* Sides of a grid; 0 for what is none. */
  uint32_t (*grid_height_of)(clip_builder *b, clip_value x);
  uint32_t (*grid_width_of)(clip_builder *b, clip_value x);

  /* Composition. encoder: the features of the encoder plugin `id`, of the same modality, built into
   * this graph with parameters under "<scope>." (NULL: the same scope) and the configuration at
   * `key` (NULL: an empty one). image_height, image_width, vocab_size and context_length are this
   * encoder's where that has none. Inputs are shared: both must ask for the same. At most 8 deep.
   * publish: names a value for the encoders that compose this one; published: "<scope>.<name>" of
   * one composed before. */
  clip_value (*encoder)(clip_builder *b, const char *id, const char *scope, const char *key);
  void (*publish)(clip_builder *b, const char *name, clip_value x);
  clip_value (*published)(clip_builder *b, const char *name);

  /* table_row: row `row` of "<name>" [rows, width], such as a token type's embedding.
   * position_table: positions, from a table "<name>" of `rows` rows, at least as many as x has. */
  clip_value (*table_row)(clip_builder *b, const char *name, uint32_t rows, uint32_t row, uint32_t width);
  clip_value (*position_table)(clip_builder *b, clip_value x, const char *name, uint32_t rows);

  /* add (above) and multiply: y has x's shape, or is one row that stands for all of x's rows, or is
   * as many rows of width 1, a number for each row. The other way round works too.
   * concat: rows of x and y side by side. dropout: x, at inference.
   * mix: sum of weights[i] * values[i], the weights a softmax of "<name>" [count]; with name NULL
   * their mean. */
  clip_value (*multiply)(clip_builder *b, clip_value x, clip_value y);
  clip_value (*concat)(clip_builder *b, clip_value x, clip_value y);
  clip_value (*dropout)(clip_builder *b, clip_value x, float probability);
  clip_value (*mix)(clip_builder *b, const clip_value *values, size_t count, const char *name);

  /* max_rows: one row, the maximum of each column. mean_columns, max_columns: one number a row. */
  clip_value (*max_rows)(clip_builder *b, clip_value x);
  clip_value (*mean_columns)(clip_builder *b, clip_value x);
  clip_value (*max_columns)(clip_builder *b, clip_value x);

  /* On grids; a value of one row is a grid of 1 x 1 for conv and pooling. */
  clip_value (*resize)(clip_builder *b, clip_value x, uint32_t height, uint32_t width, clip_resize mode);

  /* Parts.
   * feature_pyramid: grids from fine to coarse, brought to `features` by "lateral_convs.<i>" (1 x 1),
   *   summed from the top down, smoothed by "output_convs.<i>" (3 x 3): a pyramid (Lin et al., 2017);
   *   its levels, at the finest one's size, are averaged.
   * channel_attention: x times the sigmoid of a two-layer network, "fc.0" and "fc.2" without bias,
   *   width / reduction between, of the mean and of the maximum of all pixels (CBAM, Woo et al., 2018).
   * spatial_attention: x times the sigmoid of "conv", kernel x kernel without bias, of each pixel's
   *   mean and maximum.
   * scale_attention: mix by "scale_weights" of the convolutions "scales.<i>" of x with itself, one
   *   for each odd kernel size. */
  clip_value (*feature_pyramid)(clip_builder *b, const clip_value *levels, size_t count, uint32_t features);
  clip_value (*channel_attention)(clip_builder *b, clip_value x, uint32_t reduction);
  clip_value (*spatial_attention)(clip_builder *b, clip_value x, uint32_t kernel);
  clip_value (*scale_attention)(clip_builder *b, clip_value x, const uint32_t *kernels, size_t count);

  /* The op `id` that a plugin brings (clip_op below), over `count` values, with its parameters under
   * "<name>." and as many settings as it takes. */
  clip_value (*custom)(clip_builder *b, const char *id, const char *name, const clip_value *values, size_t count,
                       const double *settings, size_t setting_count);
};

/* An encoder builds its graph; the host owns parameters, memory, threads and everything after.
 * The value returned is one row for each item: its features. */
typedef struct clip_encoder {
  uint32_t struct_size;
  uint32_t tower; /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  const char *id;
  const char *description;
  clip_value (*build)(clip_builder *builder);

  /* From here on a table may end.
   * example: a configuration that builds, as JSON: what `clip plugins check` and clip_encoder_describe
   *   take where they are given none; the sizes of a well-known model. NULL: "{}".
   * strengths: what the encoder is good at, "local-detail:3,texture:2": a clip_need's name and 1 to 3,
   *   for clip_recommend_encoders. NULL: none declared. */
  const char *example;
  const char *strengths;
} clip_encoder;

#ifdef __cplusplus
}
#endif

#endif
