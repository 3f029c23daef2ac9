/* plugin/kernels.h: kernels, which compute. */
#ifndef CLIPCORE_PLUGIN_KERNELS_H
#define CLIPCORE_PLUGIN_KERNELS_H

#include "encoder.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* Processor features that a kernel set needs; the host uses it only if the processor has all of them. */
enum {
  CLIP_CPU_AVX2 = 1u,
  CLIP_CPU_FMA = 2u,
  CLIP_CPU_F16C = 4u,
  CLIP_CPU_AVX512 = 8u /* F, BW, CD, DQ and VL: x86-64-v4 */
};

/* One block of C = after(activation(A B' + bias) + residual): tiles [tile_begin, tile_end) of A's rows and panels
 * [panel_begin, panel_end) of the packed weights. Panel p gives columns [p * panel_width, (p + 1) * panel_width) of C,
 * up to `columns`. Tile t of T gives rows from rows * t / T (rounded down) to rows * (t + 1) / T, where T is
 * rows / tile_rows rounded up. Each element of C is summed over depth in one fixed order, for any block and any rows
 * around it, so results do not depend on how work is divided. With CLIP_STORAGE_INT8 a set may round A to 16 bits,
 * each row only by its own elements. */
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

/* Attention of one head over one item: out = softmax(scale Q K' + bias) V. Query i sits at position
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
  const float *bias;       /* [queries, keys], or NULL for none */
  ptrdiff_t bias_stride;   /* floats from row to row; below 0 if rows are in reverse order */
} clip_attention;

/* Winograd's convolution F(2 x 2, 3 x 3) (Lavin and Gray, 2015, https://arxiv.org/abs/1509.09308) with stride and
 * padding 1: Y = A' (sum over channels of (G g G') * (B' d B)) A. An image of height x width has (height + 1) / 2 lines
 * of (width + 1) / 2 tiles of 2 x 2 pixels; the last ones may extend over its edge. Tiles are numbered from the top
 * left, image after image.
 *
 * Input: B' d B of each of `tiles` tiles, where d is the 4 x 4 pixels around the tile, zeros outside of the image. The
 * 16 elements of a channel are written to 16 matrices [rows, channels], one after another, each in the form of
 * pack_rows for CLIP_STORAGE_F32. The tiles are the rows from first_row on. */
typedef struct clip_winograd_input {
  const float *x;          /* the first image; pixels are `channels` floats, dense */
  size_t height, width, channels;
  size_t first_tile, tiles;
  float *packed;
  size_t first_row, rows;
} clip_winograd_input;

/* Output: C = after(activation(A' m A + bias) + residual), where m is the 16 elements of a tile and column. */
typedef struct clip_winograd_output {
  float *products;         /* 16 matrices [tiles, columns], dense; not kept */
  size_t height, width, columns;
  size_t first_tile, tiles;
  clip_activation activation;
  clip_activation after;   /* applied to the sum with a residual; without one it is not */
  float *c;                /* the first image's first pixel; pixels are c_stride floats apart */
  size_t c_stride;
  const float *bias;       /* [columns] or NULL */
  const float *residual;   /* the first image's first pixel, or NULL; may be c itself */
  size_t residual_stride;
} clip_winograd_output;

/* The input positions [first, first + count) of one output position of a resize, and their weights in Pillow's fixed
 * point (libImaging/Resample.c) with 22 fractional bits. Weights are in groups of four, padded with zeros, and in two
 * parts, high * 2^15 + low with low from 0 to 2^15 - 1, so that 16-bit products have exact 32-bit sums. A result is
 * (sum + 2^21) >> 22, clamped to 0 to 255. */
typedef struct clip_resample_weights {
  int16_t low[4], high[4];
} clip_resample_weights;
typedef struct clip_resample_span {
  size_t first, count;
  const clip_resample_weights *weights; /* (count + 3) / 4 groups */
} clip_resample_span;

