/* The entries of an index, and opening one.
 *
 *   index_test MODEL FOLDER     FOLDER is empty */
#include "index_check.h"

/* A struct that may grow has no padding at its end. */
#define ENDS_WITH(type, field) \
  _Static_assert(offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type), #type " has padding at its end")
ENDS_WITH(clip_index_options, neighbours);
ENDS_WITH(clip_index_groups_options, progress);
ENDS_WITH(clip_index_info, memory_bytes);
ENDS_WITH(clip_index_entry, metadata);
ENDS_WITH(clip_index_search_options, progress);
ENDS_WITH(clip_index_duplicates_options, progress);

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

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  begin(argv[2]);
  test_entries();
  test_opening(argv[1]);
  return end();
}
