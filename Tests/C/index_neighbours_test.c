/* An index opened with neighbours: recall, changes, and its file missing, damaged, out of date.
 *
 *   index_neighbours_test FOLDER     FOLDER is empty */
#include "index_check.h"

enum { WIDTH = 24, COUNT = 5000, MORE = 600 };
static float rows[COUNT + MORE][WIDTH];
static char names[COUNT + MORE][16];
static clip_index_bytes keys[COUNT + MORE];
static int warnings, queries;

static void count_warning(void *user, clip_log_level level, const char *message) {
  (void)user, (void)message;
  warnings += level == CLIP_LOG_WARNING;
}
static int is_odd(void *user, const clip_index_entry *entry) {
  (void)user;
  return ((const char *)entry->key.data)[entry->key.size - 1] % 2;
}
/* Whether an entry is far from the query; counts those that come again in one search. */
typedef struct far_filter {
  float limit;
  int again;
  unsigned char seen[COUNT + MORE];
} far_filter;
static int is_far(void *user, const clip_index_entry *entry) {
  far_filter *far = user;
  char number[16] = "";
  memcpy(number, (const char *)entry->key.data + 1, entry->key.size - 1);
  far->again += far->seen[atoi(number)]++;
  return entry->score < far->limit;
}
static int cancel(void *user, uint64_t done, uint64_t total) { return ++*(int *)user, done <= total; }

static clip_index *near(const char *name, const char *method, uint32_t flags) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = flags, options.neighbours = method;
  clip_index *index = NULL;
  CHECK(clip_index_open(runtime, path_of(name), &options, &index) == CLIP_OK);
  return index;
}

/* Searches of both find the same, but for a few; scores and order are exact. */
static double recall(clip_index *index, clip_index *exact, const clip_index_search_options *options) {
  int hits = 0, all = 0, wrong = 0;
  for (int trial = 0; trial < queries; trial++) {
    float query[WIDTH];
    fill(query, WIDTH);
    CHECK(search(exact, query, options) == CLIP_OK);
    list expected = found;
    CHECK(search(index, query, options) == CLIP_OK);
    wrong += found.count > expected.count;
    for (size_t i = 0; i < found.count; i++) {
      wrong += i > 0 && found.at[i].score > found.at[i - 1].score;
      for (size_t j = 0; j < expected.count; j++)
        if (strcmp(found.at[i].key, expected.at[j].key) == 0) hits++, wrong += fabs(found.at[i].score - expected.at[j].score) > 1e-5;
    }
    all += (int)expected.count;
  }
  CHECK(wrong == 0);
  return all ? (double)hits / all : 1;
}

