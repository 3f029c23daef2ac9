/* clip_plugin.h: what a plugin and libclipcore say to each other.
 *
 * A plugin is a shared library with one exported function, clip_plugin_entry. It returns a
 * table that lists what the plugin brings: encoders, ops, image codecs, tokenizers, kernels, augmentations.
 * A plugin links nothing of clipcore: the host hands it tables of functions.
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

/* One thing a plugin brings. `table` is a clip_encoder, clip_op, clip_image_codec, clip_kernels or
 * clip_tokenizer or clip_augmentation as `kind` says; a kind that the host does not know is skipped. */
typedef struct clip_plugin_item {
  uint32_t kind; /* clip_plugin_kind */
  uint32_t reserved;
  const void *table;
} clip_plugin_item;

/* clip_plugin and the type of the one function that a plugin exports, clip_plugin_entry_fn, are
 * named in clip.h. */
struct clip_plugin {
  uint32_t struct_size;
  uint32_t abi_version; /* CLIP_PLUGIN_ABI_VERSION of the header the plugin was built with */
  const char *id;       /* of the plugin: no other that is loaded has it */
  const char *version;  /* the plugin's own, "1.0.0" */
  const char *license;  /* SPDX expression, "Apache-2.0" */
  const clip_plugin_item *items;
  size_t item_count;
};

/* Where a plugin's function puts the words of a failure: at most `capacity` bytes with the NUL. */
typedef struct clip_plugin_error {
  char *message;
  size_t capacity;
} clip_plugin_error;

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

/* ---------------------------------------------------------------- ops */

/* How many rows a value has for one item. */
typedef enum clip_rows {
  CLIP_ROWS_ONE = 0,
  CLIP_ROWS_FIXED = 1, /* row_count rows, for every item the same: a picture's */
  CLIP_ROWS_TOKENS = 2 /* as many as the item has tokens */
} clip_rows;

/* Shape of a value: rows x width for each item. This struct stays as it is. */
typedef struct clip_shape {
  clip_rows rows;
  uint32_t row_count;   /* 1, a number, or 0 for CLIP_ROWS_TOKENS */
  uint32_t width;       /* 1 to 2^20 */
  uint32_t grid_height; /* where rows are pixels, sides whose product is row_count; else 0 */
  uint32_t grid_width;
} clip_shape;

/* One use of an op in a graph: what an encoder gave to clip_builder.custom. */
typedef struct clip_op_use {
  uint32_t struct_size;
  uint32_t input_count;
  const clip_shape *inputs;
  const double *settings;
  size_t setting_count;
  void *user;           /* clip_op.user */
} clip_op_use;

/* A parameter: its name after the op's own and a dot, and its shape, of 1 to 4 sides. It is
 * looked up in the checkpoint as any other. This struct stays as it is. */
typedef struct clip_op_parameter {
  const char *name; /* lives as long as the plugin */
  uint32_t rank;
  uint32_t shape[4];
} clip_op_parameter;

/* Rows of numbers, dense. This struct stays as it is. */
typedef struct clip_block {
  float *data;
  size_t rows;
  size_t width;
} clip_block;

/* One call of forward: one item, or for a row-wise op any stretch of rows. */
typedef struct clip_op_run {
  uint32_t struct_size;
  uint32_t input_count;
  const clip_op_use *use;
  const clip_block *inputs;        /* not to be written */
  clip_block output;               /* every number is to be written */
  const float *const *parameters;  /* dense, in the order that parameters gave */
  float *scratch;                  /* at 64 bytes, this call's own; NULL where scratch gives 0 */
} clip_op_run;

/* One call of backward: rows as one call of forward has them. Gradients are dense, as large as what they are of,
 * and are added to. NaN or infinity in them ends the step with CLIP_NOT_FINITE, which names the op. */
typedef struct clip_op_gradient {
  uint32_t struct_size;
  uint32_t reserved;
  const clip_op_run *run;     /* as forward had it, the output computed; scratch has no content */
  const float *output;        /* the loss's gradient by the output */
  float *const *inputs;       /* to be added to; an entry is NULL where nobody wants it, and the same twice for a
                                 value that is given twice */
  float *const *parameters;   /* to be added to; never NULL */
} clip_op_gradient;

