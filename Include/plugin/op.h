/* plugin/op.h: ops of a plugin's own. */
#ifndef CLIPCORE_PLUGIN_OP_H
#define CLIPCORE_PLUGIN_OP_H

#include "encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