static void test_method(const char *method, clip_storage storage, double least) {
  char name[32], file[64];
  snprintf(name, sizeof name, "%s-%d", method, (int)storage), snprintf(file, sizeof file, "%s.%s", name, method);
  clip_index *exact = open_index(name, WIDTH, storage), *index = NULL;
  CHECK(clip_index_put(exact, keys, rows[0], NULL, 100) == CLIP_OK);
  struct stat facts, again;
  /* Few rows are all compared. */
  index = near(name, method, 0);
  CHECK(recall(index, exact, NULL) == 1 && stat(path_of(file), &facts) != 0);
  CHECK(clip_index_put(exact, keys, rows[0], NULL, COUNT) == CLIP_OK);
  clip_index_release(index);
  /* For reading alone nothing is built. */
  index = near(name, method, CLIP_INDEX_READ_ONLY);
  CHECK(recall(index, exact, NULL) == 1 && stat(path_of(file), &facts) != 0);
  clip_index_release(index);
  index = near(name, method, 0);
  clip_index_search_options options = CLIP_INIT(clip_index_search_options);
  int calls = 0;
  options.progress = (clip_progress){cancel, &calls};
  CHECK(search(index, rows[0], &options) == CLIP_CANCELLED && calls > 0 && found.count == 0);
  options.progress = (clip_progress){0};
  double whole = recall(index, exact, NULL);
  CHECK(whole >= least && stat(path_of(file), &facts) == 0);
  /* Changes are seen at once, here and elsewhere: what is new is found, what is gone is not. */
  clip_index *reader = near(name, method, CLIP_INDEX_READ_ONLY);
  CHECK(clip_index_put(exact, keys + COUNT, rows[COUNT], NULL, MORE) == CLIP_OK);
  CHECK(clip_index_remove(exact, keys + 100, 50, NULL) == CLIP_OK && clip_index_put(exact, keys + 7, rows[8], NULL, 1) == CLIP_OK);
  int missed = 0;
  for (int i = COUNT; i < COUNT + MORE; i += 20) {
    CHECK(search(index, rows[i], NULL) == CLIP_OK);
    missed += found.count != 10 || strcmp(found.at[0].key, names[i]) != 0;
    CHECK(search(reader, rows[i], NULL) == CLIP_OK);
    missed += found.count != 10 || strcmp(found.at[0].key, names[i]) != 0;
  }
  for (int i = 100; i < 150; i += 7) {
    CHECK(search(index, rows[i], NULL) == CLIP_OK);
    for (size_t j = 0; j < found.count; j++) missed += strcmp(found.at[j].key, names[i]) == 0;
  }
  CHECK(missed == 0 && recall(index, exact, NULL) >= least && recall(reader, exact, NULL) >= least);
  CHECK(stat(path_of(file), &again) == 0 && again.st_ino == facts.st_ino);
  /* Filter, threshold, many. */
  options.filter = is_odd;
  CHECK(recall(index, exact, &options) >= least);
  options.filter = NULL, options.flags = CLIP_INDEX_THRESHOLD, options.threshold = 0.6f, options.count = 300;
  CHECK(recall(index, exact, &options) >= least);
  options.flags = 0, options.threshold = 0, options.count = 3000;
  CHECK(recall(index, exact, &options) > 0.99);
  options.count = MOST;
  CHECK(search(index, rows[0], &options) == CLIP_OK && found.count == MOST);
  /* A filter that leaves the nearest out, with a threshold below which rows that changed are. */
  static far_filter far;
  options.filter = is_far, options.filter_user = &far, options.count = 0;
  for (int i = 0; i < 3; i++) {
    far.limit = i == 0 ? 0.3f : -0.4f, options.flags = i == 1 ? 0 : CLIP_INDEX_THRESHOLD;
    options.threshold = i == 1 ? 0 : far.limit - 0.2f;
    CHECK(search(exact, rows[3], (memset(far.seen, 0, sizeof far.seen), &options)) == CLIP_OK && found.count == 10);
    list expected = found;
    memset(far.seen, 0, sizeof far.seen), far.again = 0;
    CHECK(search(index, rows[3], &options) == CLIP_OK && found.count == 10 && far.again == 0);
    for (size_t j = 0; j < found.count; j++) CHECK(strcmp(found.at[j].key, expected.at[j].key) == 0);
  }
  options = CLIP_INIT(clip_index_search_options);
  /* The more rows changed, the fewer are the structure's. */
  for (int part = 1; part <= 5; part += 2) {
    CHECK(clip_index_put(exact, keys, rows[MORE], NULL, part * (size_t)COUNT / 5) == CLIP_OK);
    CHECK(recall(index, exact, NULL) >= (part == 5 ? 1 : least));
  }
  CHECK(clip_index_put(exact, keys, rows[0], NULL, COUNT) == CLIP_OK && recall(reader, exact, NULL) == 1);
  clip_index_groups_options groups = CLIP_INIT(clip_index_groups_options);
  CHECK(clip_index_groups(index, &groups, NULL, NULL) == CLIP_INVALID_ARGUMENT);
  clip_index_release(index), clip_index_release(reader);
  /* Damaged at any byte, truncated, of another index: told, and made again or not used. */
  FILE *stream = fopen(path_of(file), "rb");
  CHECK(stream != NULL);
  if (!stream) return;
  static unsigned char bytes[8 << 20];
  size_t size = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  int damages = is_slow() ? 5 : 60;
  for (int trial = 0; trial < damages; trial++) {
    size_t place = trial == 0 ? 0 : trial < 40 ? next() % size : next() % 4096;
    unsigned char before = bytes[place];
    bytes[place] ^= (unsigned char)(1u << next() % 8);
    write_file(path_of(file), bytes, trial % 5 == 4 ? place : size);
    bytes[place] = before;
    index = near(name, method, CLIP_INDEX_READ_ONLY);
    warnings = 0;
    CHECK(search(index, rows[0], NULL) == CLIP_OK && found.count == 10 && strcmp(found.at[0].key, names[0]) == 0 && warnings == 1);
    /* It is not read again. */
    CHECK(trial % 10 || (search(index, rows[0], NULL) == CLIP_OK && warnings == 1));
    clip_index_release(index);
  }
  index = near(name, method, 0);
  CHECK(recall(index, exact, NULL) >= least && stat(path_of(file), &again) == 0 && (size_t)again.st_size >= size / 2);
  clip_index_release(index), clip_index_release(exact);
}

