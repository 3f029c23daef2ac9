/* Cases of the scores of rows. */
#ifndef CLIPCORE_TESTS_KERNELS_SCORE_H
#define CLIPCORE_TESTS_KERNELS_SCORE_H

#include <math.h>

#include "clip_plugin.h"
#include "guarded.h"

static double half_value(uint16_t half) {
  double size = half & 0x7c00 ? ldexp(1024 + (half & 0x3ff), (half >> 10 & 31) - 25) : ldexp(half & 0x3ff, -24);
  return half & 0x8000 ? -size : size;
}

static void test_score(const clip_kernels *k) {
  static const clip_storage storages[] = {CLIP_STORAGE_F32, CLIP_STORAGE_F16, CLIP_STORAGE_INT8};
  for (int i = 0; i < 90; i++) {
    clip_storage storage = storages[i % 3];
    size_t count = i < 30 ? pick(1, 9) : pick(1, 70), width = 64 * (i < 60 ? pick(1, 3) : pick(4, 20));
    size_t size = storage == CLIP_STORAGE_F32 ? 4 : storage == CLIP_STORAGE_F16 ? 2 : 1;
    buffer rows = make((count * width * size + 3) / 4), query = make(size == 1 ? width / 2 : width), scales = make_random(count, 1);
    buffer scores = make(count), alone = make(1);
    uint8_t *bytes = (uint8_t *)(void *)rows.data;
    int16_t *integers = (int16_t *)(void *)query.data;
    /* The largest that the contract allows, in a third of the cases all of one sign. */
    int largest = (int)fmin(32767, 2147483647.0 / 127 / (double)(width / 4));
    for (size_t j = 0; j < count * width; j++) {
      if (size == 4) rows.data[j] = uniform();
      if (size == 2) ((uint16_t *)(void *)bytes)[j] = (uint16_t)(next() & 0xbfff);
      if (size == 1) ((int8_t *)bytes)[j] = i % 9 == 2 ? 127 : (int8_t)((int)pick(0, 254) - 127);
    }
    for (size_t j = 0; j < width; j++) {
      if (size > 1) query.data[j] = uniform();
      if (size == 1) integers[j] = (int16_t)(i % 9 == 2 ? largest : (int)pick(0, 2 * (size_t)largest) - largest);
    }
    clip_score_rows work = {.rows = rows.data, .storage = storage, .scales = size == 1 ? scales.data : NULL, .query = query.data,
      .query_scale = 0.0001f, .count = count, .width = width, .scores = scores.data};
    k->score_rows(&work);
    double worst = 0;
    for (size_t r = 0; r < count; r++) {
      double want = 0, terms = 0;
      for (size_t j = 0; j < width; j++) {
        size_t place = r * width + j;
        double row = size == 4 ? rows.data[place] : size == 2 ? half_value(((uint16_t *)(void *)bytes)[place]) : ((int8_t *)bytes)[place];
        double term = row * (size == 1 ? integers[j] : query.data[j]);
        want += term, terms += fabs(term);
      }
      if (size == 1) want *= 0.0001 * scales.data[r], terms *= 0.0001 * fabs(scales.data[r]);
      double off = fabs(want - scores.data[r]) / (terms + 1e-30);
      if (!(off <= worst)) worst = off;
    }
    char detail[120];
    snprintf(detail, sizeof detail, "storage %d count %zu width %zu: off by %g", (int)storage, count, width, worst);
    check(worst <= 1e-6, "score_rows", detail);
    check(intact(scores), "score_rows writes before its scores", detail);
    size_t one = pick(0, count - 1);
    work.rows = bytes + one * width * size, work.count = 1, work.scores = alone.data;
    if (work.scales) work.scales = scales.data + one;
    k->score_rows(&work);
    check(memcmp(alone.data, scores.data + one, 4) == 0, "score_rows depends on the rows around", detail);
    buffer all[] = {rows, query, scales, scores, alone};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) drop(all[j]);
  }
}

#endif
