/* An index under what may happen to its file: docs/index.md.
 *
 *   index_file_test FOLDER     FOLDER is empty */
#include "index_check.h"

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
  int damages = is_slow() ? 60 : 400;
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

/* Without a descriptor nothing is made, and what is there is not said to be missing. */
static void test_descriptors(void) {
  clip_index *index = open_index("there", 32, CLIP_STORAGE_F16);
  CHECK(put_batch(index, 0) == CLIP_OK);
  clip_index_release(index), index = NULL;
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "test", options.embedding_width = 32;
  struct rlimit before, limit;
  getrlimit(RLIMIT_NOFILE, &before);
  limit = before, limit.rlim_cur = 0;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  clip_status created = clip_index_open(runtime, path_of("new"), &options, &index), opened = reopen("there", 0, &index);
  int isSaid = strstr(clip_last_error(), "Too many open files") != NULL;
  setrlimit(RLIMIT_NOFILE, &before);
  struct stat facts;
  CHECK(created == CLIP_IO && opened == CLIP_IO && isSaid);
  /* valgrind counts a descriptor after the file was opened, and so made. */
  CHECK(under_valgrind() || stat(path_of("new"), &facts) != 0);
  CHECK(reopen("absent/new", CLIP_INDEX_CREATE, &index) != CLIP_OK && reopen("absent", 0, &index) == CLIP_NOT_FOUND);
  CHECK(reopen("there", 0, &index) == CLIP_OK && entries_of(index) == 10);
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
  if (argc < 2) return 2;
  begin(argv[1]);
  test_damage(CLIP_STORAGE_F16), test_damage(CLIP_STORAGE_INT8);
  test_full();
  test_descriptors();
  test_vanishing();
  return end();
}
