/* An index of embeddings against brute force, and under what may happen to its file.
 *
 *   index_test MODEL FOLDER     FOLDER is empty */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clip_index.h"

#include "check.h"

/* A struct that may grow has no padding at its end. */
#define ENDS_WITH(type, field) \
  _Static_assert(offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type), #type " has padding at its end")
ENDS_WITH(clip_index_options, wait_milliseconds);
ENDS_WITH(clip_index_info, memory_bytes);
ENDS_WITH(clip_index_entry, metadata);
ENDS_WITH(clip_index_search_options, progress);
ENDS_WITH(clip_index_duplicates_options, progress);

static clip_runtime *runtime;
static const char *folder;
static int searches = 20, kills = 50, damages = 400;

/* Fewer of each where a check takes a hundred times as long. */
static void go_slowly(void) { searches = 3, kills = 4, damages = 60; }

/* xorshift64* (Vigna, 2016) */
static uint64_t state = 88172645463325252u;
static uint32_t next(void) {
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717u) >> 32);
}
static float uniform(void) { return (float)next() / 2147483648.0f - 1; }
static void fill(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = uniform();
}

static const char *path_of(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
/* Ends a child, as another program: valgrind would count what its parent holds as lost in it. */
static void leave(int code) {
  char text[16];
  snprintf(text, sizeof text, "exit %d", code);
  execl("/bin/sh", "sh", "-c", text, (char *)NULL);
  _exit(code);
}

static clip_index *open_index(const char *name, uint32_t width, clip_storage storage) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "test", options.embedding_width = width, options.storage = storage;
  clip_index *index = NULL;
  CHECK(clip_index_open(runtime, path_of(name), &options, &index) == CLIP_OK);
  return index;
}
static clip_status reopen(const char *name, uint32_t flags, clip_index **out) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = flags;
  *out = NULL;
  return clip_index_open(runtime, path_of(name), &options, out);
}
static clip_index_bytes text(const char *string) { return (clip_index_bytes){string, strlen(string)}; }
static uint64_t entries_of(clip_index *index) {
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
static int add(void *user, const clip_index_entry *entry) {
  list *l = user;
  if (l->count < MOST) {
    snprintf(l->at[l->count].key, 64, "%.*s", (int)entry->key.size, (const char *)entry->key.data);
    snprintf(l->at[l->count].metadata, 64, "%.*s", (int)entry->metadata.size, entry->metadata.size ? (const char *)entry->metadata.data : "");
    l->at[l->count].score = entry->score;
  }
  return ++l->count == l->stop_at;
}
static int add_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) {
  list *l = user;
  add(user, a);
  snprintf(l->at[l->count - 1].other, 64, "%.*s", (int)b->key.size, (const char *)b->key.data);
  return 0;
}

static list found;
static clip_status search(clip_index *index, const float *query, const clip_index_search_options *options) {
  memset(&found, 0, sizeof found);
  return clip_index_search(index, query, options, add, &found);
}

/* ---------------------------------------------------------------- a model of the index: plain arrays */

enum { ROWS = 3000, WIDTH = 70 };
static float embeddings[ROWS][WIDTH];
static char keys[ROWS][16];
static int there[ROWS];

static double cosine(const float *a, const float *b, size_t width) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < width; i++) ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
  return ab / sqrt(aa * bb);
}
static double query_scores[ROWS];
static int by_score(const void *a, const void *b) {
  double x = query_scores[*(const int *)a], y = query_scores[*(const int *)b];
  return x < y ? 1 : x > y ? -1 : 0;
}

/* Compares a search with brute force: recall at `count`, and scores within `tolerance`. */
static void compare(clip_index *index, uint32_t count, double tolerance, double least_recall) {
  static int order[ROWS];
  double hits = 0, all = 0;
  int bad = 0;
  for (int trial = 0; trial < searches; trial++) {
    float query[WIDTH];
    fill(query, WIDTH);
    size_t live = 0;
    for (int i = 0; i < ROWS; i++)
      if (there[i]) query_scores[i] = cosine(query, embeddings[i], WIDTH), order[live++] = i;
    qsort(order, live, sizeof *order, by_score);
    clip_index_search_options options = CLIP_INIT(clip_index_search_options);
    options.count = count;
    CHECK(search(index, query, &options) == CLIP_OK);
    size_t expected = live < count ? live : count;
    bad += found.count != expected;
    for (size_t i = 0; i < expected && i < found.count; i++) {
      int row = atoi(found.at[i].key + 1);
      bad += fabs(found.at[i].score - query_scores[row]) > tolerance || (i > 0 && found.at[i].score > found.at[i - 1].score);
      all++;
      for (size_t j = 0; j < expected; j++) hits += order[j] == row;
    }
  }
  CHECK(bad == 0);
  CHECK(hits >= least_recall * all);
}

static void put(clip_index *index, int from, int count) {
  clip_index_bytes names[ROWS], facts[ROWS];
  for (int i = 0; i < count; i++) {
    snprintf(keys[from + i], sizeof keys[0], "k%d", from + i);
    names[i] = text(keys[from + i]), facts[i] = text(keys[from + i]);
    there[from + i] = 1;
  }
  CHECK(clip_index_put(index, names, embeddings[from], facts, (size_t)count) == CLIP_OK);
}

