/* Embeddings of many image files: their order, errors by path, members of archives, cancelling, memory.
 *
 *   files_test MODEL FIXTURES FOLDER
 *
 * FIXTURES is Tests/Fixtures/photos, FOLDER is empty.
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check.h"

enum { WIDTH = 128, MANY = 64 }; /* at most */

static clip_runtime *runtime;
static clip_model *model;
static size_t width;
static const char *model_folder;
static char paths[MANY][600];
static clip_image_file files[MANY];
static size_t file_count;

/* What was received. */
typedef struct {
  float embeddings[MANY][WIDTH];
  clip_status statuses[MANY];
  char messages[MANY][200];
  size_t count;
  size_t stop_after; /* 0: never */
  uint64_t done, total;
} received;

static int receive(void *user, size_t index, const float *embedding, clip_status status, const char *message) {
  received *all = user;
  CHECK(index == all->count && (embedding != NULL) == (status == CLIP_OK) && message);
  if (index < MANY) {
    all->statuses[index] = status;
    if (embedding) memcpy(all->embeddings[index], embedding, width * sizeof *embedding);
    snprintf(all->messages[index], sizeof all->messages[index], "%s", message);
  }
  all->count++;
  return all->count == all->stop_after;
}

static int progress(void *user, uint64_t done, uint64_t total) {
  received *all = user;
  CHECK(done >= all->done && done <= total);
  all->done = done;
  all->total = total;
  return 0;
}

static int refuse(void *user, uint64_t done, uint64_t total) {
  (void)user, (void)done, (void)total;
  return 1;
}

static void embed(const char *path, clip_image_options options, uint32_t flags, uint32_t background, float *embedding) {
  clip_image *image = NULL;
  clip_image_view view = {0};
  options.struct_size = sizeof options;
  clip_encode_options encode = {.struct_size = sizeof encode, .flags = flags, .background = background};
  CHECK(clip_image_load(runtime, path, &options, &image) == CLIP_OK);
  CHECK(clip_image_get_view(image, &view) == CLIP_OK);
  CHECK(clip_encode_image(model, &view, 1, &encode, embedding, width) == CLIP_OK);
  clip_image_release(image);
}

static void add(const char *folder, const char *name) {
  snprintf(paths[file_count], sizeof paths[0], "%s/%s", folder, name);
  files[file_count] = (clip_image_file){.path = paths[file_count]};
  file_count++;
}

static void check_embeddings(void) {
  static float alone[MANY][WIDTH];
  static received all;
  for (size_t i = 0; i < file_count; i++) embed(paths[i], (clip_image_options){.flags = 0}, 0, 0, alone[i]);
  static const uint32_t batches[] = {0, 1, 3, 7, 4096}, workers[] = {0, 1, 2, 5, 16};
  for (int i = 0; i < 5; i++) {
    memset(&all, 0, sizeof all);
    clip_encode_files_options options = {.struct_size = sizeof options, .batch_size = batches[i], .workers = workers[i]};
    options.progress = (clip_progress){progress, &all};
    CHECK(clip_encode_files(runtime, model, files, file_count, &options, receive, &all) == CLIP_OK);
    CHECK(all.count == file_count && all.done == file_count && all.total == file_count);
    CHECK(memcmp(all.embeddings, alone, file_count * sizeof alone[0]) == 0);
  }
  /* Options of decoding and encoding are those of the other calls. */
  clip_image_options stored = {.struct_size = sizeof stored, .flags = CLIP_IMAGE_AS_STORED};
  clip_encode_options encode = {
    .struct_size = sizeof encode, .flags = CLIP_ENCODE_RAW | CLIP_ENCODE_COMPOSITE_ALPHA, .background = 0x102030};
  clip_encode_files_options options = {.struct_size = sizeof options, .image = &stored, .encode = &encode};
  memset(&all, 0, sizeof all);
  CHECK(clip_encode_files(runtime, model, files, file_count, &options, receive, &all) == CLIP_OK);
  for (size_t i = 0; i < file_count; i++) {
    embed(paths[i], stored, encode.flags, encode.background, alone[i]);
    CHECK(memcmp(all.embeddings[i], alone[i], sizeof alone[i]) == 0);
  }
}

