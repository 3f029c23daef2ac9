/* plugin/op.h: ops that a plugin brings. */
#ifndef CLIPCORE_PLUGIN_OP_H
#define CLIPCORE_PLUGIN_OP_H

#include "encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* One use of an op in a graph: what an encoder passed to clip_builder.op. */
typedef struct clip_op_use {
  uint32_t struct_size;
  uint32_t input_count;
  const clip_shape *inputs;
  const double *settings; /* in the order of clip_op.setting_names; finite */
  size_t setting_count;
  void *user;             /* clip_op.user */
} clip_op_use;

/* A parameter, named "<name of the use>.<name>" in a model folder, of 1 to 4 sides. This struct does not grow. */
typedef struct clip_op_parameter {
  const char *name; /* lives as long as the plugin */
  uint32_t rank;
  uint32_t shape[4];
} clip_op_parameter;

/* Dense rows of elements. This struct does not grow. */
typedef struct clip_block {
  float *data;
  size_t rows;
  size_t width;
} clip_block;

/* One call of forward: the rows of one item or, for a row-wise op, any range of rows. */
typedef struct clip_op_run {
  uint32_t struct_size;
  uint32_t input_count;
  const clip_op_use *use;
  const clip_block *inputs;       /* read only */
  clip_block output;              /* forward must write every element */
  const float *const *parameters; /* dense, in the order of clip_op.parameters */
  float *scratch;                 /* aligned to 64 bytes, for this call alone; NULL if clip_op.scratch returns 0 */
} clip_op_run;

/* One call of backward, for the same rows as a call of forward. Gradients are dense and have the shapes of what they
 * belong to. backward adds to them. NaN or infinity in one ends the step with CLIP_NOT_FINITE, naming the op. */
typedef struct clip_op_gradient {
  uint32_t struct_size;
  const clip_op_run *run;   /* inputs, output and parameters of forward; the content of scratch is undefined */
  const float *output;      /* gradient of the loss with respect to the output; read only */
  float *const *inputs;     /* an entry is NULL if no gradient is wanted; a value that is used twice has the same
                               entry twice */
  float *const *parameters; /* never NULL */
} clip_op_gradient;

enum {
  CLIP_OP_ROW_WISE = 1u, /* row i of the output depends on row i of each input alone */
  CLIP_OP_IN_PLACE = 2u  /* the output may use the memory of the first input, where their shapes are equal */
};

/* An op. Its functions may be called on any thread, several at once, and must return the same results for the same
 * inputs. The host checks what they return. */
typedef struct clip_op {
  uint32_t struct_size;
  uint32_t flags;                   /* CLIP_OP_* */
  const char *id;                   /* "<vendor>.op.<name>" */
  const char *description;
  uint32_t input_count;             /* 1 to 8 */
  uint32_t setting_count;           /* 0 to 64 */
  const char *const *setting_names; /* each use must give all of them; NULL if setting_count is 0 */
  void *user;                       /* passed in clip_op_use; may be NULL */

  /* Writes the output's shape. Any status but CLIP_OK refuses the use; *message may then be set to the reason, a
   * string that lives as long as the plugin. */
  clip_status (*CLIP_NONNULL shape)(const clip_op_use *use, clip_shape *output, const char **message);
  /* Writes at most `capacity` parameters and returns how many there are, 64 at most. NULL: none. */
  size_t (*parameters)(const clip_op_use *use, clip_op_parameter *list, size_t capacity);
  /* Returns the floats of scratch that a call of forward or backward on `rows` rows of output needs. NULL: none. */
  size_t (*scratch)(const clip_op_use *use, size_t rows);
  void (*CLIP_NONNULL forward)(const clip_op_run *run);
  void (*backward)(const clip_op_gradient *gradient); /* NULL: training through the op is an error */
} clip_op;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
