/* plugin/encoder.h: encoders, which build graphs. */
#ifndef CLIPCORE_PLUGIN_ENCODER_H
#define CLIPCORE_PLUGIN_ENCODER_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* A value of the graph being built. Below 0 after an error: errors are sticky, so a plugin passes values on without
 * checking them. A value has rows of `width` elements for each item of the batch. An image is a grid: its rows are
 * its pixels, from the top left, its width the number of channels. */
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
  CLIP_END_PADDING = 2,    /* before the first token of the id given, or the last position; rows after the end are
                              never computed, as if masked */
  CLIP_END_LAST = 3        /* the last position, whatever token is there */
} clip_end_rule;

/* How a grid gets another size, as PyTorch's interpolate does with align_corners false. */
typedef enum clip_resize {
  CLIP_RESIZE_NEAREST = 0,
  CLIP_RESIZE_BILINEAR = 1
} clip_resize;

/* How many rows a value has for one item. */
typedef enum clip_rows {
  CLIP_ROWS_ONE = 0,
  CLIP_ROWS_FIXED = 1, /* row_count rows, the same for every item: an image's */
  CLIP_ROWS_TOKENS = 2 /* one row for each token of the item */
} clip_rows;

/* Shape of a value: rows x width for each item. This struct does not grow. */
typedef struct clip_shape {
  clip_rows rows;
  uint32_t row_count;   /* 1, a count, or 0 for CLIP_ROWS_TOKENS */
  uint32_t width;       /* 1 to 2^20 */
  uint32_t grid_height; /* where rows are pixels: sides whose product is row_count; else 0 */
  uint32_t grid_width;
} clip_shape;

/* A setting of an op: a size, a flag (0 or 1), an enum's value or a real number. This struct does not grow. */
typedef struct clip_setting {
  const char *name;
  double value;
} clip_setting;

/* What the host passes to an encoder's build function. Its functions may be called only during build, on the
 * thread that build was called on. */
typedef struct clip_builder clip_builder;
struct clip_builder {
  uint32_t struct_size;
  void *host;

  /* The encoder's configuration: values of a JSON object. `key` may be a path with dots.
   * need_int: an absent key, or a value outside [low, high], is an error. get_*: an absent key returns
   * `fallback`; a value of another type is an error. Strings live until build returns. */
  int64_t (*CLIP_NONNULL need_int)(clip_builder *b, const char *key, int64_t low, int64_t high);
  int64_t (*CLIP_NONNULL get_int)(clip_builder *b, const char *key, int64_t fallback);
  double (*CLIP_NONNULL get_number)(clip_builder *b, const char *key, double fallback);
  const char *(*CLIP_NONNULL get_string)(clip_builder *b, const char *key, const char *fallback);
  /* Integers in the array at key, at most `capacity` written; returns its length, 0 if absent. */
  size_t (*CLIP_NONNULL get_ints)(clip_builder *b, const char *key, int64_t *values, size_t capacity);

  /* Records an error with this message. The first error of a build is the one that is reported. */
  void (*CLIP_NONNULL fail)(clip_builder *b, const char *message);

  /* Parameters named from here on are under "<name>."; pop undoes the last push. */
  void (*CLIP_NONNULL push)(clip_builder *b, const char *name);
  void (*CLIP_NONNULL pop)(clip_builder *b);

  /* The result of an op on values: a built-in one (builtin_ops.h) or the id of one that a plugin brings (op.h).
   * Its parameters are named "<name>.<parameter>" under the scopes pushed so far; NULL or "" where it takes none.
   * A setting that is left out has its default. Returns the value, or one below 0 after an error. */
  clip_value (*CLIP_NONNULL op)(clip_builder *b, const char *op, const char *name, const clip_value *inputs,
                                size_t input_count, const clip_setting *settings, size_t setting_count);

  /* Writes the shape of a value; all zeros after an error. */
  void (*CLIP_NONNULL shape)(clip_builder *b, clip_value x, clip_shape *shape);

  /* Composition. encoder: the features of the encoder plugin `id`, of the same modality, built into
   * this graph with parameters under "<scope>." (NULL: the same scope) and the configuration at
   * `key` (NULL: an empty one). image_height, image_width, vocab_size and context_length are this
   * encoder's where that has none. Inputs are shared: both must ask for the same. At most 8 deep.
   * set_output: names a value for the encoders that compose this one. output: the value that the encoder
   * composed under `scope` has named so, as "<scope>.<name>". */
  clip_value (*CLIP_NONNULL encoder)(clip_builder *b, const char *id, const char *scope, const char *key);
  void (*CLIP_NONNULL set_output)(clip_builder *b, const char *name, clip_value x);
  clip_value (*CLIP_NONNULL output)(clip_builder *b, const char *name);
};

/* An encoder. build calls ops and returns their result, one row for each item: its features. */
typedef struct clip_encoder {
  uint32_t struct_size;
  uint32_t tower; /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  const char *id;
  const char *description;
  clip_value (*CLIP_NONNULL build)(clip_builder *builder);

  /* A table may end before these.
   * example: a configuration that builds, as JSON, with the sizes of a well-known model: the default of
   *   `clip plugins check` and clip_encoder_describe. NULL: "{}".
   * strengths: what the encoder is good at, as names of clip_need with 1 to 3, "local-detail:3,texture:2", for
   *   clip_recommend_encoders. NULL: none. */
  const char *example;
  const char *strengths;
} clip_encoder;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
