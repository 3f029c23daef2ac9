/* Cases of attention. */
#ifndef CLIPCORE_TESTS_KERNELS_ATTENTION_H
#define CLIPCORE_TESTS_KERNELS_ATTENTION_H

#include <math.h>

#include "clip_plugin.h"
#include "guarded.h"

static void attend(const clip_kernels *k, clip_attention work) {
  size_t count = k->attention_scratch(work.keys, work.width);
  buffer scratch = make((count + 15) / 16 * 16); /* to align to 64 bytes */
  memset(scratch.data, 0xff, count * sizeof(float));
  work.scratch = scratch.data;
  k->attention(&work);
  check(intact(scratch), "attention", "writes before its scratch");
  drop(scratch);
}

static void attention_case(const clip_kernels *k, size_t queries, size_t keys, size_t width, int causal, int biased) {
  char detail[160];
  snprintf(detail, sizeof detail, "queries %zu keys %zu width %zu causal %d bias %d", queries, keys, width, causal, biased);
  size_t qs = width + pick(0, 20), ks = width + pick(0, 20), vs = width + pick(0, 20), os = width + pick(0, 20);
  size_t position = causal ? pick(0, keys - 1) : 0;
  float scale = 1 / sqrtf((float)width);
  buffer q = make_random((queries - 1) * qs + width, 3), kk = make_random((keys - 1) * ks + width, 3);
  buffer v = make_random((keys - 1) * vs + width, 1);
  buffer out = make((queries - 1) * os + width), one = make(width);
  size_t bs = keys + pick(0, 20);
  buffer bias = make_random((queries - 1) * bs + keys, 2);
  clip_attention work = {.q = q.data, .k = kk.data, .v = v.data, .q_stride = qs, .k_stride = ks, .v_stride = vs,
                         .out = out.data, .out_stride = os, .queries = queries, .keys = keys, .width = width,
                         .first_query = position, .scale = scale, .causal = (uint32_t)causal,
                         .bias = biased ? bias.data : NULL, .bias_stride = bs};
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
      p[j] = p[j] * scale + (biased ? bias.data[i * bs + j] : 0);
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
    if (i % 5 == 0 || i + 1 == queries) { /* the row alone, then without its masked keys */
      clip_attention alone = work;
      alone.q = q.data + i * qs, alone.queries = 1, alone.first_query = position + i, alone.out = one.data;
      if (biased) alone.bias = bias.data + i * bs;
      attend(k, alone);
      same &= !memcmp(one.data, out.data + i * os, width * sizeof(float));
      alone.keys = seen;
      attend(k, alone);
      trailing &= !memcmp(one.data, out.data + i * os, width * sizeof(float));
    }
  }
  if (causal) { /* a key that is masked for every row holds NaN */
    size_t hidden = position + queries;
    for (size_t j = hidden; j < keys; j++) kk.data[j * ks] = v.data[j * vs] = NAN;
    buffer again = make(out.count);
    work.out = again.data;
    attend(k, work);
    for (size_t i = 0; i < queries; i++)
      trailing &= !memcmp(again.data + i * os, out.data + i * os, width * sizeof(float));
    /* a key that only the last row attends to changes only that row */
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
  free(p), drop(q), drop(kk), drop(v), drop(out), drop(one), drop(bias);
}

static void test_attention(const clip_kernels *k) {
  for (int i = 0; i < 60; i++) attention_case(k, pick(1, 40), pick(1, 90), pick(1, 130), i & 1, i >> 1 & 1);
  attention_case(k, 50, 50, 64, 0, 0);
  attention_case(k, 49, 49, 32, 0, 1);
  attention_case(k, 77, 77, 64, 1, 0);
  attention_case(k, 1, 577, 64, 0, 0);
  attention_case(k, 30, 600, 80, 0, 1);
  attention_case(k, 30, 600, 16, 1, 1);
}

#endif
