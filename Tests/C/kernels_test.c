/* Holds kernel plugins against plain loops in double, and against themselves: the same numbers
 * for any cut of the work, and nothing read or written outside of what they were given.
 *
 *   cc -O2 -I Include Tests/C/kernels_test.c -ldl -lm -o kernels_test && ./kernels_test libkernels_*.so
 *
 * A set that this processor cannot run is left out. */
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clip_plugin.h"

static int passed, failed;
static const char *set_id;

static void check(int ok, const char *what, const char *detail) {
  if (ok) {
    passed++;
    return;
  }
  if (failed++ < 50) printf("FAILED %s: %s %s\n", set_id, what, detail);
}

/* xorshift64* (Vigna, 2016) */
static uint64_t state = 88172645463325252u;
static uint32_t next(void) {
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717u) >> 32);
}
static size_t pick(size_t low, size_t high) { return low + next() % (high - low + 1); }
static float uniform(void) { return (float)next() / 2147483648.0f - 1; }

/* Buffers end where a page begins that nobody may touch, so a read behind them is seen too.
 * Before them is a guard. */
enum { GUARD = 64 };
typedef struct buffer {
  void *memory;
  size_t bytes;
  float *data;
  size_t count;
} buffer;

static buffer make(size_t count) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  buffer b = {.bytes = ((count + GUARD) * sizeof(float) + 2 * page - 1) / page * page, .count = count};
  b.memory = mmap(NULL, b.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b.memory == MAP_FAILED || mprotect((char *)b.memory + b.bytes - page, page, PROT_NONE)) exit(2);
  memset(b.memory, 0xa5, b.bytes - page);
  b.data = (float *)(void *)((char *)b.memory + b.bytes - page) - count;
  return b;
}
static buffer make_random(size_t count, float size) {
  buffer b = make(count);
  for (size_t i = 0; i < count; i++) b.data[i] = uniform() * size;
  return b;
}
static int intact(buffer b) {
  uint32_t pattern = 0xa5a5a5a5u;
  for (int i = 1; i <= GUARD; i++)
    if (memcmp(b.data - i, &pattern, 4)) return 0;
  return 1;
}
static void drop(buffer b) { munmap(b.memory, b.bytes); }
static void outside(int number) {
  static const char text[] = "FAILED: something outside of a buffer was read or written\n";
  (void)number;
  if (write(1, text, sizeof text - 1)) _exit(1);
  _exit(1);
}

