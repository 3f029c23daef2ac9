/* clip_plugin.h: what a plugin and libclipcore say to each other.
 *
 * A plugin is a shared library with one exported function, clip_plugin_entry. It returns a
 * table that lists what the plugin brings: encoders, image codecs, kernels. A plugin links
 * nothing of clipcore: the host hands it tables of functions.
 *
 * Rules
 * -----
 * Scanning.    clip_plugin_entry and the table it returns make no host call, start nothing and
 *              allocate nothing that unloading would leak. The host may call it more than once;
 *              the same pointer comes back. The table and its strings live until unload.
 * Structs.     Every struct starts with struct_size, set by whoever owns the memory. Both sides
 *              grow structs at the end, and read a field only if struct_size covers it.
 * Versions.    abi_version is (major << 16) | minor. A plugin loads when its major is the
 *              host's; fields of a later minor are absent, never different.
 * Ids.         "<vendor>.<kind>.<name>" in [a-z0-9.-], as clipcore's "clipcore.encoder.clip-vit".
 * Threads.     Functions of a table may be called from any thread, also at the same time;
 *              the memory a call gets is that call's own.
 * Trust.       A plugin runs with the host's rights: load only what you would link. The bytes
 *              that it is handed (images, configs) are not trusted, and must not crash it.
 */
#ifndef CLIPCORE_CLIP_PLUGIN_H
#define CLIPCORE_CLIP_PLUGIN_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CLIP_PLUGIN_ABI_VERSION ((uint32_t)((1u << 16) | 0u))

/* One thing a plugin brings. `table` is a clip_encoder, clip_image_codec or clip_kernels as
 * `kind` says; a kind that the host does not know is skipped. */
typedef struct clip_plugin_item {
  uint32_t kind; /* clip_plugin_kind */
  uint32_t reserved;
  const void *table;
} clip_plugin_item;

typedef struct clip_plugin {
  uint32_t struct_size;
  uint32_t abi_version; /* CLIP_PLUGIN_ABI_VERSION of the header the plugin was built with */
  const char *id;
  const char *version;  /* the plugin's own, "1.0.0" */
  const char *license;  /* SPDX expression, "Apache-2.0" */
  const clip_plugin_item *items;
  size_t item_count;
} clip_plugin;

/* The one function a plugin exports. */
typedef const clip_plugin *(*clip_plugin_entry_fn)(void);

/* ---------------------------------------------------------------- encoders */

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
};

/* An encoder builds its graph; the host owns parameters, memory, threads and everything after.
 * The value returned is one row for each item: its features. */
typedef struct clip_encoder {
  uint32_t struct_size;
  uint32_t tower; /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  const char *id;
  const char *description;
  clip_value (*build)(clip_builder *builder);
} clip_encoder;

/* ---------------------------------------------------------------- image codecs */

/* Where a codec puts the words of a failure: at most `capacity` bytes with the NUL. */
typedef struct clip_codec_error {
  char *message;
  size_t capacity;
} clip_codec_error;

typedef struct clip_codec_header {
  uint32_t struct_size;
  uint32_t width;  /* pixels */
  uint32_t height;
  clip_pixel_format format; /* what decode will write: RGB, RGBA or GRAY */
} clip_codec_header;

/* Decoding takes two steps, so that the host can refuse a size before memory is taken.
 * read_header looks at the header alone. decode writes every pixel of `header`'s size to
 * `pixels`, rows `stride` bytes apart. A file cut short is CLIP_FORMAT, never half a picture. */
typedef struct clip_image_codec {
  uint32_t struct_size;
  uint32_t reserved;
  const char *id;
  const char *description;
  const char *extensions; /* lower case, comma-separated: "jpg,jpeg" */
  int (*recognises)(const uint8_t *data, size_t size); /* 1 when the first bytes are this format's */
  clip_status (*read_header)(const uint8_t *data, size_t size, clip_codec_header *header, clip_codec_error *error);
  clip_status (*decode)(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels,
                        size_t stride, clip_codec_error *error);
} clip_image_codec;

/* ---------------------------------------------------------------- kernels */

/* Processor features a kernel set needs; the host runs it only where all are there. */
enum {
  CLIP_CPU_AVX2 = 1u,
  CLIP_CPU_FMA = 2u,
  CLIP_CPU_F16C = 4u,
  CLIP_CPU_AVX512 = 8u /* F, BW, CD, DQ and VL: x86-64-v4 */
};

/* One block of C = after(activation(A B' + bias) + residual): the tiles [tile_begin, tile_end) of A's
 * rows and the panels [panel_begin, panel_end) of the packed weights. Panel p makes columns
 * [p * panel_width, (p + 1) * panel_width) of C, cut at `columns`; tile t of T makes the rows
 * from rows * t / T (rounded down) to rows * (t + 1) / T, where T is rows / tile_rows rounded up. Each
 * number of C is summed over depth in one fixed order, whatever the block and the rows around it, so
 * results do not depend on how work was cut. */