static void test_against_brute_force(clip_storage storage, const char *name, double tolerance, double recall) {
  clip_index *index = open_index(name, WIDTH, storage), *reader = NULL;
  memset(there, 0, sizeof there);
  fill(embeddings[0], ROWS * WIDTH);
  compare(index, 10, tolerance, recall);
  put(index, 0, 1), compare(index, 10, tolerance, recall);
  put(index, 1, 1022), compare(index, 10, tolerance, recall);
  put(index, 1023, 1977);
  CHECK(reopen(name, CLIP_INDEX_READ_ONLY, &reader) == CLIP_OK);
  compare(index, 10, tolerance, recall), compare(reader, 10, tolerance, recall);
  compare(index, 700, tolerance, recall), compare(index, 5000, tolerance, 1);
  /* Replaced, removed, put again: also in a handle that has the rows in memory. */
  fill(embeddings[500], 900 * WIDTH);
  put(index, 500, 900);
  clip_index_bytes gone[800];
  for (int i = 0; i < 800; i++) gone[i] = text(keys[i * 3]), there[i * 3] = 0;
  uint64_t removed = 0;
  CHECK(clip_index_remove(index, gone, 800, &removed) == CLIP_OK && removed == 800);
  CHECK(clip_index_remove(index, gone, 800, &removed) == CLIP_OK && removed == 0);
  CHECK(entries_of(index) == ROWS - 800);
  compare(index, 10, tolerance, recall), compare(reader, 10, tolerance, recall);
  for (int i = 0; i < 400; i += 3) fill(embeddings[i], WIDTH), put(index, i, 1);
  compare(index, 10, tolerance, recall), compare(reader, 10, tolerance, recall);
  clip_index_info info = CLIP_INIT(clip_index_info);
  CHECK(clip_index_describe(reader, &info) == CLIP_OK && info.embedding_width == WIDTH && info.storage == storage);
  CHECK(info.entries == ROWS - 800 + 134 && info.memory_bytes > 0 && info.file_bytes > info.memory_bytes / 2);
  clip_index_release(index), clip_index_release(reader);
  /* Free rows were taken before new ones. */
  CHECK(reopen(name, 0, &index) == CLIP_OK);
  compare(index, 10, tolerance, recall);
  float row[WIDTH], unit[WIDTH];
  memset(&found, 0, sizeof found);
  CHECK(clip_index_get(index, "k1", 2, row, WIDTH, add, &found) == CLIP_OK && found.count == 1);
  CHECK(strcmp(found.at[0].key, "k1") == 0 && strcmp(found.at[0].metadata, "k1") == 0);
  double length = 0;
  for (int i = 0; i < WIDTH; i++) length += (double)row[i] * row[i];
  CHECK(fabs(sqrt(length) - 1) < 1e-3 && cosine(row, embeddings[1], WIDTH) > 1 - 1e-6);
  /* What was given back is put back as it was. */
  clip_index_bytes one = text("copy");
  CHECK(clip_index_put(index, &one, row, NULL, 1) == CLIP_OK);
  CHECK(clip_index_get(index, "copy", 4, unit, WIDTH, NULL, NULL) == CLIP_OK);
  for (int i = 0; i < WIDTH; i++) length = fmax(length, 1 + fabs(row[i] - unit[i]));
  CHECK(length < 1.0006);
  CHECK(clip_index_get(index, "k1", 2, row, WIDTH - 1, NULL, NULL) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_get(index, "none", 4, NULL, 0, add, &found) == CLIP_NOT_FOUND);
  clip_index_release(index);
}

/* ---------------------------------------------------------------- searches */

static int odd_alone(void *user, const clip_index_entry *entry) {
  ++*(int *)user;
  return ((const char *)entry->key.data)[entry->key.size - 1] % 2;
}
static int nothing(void *user, const clip_index_entry *entry) { return (void)user, (void)entry, 0; }
static int calls_back(void *user, const clip_index_entry *entry) {
  (void)entry;
  clip_index_info info = CLIP_INIT(clip_index_info);
  CHECK(clip_index_describe(user, &info) == CLIP_INVALID_ARGUMENT);
  return 1;
}
static int removes(void *user, const clip_index_entry *entry) {
  CHECK(clip_index_remove(user, &entry->key, 1, NULL) == CLIP_OK);
  return 0;
}
static int cancel(void *user, uint64_t done, uint64_t total) { return ++*(int *)user, done <= total; }