/* Scores of rows with a query: scores[i] = (row i) . query. With CLIP_STORAGE_INT8 rows are signed bytes, and the query is
 * 16-bit integers so small that the sum of a quarter of a product's terms stays below 2^31; a product is multiplied by
 * query_scale * scales[i]. */
typedef struct clip_score_rows {
  const void *rows;    /* `count` of them, without gaps */
  clip_storage storage; /* CLIP_STORAGE_F32, _F16 or _INT8 */
  const float *scales; /* [count], with CLIP_STORAGE_INT8 */
  const void *query;   /* [width] */
  float query_scale;
  size_t count, width; /* width is a multiple of 64 */
  float *scores;       /* [count] */
} clip_score_rows;

CLIP_NONNULL_BEGIN

/* A set of kernels for one instruction set. Pointers need no alignment but the packed weights
 * and scratch, which are at 64 bytes. Rows of different items never mix. */
typedef struct clip_kernels {
  uint32_t struct_size;
  uint32_t features;    /* CLIP_CPU_* needed */
  const char *id;
  const char *description;
  uint32_t rank;        /* the highest among the sets that the processor supports is used */
  uint32_t panel_width; /* columns in a panel */
  uint32_t tile_rows;   /* the most rows in a tile */
  uint32_t storages;    /* bit (1 << clip_storage) for each storage that matmul reads */

  /* Bytes of one packed panel of `depth`, a multiple of 64. */
  size_t (*panel_bytes)(size_t depth, clip_storage storage);
  /* Packs rows [0, rows) of weights [rows, depth], rows <= panel_width; missing rows are 0. */
  void (*pack_panel)(const float *weights, size_t stride, size_t rows, size_t depth, clip_storage storage,
                     void *panel);
  /* The size of `rows` packed rows of A, in floats. */
  size_t (*packed_rows)(size_t rows, size_t depth, clip_storage storage);
  /* Packs `count` rows of A, from row `first` on, of `rows` rows in all. */
  void (*pack_rows)(const float *a, size_t stride, size_t first, size_t count, size_t rows, size_t depth,
                    clip_storage storage, float *packed);
  void (*matmul)(const clip_matmul *work);

  size_t (*attention_scratch)(size_t keys, size_t width);
  void (*attention)(const clip_attention *work);

  /* y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each row; y may be x. */
  void (*layer_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t width,
                     const float *weight, const float *bias, float epsilon);
  /* y = activation(x * scale + shift), scale and shift [width] or NULL, 1 and 0 then; y may be x. */
  void (*scale_shift)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t width,
                      const float *CLIP_NULLABLE scale, const float *CLIP_NULLABLE shift, clip_activation activation);
  /* y = x + z; y may be either. */
  void (*add)(const float *x, size_t x_stride, const float *z, size_t z_stride, float *y, size_t y_stride,
              size_t rows, size_t width);
  /* y = x / |x| for each row, a row of zeros stays; y may be x. */
  void (*normalize)(const float *x, float *y, size_t rows, size_t width);

  void (*winograd_input)(const clip_winograd_input *work);
  void (*winograd_output)(const clip_winograd_output *work);

  /* One row, resized horizontally: `width` pixels of three bytes and an unused byte after them, from pixels of four
   * bytes. The pixel at `source` has position `first`; pixels that a group's weights of 0 are for are readable too. */
  void (*resample_horizontal)(const uint8_t *source, size_t first, const clip_resample_span *spans, size_t width,
                          uint8_t *output);
  /* One row, resized vertically: `bytes` bytes, a multiple of 16, each from the bytes at its offset in span->count
   * rows. rows is one pointer longer where that is odd; its row is readable. */
  void (*resample_vertical)(const uint8_t *const *rows, const clip_resample_span *span, size_t bytes, uint8_t *output);

  void (*score_rows)(const clip_score_rows *work);
} clip_kernels;

CLIP_NONNULL_END
CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
