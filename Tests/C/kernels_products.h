/* Cases of the kernels that sum over many numbers: matrix products, weights as they are stored, attention. */
#ifndef CLIPCORE_TESTS_KERNELS_PRODUCTS_H
#define CLIPCORE_TESTS_KERNELS_PRODUCTS_H

#include <math.h>

#include "clip_plugin.h"
#include "guarded.h"

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

static void matmul_case(const clip_kernels *k, size_t rows, size_t columns, size_t depth, clip_storage storage,
                        clip_activation activation, int with_bias, int residual_mode) {
  char detail[200];
  snprintf(detail, sizeof detail, "rows %zu columns %zu depth %zu storage %d activation %d bias %d residual %d", rows,
           columns, depth, (int)storage, (int)activation, with_bias, residual_mode);
  size_t as = depth + pick(0, 3), cs = columns + pick(0, 9), rs = residual_mode == 2 ? cs : columns + pick(0, 3);
  buffer a = make_random((rows - 1) * as + depth, 1), w = make_random(columns * depth, 0.2f);
  buffer bias = make_random(columns, 1), r = make_random((rows - 1) * rs + columns, 1);
  buffer c = make((rows - 1) * cs + columns), whole = make((rows - 1) * cs + columns);
  size_t panels = (columns + k->panel_width - 1) / k->panel_width;
  buffer packed = pack(k, w.data, columns, depth, storage);

  /* The rows' gaps hold a pattern that must stay. */
  clip_matmul work = {.a = a.data, .a_stride = as, .weights = packed.data, .storage = storage, .activation = activation,
                      .c_stride = cs, .bias = with_bias ? bias.data : NULL, .columns = columns, .depth = depth,
                      .residual_stride = rs};
  buffer *outs[2] = {&whole, &c};
  for (int cut = 0; cut < 2; cut++) {
    float *out = outs[cut]->data;
    if (residual_mode == 2)
      for (size_t i = 0; i < rows; i++) memcpy(out + i * cs, r.data + i * rs, columns * sizeof(float));
    for (size_t row = 0; row < rows;) {
      size_t take = cut ? pick(1, rows - row) : rows;
      for (size_t panel = 0; panel < panels;) {
        size_t end = cut ? pick(panel + 1, panels) : panels;
        work.a = a.data + row * as, work.c = out + row * cs, work.rows = take;
        work.residual = residual_mode == 2 ? work.c : residual_mode == 1 ? r.data + row * rs : NULL;
        work.panel_begin = panel, work.panel_end = end;
        k->matmul(&work);
        panel = end;
      }
      row += take;
    }
  }
  double worst = 0, limit = 2e-7 * (4 + sqrt((double)depth));
  int same = 1, gaps = 1;
  uint32_t pattern = 0xa5a5a5a5u;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      double sum = 0;
      for (size_t d = 0; d < depth; d++) sum += a.data[i * as + d] * stored(w.data[j * depth + d], storage);
      if (with_bias) sum += bias.data[j];
      sum = activate(activation, sum);
      if (residual_mode) sum += r.data[i * rs + j];
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
  drop(packed), drop(a), drop(w), drop(bias), drop(r), drop(c), drop(whole);
}

static void test_matmul(const clip_kernels *k) {
  for (size_t rows = 1; rows <= 13; rows++)
    for (int s = 0; s < 3; s++)
      if (k->storages & (1u << s))
        matmul_case(k, rows, pick(1, 3 * k->panel_width), pick(1, 70), (clip_storage)s, CLIP_IDENTITY, rows & 1, s);
  for (int i = 0; i < 120; i++) {
    clip_storage s = (clip_storage)(i % 3);
    if (k->storages & (1u << s))
      matmul_case(k, pick(1, 70), pick(1, 200), pick(1, i % 10 ? 90 : 1700), s, (clip_activation)(i % 8),
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
      clip_matmul work = {.a = one, .a_stride = depth, .weights = packed.data, .storage = (clip_storage)s, .c = &c,
                          .c_stride = 1, .rows = 1, .columns = 1, .depth = depth, .panel_end = 1};
      k->matmul(&work);
      one[i] = 0;
      ok &= c == (float)stored(w.data[i], (clip_storage)s);
    }
    check(ok, "storage rounds to nearest", s == 1 ? "f16" : "bf16");
    free(one), drop(packed), drop(w);
  }
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

#endif