typedef struct clip_matmul {
  const float *a;          /* all rows, as pack_rows wrote them */
  const void *weights;     /* all panels, as pack_panel wrote them */
  clip_storage storage;
  clip_activation activation;
  float *c;                /* row 0, column 0 of C */
  size_t c_stride;         /* floats from row to row */
  const float *bias;       /* [columns] or NULL */
  const float *residual;   /* row 0, column 0, or NULL; may be c itself */
  size_t residual_stride;
  size_t rows, columns, depth;
  size_t tile_begin, tile_end;
  size_t panel_begin, panel_end;
  clip_activation after;   /* applied to the sum with a residual; without one it is not */
} clip_matmul;

/* Attention of one head over one item: out = softmax(scale Q K') V. Query i sits at position
 * first_query + i; with causal, it sees keys [0, first_query + i]. */
typedef struct clip_attention {
  const float *q, *k, *v;
  size_t q_stride, k_stride, v_stride; /* floats from row to row */
  float *out;
  size_t out_stride;
  size_t queries, keys, width; /* width of the head */
  size_t first_query;
  float scale;
  uint32_t causal;
  float *scratch;          /* attention_scratch(keys, width) floats */
} clip_attention;

/* Winograd's convolution F(2 x 2, 3 x 3) (Lavin and Gray, 2015, https://arxiv.org/abs/1509.09308), of stride
 * and padding 1: Y = A' (sum over channels of (G g G') * (B' d B)) A. A picture of height x width
 * is (height + 1) / 2 lines of (width + 1) / 2 tiles of 2 x 2 pixels, the last of which may reach
 * over its edge. Tiles count from top left, picture after picture, and never mix.
 *
 * Input: B' d B of each of `tiles` tiles, where d is the 4 x 4 pixels about it, zeros outside of the
 * picture. The 16 numbers of a channel go to 16 matrices [rows, channels], one behind the other, each as
 * pack_rows writes it for CLIP_STORAGE_F32. The tiles are their rows from first_row on. */
typedef struct clip_winograd_input {
  const float *x;          /* the first picture; pixels are `channels` floats, dense */
  size_t height, width, channels;
  size_t first_tile, tiles;
  float *packed;
  size_t first_row, rows;
} clip_winograd_input;

/* Output: C = after(activation(A' m A + bias) + residual), m the 16 numbers of a tile and column. */
typedef struct clip_winograd_output {
  float *products;         /* 16 matrices [tiles, columns], dense; not kept */
  size_t height, width, columns;
  size_t first_tile, tiles;
  clip_activation activation;
  clip_activation after;   /* applied to the sum with a residual; without one it is not */
  float *c;                /* the first picture's first pixel; pixels are c_stride floats apart */
  size_t c_stride;
  const float *bias;       /* [columns] or NULL */
  const float *residual;   /* the first picture's first pixel, or NULL; may be c itself */
  size_t residual_stride;
} clip_winograd_output;

/* A set of kernels for one instruction set. Pointers need no alignment but the packed weights
 * and scratch, which are at 64 bytes. Rows of different items never mix. */
typedef struct clip_kernels {
  uint32_t struct_size;
  uint32_t features;    /* CLIP_CPU_* needed */
  const char *id;
  const char *description;
  uint32_t rank;        /* of the sets a machine can run, the highest is taken */
  uint32_t panel_width; /* columns in a panel */
  uint32_t tile_rows;   /* rows in a tile at most */
  uint32_t storages;    /* bit (1 << clip_storage) for each storage that matmul reads */

  /* Bytes of one packed panel of `depth`, a multiple of 64. */
  size_t (*panel_bytes)(size_t depth, clip_storage storage);
  /* Packs rows [0, rows) of weights [rows, depth], rows <= panel_width; missing rows are 0. */
  void (*pack_panel)(const float *weights, size_t stride, size_t rows, size_t depth, clip_storage storage,
                     void *panel);
  /* Floats that `rows` packed rows of A take. */
  size_t (*packed_rows)(size_t rows, size_t depth, clip_storage storage);
  /* Packs `count` rows of A, which are the rows from `first` on of `rows` rows in all. */
  void (*pack_rows)(const float *a, size_t stride, size_t first, size_t count, size_t rows, size_t depth,
                    clip_storage storage, float *packed);
  void (*matmul)(const clip_matmul *work);

  size_t (*attention_scratch)(size_t keys, size_t width);
  void (*attention)(const clip_attention *work);

  /* y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each row; y may be x. */
  void (*layer_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t width,
                     const float *weight, const float *bias, float epsilon);
  /* y = activation(x * scale + shift), scale and shift [width] or NULL; y may be x. */
  void (*scale_shift)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t width,
                      const float *scale, const float *shift, clip_activation activation);
  /* y = x + z; y may be either. */
  void (*add)(const float *x, size_t x_stride, const float *z, size_t z_stride, float *y, size_t y_stride,
              size_t rows, size_t width);
  /* y = x / |x| for each row, a row of zeros stays; y may be x. */
  void (*normalize)(const float *x, float *y, size_t rows, size_t width);

  void (*winograd_input)(const clip_winograd_input *work);
  void (*winograd_output)(const clip_winograd_output *work);
} clip_kernels;

#ifdef __cplusplus
}
#endif

#endif
