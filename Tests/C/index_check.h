/* index_check.h: what the tests of an index share. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clip_index.h"

#include "check.h"

static clip_runtime *runtime;
static const char *folder;

/* Whether a check takes a hundred times as long: then there are fewer of each. */
static inline int is_slow(void) {
#if defined(SANITIZED)
  return 1;
#else
  return under_valgrind();
#endif
}

/* xorshift64* (Vigna, 2016) */
static uint64_t state = 88172645463325252u;
static inline uint32_t next(void) {
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717u) >> 32);
}
static inline float uniform(void) { return (float)next() / 2147483648.0f - 1; }
static inline void fill(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = uniform();
}

static inline const char *path_of(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
/* Ends a child, as another program: valgrind would count what its parent holds as lost in it. */
static inline void leave(int code) {
  char text[16];
  snprintf(text, sizeof text, "exit %d", code);
  execl("/bin/sh", "sh", "-c", text, (char *)NULL);
  _exit(code);
}

static inline clip_index *open_index(const char *name, uint32_t width, clip_storage storage) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "test", options.embedding_width = width, options.storage = storage;
  clip_index *index = NULL;
  CHECK(clip_index_open(runtime, path_of(name), &options, &index) == CLIP_OK);
  return index;
}
static inline clip_status reopen(const char *name, uint32_t flags, clip_index **out) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = flags;
  *out = NULL;
  return clip_index_open(runtime, path_of(name), &options, out);
}
static inline clip_index_bytes text(const char *string) { return (clip_index_bytes){string, strlen(string)}; }
static inline uint64_t entries_of(clip_index *index) {
  clip_index_info info = CLIP_INIT(clip_index_info);
  CHECK(clip_index_describe(index, &info) == CLIP_OK);
  return info.entries;
}

/* What calls visited: keys end in NUL here. */
enum { MOST = 4000 };
typedef struct list {
  size_t count, stop_at;
  struct {
    char key[64], other[64], metadata[64];
    float score;
  } at[MOST];
} list;
static inline int add(void *user, const clip_index_entry *entry) {
  list *l = user;
  if (l->count < MOST) {
    snprintf(l->at[l->count].key, 64, "%.*s", (int)entry->key.size, (const char *)entry->key.data);
    snprintf(l->at[l->count].metadata, 64, "%.*s", (int)entry->metadata.size, entry->metadata.size ? (const char *)entry->metadata.data : "");
    l->at[l->count].score = entry->score;
  }
  return ++l->count == l->stop_at;
}
static inline int add_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) {
  list *l = user;
  add(user, a);
  if (l->count <= MOST) snprintf(l->at[l->count - 1].other, 64, "%.*s", (int)b->key.size, (const char *)b->key.data);
  return 0;
}

static list found;
static inline clip_status search(clip_index *index, const float *query, const clip_index_search_options *options) {
  memset(&found, 0, sizeof found);
  return clip_index_search(index, query, options, add, &found);
}

static inline double cosine(const float *a, const float *b, size_t width) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < width; i++) ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
  return ab / sqrt(aa * bb);
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* Batches of ten entries "b<batch>/<i>", all of the embedding that the batch's number gives. */
static inline void batch_of(int batch, float *x) {
  uint32_t random = (uint32_t)batch * 2654435761u + 1;
  for (int i = 0; i < 32; i++) random = random * 1664525u + 1013904223u, x[i] = (float)(random >> 16) / 32768 - 1;
}
static inline clip_status put_batch(clip_index *index, int batch) {
  float x[10][32];
  char names[10][32];
  clip_index_bytes batch_keys[10];
  for (int i = 0; i < 10; i++) batch_of(batch, x[i]), snprintf(names[i], 32, "b%04d/%d", batch, i), batch_keys[i] = text(names[i]);
  return clip_index_put(index, batch_keys, x[0], batch_keys, 10);
}

static inline void begin(const char *path) {
  folder = path;
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 3;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
}
static inline int end(void) { return clip_runtime_release(runtime), checks_report(); }