static void check_shrinking(const char *fixtures) {
  char path[600];
  snprintf(path, sizeof path, "%s/large.jpg", fixtures);
  clip_image_file file = {.path = path};
  static received exact, small, sized;
  clip_encode_files_options options = {.struct_size = sizeof options};
  CHECK(clip_encode_files(runtime, model, &file, 1, &options, receive, &exact) == CLIP_OK);
  options.flags = CLIP_FILES_SHRINK;
  CHECK(clip_encode_files(runtime, model, &file, 1, &options, receive, &small) == CLIP_OK);
  double cosine = 0;
  for (int i = 0; i < WIDTH; i++) cosine += (double)exact.embeddings[0][i] * small.embeddings[0][i];
  if (cosine < 0.9995) printf("cosine %f\n", cosine);
  CHECK(cosine >= 0.9995 && memcmp(exact.embeddings[0], small.embeddings[0], sizeof exact.embeddings[0]) != 0);
  clip_image_options image = {.struct_size = sizeof image, .smaller_side = 600};
  options.image = &image;
  CHECK(clip_encode_files(runtime, model, &file, 1, &options, receive, &sized) == CLIP_OK);
  CHECK(memcmp(exact.embeddings[0], sized.embeddings[0], sizeof exact.embeddings[0]) == 0);
}

static size_t read_file(const char *path, unsigned char *bytes, size_t capacity) {
  FILE *file = fopen(path, "rb");
  if (!file) abort();
  size_t size = fread(bytes, 1, capacity, file);
  fclose(file);
  return size;
}

static void write_file(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size) abort();
  fclose(file);
}