enum {
  CLIP_OP_ROW_WISE = 1u,  /* row i of the output is made from row i of each input alone */
  CLIP_OP_IN_PLACE = 2u   /* the output may lie where the first input does, if their shapes are one */
};

/* An op of a plugin's own. Functions may be called from any thread, also at the same time, and
 * must give the same numbers each time. The host checks what they answer. */
typedef struct clip_op {
  uint32_t struct_size;
  uint32_t flags;         /* CLIP_OP_* */
  const char *id;         /* "<vendor>.op.<name>" */
  const char *description;
  uint32_t input_count;   /* 1 to 8 */
  uint32_t setting_count; /* 0 to 64 */
  void *user;             /* handed on in clip_op_use; may be NULL */

  /* The output's shape. Anything but CLIP_OK refuses this use; *message may then say why, a string
   * that lives as long as the plugin. */
  clip_status (*shape)(const clip_op_use *use, clip_shape *output, const char **message);
  /* Writes at most `capacity` parameters and returns how many there are, 64 at most. NULL: none. */
  size_t (*parameters)(const clip_op_use *use, clip_op_parameter *list, size_t capacity);
  /* Floats of scratch for a call of forward or backward over `rows` rows of output. NULL: none. */
  size_t (*scratch)(const clip_op_use *use, size_t rows);
  void (*forward)(const clip_op_run *run);
  void (*backward)(const clip_op_gradient *gradient); /* NULL: training through it is an error */
} clip_op;

/* ---------------------------------------------------------------- image codecs */

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
  clip_status (*read_header)(const uint8_t *data, size_t size, clip_codec_header *header, clip_plugin_error *error);
  clip_status (*decode)(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels,
                        size_t stride, clip_plugin_error *error);
} clip_image_codec;

/* ---------------------------------------------------------------- augmentations */

/* A stream of random numbers, handed to one call of apply: Philox 4x32-10 (Salmon et al., 2011),
 * started by the caller's seed, the item and the step of the pipeline. The same calls in the same
 * order give the same numbers on any thread and machine. Not for keys or passwords. */
typedef struct clip_random clip_random;
struct clip_random {
  uint32_t struct_size;
  void *host; /* the host's own */
  uint32_t (*bits)(clip_random *random);              /* 32 random bits */
  double (*uniform)(clip_random *random);             /* in [0, 1), a multiple of 2^-53 */
  uint32_t (*below)(clip_random *random, uint32_t n); /* in [0, n), each as likely as the others; 0 for n = 0 */
  double (*normal)(clip_random *random);              /* mean 0, deviation 1 */
};

/* The parameters of one step, checked against what the augmentation declares; what the step does not
 * name has its default. To ask for a parameter that is not declared, or by the function of another
 * type, fails create with words that say so. Pointers live until create returns. */
typedef struct clip_settings clip_settings;
struct clip_settings {
  uint32_t struct_size;
  void *host;
  /* A number or integer; 0 or 1 for a boolean; which of the choices, from 0, for a choice. */
  double (*number)(const clip_settings *settings, const char *name);
  /* How many numbers, and where they are. */
  size_t (*numbers)(const clip_settings *settings, const char *name, const double **values);
  /* A text, or the word of a choice. */
  const char *(*text)(const clip_settings *settings, const char *name);
};

/* How Pillow's Image.resize weighs pixels; all but the nearest are antialiased. */
typedef enum clip_resample {
  CLIP_RESAMPLE_NEAREST = 0,
  CLIP_RESAMPLE_BILINEAR = 1,
  CLIP_RESAMPLE_BICUBIC = 2,
  CLIP_RESAMPLE_LANCZOS = 3
} clip_resample;

/* Where an image augmentation's result goes. allocate gives memory for a picture of that size, rows
 * *stride bytes apart; every pixel is to be written. NULL means refused (too large, no memory, a
 * second call, no such format): the host has the words, so apply returns any failure. The memory
 * is the host's, and writable until apply returns. */