static void test_search(clip_storage storage, const char *name) {
  clip_index *index = open_index(name, 8, storage);
  /* Twenty of the same embedding, put in an order that is not that of their keys, and some less near. */
  float vectors[60][8];
  clip_index_bytes names[60];
  char text_of[60][8];
  for (int i = 0; i < 60; i++) {
    memset(vectors[i], 0, sizeof vectors[i]);
    vectors[i][0] = 1, vectors[i][1] = i < 20 ? 0 : (float)i / 20;
    snprintf(text_of[i], 8, "t%02d", (i * 7) % 60);
    names[i] = text(text_of[i]);
  }
  CHECK(clip_index_put(index, names, vectors[0], NULL, 60) == CLIP_OK);
  float query[8] = {3}, bad[8] = {1, NAN}, zero[8] = {0}, infinite[8] = {INFINITY};
  clip_index_search_options options = CLIP_INIT(clip_index_search_options);
  CHECK(search(index, query, NULL) == CLIP_OK && found.count == 10);
  for (size_t i = 1; i < found.count; i++) CHECK(found.at[i].score == found.at[0].score && strcmp(found.at[i - 1].key, found.at[i].key) < 0);
  CHECK(fabs(found.at[0].score - 1) < 1e-3);
  char first[10][64];
  for (int i = 0; i < 10; i++) memcpy(first[i], found.at[i].key, 64);
  options.count = 15;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 15);
  /* As a newer caller has them, and an older one. */
  struct {
    clip_index_search_options known;
    uint64_t field;
  } newer = {.known = options, .field = 1};
  newer.known.struct_size = sizeof newer;
  CHECK(search(index, query, &newer.known) == CLIP_INVALID_ARGUMENT);
  newer.field = 0;
  CHECK(search(index, query, &newer.known) == CLIP_OK && found.count == 15);
  newer.known.struct_size = offsetof(clip_index_search_options, count);
  CHECK(search(index, query, &newer.known) == CLIP_OK && found.count == 10);
  for (int i = 0; i < 10; i++) CHECK(strcmp(first[i], found.at[i].key) == 0);
  options.count = 100;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 60);
  for (size_t i = 1; i < 60; i++)
    CHECK(found.at[i].score < found.at[i - 1].score || (found.at[i].score == found.at[i - 1].score && strcmp(found.at[i - 1].key, found.at[i].key) < 0));
  options.flags = CLIP_INDEX_THRESHOLD, options.threshold = 0.9f;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 20);
  options.threshold = 1.01f;
  CHECK(search(index, query, &options) == CLIP_INVALID_ARGUMENT);
  options.flags = 0, options.threshold = 0.5f;
  CHECK(search(index, query, &options) == CLIP_INVALID_ARGUMENT);
  options.flags = 8, options.threshold = 0;
  CHECK(search(index, query, &options) == CLIP_INVALID_ARGUMENT);
  options.flags = 0, options.count = 25;
  int asked = 0;
  options.filter = odd_alone, options.filter_user = &asked;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 25 && asked >= 25 && asked <= 60);
  for (size_t i = 0; i < found.count; i++) CHECK(found.at[i].key[2] % 2 == 1);
  options.count = 1, asked = 0;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 1 && asked <= 3);
  options.count = 10, options.filter = nothing;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 0);
  options.filter = calls_back, options.filter_user = index;
  CHECK(search(index, query, &options) == CLIP_OK && found.count == 10);
  CHECK(search(index, bad, NULL) == CLIP_INVALID_ARGUMENT && search(index, zero, NULL) == CLIP_INVALID_ARGUMENT);
  CHECK(search(index, infinite, NULL) == CLIP_INVALID_ARGUMENT);
  memset(&found, 0, sizeof found), found.stop_at = 3;
  CHECK(clip_index_search(index, query, NULL, add, &found) == CLIP_OK && found.count == 3);
  /* A cancelled load leaves a handle that can load. */
  clip_index *other = NULL;
  CHECK(reopen(name, 0, &other) == CLIP_OK);
  options = CLIP_INIT(clip_index_search_options);
  int calls = 0;
  options.progress = (clip_progress){cancel, &calls};
  CHECK(search(other, query, &options) == CLIP_CANCELLED && calls == 1 && found.count == 0);
  CHECK(search(other, query, NULL) == CLIP_OK && found.count == 10 && strcmp(first[9], found.at[9].key) == 0);
  clip_index_release(other);
  /* Pairs: 190 of the twenty, in the order of keys. */
  clip_index_duplicates_options pairs = CLIP_INIT(clip_index_duplicates_options);
  pairs.threshold = 0.9985f;
  memset(&found, 0, sizeof found);
  CHECK(clip_index_duplicates(index, &pairs, add_pair, &found) == CLIP_OK && found.count >= 190);
  for (size_t i = 0; i < 190; i++) {
    CHECK(strcmp(found.at[i].key, found.at[i].other) < 0 && fabs(found.at[i].score - 1) < 1e-3);
    if (i > 0 && found.at[i].score == found.at[i - 1].score) {
      int order = strcmp(found.at[i - 1].key, found.at[i].key);
      CHECK(order < 0 || (order == 0 && strcmp(found.at[i - 1].other, found.at[i].other) < 0));
    }
  }
  pairs.count = 5;
  memset(&found, 0, sizeof found);
  CHECK(clip_index_duplicates(index, &pairs, add_pair, &found) == CLIP_OK && found.count == 5);
  pairs.threshold = NAN;
  CHECK(clip_index_duplicates(index, &pairs, add_pair, &found) == CLIP_INVALID_ARGUMENT);
  /* A visitor may call the index. */
  CHECK(clip_index_search(index, query, NULL, removes, index) == CLIP_OK && entries_of(index) == 50);
  clip_index_release(index);
}

