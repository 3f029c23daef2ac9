/* Times an index: bench VECTORS.f16 WIDTH INDEX STORAGE THREADS. VECTORS has rows of WIDTH halves, of unit length; the last 100 are
 * the queries, which are not put. Prints the times, and the keys that were found for the queries. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clip_index.h"

enum { QUERIES = 100, ROUNDS = 21 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static void fail(const char *what) { fprintf(stderr, "%s: %s\n", what, clip_last_error()), exit(1); }
static int by_value(const void *a, const void *b) { return *(const double *)a > *(const double *)b ? 1 : -1; }
static double median(double *x, int n) { return qsort(x, (size_t)n, sizeof *x, by_value), x[n / 2]; }

/* Reading: each thread adds up its share of a buffer. */
typedef long long lanes __attribute__((vector_size(64)));
static const lanes *buffer;
static size_t buffer_count;
static int threads;
static volatile long long total;
static void *read_share(void *share) {
  size_t i = buffer_count * (size_t)share / (size_t)threads, end = buffer_count * ((size_t)share + 1) / (size_t)threads;
  lanes a = {0}, b = {0}, c = {0}, d = {0};
  for (; i + 4 <= end; i += 4) a += buffer[i], b += buffer[i + 1], c += buffer[i + 2], d += buffer[i + 3];
  a += b + c + d;
  for (int j = 0; j < 8; j++) total += a[j];
  return NULL;
}
static double read_time(void) {
  pthread_t workers[64];
  double begin = now();
  for (int i = 1; i < threads; i++) pthread_create(&workers[i], NULL, read_share, (void *)(size_t)i);
  read_share((void *)0);
  for (int i = 1; i < threads; i++) pthread_join(workers[i], NULL);
  return now() - begin;
}

static int print_key(void *user, const clip_index_entry *entry) {
  (void)user;
  unsigned row;
  memcpy(&row, entry->key.data, 4);
  printf(" %u", (row & 0xff) << 24 | (row & 0xff00) << 8 | (row >> 8 & 0xff00) | row >> 24);
  return 0;
}
static int nothing(void *user, const clip_index_entry *entry) { return (void)user, (void)entry, 0; }

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  size_t width = strtoul(argv[2], NULL, 10);
  clip_storage storage = strcmp(argv[4], "f32") == 0 ? CLIP_STORAGE_F32 : strcmp(argv[4], "f16") == 0 ? CLIP_STORAGE_F16 : CLIP_STORAGE_INT8;
  threads = atoi(argv[5]);
  int file = open(argv[1], O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts)) return 2;
  const _Float16 *vectors = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, file, 0);
  size_t n = (size_t)facts.st_size / width / 2 - QUERIES;

  clip_runtime_options runtime_options = CLIP_INIT(clip_runtime_options);
  runtime_options.threads = (uint32_t)threads;
  clip_runtime *runtime;
  clip_index *index;
  if (clip_runtime_create(&runtime_options, &runtime)) fail("runtime");
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "bench", options.embedding_width = (uint32_t)width, options.storage = storage;
  if (clip_index_open(runtime, argv[3], &options, &index)) fail("open");
  clip_index_info info = CLIP_INIT(clip_index_info);
  if (clip_index_describe(index, &info)) fail("describe");
  enum { BATCH = 4096 };
  float *rows = malloc(BATCH * width * sizeof *rows);
  static unsigned numbers[BATCH];
  static clip_index_bytes keys[BATCH];
  double begin = now();
  for (size_t first = info.entries; first < n; first += BATCH) {
    size_t count = n - first < BATCH ? n - first : BATCH;
    for (size_t i = 0; i < count * width; i++) rows[i] = (float)vectors[first * width + i];
    for (size_t i = 0; i < count; i++) numbers[i] = __builtin_bswap32((unsigned)(first + i)), keys[i] = (clip_index_bytes){&numbers[i], 4};
    if (clip_index_put(index, keys, rows, NULL, count)) fail("put");
  }
  if (info.entries < n) printf("put %zu rows: %.2f s\n", n, now() - begin);
  clip_index_release(index);

  begin = now();
  if (clip_index_open(runtime, argv[3], &options, &index)) fail("open");
  for (size_t i = 0; i < QUERIES * width; i++) rows[i] = (float)vectors[n * width + i];
  if (clip_index_search(index, rows, NULL, nothing, NULL)) fail("search");
  printf("open and first search: %.3f s\n", now() - begin);
  clip_index_describe(index, &info);
  size_t held = info.memory_bytes;
  void *block = aligned_alloc(2 << 20, (held + (2 << 20)) >> 21 << 21);
  madvise(block, held, MADV_HUGEPAGE);
  memset(block, 1, held);
  buffer = block, buffer_count = held / 64;
  double search[ROUNDS], reading[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    begin = now();
    if (clip_index_search(index, rows + (size_t)i * width, NULL, nothing, NULL)) fail("search");
    search[i] = now() - begin;
    reading[i] = read_time();
  }
  double scoring = median(search, ROUNDS), memory = median(reading, ROUNDS);
  printf("search %.2f ms, least %.2f; reading %zu MB %.2f ms, least %.2f; ratio %.3f, of the least %.3f\n", scoring * 1e3, search[0] * 1e3, held >> 20,
    memory * 1e3, reading[0] * 1e3, scoring / memory, search[0] / reading[0]);
  for (int i = 0; i < QUERIES; i++) {
    printf("found");
    if (clip_index_search(index, rows + (size_t)i * width, NULL, print_key, NULL)) fail("search");
    printf("\n");
  }
  clip_index_release(index);
  clip_runtime_release(runtime);
  return 0;
}
