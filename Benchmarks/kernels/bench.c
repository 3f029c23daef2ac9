/* GFLOP/s of a kernel plugin's matrix product on one core, in processor time, for each storage of the weights, beside
 * the core's FMA peak and, if installed, OpenBLAS. The candidates are timed in turns. See run.sh.
 *
 *   bench <plugin.so> [quick] [f32] [f16] [bf16] [int8] [int8-fast]      all storages if none is named */
#include <dlfcn.h>
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clip_plugin.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve independent chains hide the latency of a fused multiply-add. */
#define STEP(s, fmadd, registers) s = fmadd(x, x, s); __asm__ volatile("" : registers(s));
#define CHAINS(o, r) STEP(a, o, r) STEP(b, o, r) STEP(c, o, r) STEP(d, o, r) STEP(e, o, r) STEP(f, o, r) STEP(g, o, r) \
  STEP(h, o, r) STEP(i, o, r) STEP(j, o, r) STEP(k, o, r) STEP(l, o, r)
enum { PEAK_STEPS = 1500000 };
#define PEAK(name, features, vector, set, fmadd, registers, floats)                                                   \
  __attribute__((target(features))) static double name(void) {                                                        \
    vector x = set(1e-9f), a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;         \
    double start = now();                                                                                              \
    for (int step = 0; step < PEAK_STEPS; step++) {                                                                    \
      CHAINS(fmadd, registers)                                                                                         \
    }                                                                                                                  \
    return (double)PEAK_STEPS * 12 * 2 * floats / (now() - start) * 1e-9;                                              \
  }
PEAK(peak_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, "+x", 8)
PEAK(peak_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, "+v", 16)
static double peak(void) {
  double best = 0;
  for (int i = 0; i < 5; i++) {
    double p = __builtin_cpu_supports("avx512f") ? peak_avx512() : __builtin_cpu_supports("fma") ? peak_avx2() : 0;
    if (p > best) best = p;
  }
  return best;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef void (*sgemm_fn)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                         const float *b, int ldb, float beta, float *c, int ldc);

static float *floats(size_t count) {
  float *p;
  if (posix_memalign((void **)&p, 64, count * sizeof(float) + 64)) exit(2);
  for (size_t i = 0; i < count; i++) p[i] = (float)(i * 2654435761u % 1000) / 1000 - 0.5f;
  return p;
}

