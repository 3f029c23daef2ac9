/* Every allocation of every call of an index fails: once, and from then on.
 *
 *   index_memory_test MODEL FOLDER [POINTS]     FOLDER is empty; POINTS: how many of each, evenly spread; 0: each */
#define _GNU_SOURCE
#include "failing.h"

#include <stdio.h>
#include <string.h>

#include "clip_index.h"

#include "check.h"

enum { WIDTH = 40, ENTRIES = 1500 };
static clip_runtime *runtime;
static clip_index *made; /* by the call under test */
static clip_index *index_;
static char path[512];
static const char *model;
static float rows[ENTRIES][WIDTH];
static char names[ENTRIES][8];
static clip_index_bytes keys[ENTRIES];
static uint64_t hash;

static int add(void *user, const clip_index_entry *entry) {
  (void)user;
  hash = (hash ^ ((const unsigned char *)entry->key.data)[entry->key.size - 1]) * 1099511628211u + (uint64_t)(entry->score * 1e4f);
  return 0;
}
static int add_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) { return add(user, a), add(user, b); }

static clip_status open_it(void) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  return clip_index_open(runtime, path, &options, &made);
}
static clip_status create_it(void) {
  clip_index_options options = CLIP_INIT(clip_index_options);
  char other[600];
  snprintf(other, sizeof other, "%s.new", path);
  unlink(other);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "f", options.embedding_width = WIDTH;
  return clip_index_open(runtime, other, &options, &made);
}
static clip_status put_some(void) { return clip_index_put(index_, keys + 3, rows[3], keys + 4, 30); }
static clip_status put_metadata(void) { return clip_index_put(index_, keys + 3, NULL, keys + 5, 30); }
static clip_status rename_one(void) {
  clip_index_bytes there = {"other", 5};
  clip_status status = clip_index_put(index_, keys + 9, rows[9], keys + 9, 1);
  return status ? status : clip_index_rename(index_, keys + 9, &there, 1);
}
static clip_status remove_some(void) {
  clip_status status = clip_index_put(index_, keys + 20, rows[20], NULL, 10);
  return status ? status : clip_index_remove(index_, keys + 20, 10, NULL);
}
static clip_status get_one(void) {
  float row[WIDTH];
  return clip_index_get(index_, names[7], strlen(names[7]), row, WIDTH, add, NULL);
}
static clip_status visit(void) { return clip_index_visit(index_, "k1", 2, add, NULL); }
static clip_status search_new(void) {
  /* With all rows to be read. */
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_READ_ONLY;
  clip_status status = clip_index_open(runtime, path, &options, &made);
  return status ? status : clip_index_search(made, rows[5], NULL, add, NULL);
}
static clip_status search(void) { return clip_index_search(index_, rows[5], NULL, add, NULL); }
static clip_status duplicates(void) {
  clip_index_duplicates_options options = CLIP_INIT(clip_index_duplicates_options);
  options.threshold = 0.6f, options.count = 20;
  return clip_index_duplicates(index_, &options, add_pair, NULL);
}
static int add_member(void *user, uint64_t group, const clip_index_entry *entry) { return (void)group, add(user, entry); }
static clip_status groups(void) {
  clip_index_groups_options options = CLIP_INIT(clip_index_groups_options);
  options.threshold = 0.55f;
  return clip_index_groups(index_, &options, add_member, NULL);
}
static clip_status fingerprint(void) {
  char text[33];
  clip_status status = clip_index_fingerprint(model, text, sizeof text);
  if (!status) hash ^= (uint64_t)text[5] << 8 | (uint64_t)text[17];
  return status;
}

static const struct {
  const char *name;
  clip_status (*call)(void);
} calls[] = {{"open", open_it}, {"create", create_it}, {"put", put_some}, {"metadata", put_metadata}, {"rename", rename_one},
  {"remove", remove_some}, {"get", get_one}, {"visit", visit}, {"search, first", search_new}, {"search", search},
  {"duplicates", duplicates}, {"groups", groups}, {"fingerprint", fingerprint}};

static clip_status run(size_t i) {
  hash = 0;
  return calls[i].call();
}
static void finish(void) { clip_index_release(made), made = NULL; }

static void torture(clip_storage storage, const char *folder, long points) {
  snprintf(path, sizeof path, "%s/index%d", folder, (int)storage);
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "f", options.embedding_width = WIDTH, options.storage = storage;
  CHECK(clip_index_open(runtime, path, &options, &index_) == CLIP_OK && clip_index_put(index_, keys, rows[0], keys, ENTRIES) == CLIP_OK);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    uint64_t expected = 0;
    long seen = 0, wrong = 0, refused = 0, left = 0;
    for (int warm = 0; warm < 3; warm++) {
      failing_arm(FAIL_NEVER, 1L << 60);
      CHECK(run(i) == CLIP_OK);
      seen = failing_disarm();
      finish();
      expected = hash;
    }
    for (int mode = FAIL_ONCE; mode <= FAIL_FROM; mode++) {
      long step = points > 0 && seen > points ? seen / points : 1;
      for (long nth = 1; nth <= seen; nth += step) {
        long live = atomic_load(&failing.live);
        failing_arm((failing_mode)mode, nth);
        clip_status status = run(i);
        failing_disarm();
        if (!(status == CLIP_OUT_OF_MEMORY || (status == CLIP_OK && hash == expected)) && ++wrong < 4)
          printf("%s, storage %d, %s %ld: %s %s\n", calls[i].name, (int)storage, failing_names[mode], nth, clip_status_name(status), clip_last_error());
        refused += status == CLIP_OUT_OF_MEMORY;
        finish();
        status = run(i);
        if ((status != CLIP_OK || hash != expected) && ++wrong < 4)
          printf("%s, storage %d, %s %ld: with memory %s %s\n", calls[i].name, (int)storage, failing_names[mode], nth, clip_status_name(status), clip_last_error());
        finish();
        /* SQLite keeps a page cache and statements: those of a few calls, not of each. */
        left += atomic_load(&failing.live) - live;
      }
    }
    printf("%s, storage %d: %ld allocations, %ld refusals, %ld blocks more\n", calls[i].name, (int)storage, seen, refused, left);
    CHECK(wrong == 0);
    CHECK(seen == 0 || refused > 0);
    CHECK(left < 400);
  }
  clip_index_release(index_), index_ = NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  failing_disarm();
  model = argv[1];
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  uint32_t random = 1;
  for (int i = 0; i < ENTRIES; i++) {
    for (int j = 0; j < WIDTH; j++) random = random * 1664525u + 1013904223u, rows[i][j] = (float)(random >> 16) / 32768 - 1;
    snprintf(names[i], sizeof names[i], "k%d", i);
    keys[i] = (clip_index_bytes){names[i], strlen(names[i])};
  }
  long points = argc > 3 ? strtol(argv[3], NULL, 10) : 60;
  torture(CLIP_STORAGE_F16, argv[2], points);
  torture(CLIP_STORAGE_INT8, argv[2], points);
  clip_runtime_release(runtime);
  return checks_report();
}