/* Pairs over several segments against brute force. */
static void test_pairs(clip_storage storage, const char *name) {
  clip_index *index = open_index(name, WIDTH, storage);
  fill(embeddings[0], ROWS * WIDTH);
  for (int i = 0; i < 40; i++)
    for (int j = 0; j < WIDTH; j++) embeddings[2900 + i][j] = embeddings[70 * i][j] + 0.02f * (float)i * uniform();
  put(index, 0, ROWS);
  clip_index_bytes gone[2] = {text("k70"), text("k2902")};
  CHECK(clip_index_remove(index, gone, 2, NULL) == CLIP_OK);
  clip_index_duplicates_options options = CLIP_INIT(clip_index_duplicates_options);
  int calls = 0;
  options.threshold = 0.8f;
  memset(&found, 0, sizeof found);
  CHECK(clip_index_duplicates(index, &options, add_pair, &found) == CLIP_OK);
  size_t expected = 0;
  int bad = 0;
  for (int i = 0; i < 40; i++) {
    double score = cosine(embeddings[70 * i], embeddings[2900 + i], WIDTH);
    if (i == 1 || i == 2 || score < 0.801) continue;
    expected++;
    int hits = 0;
    for (size_t j = 0; j < found.count; j++) {
      int a = atoi(found.at[j].key + 1), b = atoi(found.at[j].other + 1);
      hits += (a == 70 * i && b == 2900 + i) || (b == 70 * i && a == 2900 + i) ? fabs(found.at[j].score - score) < 1e-3 : 0;
    }
    bad += hits != 1;
  }
  CHECK(bad == 0 && expected >= 20 && found.count >= expected && found.count <= 38);
  options.progress = (clip_progress){cancel, &calls};
  CHECK(clip_index_duplicates(index, &options, add_pair, &found) == CLIP_CANCELLED && calls == 1);
  clip_index_release(index);
}

/* ---------------------------------------------------------------- entries */

static void test_entries(void) {
  clip_index *index = open_index("entries", 4, CLIP_STORAGE_F16);
  float x[3][4] = {{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}}, got[4];
  static char large[65537];
  memset(large, 'x', sizeof large);
  /* Any bytes; a key twice in a batch, of which the last counts. */
  clip_index_bytes odd[3] = {{"\xff\x00\xfe", 3}, {"", 0}, {large, 65536}};
  CHECK(clip_index_put(index, odd, x[0], NULL, 3) == CLIP_INVALID_ARGUMENT && entries_of(index) == 0);
  odd[1] = odd[0];
  CHECK(clip_index_put(index, odd, x[0], NULL, 3) == CLIP_OK && entries_of(index) == 2);
  CHECK(clip_index_get(index, "\xff\x00\xfe", 3, got, 4, NULL, NULL) == CLIP_OK && got[1] == 1 && got[0] == 0);
  clip_index_bytes long_key = {large, 65537}, null_key = {NULL, 3}, key = text("a"), other = text("b"), facts = text("facts");
  CHECK(clip_index_put(index, &long_key, x[0], NULL, 1) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_put(index, &null_key, x[0], NULL, 1) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_put(index, NULL, x[0], NULL, 1) == CLIP_INVALID_ARGUMENT && clip_index_put(index, &key, x[0], NULL, 0) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_put(NULL, &key, x[0], NULL, 1) == CLIP_INVALID_ARGUMENT);
  float wrong[][4] = {{0, 0, 0, 0}, {1, NAN, 0, 0}, {INFINITY, 0, 0, 0}};
  for (int i = 0; i < 3; i++) CHECK(clip_index_put(index, &key, wrong[i], NULL, 1) == CLIP_INVALID_ARGUMENT);
  float tiny[4] = {1e-42f, 0, 0, 0}, huge[4] = {3e38f, 3e38f, 0, 0};
  CHECK(clip_index_put(index, &key, tiny, NULL, 1) == CLIP_OK && clip_index_get(index, "a", 1, got, 4, NULL, NULL) == CLIP_OK && got[0] == 1);
  CHECK(clip_index_put(index, &key, huge, NULL, 1) == CLIP_OK && clip_index_get(index, "a", 1, got, 4, NULL, NULL) == CLIP_OK && fabs(got[1] - 0.7071) < 1e-3);
  /* Metadata alone; of an entry that is there. */
  CHECK(clip_index_put(index, &other, NULL, &facts, 1) == CLIP_NOT_FOUND);
  CHECK(clip_index_put(index, &key, NULL, &facts, 1) == CLIP_OK);
  memset(&found, 0, sizeof found);
  CHECK(clip_index_get(index, "a", 1, got, 4, add, &found) == CLIP_OK && strcmp(found.at[0].metadata, "facts") == 0 && fabs(got[1] - 0.7071) < 1e-3);
  /* Another key; one that is there is replaced; to itself. */
  CHECK(clip_index_rename(index, &key, &key, 1) == CLIP_OK && clip_index_rename(index, &other, &key, 1) == CLIP_NOT_FOUND);
  CHECK(clip_index_rename(index, &key, &other, 1) == CLIP_OK && clip_index_get(index, "a", 1, NULL, 0, NULL, NULL) == CLIP_NOT_FOUND);
  CHECK(clip_index_put(index, &key, x[0], NULL, 1) == CLIP_OK && entries_of(index) == 4);
  CHECK(clip_index_rename(index, &other, &key, 1) == CLIP_OK && entries_of(index) == 3);
  memset(&found, 0, sizeof found);
  CHECK(clip_index_get(index, "a", 1, got, 4, add, &found) == CLIP_OK && strcmp(found.at[0].metadata, "facts") == 0 && got[1] > 0.7f);
  /* The list, by prefix and in order. */
  for (int i = 0; i < 700; i++) {
    char name[16];
    snprintf(name, sizeof name, "list/%03d", (i * 11) % 700);
    clip_index_bytes entry = text(name);
    CHECK(clip_index_put(index, &entry, x[i % 3], &entry, 1) == CLIP_OK);
  }
  memset(&found, 0, sizeof found);
  CHECK(clip_index_visit(index, "list/", 5, add, &found) == CLIP_OK && found.count == 700);
  int bad = 0;
  for (int i = 0; i < 700; i++) bad += atoi(found.at[i].key + 5) != i || strcmp(found.at[i].key, found.at[i].metadata) != 0;
  CHECK(bad == 0);
  memset(&found, 0, sizeof found);
  CHECK(clip_index_visit(index, NULL, 0, add, &found) == CLIP_OK && found.count == 703);
  memset(&found, 0, sizeof found), found.stop_at = 2;
  CHECK(clip_index_visit(index, "list/69", 7, add, &found) == CLIP_OK && found.count == 2);
  memset(&found, 0, sizeof found);
  CHECK(clip_index_visit(index, "none", 4, add, &found) == CLIP_OK && found.count == 0);
  CHECK(clip_index_visit(index, NULL, 5, add, &found) == CLIP_INVALID_ARGUMENT && clip_index_visit(index, NULL, 0, NULL, NULL) == CLIP_INVALID_ARGUMENT);
  clip_index_release(index);
  clip_index_release(NULL);
}