static const char *const names[] = {"f32", "f16", "bf16", "int8", "int8-fast"};
enum { STORAGES = 5, RUNS = 9 };

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: %s <plugin.so> [quick] [f32] [f16] [bf16] [int8] [int8-fast]\n", argv[0]), 2;
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  clip_plugin_entry_fn entry = library ? (clip_plugin_entry_fn)dlsym(library, "clip_plugin_entry") : NULL;
  if (!entry) return fprintf(stderr, "%s: %s\n", argv[1], dlerror()), 2;
  const clip_kernels *k = entry()->items[0].table;
  int quick = 0, wanted = 0;
  for (int i = 2; i < argc; i++) {
    quick |= !strcmp(argv[i], "quick");
    for (int s = 0; s < STORAGES; s++) wanted |= !strcmp(argv[i], names[s]) << s;
  }
  wanted = (wanted ? wanted : (1 << STORAGES) - 1) & (int)k->storages;

  void *blas = getenv("NO_BLAS") ? NULL : dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  sgemm_fn sgemm = blas ? (sgemm_fn)dlsym(blas, "cblas_sgemm") : NULL;
  void (*threads)(int) = blas ? (void (*)(int))dlsym(blas, "openblas_set_num_threads") : NULL;
  if (threads) threads(1);

  static const int shapes[][2] = {{768, 768}, {2304, 768}, {3072, 768}, {768, 3072},
                                  {512, 512}, {2048, 512}, {512, 2048}, /* the text tower */
                                  {1024, 256}, {256, 1024}, {256, 2304}, {512, 4608}, {64, 576}}; /* RN50 */
  static const int rows[] = {1, 7, 8, 50, 224, 400, 1600};
  double top = peak();
  printf("%s; one core's FMA peak %.1f GFLOP/s; GFLOP/s, and of that peak or, of one row, GB/s of weights\n", k->id, top);
  printf("%6s %6s %6s", "M", "N", "K");
  for (int s = 0; s < STORAGES; s++)
    if (wanted & 1 << s) printf(" %15s", names[s]);
  printf(sgemm ? " %10s\n" : "\n", "OpenBLAS");
  for (size_t shape = 0; shape < sizeof shapes / sizeof *shapes; shape++) {
    size_t n = (size_t)shapes[shape][0], depth = (size_t)shapes[shape][1];
    size_t panels = (n + k->panel_width - 1) / k->panel_width, bytes[STORAGES], copies[STORAGES], copy[STORAGES] = {0};
    float *w = floats(n * depth), *bias = floats(n), *a = floats(1600 * depth), *c = floats(1600 * n);
    float *rows_packed = floats(k->packed_rows(1600, depth, CLIP_STORAGE_F32));
    char *packed[STORAGES] = {NULL};
    for (int s = 0; s < STORAGES; s++) {
      if (!(wanted & 1 << s)) continue;
      /* As in a model: more weights than the caches hold, used in sequence. */
      bytes[s] = k->panel_bytes(depth, (clip_storage)s);
      copies[s] = 1 + (size_t)48 * 1048576 / (panels * bytes[s]);
      packed[s] = (char *)floats(copies[s] * panels * bytes[s] / 4);
      for (size_t p = 0; p < copies[s] * panels; p++) {
        size_t first = p % panels * k->panel_width;
        k->pack_panel(w + first * depth, depth, n - first < k->panel_width ? n - first : k->panel_width, depth,
                      (clip_storage)s, packed[s] + p * bytes[s]);
      }
    }
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      size_t m = (size_t)rows[r];
      if (quick && m != 1 && m != 7 && m != 50 && m != 224) continue;
      double flops = 2.0 * (double)m * (double)n * (double)depth, ours[STORAGES][RUNS], theirs[RUNS];
      int calls = (int)((quick ? 3e8 : 1e9) / flops) + 1;
      for (int i = 0; i < RUNS; i++) {
        for (int s = 0; s < STORAGES; s++) {
          if (!(wanted & 1 << s)) continue;
          double start = now();
          for (int j = 0; j < calls; j++) {
            k->pack_rows(a, depth, 0, m, m, depth, (clip_storage)s, rows_packed);
            clip_matmul work = {.a = rows_packed, .weights = packed[s] + copy[s] * panels * bytes[s],
                                .storage = (clip_storage)s, .c = c, .c_stride = n, .bias = bias, .rows = m,
                                .columns = n, .depth = depth, .tile_end = (m + k->tile_rows - 1) / k->tile_rows, .panel_end = panels};
            k->matmul(&work);
            copy[s] = (copy[s] + 1) % copies[s];
          }
          ours[s][i] = flops * calls / (now() - start) * 1e-9;
        }
        double start = now();
        for (int j = 0; sgemm && j < calls; j++)
          sgemm(101, 111, 112, (int)m, (int)n, (int)depth, 1, a, (int)depth, w, (int)depth, 0, c, (int)n);
        theirs[i] = flops * calls / (now() - start) * 1e-9;
      }
      printf("%6zu %6zu %6zu", m, n, depth);
      for (int s = 0; s < STORAGES; s++) {
        if (!(wanted & 1 << s)) continue;
        qsort(ours[s], RUNS, sizeof(double), ascending);
        double speed = ours[s][RUNS / 2];
        if (m == 1) printf(" %7.1f %3.0f GB/s", speed, speed / flops * (double)(panels * bytes[s]));
        else printf(" %9.1f %4.0f%%", speed, 100 * speed / top);
      }
      qsort(theirs, RUNS, sizeof(double), ascending);
      if (sgemm) printf(" %10.1f", theirs[RUNS / 2]);
      printf("\n");
    }
    for (int s = 0; s < STORAGES; s++) free(packed[s]);
    free(w), free(bias), free(a), free(c), free(rows_packed);
  }
  return 0;
}
