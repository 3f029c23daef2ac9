/* plugin/grid_ops.h: the ops of the library on grids, whose rows are pixels. Part of builtin_ops.h. */
#ifndef CLIPCORE_PLUGIN_GRID_OPS_H
#define CLIPCORE_PLUGIN_GRID_OPS_H

#include "builtin_ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The window of a convolution or pooling, in pixels. 0 means: kernel 1, stride 1, padding 0, dilation 1, groups 1. */
typedef struct clip_window {
  uint32_t kernel_height, kernel_width;
  uint32_t stride;
  uint32_t padding; /* zeros on every side; a maximum leaves them out, a mean counts them, as PyTorch does */
  uint32_t dilation;
  uint32_t groups;  /* of a convolution: divides both channel counts */
} clip_window;

/* ---- In windows of a grid (Swin, Liu et al., 2021) ---- */

/* The division of a grid into windows: a cyclic shift up and left, zeros up to whole windows, then windows from the top
 * left. clip_op_window_partition takes height and width from its input; there they may be 0. */
typedef struct clip_windows {
  uint32_t height, width;               /* of the grid */
  uint32_t window_height, window_width; /* at most the grid's */
  uint32_t shift_height, shift_width;   /* below the window's */
  uint32_t shifts_first;                /* 1: the shift is before the padding, as in timm */
  uint32_t dilated;                     /* 1: a window has pixels a grid of windows apart, not neighbours (MobileViT) */
} clip_windows;

/* Writes the settings of windows, 6 or with the grid 8, and returns their number. */
static inline size_t clip_window_settings(clip_windows w, clip_setting *settings, int with_grid) {
  const clip_setting all[] = {{"window_height", (double)w.window_height}, {"window_width", (double)w.window_width},
                              {"shift_height", (double)w.shift_height}, {"shift_width", (double)w.shift_width},
                              {"shifts_first", (double)w.shifts_first}, {"dilated", (double)w.dilated},
                              {"height", (double)w.height}, {"width", (double)w.width}};
  const size_t count = with_grid ? 8 : 6;
  for (size_t i = 0; i < count; i++) settings[i] = all[i];
  return count;
}

/* The rows of all windows, one window after another. */
static inline clip_value clip_op_window_partition(clip_builder *b, clip_value x, clip_windows windows) {
  clip_setting settings[8];
  return clip_op_unary(b, "window_partition", NULL, x, settings, clip_window_settings(windows, settings, 0));
}
/* The grid, from the rows of its windows. */
static inline clip_value clip_op_window_merge(clip_builder *b, clip_value x, clip_windows windows) {
  clip_setting settings[8];
  return clip_op_unary(b, "window_merge", NULL, x, settings, clip_window_settings(windows, settings, 1));
}
/* Attention inside each window: softmax(scale q k' + bias_scale bias) v. scale 0: 1 / sqrt(width of a head). bias, or -1
 * for none, has a row for each offset of a query from a key, (2 window_height - 1) (2 window_width - 1) rows from the
 * most negative offset on, across first, and an element for each head. After a shift, pixels from opposite edges of the
 * grid do not see each other. */
static inline clip_value clip_op_window_attention(clip_builder *b, clip_value q, clip_value k, clip_value v, clip_value bias,
                                                  uint32_t heads, clip_windows windows, double scale, double bias_scale) {
  const clip_value inputs[] = {q, k, v, bias};
  clip_setting settings[11] = {{"heads", (double)heads}, {"scale", scale}, {"bias_scale", bias_scale}};
  return b->op(b, "window_attention", NULL, inputs, bias < 0 ? 3 : 4, settings,
               3 + clip_window_settings(windows, settings + 3, 1));
}
/* The offsets of a window in the order of the bias above, 2 wide: down and across, as sign(x) log2(1 + 8 |x|) / 3, where x
 * is 1 at the edge of a window of the trained size (Swin V2, Liu et al., 2022). */
static inline clip_value clip_op_window_offsets(clip_builder *b, uint32_t window_height, uint32_t window_width,
                                                uint32_t trained_height, uint32_t trained_width) {
  const clip_setting settings[] = {{"window_height", (double)window_height}, {"window_width", (double)window_width},
                                   {"trained_height", (double)trained_height}, {"trained_width", (double)trained_width}};
  return b->op(b, "window_offsets", NULL, NULL, 0, settings, 4);
}
/* Joins each 2 x 2 pixels to one: top left, bottom left, top right, bottom right; zeros over the grid's edge. */
static inline clip_value clip_op_patch_merging(clip_builder *b, clip_value x) {
  return clip_op_unary(b, "patch_merging", NULL, x, NULL, 0);
}

/* ---- On grids; a value of one row is a grid of 1 x 1 for convolution and pooling ---- */

/* "<name>.weight" [features, width / groups, kernel_height, kernel_width], "<name>.bias" [features]. A side of the
 * output is floor((side + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. By its name the
 * op also takes "padding_end", the zeros after the grid where these are others than before it. flags: CLIP_NO_BIAS. */
static inline clip_value clip_op_conv(clip_builder *b, clip_value x, const char *name, uint32_t features,
                                      clip_window window, uint32_t flags) {
  const clip_setting settings[] = {{"features", (double)features},
                                   {"bias", flags & CLIP_NO_BIAS ? 0.0 : 1.0},
                                   {"kernel_height", (double)window.kernel_height},
                                   {"kernel_width", (double)window.kernel_width},
                                   {"stride", (double)window.stride},
                                   {"padding", (double)window.padding},
                                   {"dilation", (double)window.dilation},
                                   {"groups", (double)window.groups}};
  return clip_op_unary(b, "conv", name, x, settings, 8);
}

static inline clip_value clip_op_pool(clip_builder *b, const char *op, clip_value x, clip_window window) {
  const clip_setting settings[] = {{"kernel_height", (double)window.kernel_height},
                                   {"kernel_width", (double)window.kernel_width},
                                   {"stride", (double)window.stride},
                                   {"padding", (double)window.padding},
                                   {"dilation", (double)window.dilation}};
  return clip_op_unary(b, op, NULL, x, settings, 5);
}
static inline clip_value clip_op_avg_pool(clip_builder *b, clip_value x, clip_window window) {
  return clip_op_pool(b, "avg_pool", x, window);
}
/* The same without the padding in the mean. */
static inline clip_value clip_op_avg_pool_inside(clip_builder *b, clip_value x, clip_window window) {
  const clip_setting settings[] = {{"kernel_height", (double)window.kernel_height},
                                   {"kernel_width", (double)window.kernel_width},
                                   {"stride", (double)window.stride},
                                   {"padding", (double)window.padding},
                                   {"dilation", (double)window.dilation},
                                   {"counts_padding", 0}};
  return clip_op_unary(b, "avg_pool", NULL, x, settings, 6);
}
static inline clip_value clip_op_max_pool(clip_builder *b, clip_value x, clip_window window) {
  return clip_op_pool(b, "max_pool", x, window);
}

/* Another size, as PyTorch's interpolate does with align_corners false. */
static inline clip_value clip_op_resize(clip_builder *b, clip_value x, uint32_t height, uint32_t width,
                                        clip_resize mode) {
  const clip_setting settings[] = {{"height", (double)height}, {"width", (double)width}, {"mode", (double)mode}};
  return clip_op_unary(b, "resize", NULL, x, settings, 3);
}

#ifdef __cplusplus
}
#endif

#endif