/* ---------------------------------------------------------------- opening */

static void write_file(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void test_opening(const char *model) {
  clip_index *index = NULL, *reader = NULL;
  CHECK(reopen("absent", 0, &index) == CLIP_NOT_FOUND && reopen("absent", CLIP_INDEX_READ_ONLY, &index) == CLIP_NOT_FOUND);
  CHECK(reopen("absent", CLIP_INDEX_CREATE, &index) == CLIP_INVALID_ARGUMENT && reopen("absent/x", CLIP_INDEX_CREATE, &index) != CLIP_OK);
  CHECK(reopen("absent", CLIP_INDEX_CREATE | CLIP_INDEX_READ_ONLY, &index) == CLIP_INVALID_ARGUMENT && reopen("absent", 64, &index) == CLIP_INVALID_ARGUMENT);
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "one", options.embedding_width = 16;
  CHECK(clip_index_open(NULL, path_of("o"), &options, &index) == CLIP_INVALID_ARGUMENT && clip_index_open(runtime, NULL, &options, &index) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_open(runtime, "", &options, &index) == CLIP_INVALID_ARGUMENT && clip_index_open(runtime, folder, &options, &index) != CLIP_OK);
  options.storage = CLIP_STORAGE_BF16;
  CHECK(clip_index_open(runtime, path_of("o"), &options, &index) == CLIP_INVALID_ARGUMENT);
  options.storage = CLIP_STORAGE_F32;
  CHECK(clip_index_open(runtime, path_of("o"), &options, &index) == CLIP_OK);
  char fingerprint[40];
  CHECK(clip_index_get_fingerprint(index, fingerprint, 3) == 3 && strcmp(fingerprint, "on") == 0);
  /* Another model's, another width; as the file has it. */
  options.fingerprint = "two";
  CHECK(clip_index_open(runtime, path_of("o"), &options, &reader) == CLIP_MISMATCH && strstr(clip_last_error(), "one") && strstr(clip_last_error(), "two"));
  options.fingerprint = "one", options.embedding_width = 17;
  CHECK(clip_index_open(runtime, path_of("o"), &options, &reader) == CLIP_MISMATCH && strstr(clip_last_error(), "17"));
  CHECK(clip_index_open(runtime, path_of("o"), NULL, &reader) == CLIP_OK);
  clip_index_release(reader);
  /* Read only. */
  float x[16] = {1};
  clip_index_bytes key = text("k");
  CHECK(reopen("o", CLIP_INDEX_READ_ONLY, &reader) == CLIP_OK);
  CHECK(clip_index_put(reader, &key, x, NULL, 1) == CLIP_INVALID_ARGUMENT && clip_index_remove(reader, &key, 1, NULL) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_index_put(index, &key, x, NULL, 1) == CLIP_OK && search(reader, x, NULL) == CLIP_OK && found.count == 1);
  clip_index_release(reader), clip_index_release(index);
  /* What is no index stays as it is. */
  write_file(path_of("text"), "SQLite? No, a text that is longer than a header of SQLite, which has one hundred bytes, or so I think.", 101);
  struct stat facts;
  options.embedding_width = 16;
  CHECK(clip_index_open(runtime, path_of("text"), &options, &index) == CLIP_FORMAT && stat(path_of("text"), &facts) == 0 && facts.st_size == 101);
  write_file(path_of("empty"), "", 0);
  CHECK(reopen("empty", 0, &index) == CLIP_NOT_FOUND && clip_index_open(runtime, path_of("empty"), &options, &index) == CLIP_OK);
  clip_index_release(index);
  /* What SQLite writes before the first transaction: a header and a schema without tables. */
  char header[512] = "SQLite format 3\0\2\0\2\2\0\100\40\40\0\0\0\1\0\0\0\1";
  header[47] = 4, header[59] = 1, header[95] = 1, header[100] = 13, header[105] = 2;
  write_file(path_of("header"), header, sizeof header);
  CHECK(reopen("header", 0, &index) == CLIP_NOT_FOUND && reopen("header", CLIP_INDEX_READ_ONLY, &index) == CLIP_NOT_FOUND);
  CHECK(clip_index_open(runtime, path_of("header"), &options, &index) == CLIP_OK);
  clip_index_release(index);
  /* Empty, and with the number of another program. */
  header[71] = 1;
  write_file(path_of("header2"), header, sizeof header);
  CHECK(reopen("header2", 0, &index) == CLIP_FORMAT && clip_index_open(runtime, path_of("header2"), &options, &index) == CLIP_FORMAT);
  /* A name with bytes that are not UTF-8, and names that SQLite would take for something else. */
  options.fingerprint = "three";
  CHECK(clip_index_open(runtime, path_of("\xff\xfe"), &options, &index) == CLIP_OK && stat(path_of("\xff\xfe"), &facts) == 0);
  clip_index_release(index);
  char *here = getcwd(NULL, 0);
  CHECK(here != NULL && chdir(folder) == 0);
  const char *special[] = {":memory:", "file:x?mode=memory"};
  for (int i = 0; i < 2; i++) {
    CHECK(clip_index_open(runtime, special[i], &options, &index) == CLIP_OK && stat(special[i], &facts) == 0);
    CHECK(chdir("/") == 0 && entries_of(index) == 0 && chdir(folder) == 0);
    clip_index_release(index);
  }
  CHECK(chdir(here) == 0);
  free(here);
  /* Fingerprints of model folders. */
  char again[33], small[32];
  CHECK(clip_index_fingerprint(model, fingerprint, sizeof fingerprint) == CLIP_OK && strlen(fingerprint) == 32);
  CHECK(clip_index_fingerprint(model, again, sizeof again) == CLIP_OK && strcmp(again, fingerprint) == 0);
  CHECK(clip_index_fingerprint(model, small, sizeof small) == CLIP_INVALID_ARGUMENT && clip_index_fingerprint(path_of("absent"), again, 33) == CLIP_NOT_FOUND);
  CHECK(mkdir(path_of("m"), 0777) == 0 && clip_index_fingerprint(path_of("m"), again, 33) == CLIP_NOT_FOUND);
  static char weights[3 << 20];
  char last[33] = "";
  for (int i = 0; i < 4; i++) {
    if (i == 1) weights[2 << 20] = 1;
    if (i == 3) write_file(path_of("m/README.md"), "x", 1);
    write_file(path_of("m/model.safetensors"), weights, sizeof weights - (i >= 2));
    CHECK(clip_index_fingerprint(path_of("m"), again, 33) == CLIP_OK && (strcmp(again, last) == 0) == (i == 3));
    strcpy(last, again);
  }
}

/* ---------------------------------------------------------------- other processes */

/* Batches of ten entries "b<batch>/<i>", all of the embedding that the batch's number gives. */
static void batch_of(int batch, float *x) {
  uint32_t random = (uint32_t)batch * 2654435761u + 1;
  for (int i = 0; i < 32; i++) random = random * 1664525u + 1013904223u, x[i] = (float)(random >> 16) / 32768 - 1;
}
static clip_status put_batch(clip_index *index, int batch) {
  float x[10][32];
  char names[10][32];
  clip_index_bytes batch_keys[10];
  for (int i = 0; i < 10; i++) batch_of(batch, x[i]), snprintf(names[i], 32, "b%04d/%d", batch, i), batch_keys[i] = text(names[i]);
  return clip_index_put(index, batch_keys, x[0], batch_keys, 10);
}

static void test_kill(void) {
  int before = 0;
  for (int trial = 0; trial < kills; trial++) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
      /* A runtime of its own: that of the parent has no threads here. */
      clip_runtime *own = NULL;
      clip_index_options options = CLIP_INIT(clip_index_options);
      options.flags = CLIP_INDEX_CREATE, options.fingerprint = "kill", options.embedding_width = 32, options.storage = CLIP_STORAGE_F16;
      clip_index *index = NULL;
      if (clip_runtime_create(NULL, &own) || clip_index_open(own, path_of("kill"), &options, &index)) leave(3);
      if (write(ready[1], "", 1) != 1) leave(5);
      for (int batch = before; batch < 100000; batch++)
        if (put_batch(index, batch)) leave(4);
      leave(0);
    }
    /* The first ones may be killed while they make the file. */
    char byte;
    close(ready[1]);
    if (10 * trial >= kills) CHECK(read(ready[0], &byte, 1) == 1);
    usleep(next() % 30000);
    close(ready[0]);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    clip_index *index = NULL;
    clip_status opened = reopen("kill", 0, &index);
    /* Killed before there was anything. */
    if (10 * trial < kills && before == 0 && (opened == CLIP_NOT_FOUND || opened == CLIP_FORMAT)) continue;
    CHECK(opened == CLIP_OK);
    if (opened != CLIP_OK) return;
    uint64_t count = entries_of(index);
    CHECK(count % 10 == 0 && count >= 10 * (uint64_t)before);
    before = (int)(count / 10);
    if (before > 0) {
      float x[32];
      batch_of(before - 1, x);
      CHECK(search(index, x, NULL) == CLIP_OK && found.count == 10 && fabs(found.at[0].score - 1) < 1e-3);
    }
    clip_index_release(index);
  }
  clip_index *index = NULL;
  CHECK(reopen("kill", 0, &index) == CLIP_OK && put_batch(index, before) == CLIP_OK && entries_of(index) == 10 * (uint64_t)before + 10);
  int bad = 0;
  for (int batch = 0; batch <= before; batch++) {
    float x[32], got[32];
    char name[32];
    batch_of(batch, x);
    snprintf(name, 32, "b%04d/%d", batch, batch % 10);
    bad += clip_index_get(index, name, strlen(name), got, 32, NULL, NULL) != CLIP_OK || cosine(x, got, 32) < 0.99999;
  }
  CHECK(bad == 0);
  clip_index_release(index);
}

