/* Cases of the two passes of a resize. */
#ifndef CLIPCORE_TESTS_KERNELS_RESAMPLE_H
#define CLIPCORE_TESTS_KERNELS_RESAMPLE_H

#include "clip_plugin.h"
#include "guarded.h"

/* Bytes that end at an inaccessible page. */
static buffer make_bytes(size_t count) {
  buffer b = make((count + 3) / 4);
  for (size_t i = 0; i < b.count; i++) ((uint32_t *)(void *)b.data)[i] = next();
  b.count = count; /* aligned to the end of the buffer */
  return b;
}
static uint8_t *bytes_of(buffer b) { return (uint8_t *)(void *)(b.data + (b.count + 3) / 4) - b.count; }

/* Writes `count` random weights of both signs, grouped to `weights` and in order to `plain`. */
static clip_resample_span make_span(size_t first, size_t count, clip_resample_weights *weights, int32_t *plain) {
  memset(weights, 0, (count + 3) / 4 * sizeof *weights);
  for (size_t i = 0; i < count; i++) {
    /* Their sum is between -0.5 and 1.5, as for real filters. */
    plain[i] = (int32_t)(next() % (6u << 20) / count) - (int32_t)((2u << 20) / count);
    weights[i / 4].low[i % 4] = (int16_t)(plain[i] & 0x7fff);
    weights[i / 4].high[i % 4] = (int16_t)((plain[i] - (plain[i] & 0x7fff)) / 32768);
  }
  return (clip_resample_span){first, count, weights};
}
static int byte_of(int64_t sum) {
  sum += 1 << 21;
  if (sum < 0) return 0;
  return sum >> 22 > 255 ? 255 : (int)(sum >> 22);
}

static void test_resample(const clip_kernels *k) {
  enum { MOST = 40, WIDEST = 70 };
  static clip_resample_weights weights[WIDEST][(MOST + 3) / 4];
  static int32_t plain[WIDEST][MOST];
  for (int i = 0; i < 80; i++) {
    char detail[100];
    size_t most = i < 20 ? 1 + (size_t)i / 4 : pick(1, MOST), width = pick(1, WIDEST), first = pick(0, 900);
    clip_resample_span spans[WIDEST];
    size_t end = 0;
    for (size_t x = 0; x < width; x++) {
      spans[x] = make_span(first + pick(0, 30), pick(1, most), weights[x], plain[x]);
      size_t reach = spans[x].first - first + (spans[x].count + 3) / 4 * 4;
      if (reach > end) end = reach;
    }
    snprintf(detail, sizeof detail, "%zu pixels of at most %zu", width, most);
    buffer source = make_bytes(end * 4), out = make_bytes(width * 3 + 1);
    const uint8_t *pixels = bytes_of(source), *made = bytes_of(out);
    k->resample_horizontal(pixels, first, spans, width, bytes_of(out));
    int ok = 1;
    for (size_t x = 0; x < width; x++)
      for (size_t channel = 0; channel < 3; channel++) {
        int64_t sum = 0;
        for (size_t tap = 0; tap < spans[x].count; tap++)
          sum += (int64_t)plain[x][tap] * pixels[(spans[x].first - first + tap) * 4 + channel];
        ok &= made[x * 3 + channel] == byte_of(sum);
      }
    check(ok, "resample_horizontal", detail);
    check(intact(out) && intact(source), "resample_horizontal writes beside its row", detail);
    drop(source), drop(out);

    size_t bytes = 16 * pick(1, 9), taps = spans[0].count;
    const uint8_t *rows[MOST + 1];
    buffer kept[MOST];
    for (size_t tap = 0; tap < taps; tap++) kept[tap] = make_bytes(bytes), rows[tap] = bytes_of(kept[tap]);
    rows[taps] = rows[taps - 1];
    buffer down = make_bytes(bytes);
    k->resample_vertical(rows, spans, bytes, bytes_of(down));
    ok = 1;
    for (size_t x = 0; x < bytes; x++) {
      int64_t sum = 0;
      for (size_t tap = 0; tap < taps; tap++) sum += (int64_t)plain[0][tap] * rows[tap][x];
      ok &= bytes_of(down)[x] == byte_of(sum);
    }
    snprintf(detail, sizeof detail, "%zu rows of %zu bytes", taps, bytes);
    check(ok, "resample_vertical", detail);
    check(intact(down), "resample_vertical writes before its row", detail);
    for (size_t tap = 0; tap < taps; tap++) drop(kept[tap]);
    drop(down);
  }
}

#endif
