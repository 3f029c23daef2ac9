/* Searches, pairs and groups of an index against brute force.
 *
 *   index_search_test FOLDER     FOLDER is empty */
#include "index_check.h"

/* ---------------------------------------------------------------- a model of the index: plain arrays */

enum { ROWS = 3000, WIDTH = 70 };
static float embeddings[ROWS][WIDTH];
static char keys[ROWS][16];
static int there[ROWS];

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
  for (int trial = 0; trial < (is_slow() ? 3 : 20); trial++) {
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
  pairs.count = 1000001;
  CHECK(clip_index_duplicates(index, &pairs, add_pair, &found) == CLIP_INVALID_ARGUMENT);
  pairs.count = 5, pairs.threshold = NAN;
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

/* ---------------------------------------------------------------- groups */

static int groups_of[ROWS], stop_after;
static uint64_t group_count, member_count, out_of_order;
static float best_of_group, worst_of_group;
static char last_key[64];
static int add_member(void *user, uint64_t group, const clip_index_entry *entry) {
  char key[64];
  (void)user;
  snprintf(key, sizeof key, "%.*s", (int)entry->key.size, (const char *)entry->key.data);
  out_of_order += group < group_count - (member_count > 0) || group > group_count;
  if (group == group_count) group_count++;
  else out_of_order += strcmp(last_key, key) >= 0;
  strcpy(last_key, key);
  groups_of[atoi(key + 1)] = (int)group;
  if (entry->score > best_of_group) best_of_group = entry->score;
  if (entry->score < worst_of_group) worst_of_group = entry->score;
  return ++member_count == (uint64_t)stop_after;
}
static clip_status groups(clip_index *index, const clip_index_groups_options *options) {
  for (int i = 0; i < ROWS; i++) groups_of[i] = -1;
  group_count = member_count = out_of_order = 0, best_of_group = 0, worst_of_group = 2, stop_after = -1;
  return clip_index_groups(index, options, add_member, NULL);
}
static int parents[ROWS];
static int root(int i) { return parents[i] == i ? i : (parents[i] = root(parents[i])); }

/* Entries about others, at cosines on both sides of the threshold and nearer to it than bytes tell. */
static void test_group_scores(void) {
  clip_index *index = open_index("groups-near", WIDTH, CLIP_STORAGE_INT8);
  fill(embeddings[0], ROWS * WIDTH);
  for (int i = 0; i < ROWS; i++) {
    float *x = embeddings[i], *center = embeddings[i - i % 10];
    double product = 0, length = 0, wanted = 0.9 + 0.002 * uniform();
    if (i % 10)
      for (int j = 0; j < WIDTH; j++) product += (double)x[j] * center[j];
    for (int j = 0; j < WIDTH; j++) x[j] -= (float)product * (i % 10 ? center[j] : 0), length += (double)x[j] * x[j];
    for (int j = 0; j < WIDTH; j++) {
      x[j] /= (float)sqrt(length);
      if (i % 10) x[j] = (float)(wanted * center[j] + sqrt(1 - wanted * wanted) * x[j]);
    }
  }
  put(index, 0, ROWS);
  clip_index_groups_options options = CLIP_INIT(clip_index_groups_options);
  options.threshold = 0.9f;
  CHECK(groups(index, &options) == CLIP_OK && group_count > ROWS / 20 && worst_of_group >= 0.9f);
  clip_index_release(index);
}

/* Chains of entries over several segments, each near to the one before it, against brute force. */
static void test_groups(clip_storage storage, const char *name) {
  clip_index *index = open_index(name, WIDTH, storage);
  fill(embeddings[0], ROWS * WIDTH);
  for (int i = 0; i < 600; i++)
    for (int j = 0; j < WIDTH; j++) embeddings[2300 + i][j] = embeddings[i < 300 ? 7 * i : 2000 + i][j] + 0.0016f * (float)(i % 300) * uniform();
  put(index, 0, ROWS);
  clip_index_bytes gone[2] = {text("k70"), text("k2302")};
  CHECK(clip_index_remove(index, gone, 2, NULL) == CLIP_OK);
  clip_index_groups_options options = CLIP_INIT(clip_index_groups_options);
  options.threshold = 0.9f;
  CHECK(groups(index, &options) == CLIP_OK && out_of_order == 0 && best_of_group > 0.999f);
  /* Pairs whose score is near the threshold may go either way in F16. */
  int joined = 0, wrong = 0, size[ROWS] = {0};
  for (int i = 0; i < ROWS; i++) parents[i] = i;
  for (int i = 0; i < ROWS; i++)
    for (int j = i + 1; j < ROWS; j++) {
      if (i == 70 || j == 70 || i == 2302 || j == 2302) continue;
      double score = cosine(embeddings[i], embeddings[j], WIDTH);
      if (score > 0.9005) parents[root(i)] = root(j), joined++, wrong += groups_of[i] < 0 || groups_of[i] != groups_of[j];
      if (score > 0.8995) size[i]++, size[j]++;
    }
  for (int i = 0; i < ROWS; i++) wrong += groups_of[i] >= 0 && size[i] == 0;
  CHECK(joined > 300 && wrong == 0 && group_count > 100 && member_count < ROWS);
  options.threshold = 1.5f;
  CHECK(groups(index, &options) == CLIP_INVALID_ARGUMENT);
  int calls = 0;
  options.threshold = 0.9f, options.progress = (clip_progress){cancel, &calls};
  CHECK(groups(index, &options) == CLIP_CANCELLED && calls == 1 && clip_index_groups(index, NULL, NULL, NULL) == CLIP_INVALID_ARGUMENT);
  clip_index_release(index);
}

/* All the same: pairs grow as the square, what is kept of them does not. */
static void test_equal(clip_storage storage, const char *name) {
  int count = is_slow() ? 1100 : ROWS;
  clip_index *index = open_index(name, WIDTH, storage);
  fill(embeddings[0], WIDTH);
  for (int i = 1; i < count; i++) memcpy(embeddings[i], embeddings[0], sizeof embeddings[i]);
  put(index, 0, count);
  struct timespec begin_time, end_time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin_time);
  CHECK(groups(index, NULL) == CLIP_OK && group_count == 1 && member_count == (uint64_t)count);
  memset(&found, 0, sizeof found);
  CHECK(clip_index_duplicates(index, NULL, add_pair, &found) == CLIP_OK && found.count == 10000 && strcmp(found.at[0].key, "k0") == 0);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end_time);
  double seconds = (double)(end_time.tv_sec - begin_time.tv_sec) + (double)(end_time.tv_nsec - begin_time.tv_nsec) * 1e-9;
  printf("%d equal entries: groups and 10000 pairs in %.2f s of CPU\n", count, seconds);
  stop_after = 3, member_count = group_count = 0;
  CHECK(clip_index_groups(index, NULL, add_member, NULL) == CLIP_OK && member_count == 3);
  clip_index_release(index);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  begin(argv[1]);
  test_against_brute_force(CLIP_STORAGE_F32, "f32", 1e-6, 1);
  test_against_brute_force(CLIP_STORAGE_F16, "f16", 5e-4, 0.98);
  test_against_brute_force(CLIP_STORAGE_INT8, "int8", 5e-4, 0.98);
  test_search(CLIP_STORAGE_F32, "search32"), test_search(CLIP_STORAGE_F16, "search16"), test_search(CLIP_STORAGE_INT8, "search8");
  if (!is_slow()) test_pairs(CLIP_STORAGE_F32, "pairs32"), test_pairs(CLIP_STORAGE_F16, "pairs16");
  test_pairs(CLIP_STORAGE_INT8, "pairs8");
  if (!is_slow()) test_groups(CLIP_STORAGE_F32, "groups32"), test_groups(CLIP_STORAGE_F16, "groups16");
  test_groups(CLIP_STORAGE_INT8, "groups8"), test_group_scores();
  test_equal(CLIP_STORAGE_F16, "equal16"), test_equal(CLIP_STORAGE_INT8, "equal8");
  return end();
}