typedef struct clip_image_sink clip_image_sink;
struct clip_image_sink {
  uint32_t struct_size;
  void *host;
  uint8_t *(*allocate)(clip_image_sink *sink, uint32_t width, uint32_t height, clip_pixel_format format,
                       size_t *stride);
  /* Writes `in` as Pillow resizes it: width x height pixels of red, green and blue, rows `stride` bytes
   * apart. A part of a picture is a view with its first pixel, its size and the whole's stride. Any number
   * of calls, into any memory. 0 means refused: the host has the words, so apply returns any failure. */
  int (*resize)(clip_image_sink *sink, const clip_image_view *in, clip_resample resample, uint32_t width,
                uint32_t height, uint8_t *pixels, size_t stride);
};

/* Where a text augmentation's result goes, piece by piece. append gives 0 when it refuses (too long,
 * no memory): the host has the words, so apply returns any failure. */
typedef struct clip_text_sink clip_text_sink;
struct clip_text_sink {
  uint32_t struct_size;
  void *host;
  int (*append)(clip_text_sink *sink, const char *bytes, size_t size);
  /* Counts a text that stays as it is since what the augmentation works with, such as a translator,
   * failed: clip_pipeline_failures. */
  void (*count_failure)(clip_text_sink *sink);
};

/* An augmentation: a step of a pipeline. CLIP_KIND_IMAGE_AUGMENTATION has apply_image,
 * CLIP_KIND_TEXT_AUGMENTATION apply_text; the other is NULL. apply may be called on one instance from
 * any threads at once, so an instance does not change after create. */
typedef struct clip_augmentation clip_augmentation;
struct clip_augmentation {
  uint32_t struct_size;
  uint32_t formats;        /* bit (1 << clip_pixel_format) for each that apply_image takes; 0: all. The host
                              converts others, and the result back */
  const char *id;          /* "clipcore.augment.color-jitter" */
  const char *op;          /* its name in pipelines, [a-z0-9_]: "color_jitter" */
  const char *description; /* one line */
  double probability;      /* of a step that names no "p"; 0: 1. The host draws: apply always applies */
  const clip_parameter *parameters; /* names "op", "p" and "weight" are the pipeline's */
  size_t parameter_count;  /* at most 64 */
  const void *context;     /* the plugin's own, for create */

  /* Makes an instance with a step's parameters. NULL: there is nothing to make, instances are NULL. */
  clip_status (*create)(const clip_augmentation *self, const clip_settings *settings, void **instance,
                        clip_plugin_error *error);
  /* Frees it; NULL where there is nothing to free. */
  void (*destroy)(void *instance);

  /* Writes a new picture. To return CLIP_OK without a call of allocate leaves the picture as it is. */
  clip_status (*apply_image)(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                             clip_plugin_error *error);
  /* Writes a new text, UTF-8 without NUL. `text` is such a text of `size` bytes; it ends with a NUL. */
  clip_status (*apply_text)(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random,
                            clip_plugin_error *error);
};
/* ---------------------------------------------------------------- tokenizers */

/* A tokenizer whose model is a file in a format of its own. The host cleans the text before, and adds
 * end token and padding after. A file that is malformed is CLIP_FORMAT. */
typedef struct clip_tokenizer {
  uint32_t struct_size;
  uint32_t reserved;
  const char *id;
  const char *description;
  /* Reads a model file of `size` bytes, which are not needed after the call. *tokenizer is the host's
   * to close, and does not change: the functions below may run on it at the same time. */
  clip_status (*open)(const uint8_t *data, size_t size, void **tokenizer, clip_plugin_error *error);
  /* The number of tokens; their ids are below it. */
  size_t (*token_count)(const void *tokenizer);
  /* The id of the token of that name, such as "</s>"; -1 where there is none. */
  int32_t (*token_id)(const void *tokenizer, const char *name);
  /* The ids of `size` bytes of UTF-8 without NUL. *count is how many there are; the first `capacity` of
   * them are written to `ids`. */
  clip_status (*encode)(const void *tokenizer, const char *text, size_t size, int32_t *ids, size_t capacity,
                        size_t *count, clip_plugin_error *error);
  void (*close)(void *tokenizer);
} clip_tokenizer;

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
 * results do not depend on how work was cut. With CLIP_STORAGE_INT8 a set may round A to 16 bits, each
 * row by its own numbers alone. */
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
