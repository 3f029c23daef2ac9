/* Kernel plugins against plain loops in double precision, and against themselves: the same bits however the work is cut,
 * and no access outside the buffers.
 *
 *   cc -O2 -I Include Tests/C/kernels_test.c -ldl -lm -o kernels_test && ./kernels_test libkernels_*.so
 *
 * Kernel sets that this processor does not support are skipped. */
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "clip_plugin.h"
#include "guarded.h"
#include "kernels_attention.h"
#include "kernels_products.h"
#include "kernels_resample.h"
#include "kernels_score.h"
#include "kernels_winograd.h"

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
        /* One ulp of x has a larger effect in a row of small variance. */
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

/* Every activation over the whole range of floats and at its limits. */
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
  /* The accuracy of the exponential: silu(x) / x where e^-x dominates. */
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
  if ((features & CLIP_CPU_AVX512_VNNI) && !__builtin_cpu_supports("avx512vnni")) return 0;
  if ((features & CLIP_CPU_AVX512_BF16) && !__builtin_cpu_supports("avx512bf16")) return 0;
  return 1;
#elif defined(__aarch64__)
  return !(features & CLIP_CPU_ARM_DOT) || (getauxval(AT_HWCAP) & HWCAP_ASIMDDP);
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
      test_matmul(k), test_storage(k), test_bytes(k, CLIP_STORAGE_INT8), test_bytes(k, CLIP_STORAGE_INT8_FAST);
      test_fast_bytes(k), test_winograd(k), test_attention(k), test_rows(k), test_normalize(k), test_activations(k);
      test_resample(k), test_score(k);
      printf("%s: %s\n", k->id, failed == before ? "ok" : "FAILED");
    }
    check(found > 0, "load", "no kernels in this plugin");
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0 || passed == 0;
}