static double activate(clip_activation kind, double x) {
  switch (kind) {
    case CLIP_RELU: return x < 0 ? 0 : x;
    case CLIP_GELU: return x * 0.5 * erfc(-x * 0.70710678118654752440);
    case CLIP_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case CLIP_GELU_TANH: return x / (1 + exp(-2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case CLIP_SIGMOID: return 1 / (1 + exp(-x));
    case CLIP_SILU: return x / (1 + exp(-x));
    case CLIP_TANH: return tanh(x);
    default: return x;
  }
}

/* What a weight is after it was stored. */
static double stored(float w, clip_storage storage) {
  uint32_t bits;
  if (storage == CLIP_STORAGE_F16) {
    if (w == 0) return 0;
    int e;
    frexp(w, &e);
    double unit = ldexp(1, (e < -13 ? -13 : e) - 11); /* last place of a half */
    return nearbyint(w / unit) * unit;
  }
  if (storage == CLIP_STORAGE_F32) return w;
  memcpy(&bits, &w, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  memcpy(&w, &bits, 4);
  return w;
}

/* What a row of weights is after it was stored as bytes. */
static void stored_bytes(const float *w, size_t depth, double *kept) {
  float largest = 0;
  for (size_t d = 0; d < depth; d++) largest = fmaxf(largest, fabsf(w[d]));
  for (size_t d = 0; d < depth; d++) kept[d] = largest == 0 ? 0 : (double)rintf(w[d] * (127 / largest)) * (largest / 127);
}

/* ---------------------------------------------------------------- matmul */

static buffer pack(const clip_kernels *k, const float *weights, size_t columns, size_t depth, clip_storage storage) {
  size_t panels = (columns + k->panel_width - 1) / k->panel_width, bytes = k->panel_bytes(depth, storage);
  check(bytes % 64 == 0, "panel_bytes", "is a multiple of 64");
  buffer packed = make(panels * bytes / sizeof(float));
  memset(packed.data, 0xff, panels * bytes); /* NaN: what pack_panel does not write would show */
  for (size_t p = 0; p < panels; p++) {
    size_t first = p * k->panel_width, rows = columns - first < k->panel_width ? columns - first : k->panel_width;
    k->pack_panel(weights + first * depth, depth, rows, depth, storage, (char *)packed.data + p * bytes);
  }
  return packed;
}

/* All of a product: `work` lacks the rows of A, packed here in parts of at most `take`, and how it is cut. */
static void multiply(const clip_kernels *k, clip_matmul work, const float *a, size_t stride, size_t take, int cut) {
  size_t tiles = (work.rows + k->tile_rows - 1) / k->tile_rows;
  size_t panels = (work.columns + k->panel_width - 1) / k->panel_width;
  buffer packed = make(k->packed_rows(work.rows, work.depth, work.storage));
  for (size_t row = 0; row < work.rows; row += take) {
    size_t count = work.rows - row < take ? work.rows - row : take;
    k->pack_rows(a + row * stride, stride, row, count, work.rows, work.depth, work.storage, packed.data);
  }
  check(intact(packed), "pack_rows writes beside its room", "");
  work.a = packed.data;
  for (work.tile_begin = 0; work.tile_begin < tiles; work.tile_begin = work.tile_end) {
    work.tile_end = cut ? pick(work.tile_begin + 1, tiles) : tiles;
    for (work.panel_begin = 0; work.panel_begin < panels; work.panel_begin = work.panel_end) {
      work.panel_end = cut ? pick(work.panel_begin + 1, panels) : panels;
      k->matmul(&work);
    }
  }
  drop(packed);
}

static void matmul_case(const clip_kernels *k, size_t rows, size_t columns, size_t depth, clip_storage storage,
                        clip_activation activation, int with_bias, int residual_mode) {
  char detail[200];
  snprintf(detail, sizeof detail, "rows %zu columns %zu depth %zu storage %d activation %d bias %d residual %d", rows,
           columns, depth, (int)storage, (int)activation, with_bias, residual_mode);
  size_t as = depth + pick(0, 3), cs = columns + pick(0, 9), rs = residual_mode == 2 ? cs : columns + pick(0, 3);
  buffer a = make_random((rows - 1) * as + depth, 1), w = make_random(columns * depth, 0.2f);
  buffer bias = make_random(columns, 1), r = make_random((rows - 1) * rs + columns, 1);
  buffer c = make((rows - 1) * cs + columns), whole = make((rows - 1) * cs + columns);
  clip_activation after = (clip_activation)pick(0, 1);
  buffer packed = pack(k, w.data, columns, depth, storage);

  /* The rows' gaps hold a pattern that must stay. */
  clip_matmul work = {.weights = packed.data, .storage = storage, .activation = activation, .c_stride = cs,
                      .bias = with_bias ? bias.data : NULL, .columns = columns, .depth = depth, .residual_stride = rs,
                      .after = residual_mode ? after : CLIP_IDENTITY};
  buffer *outs[2] = {&whole, &c};
  for (int cut = 0; cut < 2; cut++) {
    float *out = outs[cut]->data;
    if (residual_mode == 2)
      for (size_t i = 0; i < rows; i++) memcpy(out + i * cs, r.data + i * rs, columns * sizeof(float));
    for (size_t row = 0; row < rows; row += work.rows) {
      work.rows = cut ? pick(1, rows - row) : rows;
      work.c = out + row * cs;
      work.residual = residual_mode == 2 ? work.c : residual_mode == 1 ? r.data + row * rs : NULL;
      multiply(k, work, a.data + row * as, as, cut ? pick(1, work.rows) : work.rows, cut);
    }
  }
  double worst = 0, limit = 2e-7 * (4 + sqrt((double)depth)), *kept = malloc(columns * depth * sizeof(double));
  for (size_t j = 0; j < columns; j++) {
    if (storage == CLIP_STORAGE_INT8) stored_bytes(w.data + j * depth, depth, kept + j * depth);
    else for (size_t d = 0; d < depth; d++) kept[j * depth + d] = stored(w.data[j * depth + d], storage);
  }
  /* Numbers of A, at most 1, rounded to parts of 32767; no activation is steeper than 1.2. */
  if (storage == CLIP_STORAGE_INT8) limit += 1.2 * 0.2 * (double)depth / 65534;
  int same = 1, gaps = 1;
  uint32_t pattern = 0xa5a5a5a5u;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      double sum = 0;
      for (size_t d = 0; d < depth; d++) sum += a.data[i * as + d] * kept[j * depth + d];
      if (with_bias) sum += bias.data[j];
      sum = activate(activation, sum);
      if (residual_mode) sum = activate(work.after, sum + r.data[i * rs + j]);
      double off = fabs(sum - whole.data[i * cs + j]);
      if (!(off <= worst)) worst = off;
    }
    same &= !memcmp(c.data + i * cs, whole.data + i * cs, columns * sizeof(float));
    for (size_t j = columns; i + 1 < rows && j < cs; j++) gaps &= !memcmp(c.data + i * cs + j, &pattern, 4);
  }
  char number[240];
  snprintf(number, sizeof number, "%s: off by %g of %g", detail, worst, limit);
  check(worst <= limit, "matmul", number);
  check(same, "matmul gives other numbers when cut", detail);
  check(gaps && intact(c) && intact(whole), "matmul writes beside C", detail);
  free(kept), drop(packed), drop(a), drop(w), drop(bias), drop(r), drop(c), drop(whole);
}

static void test_matmul(const clip_kernels *k) {
  for (size_t rows = 1; rows <= 13; rows++)
    for (int s = 0; s < 4; s++)
      if (k->storages & (1u << s))
        matmul_case(k, rows, pick(1, 3 * k->panel_width), pick(1, 70), (clip_storage)s, CLIP_IDENTITY, rows & 1, s % 3);
  for (int i = 0; i < 120; i++) {
    clip_storage s = (clip_storage)(i % 4);
    if (k->storages & (1u << s))
      matmul_case(k, pick(1, 70), pick(1, 200), pick(1, i % 10 ? 90 : 1700), s, (clip_activation)(i / 4 % 8),
                  (int)pick(0, 1), (int)pick(0, 2));
  }
  matmul_case(k, 50, 768, 768, CLIP_STORAGE_F32, CLIP_GELU, 1, 0);
  matmul_case(k, 197, 96, 3072, CLIP_STORAGE_F32, CLIP_IDENTITY, 1, 2);
}

/* The host's halves and bfloat16 numbers come back as they went in, subnormal halves too. */
static void test_storage(const clip_kernels *k) {
  for (int s = 1; s < 3; s++) {
    if (!(k->storages & (1u << s))) continue;
    size_t depth = 3000;
    buffer w = make(depth);
    int ok = 1;
    for (size_t i = 0; i < depth; i++) {
      w.data[i] = ldexpf(uniform(), (int)pick(0, 38) - (s == 1 ? 26 : 18));
      if (s == 1 && fabsf(w.data[i]) > 65504) w.data[i] = 65504;
    }
    buffer packed = pack(k, w.data, 1, depth, (clip_storage)s);
    float *one = calloc(depth, sizeof(float));
    for (size_t i = 0; i < depth; i += 7) {
      float c = -1;
      one[i] = 1;
      clip_matmul work = {.weights = packed.data, .storage = (clip_storage)s, .c = &c, .c_stride = 1, .rows = 1,
                          .columns = 1, .depth = depth};
      multiply(k, work, one, depth, 1, 0);
      one[i] = 0;
      ok &= c == (float)stored(w.data[i], (clip_storage)s);
    }
    check(ok, "storage rounds to nearest", s == 1 ? "f16" : "bf16");
    free(one), drop(packed), drop(w);
  }
}

static void multiply_bytes(const clip_kernels *k, buffer a, buffer w, buffer c, size_t columns, size_t depth) {
  buffer packed = pack(k, w.data, columns, depth, CLIP_STORAGE_INT8);
  clip_matmul work = {.weights = packed.data, .storage = CLIP_STORAGE_INT8, .c = c.data, .c_stride = columns,
                      .rows = a.count / depth, .columns = columns, .depth = depth};
  multiply(k, work, a.data, depth, 1, 0);
  drop(packed);
}

/* Whole numbers come out exactly, the largest do not overflow, zeros stay, and what is no number stays in its row. */
static void test_bytes(const clip_kernels *k) {
  if (!(k->storages & (1u << CLIP_STORAGE_INT8))) return;
  static const size_t depths[] = {1, 2, 3, 511, 512, 513, 1023, 1025, 3072, 4099};
  for (int i = 0; i < 10; i++) {
    size_t rows = pick(1, 9), columns = pick(1, 40), depth = depths[i];
    char detail[80];
    snprintf(detail, sizeof detail, "rows %zu columns %zu depth %zu", rows, columns, depth);
    buffer a = make(rows * depth), w = make(columns * depth), c = make(rows * columns);
    int exact = 1, large = 1, row_alone = 1, column_alone = 1, small = 1;

    for (size_t j = 0; j < a.count; j++) a.data[j] = j % depth % 200 ? (float)pick(0, 60) - 30 : 32767;
    for (size_t j = 0; j < w.count; j++) w.data[j] = j % depth ? (float)pick(0, 8) - 4 : -127;
    multiply_bytes(k, a, w, c, columns, depth);
    for (size_t r = 0; r < rows; r++)
      for (size_t j = 0; j < columns; j++) {
        long long sum = 0;
        for (size_t d = 0; d < depth; d++) sum += (long long)a.data[r * depth + d] * (long long)w.data[j * depth + d];
        exact &= (long long)c.data[r * columns + j] == sum;
      }
    check(exact, "bytes: whole numbers are exact", detail);

    for (size_t j = 0; j < a.count; j++) a.data[j] = j / depth & 1 ? -32767 : 32767;
    for (size_t j = 0; j < w.count; j++) w.data[j] = 127;
    multiply_bytes(k, a, w, c, columns, depth);
    for (size_t j = 0; j < c.count; j++) {
      double want = (j / columns & 1 ? -32767.0 : 32767.0) * 127 * (double)depth;
      large &= fabs(c.data[j] / want - 1) < 1e-6;
    }
    check(large, "bytes: the largest sums do not overflow", detail);

    buffer clean = make(c.count);
    for (size_t j = 0; j < a.count; j++) a.data[j] = uniform();
    for (size_t j = 0; j < w.count; j++) w.data[j] = uniform();
    multiply_bytes(k, a, w, clean, columns, depth);
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    for (int kind = 0; kind < 3; kind++) {
      size_t bad = pick(0, rows - 1), place = bad * depth + pick(0, depth - 1);
      float before = a.data[place];
      a.data[place] = odd[kind];
      multiply_bytes(k, a, w, c, columns, depth);
      for (size_t j = 0; j < c.count; j++)
        row_alone &= j / columns == bad ? isnan(c.data[j]) : c.data[j] == clean.data[j];
      a.data[place] = before;
      bad = pick(0, columns - 1), place = bad * depth + pick(0, depth - 1), before = w.data[place];
      w.data[place] = odd[kind];
      multiply_bytes(k, a, w, c, columns, depth);
      for (size_t j = 0; j < c.count; j++)
        column_alone &= j % columns == bad ? isnan(c.data[j]) : c.data[j] == clean.data[j];
      w.data[place] = before;
    }
    check(row_alone, "bytes: a row with no number is NaN, and no other", detail);
    check(column_alone, "bytes: a weight that is no number makes its column NaN, and no other", detail);

    for (size_t j = 0; j < depth; j++) a.data[j] = 0, w.data[j] = 0;
    for (size_t j = depth; j < a.count; j++) a.data[j] = 1e-40f;
    multiply_bytes(k, a, w, c, columns, depth);
    for (size_t j = 0; j < c.count; j++) small &= c.data[j] == 0;
    for (size_t j = 0; j < a.count; j++) a.data[j] = 1;
    multiply_bytes(k, a, w, c, columns, depth);
    for (size_t r = 0; r < rows; r++) small &= c.data[r * columns] == 0;
    check(small, "bytes: zeros stay", detail);
    drop(a), drop(w), drop(c), drop(clean);
  }
}

/* ---------------------------------------------------------------- Winograd's convolution */

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

/* Some tiles, transformed in parts, multiplied, and brought back. */
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

static void winograd_case(const clip_kernels *k, size_t pictures, size_t height, size_t width, size_t channels,
                          size_t features, clip_activation activation, int with_bias, int residual_mode) {
  char detail[200];
  snprintf(detail, sizeof detail, "%zu of %zu x %zu, %zu to %zu, activation %d bias %d residual %d", pictures, height,
           width, channels, features, (int)activation, with_bias, residual_mode);
  size_t pixels = pictures * height * width, tiles = pictures * ((height + 1) / 2) * ((width + 1) / 2);
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
  check(same, "winograd gives other numbers when cut", detail);
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

/* ---------------------------------------------------------------- attention */

static void attend(const clip_kernels *k, clip_attention work) {
  size_t count = k->attention_scratch(work.keys, work.width);
  buffer scratch = make((count + 15) / 16 * 16); /* to start at 64 bytes */
  memset(scratch.data, 0xff, count * sizeof(float));
  work.scratch = scratch.data;
  k->attention(&work);
  check(intact(scratch), "attention", "writes before its scratch");
  drop(scratch);
}

static void attention_case(const clip_kernels *k, size_t queries, size_t keys, size_t width, int causal) {
  char detail[160];
  snprintf(detail, sizeof detail, "queries %zu keys %zu width %zu causal %d", queries, keys, width, causal);
  size_t qs = width + pick(0, 20), ks = width + pick(0, 20), vs = width + pick(0, 20), os = width + pick(0, 20);
  size_t position = causal ? pick(0, keys - 1) : 0;
  float scale = 1 / sqrtf((float)width);
  buffer q = make_random((queries - 1) * qs + width, 3), kk = make_random((keys - 1) * ks + width, 3);
  buffer v = make_random((keys - 1) * vs + width, 1);
  buffer out = make((queries - 1) * os + width), one = make(width);
  clip_attention work = {.q = q.data, .k = kk.data, .v = v.data, .q_stride = qs, .k_stride = ks, .v_stride = vs,
                         .out = out.data, .out_stride = os, .queries = queries, .keys = keys, .width = width,
                         .first_query = position, .scale = scale, .causal = (uint32_t)causal};
  attend(k, work);
  double worst = 0, *p = malloc(keys * sizeof(double));
  int same = 1, trailing = 1, gaps = 1;
  uint32_t pattern = 0xa5a5a5a5u;
  for (size_t i = 0; i < queries; i++) {
    size_t seen = causal && position + i + 1 < keys ? position + i + 1 : keys;
    double largest = -INFINITY, total = 0;
    for (size_t j = 0; j < seen; j++) {
      p[j] = 0;
      for (size_t d = 0; d < width; d++) p[j] += (double)q.data[i * qs + d] * kk.data[j * ks + d];
      p[j] *= scale;
      if (p[j] > largest) largest = p[j];
    }
    for (size_t j = 0; j < seen; j++) total += p[j] = exp(p[j] - largest);
    for (size_t d = 0; d < width; d++) {
      double sum = 0;
      for (size_t j = 0; j < seen; j++) sum += p[j] / total * v.data[j * vs + d];
      double off = fabs(sum - out.data[i * os + d]);
      if (!(off <= worst)) worst = off;
    }
    for (size_t d = width; i + 1 < queries && d < os; d++) gaps &= !memcmp(out.data + i * os + d, &pattern, 4);
    if (i % 5 == 0 || i + 1 == queries) { /* the row alone, and without the keys it does not see */
      clip_attention alone = work;
      alone.q = q.data + i * qs, alone.queries = 1, alone.first_query = position + i, alone.out = one.data;
      attend(k, alone);
      same &= !memcmp(one.data, out.data + i * os, width * sizeof(float));
      alone.keys = seen;
      attend(k, alone);
      trailing &= !memcmp(one.data, out.data + i * os, width * sizeof(float));
    }
  }
  if (causal) { /* a key that no row may see holds NaN */
    size_t hidden = position + queries;
    for (size_t j = hidden; j < keys; j++) kk.data[j * ks] = v.data[j * vs] = NAN;
    buffer again = make(out.count);
    work.out = again.data;
    attend(k, work);
    for (size_t i = 0; i < queries; i++)
      trailing &= !memcmp(again.data + i * os, out.data + i * os, width * sizeof(float));
    /* nor may one within the tile that only later rows see */
    if (queries > 1 && position + queries <= keys) {
      kk.data[(position + queries - 1) * ks] = v.data[(position + queries - 1) * vs] = NAN;
      attend(k, work);
      for (size_t i = 0; i + 1 < queries; i++)
        trailing &= !memcmp(again.data + i * os, out.data + i * os, width * sizeof(float));
      check(isnan(again.data[(queries - 1) * os]), "attention hides NaN", detail);
    }
    drop(again);
  }
  char number[200];
  snprintf(number, sizeof number, "%s: off by %g", detail, worst);
  check(worst <= 4e-6, "attention", number);
  check(same, "attention of a row alone gives other numbers", detail);
  check(trailing, "attention depends on keys behind a row", detail);
  check(gaps && intact(out) && intact(one), "attention writes beside its output", detail);
  free(p), drop(q), drop(kk), drop(v), drop(out), drop(one);
}

static void test_attention(const clip_kernels *k) {
  for (int i = 0; i < 60; i++) attention_case(k, pick(1, 40), pick(1, 90), pick(1, 130), i & 1);
  attention_case(k, 50, 50, 64, 0);
  attention_case(k, 77, 77, 64, 1);
  attention_case(k, 1, 577, 64, 0);
  attention_case(k, 30, 600, 80, 0);
  attention_case(k, 30, 600, 16, 1);
}

/* ---------------------------------------------------------------- rows */

static void test_rows(const clip_kernels *k) {
  for (int i = 0; i < 60; i++) {
    char detail[120];
    size_t rows = pick(1, 5), width = i < 40 ? pick(1, 80) : pick(500, 1300);
    size_t xs = width + pick(0, 5), ys = width + pick(0, 5);
    int in_place = i % 3 == 0;
    if (in_place) ys = xs;
    buffer x = make_random((rows - 1) * xs + width, 2), y = make((rows - 1) * ys + width);
    buffer w = make_random(width, 1), b = make_random(width, 1), before = make(x.count), z = make_random(x.count, 1);
    for (size_t j = 0; j < x.count; j++) x.data[j] += 3;
    memcpy(before.data, x.data, x.count * sizeof(float));
    float *out = in_place ? x.data : y.data;
    snprintf(detail, sizeof detail, "rows %zu width %zu in place %d", rows, width, in_place);

    double worst = 0;
    k->layer_norm(x.data, xs, out, ys, rows, width, w.data, b.data, 1e-5f);
    for (size_t r = 0; r < rows; r++) {
      double mean = 0, variance = 0;
      for (size_t j = 0; j < width; j++) mean += before.data[r * xs + j] / (double)width;
      for (size_t j = 0; j < width; j++) variance += pow(before.data[r * xs + j] - mean, 2) / (double)width;
      for (size_t j = 0; j < width; j++) {
        double want = (before.data[r * xs + j] - mean) / sqrt(variance + 1e-5) * w.data[j] + b.data[j];
        double off = fabs(want - out[r * ys + j]);
        /* One ulp of x is worth more where the row hardly varies. */
        if (!(off <= worst)) worst = variance > 0.3 ? off : off * sqrt(variance + 1e-5) / 10;
      }
    }
    char number[160];
    snprintf(number, sizeof number, "%s: off by %g", detail, worst);
    check(worst <= 2e-6, "layer_norm", number);

    clip_activation activation = (clip_activation)(i % 8);
    memcpy(x.data, before.data, x.count * sizeof(float));
    worst = 0;
    const float *scale = i & 8 ? w.data : NULL, *shift = i & 16 ? b.data : NULL;
    k->scale_shift(x.data, xs, out, ys, rows, width, scale, shift, activation);
    for (size_t r = 0; r < rows; r++)
      for (size_t j = 0; j < width; j++) {
        double want = before.data[r * xs + j];
        want = activate(activation, want * (scale ? scale[j] : 1) + (shift ? shift[j] : 0));
        double off = fabs(want - out[r * ys + j]) / (1 + fabs(want));
        if (!(off <= worst)) worst = off;
      }
    snprintf(number, sizeof number, "%s activation %d: off by %g", detail, (int)activation, worst);
    check(worst <= 4e-7, "scale_shift", number);

    memcpy(x.data, before.data, x.count * sizeof(float));
    k->add(x.data, xs, z.data, xs, out, ys, rows, width);
    int ok = 1;
    for (size_t r = 0; r < rows; r++)
      for (size_t j = 0; j < width; j++) ok &= out[r * ys + j] == before.data[r * xs + j] + z.data[r * xs + j];
    check(ok, "add", detail);
    check(intact(x) && intact(y), "rows written beside their place", detail);
    drop(x), drop(y), drop(w), drop(b), drop(before), drop(z);
  }
}

static void test_normalize(const clip_kernels *k) {
  static const float sizes[] = {1, 1e-25f, 1e25f, 0};
  for (int i = 0; i < 4; i++) {
    size_t width = pick(1, 600);
    buffer x = make_random(2 * width, sizes[i]), y = make(2 * width);
    double worst = 0;
    k->normalize(x.data, y.data, 2, width);
    for (size_t r = 0; r < 2; r++) {
      double squares = 0;
      for (size_t j = 0; j < width; j++) squares += pow(x.data[r * width + j], 2);
      for (size_t j = 0; j < width; j++) {
        double off = fabs((squares ? x.data[r * width + j] / sqrt(squares) : 0) - y.data[r * width + j]);
        if (!(off <= worst)) worst = off;
      }
    }
    check(worst <= 1e-7 && intact(y), "normalize", "is off");
    drop(x), drop(y);
  }
}

/* Every activation over the whole range of floats, and at its ends. */
static void test_activations(const clip_kernels *k) {
  enum { COUNT = 200000 };
  static float x[COUNT], y[COUNT];
  for (int a = 0; a < 8; a++) {
    for (int i = 0; i < COUNT; i++) {
      uint32_t bits = next();
      x[i] = i & 1 ? uniform() * 20 : 0;
      if (!(i & 1)) memcpy(&x[i], &bits, 4);
      if (fabsf(x[i]) > 1e12f) x[i] = uniform() * 110;
    }
    x[0] = NAN, x[1] = 0, x[2] = -0.0f, x[3] = 1e30f, x[4] = -1000;
    k->scale_shift(x, COUNT, y, COUNT, 1, COUNT, NULL, NULL, (clip_activation)a);
    double worst = 0;
    char detail[120];
    for (int i = 1; i < COUNT; i++) {
      double want = activate((clip_activation)a, x[i]);
      if (isnan(want)) want = activate((clip_activation)a, x[i] < 0 ? -1e4 : 1e4);
      double off = fabs(want - y[i]) / (fabs(want) > 1 ? fabs(want) : 1);
      if (!(off <= worst)) worst = off;
    }
    snprintf(detail, sizeof detail, "%d: off by %g", a, worst);
    check(worst <= 2.5e-7, "activation", detail);
    check(isnan(y[0]), "activation keeps NaN", detail);
  }
  /* The exponential, to its last places: silu(x) / x where e^-x is all that counts. */
  double worst = 0;
  for (int i = 0; i < COUNT; i++) x[i] = -18 - 69 * (float)i / COUNT;
  k->scale_shift(x, COUNT, y, COUNT, 1, COUNT, NULL, NULL, CLIP_SIGMOID);
  for (int i = 0; i < COUNT; i++) {
    double want = 1 / (1 + exp(-(double)x[i])), off = fabs(y[i] / want - 1);
    if (!(off <= worst)) worst = off;
  }
  char detail[80];
  snprintf(detail, sizeof detail, "relative error %g", worst);
  check(worst <= 3e-7, "exponential", detail);
}

static int can_run(uint32_t features) {
#if defined(__x86_64__)
  if ((features & CLIP_CPU_AVX2) && !__builtin_cpu_supports("avx2")) return 0;
  if ((features & CLIP_CPU_FMA) && !__builtin_cpu_supports("fma")) return 0;
  if ((features & CLIP_CPU_AVX512) && !__builtin_cpu_supports("avx512vl")) return 0;
  return 1;
#else
  return features == 0;
#endif
}

int main(int argc, char **argv) {
  signal(SIGSEGV, outside), signal(SIGBUS, outside);
  for (int i = 1; i < argc; i++) {
    void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    clip_plugin_entry_fn entry = library ? (clip_plugin_entry_fn)dlsym(library, "clip_plugin_entry") : NULL;
    const clip_plugin *plugin = entry ? entry() : NULL;
    set_id = argv[i];
    check(plugin != NULL, "load", library ? "no clip_plugin_entry" : dlerror());
    if (!plugin) continue;
    int found = 0;
    for (size_t j = 0; j < plugin->item_count; j++) {
      if (plugin->items[j].kind != CLIP_KIND_KERNELS) continue;
      const clip_kernels *k = plugin->items[j].table;
      found++;
      set_id = k->id;
      if (!can_run(k->features)) {
        printf("%s: left out, this processor cannot run it\n", k->id);
        continue;
      }
      int before = failed;
      test_matmul(k), test_storage(k), test_bytes(k), test_winograd(k), test_attention(k), test_rows(k), test_normalize(k), test_activations(k);
      printf("%s: %s\n", k->id, failed == before ? "ok" : "FAILED");
    }
    check(found > 0, "load", "no kernels in this plugin");
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0 || passed == 0;
}
