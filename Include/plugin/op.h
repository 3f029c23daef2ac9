/* plugin/op.h: ops of a plugin's own. */
#ifndef CLIPCORE_PLUGIN_OP_H
#define CLIPCORE_PLUGIN_OP_H

#include "encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One use of an op in a graph: what an encoder passed to clip_builder.op. */
typedef struct clip_op_use {
  uint32_t struct_size;
  uint32_t input_count;
  const clip_shape *inputs;
  const double *settings; /* in the order of clip_op.setting_names; never NaN */
  size_t setting_count;
  void *user;             /* clip_op.user */
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
  uint32_t setting_count; /* 0 to 64, all of which a use must name */
  const char *const *setting_names; /* NULL where setting_count is 0 */
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

#ifdef __cplusplus
}
#endif

#endif
