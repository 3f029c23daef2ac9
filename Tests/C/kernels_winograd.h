/* Cases of Winograd convolution. */
#ifndef CLIPCORE_TESTS_KERNELS_WINOGRAD_H
#define CLIPCORE_TESTS_KERNELS_WINOGRAD_H

#include <math.h>

#include "clip_plugin.h"
#include "guarded.h"
#include "kernels_products.h"

/* G g G' of the filters g [features, channels, 3, 3]: 16 matrices [features, channels]. */
static void transform_filters(const float *g, size_t filters, float *u) {
  static const double G[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  for (size_t f = 0; f < filters; f++)
    for (int i = 0; i < 16; i++) {
      double sum = 0;
      for (int j = 0; j < 9; j++) sum += G[i / 4][j / 3] * G[i % 4][j % 3] * g[f * 9 + j];
      u[i * filters + f] = (float)sum;
    }
}

/* Some tiles: input transform in pieces, products, output transform. */
static void winograd_block(const clip_kernels *k, clip_winograd_input in, clip_winograd_output out, const buffer *u) {
  size_t tile_rows = (in.rows + k->tile_rows - 1) / k->tile_rows, first = in.first_tile;
  size_t stride = k->packed_rows(in.rows, in.channels, CLIP_STORAGE_F32);
  buffer packed = make(16 * stride), products = make(16 * in.rows * out.columns);
  in.packed = packed.data, out.products = products.data;
  out.first_tile = first, out.tiles = in.rows;
  for (in.first_row = 0; in.first_row < in.rows; in.first_row += in.tiles) {
    in.first_tile = first + in.first_row;
    in.tiles = pick(1, in.rows - in.first_row);
    k->winograd_input(&in);
  }
  for (int i = 0; i < 16; i++) {
    clip_matmul work = {.a = packed.data + i * stride, .weights = u[i].data, .c = products.data + i * in.rows * out.columns,
                        .c_stride = out.columns, .rows = in.rows, .columns = out.columns, .depth = in.channels,
                        .tile_end = tile_rows, .panel_end = (out.columns + k->panel_width - 1) / k->panel_width};
    k->matmul(&work);
  }
  k->winograd_output(&out);
  check(intact(packed) && intact(products), "winograd writes before its room", "");
  drop(packed), drop(products);
}

static void winograd_case(const clip_kernels *k, size_t images, size_t height, size_t width, size_t channels,
                          size_t features, clip_activation activation, int with_bias, int residual_mode) {
  char detail[200];
  snprintf(detail, sizeof detail, "%zu of %zu x %zu, %zu to %zu, activation %d bias %d residual %d", images, height,
           width, channels, features, (int)activation, with_bias, residual_mode);
  size_t pixels = images * height * width, tiles = images * ((height + 1) / 2) * ((width + 1) / 2);
  size_t cs = features + pick(0, 9), rs = residual_mode == 2 ? cs : features + pick(0, 3);
  buffer x = make_random(pixels * channels, 1), g = make_random(features * channels * 9, 0.2f), u = make(g.count / 9 * 16);
  buffer bias = make_random(features, 1), r = make_random((pixels - 1) * rs + features, 1);
  buffer outs[2] = {make((pixels - 1) * cs + features), make((pixels - 1) * cs + features)}, packed[16];
  clip_activation after = (clip_activation)pick(0, 1);
  transform_filters(g.data, features * channels, u.data);
  for (int i = 0; i < 16; i++) packed[i] = pack(k, u.data + i * features * channels, features, channels, CLIP_STORAGE_F32);
  for (int cut = 0; cut < 2; cut++) {
    clip_winograd_input in = {.x = x.data, .height = height, .width = width, .channels = channels};
    clip_winograd_output out = {.height = height, .width = width, .columns = features, .activation = activation,
                                .after = residual_mode ? after : CLIP_IDENTITY, .c = outs[cut].data, .c_stride = cs,
                                .bias = with_bias ? bias.data : NULL, .residual_stride = rs};
    if (residual_mode == 2)
      for (size_t p = 0; p < pixels; p++) memcpy(out.c + p * cs, r.data + p * rs, features * sizeof(float));
    out.residual = residual_mode == 2 ? out.c : residual_mode == 1 ? r.data : NULL;
    for (in.first_tile = 0; in.first_tile < tiles; in.first_tile += in.rows) {
      in.rows = cut ? pick(1, tiles - in.first_tile) : tiles;
      winograd_block(k, in, out, packed);
    }
  }
  double worst = 0, limit = 1e-6 * (4 + sqrt((double)channels));
  int same = 1, gaps = 1;
  uint32_t pattern = 0xa5a5a5a5u;
  for (size_t p = 0; p < pixels; p++) {
    size_t row = p / width % height, column = p % width;
    for (size_t f = 0; f < features; f++) {
      double sum = with_bias ? bias.data[f] : 0;
      for (size_t j = 0; j < 9; j++) {
        if (row + j / 3 < 1 || row + j / 3 > height || column + j % 3 < 1 || column + j % 3 > width) continue;
        const float *pixel = x.data + (p + (j / 3) * width + j % 3 - width - 1) * channels;
        for (size_t d = 0; d < channels; d++) sum += (double)pixel[d] * g.data[(f * channels + d) * 9 + j];
      }
      sum = activate(activation, sum);
      if (residual_mode) sum = activate(after, sum + r.data[p * rs + f]);
      double off = fabs(sum - outs[0].data[p * cs + f]);
      if (!(off <= worst)) worst = off;
    }
    same &= !memcmp(outs[0].data + p * cs, outs[1].data + p * cs, features * sizeof(float));
    for (size_t f = features; p + 1 < pixels && f < cs; f++) gaps &= !memcmp(outs[0].data + p * cs + f, &pattern, 4);
  }
  char number[260];
  snprintf(number, sizeof number, "%s: off by %g of %g", detail, worst, limit);
  check(worst <= limit, "winograd", number);
  check(same || !keeps_bits(k), "winograd gives other numbers when cut", detail);
  check(gaps && intact(outs[0]) && intact(outs[1]), "winograd writes beside C", detail);
  for (int i = 0; i < 16; i++) drop(packed[i]);
  drop(x), drop(g), drop(u), drop(bias), drop(r), drop(outs[0]), drop(outs[1]);
}

static void test_winograd(const clip_kernels *k) {
  for (int i = 0; i < 60; i++)
    winograd_case(k, pick(1, 3), pick(1, 9), pick(1, 9), pick(1, i % 10 ? 40 : 600), pick(1, i % 7 ? 40 : 150),
                  (clip_activation)(i % 8), i & 1, i % 3);
  winograd_case(k, 2, 15, 14, 64, 64, CLIP_RELU, 1, 0);
  winograd_case(k, 1, 14, 17, 300, 96, CLIP_IDENTITY, 1, 2);
}

#endif
