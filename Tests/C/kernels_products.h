/* Cases of matrix products and of weight storage. */
#ifndef CLIPCORE_TESTS_KERNELS_PRODUCTS_H
#define CLIPCORE_TESTS_KERNELS_PRODUCTS_H

#include <math.h>

#include "clip_plugin.h"
#include "guarded.h"

/* Whether a set promises the same bits however the work is cut: all but OpenBLAS's. */
static int keeps_bits(const clip_kernels *k) { return strcmp(k->id, "clipcore.kernels.openblas") != 0; }

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

/* The value of a weight after it was stored. */
static double stored(float w, clip_storage storage) {
  uint32_t bits;
  if (storage == CLIP_STORAGE_F16) {
    if (w == 0) return 0;
    int e;
    frexp(w, &e);
    double unit = ldexp(1, (e < -13 ? -13 : e) - 11); /* ulp of F16 */
    return nearbyint(w / unit) * unit;
  }
  if (storage == CLIP_STORAGE_F32) return w;
  memcpy(&bits, &w, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
  memcpy(&w, &bits, 4);
  return w;
}

/* The values of a row of weights after it was stored as INT8. */
static void stored_bytes(const float *w, size_t depth, double *kept) {
  float largest = 0;
  for (size_t d = 0; d < depth; d++) largest = fmaxf(largest, fabsf(w[d]));
  for (size_t d = 0; d < depth; d++) kept[d] = largest == 0 ? 0 : (double)rintf(w[d] * (127 / largest)) * (largest / 127);
}

static buffer pack(const clip_kernels *k, const float *weights, size_t columns, size_t depth, clip_storage storage) {
  size_t panels = (columns + k->panel_width - 1) / k->panel_width, bytes = k->panel_bytes(depth, storage);
  check(bytes % 64 == 0, "panel_bytes", "is a multiple of 64");
  buffer packed = make(panels * bytes / sizeof(float));
  memset(packed.data, 0xff, panels * bytes); /* NaN, so that bytes that pack_panel does not write are noticed */
  for (size_t p = 0; p < panels; p++) {
    size_t first = p * k->panel_width, rows = columns - first < k->panel_width ? columns - first : k->panel_width;
    k->pack_panel(weights + first * depth, depth, rows, depth, storage, (char *)packed.data + p * bytes);
  }
  return packed;
}

/* A whole product: adds to `work` the rows of A, packed here in pieces of at most `take`, and the cut. */
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

/* What a set makes of rows A, or of weights, each value by itself: the product with the identity matrix. */
static double *seen(const clip_kernels *k, buffer a, size_t rows, buffer w, size_t columns, size_t depth,
                    clip_storage storage) {
  buffer packed = pack(k, w.data, columns, depth, storage), c = make(rows * columns);
  clip_matmul work = {.weights = packed.data, .storage = storage, .c = c.data, .c_stride = columns, .rows = rows,
                      .columns = columns, .depth = depth};
  multiply(k, work, a.data, depth, rows, 0);
  double *values = malloc(rows * columns * sizeof(double));
  for (size_t i = 0; i < rows * columns; i++) values[i] = c.data[i];
  drop(packed), drop(c);
  return values;
}
static buffer identity(size_t depth) {
  buffer one = make(depth * depth);
  memset(one.data, 0, depth * depth * sizeof(float));
  for (size_t d = 0; d < depth; d++) one.data[d * depth + d] = 1;
  return one;
}

/* Whether the set rounds rows to BF16. */
static int rounds_rows(const clip_kernels *k) {
  buffer a = make(1), w = make(1);
  a.data[0] = 1.0009765625f, w.data[0] = 1;
  double *value = seen(k, a, 1, w, 1, 1, CLIP_STORAGE_BF16);
  int rounds = value[0] == 1;
  free(value), drop(a), drop(w);
  return rounds;
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

  /* Gaps between rows hold a pattern that must not change. */
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
  int rounds = storage == CLIP_STORAGE_BF16 && rounds_rows(k);
  double worst = 0, limit = 2e-7 * (4 + sqrt((double)depth)), *kept = malloc(columns * depth * sizeof(double));
  for (size_t j = 0; j < columns; j++) {
    if (storage == CLIP_STORAGE_INT8) stored_bytes(w.data + j * depth, depth, kept + j * depth);
    else for (size_t d = 0; d < depth; d++) kept[j * depth + d] = stored(w.data[j * depth + d], storage);
  }
  /* Elements of A, at most 1, are rounded to multiples of 1/32767; the slope of an activation is at most 1.2. */
  if (storage == CLIP_STORAGE_INT8) limit += 1.2 * 0.2 * (double)depth / 65534;
  int same = 1, gaps = 1;
  uint32_t pattern = 0xa5a5a5a5u;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      double sum = 0;
      for (size_t d = 0; d < depth; d++)
        sum += (rounds ? stored(a.data[i * as + d], storage) : a.data[i * as + d]) * kept[j * depth + d];
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
  check(same || !keeps_bits(k), "matmul gives other numbers when cut", detail);
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

/* F16 and BF16 weights are widened to exactly the stored value, subnormal F16 values too. */
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

static clip_storage bytes_storage = CLIP_STORAGE_INT8;
static void multiply_bytes(const clip_kernels *k, buffer a, buffer w, buffer c, size_t columns, size_t depth) {
  buffer packed = pack(k, w.data, columns, depth, bytes_storage);
  clip_matmul work = {.weights = packed.data, .storage = bytes_storage, .c = c.data, .c_stride = columns,
                      .rows = a.count / depth, .columns = columns, .depth = depth};
  multiply(k, work, a.data, depth, 1, 0);
  drop(packed);
}

/* INT8: integers are exact, the largest values do not overflow, zeros stay zero, and NaN stays in its row. INT8_FAST: all
 * but the first. */
static void test_bytes(const clip_kernels *k, clip_storage storage) {
  if (!(k->storages & (1u << storage))) return;
  bytes_storage = storage;
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
    check(exact || storage == CLIP_STORAGE_INT8_FAST, "bytes: whole numbers are exact", detail);

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
    /* One element beside others whose range has no finite inverse. */
    for (size_t j = 0; j < a.count; j++) a.data[j] = j % depth ? (j % 2 ? 1e-39f : -1e-39f) : 1;
    for (size_t j = 0; j < w.count; j++) w.data[j] = 127;
    multiply_bytes(k, a, w, c, columns, depth);
    int alone = 1;
    for (size_t j = 0; j < c.count; j++) alone &= fabsf(c.data[j] - 127) < 0.5f;
    check(alone, "bytes: a large element beside tiny ones", detail);
    drop(a), drop(w), drop(c), drop(clean);
  }
}

/* INT8_FAST: elements of A keep 7 bits of their row's range and outliers all of theirs, weights 7 bits of their column's
 * largest magnitude; and products of what is kept are exact, in any cut. */
static void test_fast_bytes(const clip_kernels *k) {
  if (!(k->storages & (1u << CLIP_STORAGE_INT8_FAST))) return;
  static const size_t depths[] = {1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 511, 512, 513, 700, 1030};
  for (int i = 0; i < 36; i++) {
    size_t depth = depths[i % 18], rows = pick(1, i % 4 ? 30 : 70), columns = pick(1, 3 * k->panel_width);
    char detail[80];
    snprintf(detail, sizeof detail, "case %d rows %zu columns %zu depth %zu", i, rows, columns, depth);
    buffer a = make_random(rows * depth, 1), w = make_random(columns * depth, 0.2f), one = identity(depth);
    buffer whole = make(rows * columns), c = make(rows * columns);
    /* Rows as an activation leaves them, with outliers few or many, and weights as large as they may be together. */
    for (size_t j = 0; j < a.count; j++) {
      if (i % 3 == 1 && a.data[j] < 0) a.data[j] *= 0.1f;
      if (i % 2 && pick(0, i % 5 ? 200 : 10) == 0) a.data[j] *= 100;
    }
    if (i % 6 == 5)
      for (size_t j = 0; j < w.count; j++) w.data[j] = w.data[j] < 0 ? -0.2f : 0.2f;
    double *x = seen(k, a, rows, one, depth, depth, CLIP_STORAGE_INT8_FAST);
    double *y = seen(k, one, depth, w, columns, depth, CLIP_STORAGE_INT8_FAST); /* [depth, columns] */

    int close = 1, kept = 1;
    for (size_t r = 0; r < rows; r++) {
      double mean = 0, largest = 0, range;
      for (size_t d = 0; d < depth; d++) {
        double value = fabs(a.data[r * depth + d]);
        largest = fmax(largest, value), mean += value / (double)depth;
      }
      /* Elements up to 10 times a block's mean magnitude count to the range; where there are many outliers, all may. */
      range = i % 10 == 5 || depth < 100 ? 2 * largest : fmin(2 * largest, 40 * mean);
      for (size_t d = 0; d < depth; d++) {
        double value = a.data[r * depth + d], off = fabs(value - x[r * depth + d]);
        close &= off <= range / 250 * 1.0001 + 1e-6;
        if (i % 10 != 5 && depth >= 100 && fabs(value) > 20 * mean) kept &= off <= 1e-5 * fabs(value);
      }
    }
    for (size_t j = 0; j < columns; j++) {
      double largest = 0;
      for (size_t d = 0; d < depth; d++) largest = fmax(largest, fabs(w.data[j * depth + d]));
      for (size_t d = 0; d < depth; d++)
        kept &= fabs(w.data[j * depth + d] - y[d * columns + j]) <= largest / 127 * 1.001;
    }
    check(close, "fast bytes: elements are near", detail);
    check(kept, "fast bytes: outliers and weights are near", detail);

    buffer packed = pack(k, w.data, columns, depth, CLIP_STORAGE_INT8_FAST);
    clip_matmul work = {.weights = packed.data, .storage = CLIP_STORAGE_INT8_FAST, .c = whole.data, .c_stride = columns,
                        .rows = rows, .columns = columns, .depth = depth};
    multiply(k, work, a.data, depth, rows, 0);
    for (size_t row = 0; row < rows; row += work.rows) {
      work.rows = pick(1, rows - row), work.c = c.data + row * columns;
      multiply(k, work, a.data + row * depth, depth, pick(1, work.rows), 1);
    }
    int exact = 1;
    for (size_t r = 0; r < rows; r++)
      for (size_t j = 0; j < columns; j++) {
        double sum = 0, size = 0;
        for (size_t d = 0; d < depth; d++) {
          double term = x[r * depth + d] * y[d * columns + j];
          sum += term, size += fabs(term);
        }
        exact &= fabs(sum - whole.data[r * columns + j]) <= 5e-7 * size + 1e-9;
      }
    check(exact, "fast bytes: products of what is kept", detail);
    check(!memcmp(whole.data, c.data, rows * columns * sizeof(float)), "fast bytes: other numbers when cut", detail);
    check(intact(c) && intact(whole), "fast bytes: writes beside C", detail);
    free(x), free(y), drop(packed), drop(a), drop(w), drop(one), drop(whole), drop(c);
  }
}

#endif