static void test_processes(void) {
  clip_index *index = open_index("processes", 32, CLIP_STORAGE_F16);
  /* A child has no part in its parent's handle. */
  pid_t child = fork();
  if (child == 0) {
    clip_index_info info = CLIP_INIT(clip_index_info);
    int good = clip_index_describe(index, &info) == CLIP_UNSUPPORTED;
    clip_index_release(index);
    leave(good ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0 && put_batch(index, 5000) == CLIP_OK);
  /* Two writers and this reader. */
  pid_t writers[2];
  for (int writer = 0; writer < 2; writer++) {
    writers[writer] = fork();
    if (writers[writer] == 0) {
      clip_runtime *own = NULL;
      clip_index *mine = NULL;
      if (clip_runtime_create(NULL, &own) || clip_index_open(own, path_of("processes"), NULL, &mine)) leave(3);
      for (int batch = 0; batch < 60; batch++)
        if (put_batch(mine, 2 * batch + writer)) printf("%s\n", clip_last_error()), fflush(stdout), leave(4);
      clip_index_release(mine);
      clip_runtime_release(own);
      leave(0);
    }
  }
  int running = 2, bad = 0;
  float x[32];
  batch_of(5000, x);
  uint64_t last = 0;
  while (running > 0) {
    while (running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
      running--, bad += status != 0;
      if (status) printf("a writer ended with %x\n", (unsigned)status);
    }
    uint64_t count = entries_of(index);
    bad += count % 10 != 0 || count < last;
    last = count;
    bad += search(index, x, NULL) != CLIP_OK || found.count != 10 || strncmp(found.at[0].key, "b5000/", 6) != 0;
  }
  CHECK(bad == 0 && entries_of(index) == 1210);
  batch_of(77, x);
  CHECK(search(index, x, NULL) == CLIP_OK && strcmp(found.at[0].key, "b0077/0") == 0);
  /* A writer that does not end in time. */
  int ready[2], done[2];
  CHECK(pipe(ready) == 0 && pipe(done) == 0);
  child = fork();
  if (child == 0) {
    int descriptor = open(path_of("processes"), O_RDWR);
    (void)descriptor;
    char command[1200];
    close(ready[0]), close(done[1]), dup2(done[0], 0), dup2(ready[1], 1);
    snprintf(command, sizeof command, "(echo 'BEGIN IMMEDIATE; SELECT 1;'; cat) | sqlite3 -batch '%s'", path_of("processes"));
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    leave(1);
  }
  close(ready[1]), close(done[0]);
  char byte;
  if (read(ready[0], &byte, 1) == 1) { /* without the program sqlite3 it ends */
    clip_index_options options = CLIP_INIT(clip_index_options);
    options.wait_milliseconds = 50;
    clip_index *second = NULL;
    CHECK(clip_index_open(runtime, path_of("processes"), &options, &second) == CLIP_OK);
    CHECK(put_batch(second, 6000) == CLIP_IO && strstr(clip_last_error(), "locked") != NULL && search(second, x, NULL) == CLIP_OK);
    close(done[1]);
    waitpid(child, &status, 0);
    CHECK(put_batch(second, 6000) == CLIP_OK);
    clip_index_release(second);
  } else {
    close(done[1]);
    waitpid(child, &status, 0);
  }
  close(ready[0]);
  clip_index_release(index);
}

/* ---------------------------------------------------------------- the file */

static unsigned char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  if (!file) exit(2);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*size);
  CHECK(fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

/* Flipped bytes and truncation: each call fails, or gives what it gave before. */
static void test_damage(clip_storage storage) {
  clip_index *index = open_index("whole", 32, storage);
  for (int batch = 0; batch < 20; batch++) CHECK(put_batch(index, batch) == CLIP_OK);
  clip_index_release(index);
  size_t size, used = 0;
  unsigned char *bytes = read_file(path_of("whole"), &size), *damaged = malloc(size);
  for (size_t i = 0; i < size; i++)
    if (bytes[i]) used++;
  CHECK(used > 0);
  float x[32];
  batch_of(3, x);
  CHECK(reopen("whole", 0, &index) == CLIP_OK && search(index, x, NULL) == CLIP_OK && found.count == 10);
  clip_index_release(index);
  list expected = found;
  int told = 0, wrong = 0;
  for (int trial = 0; trial < damages; trial++) {
    memcpy(damaged, bytes, size);
    size_t length = size;
    if (trial % 8 == 7) {
      length = next() % size;
    } else {
      for (int flips = trial % 8 < 4 ? 1 : 8; flips > 0; flips--) {
        size_t place;
        /* Where there is something: most of a new segment is zeros. */
        do place = next() % size;
        while (bytes[place] == 0 && next() % 64 != 0);
        damaged[place] ^= (unsigned char)(1u << next() % 8);
      }
    }
    write_file(path_of("damaged"), damaged, length);
    clip_status status = reopen("damaged", trial % 2 ? CLIP_INDEX_READ_ONLY : 0, &index);
    if (status == CLIP_OK) status = search(index, x, NULL);
    if (status == CLIP_OK) {
      wrong += found.count != 10;
      for (size_t i = 0; i < found.count && i < 10; i++)
        wrong += strcmp(found.at[i].key, expected.at[i].key) != 0 || found.at[i].score != expected.at[i].score || strcmp(found.at[i].metadata, expected.at[i].metadata) != 0;
      list all = {0};
      if (clip_index_visit(index, NULL, 0, add, &all) == CLIP_OK && !(trial % 2)) put_batch(index, 50);
    } else {
      told++;
      if (status != CLIP_FORMAT && status != CLIP_IO && status != CLIP_UNSUPPORTED && status != CLIP_NOT_FOUND && status != CLIP_OUT_OF_MEMORY)
        wrong++, printf("trial %d: %s: %s\n", trial, clip_status_name(status), clip_last_error());
    }
    clip_index_release(index), index = NULL;
    unlink(path_of("damaged"));
    char log[600];
    snprintf(log, sizeof log, "%s-wal", path_of("damaged")), unlink(log);
    snprintf(log, sizeof log, "%s-shm", path_of("damaged")), unlink(log);
  }
  CHECK(wrong == 0 && told > damages / 4);
  free(bytes), free(damaged), unlink(path_of("whole"));
}

/* A limit on files stands for a full disk. */
static void test_full(void) {
  clip_index *index = open_index("full", 32, CLIP_STORAGE_F32);
  CHECK(put_batch(index, 0) == CLIP_OK);
  struct rlimit before, limit;
  getrlimit(RLIMIT_FSIZE, &before);
  limit = before, limit.rlim_cur = 300000;
  setrlimit(RLIMIT_FSIZE, &limit);
  clip_status status = CLIP_OK;
  int batch = 1;
  while (status == CLIP_OK && batch < 5000) status = put_batch(index, batch++);
  CHECK(status == CLIP_IO);
  uint64_t count = entries_of(index);
  CHECK(count == 10 * (uint64_t)(batch - 1));
  float x[32];
  batch_of(0, x);
  CHECK(search(index, x, NULL) == CLIP_OK && found.count == 10);
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(put_batch(index, 1) == CLIP_OK && put_batch(index, batch - 1) == CLIP_OK && entries_of(index) == count + 10);
  clip_index_release(index);
}

/* A file that another takes the place of, or that is gone. */
static void test_vanishing(void) {
  char old[600], fresh[600];
  clip_index *index = open_index("vanishing", 32, CLIP_STORAGE_F16);
  CHECK(put_batch(index, 0) == CLIP_OK);
  snprintf(old, sizeof old, "%s", path_of("vanishing")), snprintf(fresh, sizeof fresh, "%s/vanishing.old", folder);
  CHECK(rename(old, fresh) == 0);
  float x[32];
  batch_of(0, x);
  CHECK(put_batch(index, 1) == CLIP_NOT_FOUND && search(index, x, NULL) == CLIP_NOT_FOUND);
  write_file(old, "other", 5);
  CHECK(put_batch(index, 1) == CLIP_IO);
  CHECK(rename(fresh, old) == 0 && put_batch(index, 1) == CLIP_OK && entries_of(index) == 20);
  clip_index_release(index);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  folder = argv[2];
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 3;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
#if defined(SANITIZED)
  go_slowly();
#endif
  if (under_valgrind()) go_slowly();
  test_against_brute_force(CLIP_STORAGE_F32, "f32", 1e-6, 1);
  test_against_brute_force(CLIP_STORAGE_F16, "f16", 5e-4, 0.98);
  test_against_brute_force(CLIP_STORAGE_INT8, "int8", 5e-4, 0.98);
  test_search(CLIP_STORAGE_F32, "search32"), test_search(CLIP_STORAGE_F16, "search16"), test_search(CLIP_STORAGE_INT8, "search8");
  test_pairs(CLIP_STORAGE_F32, "pairs32"), test_pairs(CLIP_STORAGE_F16, "pairs16"), test_pairs(CLIP_STORAGE_INT8, "pairs8");
  test_entries();
  test_opening(argv[1]);
  test_processes();
  test_kill();
  test_damage(CLIP_STORAGE_F16), test_damage(CLIP_STORAGE_INT8);
  test_full();
  test_vanishing();
  clip_runtime_release(runtime);
  return checks_report();
}