static void check_failures(const char *folder) {
  static unsigned char bytes[1 << 20];
  static received all;
  size_t size = read_file(paths[0], bytes, sizeof bytes);
  char names[6][700];
  const char *const endings[] = {"missing.png", "garbage.png", "cut.png", "empty.png", "\xff\xe9.png", "folder.png"};
  for (int i = 0; i < 6; i++) snprintf(names[i], sizeof names[i], "%s/%s", folder, endings[i]);
  write_file(names[1], "this is no image at all", 23);
  write_file(names[2], bytes, size / 2);
  write_file(names[3], "", 0);
  write_file(names[4], bytes, size);
  CHECK(mkdir(names[5], 0777) == 0);
  clip_image_file mixed[10];
  for (int i = 0; i < 6; i++) mixed[i] = (clip_image_file){.path = names[i]};
  mixed[6] = (clip_image_file){.path = NULL};
  mixed[7] = (clip_image_file){.path = paths[0], .offset = size};
  mixed[8] = (clip_image_file){.path = paths[0], .offset = 0, .size = size + 1};
  mixed[9] = files[0];
  CHECK(clip_encode_files(runtime, model, mixed, 10, NULL, receive, &all) == CLIP_OK && all.count == 10);
  static const clip_status expected[] = {CLIP_NOT_FOUND, CLIP_UNSUPPORTED, CLIP_FORMAT, CLIP_FORMAT, CLIP_OK,
                                         CLIP_IO, CLIP_INVALID_ARGUMENT, CLIP_FORMAT, CLIP_FORMAT, CLIP_OK};
  for (int i = 0; i < 10; i++) {
    if (all.statuses[i] != expected[i]) printf("%d: %d %s\n", i, all.statuses[i], all.messages[i]);
    CHECK(all.statuses[i] == expected[i]);
    CHECK(expected[i] == CLIP_OK || i == 6 || strstr(all.messages[i], i < 6 ? endings[i] : paths[0]));
  }
  CHECK(memcmp(all.embeddings[4], all.embeddings[9], sizeof all.embeddings[4]) == 0);
  /* Lenient, the cut one is kept. */
  clip_image_options lenient = {.struct_size = sizeof lenient, .flags = CLIP_IMAGE_LENIENT};
  clip_encode_files_options options = {.struct_size = sizeof options, .image = &lenient};
  memset(&all, 0, sizeof all);
  CHECK(clip_encode_files(runtime, model, mixed, 10, &options, receive, &all) == CLIP_OK && all.statuses[2] == CLIP_OK);

  memset(&all, 0, sizeof all);
  all.stop_after = 5;
  CHECK(clip_encode_files(runtime, model, files, file_count, NULL, receive, &all) == CLIP_CANCELLED && all.count == 5);
  /* A progress callback that cancels at once. */
  memset(&all, 0, sizeof all);
  options.progress.fn = refuse;
  CHECK(clip_encode_files(runtime, model, files, file_count, &options, receive, &all) == CLIP_CANCELLED && all.count == 0);
  options.progress.fn = NULL;

  CHECK(clip_encode_files(NULL, model, files, 1, NULL, receive, &all) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_encode_files(runtime, NULL, files, 1, NULL, receive, &all) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_encode_files(runtime, model, NULL, 1, NULL, receive, &all) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_encode_files(runtime, model, files, 0, NULL, receive, &all) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_encode_files(runtime, model, files, 1, NULL, NULL, &all) == CLIP_INVALID_ARGUMENT);
  options.batch_size = 4097;
  CHECK(clip_encode_files(runtime, model, files, 1, &options, receive, &all) == CLIP_INVALID_ARGUMENT);
  options.batch_size = 0;
  options.workers = 257;
  CHECK(clip_encode_files(runtime, model, files, 1, &options, receive, &all) == CLIP_INVALID_ARGUMENT);
  options.workers = 0;
  options.flags = 2;
  CHECK(clip_encode_files(runtime, model, files, 1, &options, receive, &all) == CLIP_INVALID_ARGUMENT);
  options.flags = 0;
  lenient.flags = 4;
  CHECK(clip_encode_files(runtime, model, files, 1, &options, receive, &all) == CLIP_INVALID_ARGUMENT);
  clip_model *texts = NULL;
  clip_model_options text_alone = {.struct_size = sizeof text_alone, .towers = CLIP_TOWER_TEXT};
  CHECK(clip_model_open(runtime, model_folder, &text_alone, &texts) == CLIP_OK);
  CHECK(clip_encode_files(runtime, texts, files, 1, NULL, receive, &all) == CLIP_UNSUPPORTED);
  clip_model_release(texts);
}

/* ---------------------------------------------------------------- archives */

static size_t add_member(unsigned char *archive, const char *name, const unsigned char *bytes, size_t size) {
  memset(archive, 0, 512);
  memcpy(archive, name, strlen(name));
  memcpy(archive + 100, "0000644\0" "0000000\0" "0000000", 23);
  snprintf((char *)archive + 124, 12, "%011lo", (unsigned long)size);
  snprintf((char *)archive + 136, 12, "%011o", 0);
  archive[156] = '0';
  memcpy(archive + 257, "ustar\0" "00", 8);
  memset(archive + 148, ' ', 8);
  unsigned sum = 0;
  for (int i = 0; i < 512; i++) sum += archive[i];
  snprintf((char *)archive + 148, 8, "%06o", sum);
  memcpy(archive + 512, bytes, size);
  size_t padded = (size + 511) / 512 * 512;
  memset(archive + 512 + size, 0, padded - size);
  return 512 + padded;
}

typedef struct {
  char names[8][64];
  clip_image_file files[8];
  int count, stop_after;
} members;

static int visit(void *user, const char *name, uint64_t offset, uint64_t size) {
  members *all = user;
  if (all->count < 8) {
    snprintf(all->names[all->count], sizeof all->names[0], "%s", name);
    all->files[all->count] = (clip_image_file){.offset = offset, .size = size};
  }
  return ++all->count == all->stop_after;
}