/* A build from inside the progress of another. */
static int search_other(void *user, uint64_t done, uint64_t total) {
  clip_index **other = user, *index = *other;
  (void)done, (void)total;
  *other = NULL;
  if (!index) return 0;
  CHECK(search(index, rows[0], NULL) == CLIP_OK && found.count == 10);
  found.count = 0, clip_index_release(index);
  return 0;
}

/* Rows that are all the same, and an index that cannot be written beside. */
static void test_odd(const char *method) {
  char name[32], file[600];
  snprintf(name, sizeof name, "odd-%s", method);
  clip_index *exact = open_index(name, WIDTH, CLIP_STORAGE_F16);
  static float same[COUNT][WIDTH];
  for (int i = 0; i < COUNT; i++) memcpy(same[i], rows[0], sizeof same[i]);
  CHECK(clip_index_put(exact, keys, same[0], NULL, COUNT) == CLIP_OK);
  snprintf(file, sizeof file, "%s.%s", path_of(name), method);
  CHECK(mkdir(file, 0777) == 0);
  clip_index *index = near(name, method, 0), *other = strcmp(method, "hnsw") == 0 ? NULL : near(name, method, 0);
  int builds = other ? 2 : 1;
  clip_index_search_options options = CLIP_INIT(clip_index_search_options);
  options.progress = (clip_progress){search_other, &other};
  warnings = 0;
  CHECK(search(index, rows[0], &options) == CLIP_OK && found.count == 10 && warnings == builds && other == NULL && fabs(found.at[9].score - 1) < 1e-3);
  CHECK(search(index, rows[1], NULL) == CLIP_OK && found.count == 10);
  clip_index_release(index), clip_index_release(exact), rmdir(file);
}

/* A file whose body is exactly 1 MiB, a piece of its checksum; what is of its temporary name stays. */
static void test_piece(void) {
  enum { wide = 448, many = 5622 };
  static float wide_rows[many][wide];
  static char text_of[many][16];
  static clip_index_bytes all[many];
  fill(wide_rows[0], (size_t)many * wide);
  for (int i = 0; i < many; i++) snprintf(text_of[i], sizeof text_of[i], "w%d", i), all[i] = text(text_of[i]);
  clip_index *exact = open_index("piece", wide, CLIP_STORAGE_F16);
  CHECK(clip_index_put(exact, all, wide_rows[0], NULL, many) == CLIP_OK);
  char link[64], file[64];
  snprintf(link, sizeof link, "piece.ivf-pq.%d-0.new", (int)getpid()), snprintf(file, sizeof file, "piece.ivf-pq.%d-1.new", (int)getpid());
  CHECK(symlink("nowhere", path_of(link)) == 0);
  warnings = 0;
  clip_index *index = near("piece", "ivf-pq", 0);
  struct stat facts;
  CHECK(search(index, wide_rows[0], NULL) == CLIP_OK && found.count == 10 && warnings == 0);
  CHECK(stat(path_of("piece.ivf-pq"), &facts) == 0 && facts.st_size == (1 << 20) + 8);
  CHECK(lstat(path_of(link), &facts) == 0 && S_ISLNK(facts.st_mode) && lstat(path_of("nowhere"), &facts) != 0);
  CHECK(lstat(path_of(file), &facts) != 0);
  clip_index_release(index);
  index = near("piece", "ivf-pq", CLIP_INDEX_READ_ONLY);
  CHECK(search(index, wide_rows[0], NULL) == CLIP_OK && found.count == 10 && warnings == 0);
  clip_index_release(index), clip_index_release(exact);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  begin(argv[1]);
  clip_runtime_release(runtime);
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 3, options.log = count_warning;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  queries = is_slow() ? 3 : 30;
  fill(rows[0], (COUNT + MORE) * WIDTH);
  for (int i = 0; i < COUNT + MORE; i++) snprintf(names[i], sizeof names[i], "k%d", i), keys[i] = text(names[i]);
  clip_index *index = open_index("none", WIDTH, CLIP_STORAGE_F16), *other = NULL;
  clip_index_options wrong = CLIP_INIT(clip_index_options);
  wrong.neighbours = "annoy";
  CHECK(clip_index_open(runtime, path_of("none"), &wrong, &other) == CLIP_NOT_FOUND && strstr(clip_last_error(), "hnsw,ivf-pq"));
  clip_index_release(index);
  test_method("hnsw", CLIP_STORAGE_F16, 0.97);
  test_method("hnsw", CLIP_STORAGE_INT8, 0.97);
  test_method("ivf-pq", CLIP_STORAGE_F16, 0.6);
  test_odd("hnsw"), test_odd("ivf-pq");
  if (!is_slow()) test_piece();
  return end();
}