static void check_archives(const char *folder) {
  static unsigned char archive[1 << 21], bytes[1 << 20];
  static const char *const names[] = {"a.jpg", "a.txt", "\xe9/b.png", "c.tiff"};
  size_t size = 0;
  for (int i = 0; i < 4; i++) {
    size_t count = i == 1 ? 7 : read_file(paths[i], bytes, sizeof bytes);
    if (i == 1) memcpy(bytes, "a photo", 7);
    size += add_member(archive + size, names[i], bytes, count);
  }
  memset(archive + size, 0, 1024);
  char path[700];
  snprintf(path, sizeof path, "%s/\xff.tar", folder);
  write_file(path, archive, size + 1024);
  members all = {.count = 0};
  CHECK(clip_archive_visit(path, visit, &all) == CLIP_OK && all.count == 4);
  for (int i = 0; i < 4; i++) {
    CHECK(strcmp(all.names[i], names[i]) == 0);
    all.files[i].path = path;
  }
  static received embedded;
  CHECK(clip_encode_files(runtime, model, all.files, 4, NULL, receive, &embedded) == CLIP_OK);
  CHECK(embedded.statuses[1] == CLIP_FORMAT); /* 7 bytes of text */
  for (int i = 0; i < 4; i++) {
    if (i == 1) continue;
    float alone[WIDTH] = {0};
    embed(paths[i], (clip_image_options){.flags = 0}, 0, 0, alone);
    CHECK(embedded.statuses[i] == CLIP_OK && memcmp(alone, embedded.embeddings[i], sizeof alone) == 0);
  }
  all.count = 0, all.stop_after = 2;
  CHECK(clip_archive_visit(path, visit, &all) == CLIP_OK && all.count == 2);
  all.count = 0, all.stop_after = 0;
  write_file(path, archive, size - 600);
  CHECK(clip_archive_visit(path, visit, &all) == CLIP_FORMAT && all.count == 3);
  CHECK(clip_archive_visit("missing.tar", visit, &all) == CLIP_NOT_FOUND);
  CHECK(clip_archive_visit(NULL, visit, &all) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_archive_visit(path, NULL, &all) == CLIP_INVALID_ARGUMENT);
}

static int count_good(void *user, size_t index, const float *embedding, clip_status status, const char *message) {
  (void)index, (void)status, (void)message;
  *(size_t *)user += embedding != NULL;
  return 0;
}

/* Memory does not grow with the number of images. */
static void check_memory(void) {
  enum { FEW = 200, MORE = 2000 };
  static clip_image_file list[MORE];
  for (int i = 0; i < MORE; i++) list[i] = files[(size_t)i % file_count];
  clip_encode_files_options options = {.struct_size = sizeof options, .workers = 4};
  struct rusage before, after;
  size_t good = 0;
  CHECK(clip_encode_files(runtime, model, list, FEW, &options, count_good, &good) == CLIP_OK && good == FEW);
#ifndef SANITIZED
  if (under_valgrind()) return;
  getrusage(RUSAGE_SELF, &before);
  CHECK(clip_encode_files(runtime, model, list, MORE, &options, count_good, &good) == CLIP_OK && good == FEW + MORE);
  getrusage(RUSAGE_SELF, &after);
  if (after.ru_maxrss - before.ru_maxrss > 8192) printf("%ld KiB more\n", after.ru_maxrss - before.ru_maxrss);
  CHECK(after.ru_maxrss - before.ru_maxrss <= 8192);
#else
  (void)before, (void)after;
#endif
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  model_folder = arguments[1];
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, arguments[1], NULL, &model) == CLIP_OK);
  clip_model_info info = {.struct_size = sizeof info};
  CHECK(clip_model_describe(model, &info) == CLIP_OK && info.embedding_width <= WIDTH);
  width = info.embedding_width;
  static const char *const endings[] = {"jpg", "png", "tiff", "webp"};
  for (int i = 0; i < 32; i++) {
    char name[16];
    snprintf(name, sizeof name, "o%d.%s", i / 4 + 1, endings[i % 4]);
    add(arguments[2], name);
  }
  add(arguments[2], "palette.gif");
  add(arguments[2], "rgba.bmp");
  check_embeddings();
  check_shrinking(arguments[2]);
  check_failures(arguments[3]);
  check_archives(arguments[3]);
  check_memory();
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
