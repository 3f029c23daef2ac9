/* Inputs out of proportion, and records as people write them: a small file may not ask for much work, and what is beside
 * the captions may be anything.
 *
 *   limits_test MODEL IMAGE FOLDER
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static const char *scratch;
static clip_runtime *runtime;
static char warnings[1 << 16];

static void keep_warning(void *user, clip_log_level level, const char *message) {
  (void)user, (void)level;
  strncat(warnings, message, sizeof warnings - strlen(warnings) - 1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* other processes take their time too */
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static long peak_kilobytes(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/* A lossless WebP of one colour: 34 bytes, whatever its sides. */
static size_t webp(uint8_t *bytes, uint32_t side) {
  static const uint8_t head[] = "RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f";
  memset(bytes, 0, 34);
  memcpy(bytes, head, 21);
  uint32_t sides = (side - 1) | (side - 1) << 14;
  memcpy(bytes + 21, &sides, 4);
  bytes[25] = 0x88, bytes[26] = 0x88, bytes[27] = 0x08;
  return 34;
}

/* A progressive JPEG of one grey component with `scans` scans. */
static size_t jpeg(uint8_t *bytes, unsigned side, int scans) {
  static const uint8_t frame[] = {0xff, 0xd8, 0xff, 0xc2, 0, 11, 8, 0, 0, 0, 0, 1, 1, 0x11, 0};
  static const uint8_t scan[] = {0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0};
  size_t size = sizeof frame;
  memcpy(bytes, frame, sizeof frame);
  bytes[7] = bytes[9] = (uint8_t)(side >> 8), bytes[8] = bytes[10] = (uint8_t)side;
  for (int i = 0; i < scans; i++, size += sizeof scan) memcpy(bytes + size, scan, sizeof scan);
  bytes[size++] = 0xff, bytes[size++] = 0xd9;
  return size;
}

static clip_status decode(const uint8_t *bytes, size_t size) {
  clip_image *image = NULL;
  clip_status status = clip_image_decode(runtime, bytes, size, NULL, &image);
  clip_image_release(image);
  return status;
}

static void images(void) {
  static uint8_t bytes[1 << 16];
  double start = seconds();
  CHECK(decode(bytes, webp(bytes, 12000)) == CLIP_LIMIT);
  CHECK(decode(bytes, jpeg(bytes, 8000, 400)) == CLIP_LIMIT && strstr(clip_last_error(), "scans") != NULL);
  CHECK(decode(bytes, jpeg(bytes, 12000, 1)) == CLIP_LIMIT || decode(bytes, jpeg(bytes, 12000, 1)) == CLIP_FORMAT);
  CHECK(seconds() - start < 3 && peak_kilobytes() < 256 * 1024);
}

static void write_text(const char *name, const char *text, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

/* Reads a table, writes its captions joined by "|", and returns the status. */
static clip_status captions(const char *name, const char *text, size_t size, char *joined, clip_dataset_counters *counters) {
  char path[512];
  const char *sources[] = {path};
  clip_dataset *data = NULL;
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  options.flags = CLIP_DATASET_ORDERED | CLIP_DATASET_FILES, options.epochs = 1, options.max_bad_share = 1;
  write_text(name, text, size);
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  joined[0] = 0;
  warnings[0] = 0;
  clip_status status = clip_dataset_open(runtime, NULL, sources, 1, &options, &data);
  while (status == CLIP_OK) {
    clip_batch batch = CLIP_INIT(clip_batch);
    status = clip_dataset_next(data, &batch);
    if (status != CLIP_OK || batch.count == 0) break;
    for (uint32_t i = 0; i < batch.count; i++) {
      if (joined[0] != 0) strcat(joined, "|");
      strcat(joined, batch.captions[i]);
    }
  }
  if (data != NULL) clip_dataset_get_counters(data, counters);
  clip_dataset_release(data);
  return status;
}

static void records(void) {
  char joined[4096];
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
#define READ(name, text) captions(name, text, sizeof(text) - 1, joined, &counters)
  CHECK(READ("a.csv", "file_name,caption\na.png,a dog, on grass\na.png,a cat\n") == CLIP_OK && strcmp(joined, "a cat") == 0);
  CHECK(counters.bad_texts == 1 && strstr(warnings, "expected 2 fields") != NULL);
  CHECK(READ("tabs.csv", "file_name\tcaption\na.png\ta dog, on grass\n") == CLIP_OK && strcmp(joined, "a dog, on grass") == 0);
  CHECK(READ("B.CSV", "file_name,caption\na.png,one\n") == CLIP_OK && strcmp(joined, "one") == 0);
  CHECK(READ("C.JSONL", "{\"image\": \"a.png\", \"text\": \"two\"}\n") == CLIP_OK && strcmp(joined, "two") == 0);
  CHECK(READ("wide.csv", "\xff\xfe" "f\0i\0") == CLIP_UNSUPPORTED && strstr(clip_last_error(), "UTF-16") != NULL);
  CHECK(READ("odd.jsonl",
             "{\"image\": \"a.png\", \"text\": \"1\", \"score\": NaN, \"l\": [Infinity, -Infinity, 1e400, -1E+999]}\n"
             "{\"image\": \"a.png\", \"text\": \"2\", \"hash\": 18446744073709551615, \"x\": \"\\u0000\", \"n\": -12.5e-3}\n"
             "{\"image\": \"a.png\", \"text\": \"3 NaN 1e400 \\ud83d\\ude00\", \"x\": \"\\ud800\", \"y\": \"\\udc00\\ud800\\\\\"}\n"
             "{\"image\": \"a.png\", \"text\": \"\\ud800\"}\n"
             "{\"image\": \"a.png\", \"text\": \"\\u0000\"}\n"
             "{\"image\": \"a.png\", \"text\": \"4\", \"bad\": NaNa}\n"
             "{\"image\": \"a.png\", \"text\": NaN}\n"
             "{\"image\": \"a.png\", \"text\": \"5\", \"empty\": null, \"yes\": true}\n") == CLIP_OK);
  CHECK(strcmp(joined, "1|2|3 NaN 1e400 \xf0\x9f\x98\x80|5") == 0 && counters.bad_texts == 4);
}

/* A link beside a table may not lead out of its folder; in the folder it may. */
static void links(const char *image_path) {
  char joined[4096], path[512];
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
  snprintf(path, sizeof path, "%s/out.png", scratch);
  CHECK(symlink(image_path, path) == 0);
  snprintf(path, sizeof path, "%s/in.png", scratch);
  CHECK(symlink("a.png", path) == 0);
  CHECK(READ("links.csv", "file_name,caption\nout.png,outside\nin.png,inside\n") == CLIP_OK && strcmp(joined, "inside") == 0);
  CHECK(counters.bad_texts == 1 && strstr(warnings, "leads out of the table's folder") != NULL);
}

/* Names of files reach the log and messages without what a terminal obeys. */
static void controls(void) {
  clip_model *model = NULL;
  CHECK(clip_model_open(runtime, "/nowhere/\x1b[31mred\x07\xc2\x9b", NULL, &model) == CLIP_NOT_FOUND);
  CHECK(strchr(clip_last_error(), '\x1b') == NULL && strchr(clip_last_error(), '\x07') == NULL && strstr(clip_last_error(), "\xc2\x9b") == NULL);
  CHECK(strstr(clip_last_error(), "red") != NULL);
  char joined[4096];
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
  CHECK(READ("names.csv", "file_name,caption\n\x1b]0;x.png,one\na.png,two\n") == CLIP_OK && strcmp(joined, "two") == 0);
  CHECK(warnings[0] != 0 && strchr(warnings, '\x1b') == NULL);
}

/* Names of files are bytes: they need not be UTF-8, and messages show such bytes as \xNN. */
static void bytes_in_names(const char *folder) {
#define LATIN "caf\xe9"
#define PRIVATE "\xf4\x8f\xbf\xa9" /* U+10FFE9, well-formed */
  static const char *const names[] = {LATIN, PRIVATE, "\xf4\x8f\xbf", "\xff\xfe"};
  char path[1024], other[400], command[2048], joined[4096];
  const char *sources[] = {other};
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  clip_model *model = NULL, *opened = NULL;
  clip_trainer *trainer = NULL;
  options.flags = CLIP_DATASET_ORDERED | CLIP_DATASET_FILES, options.epochs = 1;
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK && clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    clip_image *image = NULL;
    clip_dataset *data = NULL;
    clip_batch batch = CLIP_INIT(clip_batch);
    snprintf(other, sizeof other, "%s/folder-%s", scratch, names[i]);
    snprintf(path, sizeof path, "%s/%s.png", other, names[i]);
    snprintf(command, sizeof command, "mkdir '%s' && cp '%s/a.png' '%s' && echo caption > '%s/%s.txt'", other, scratch, path, other, names[i]);
    CHECK(system(command) == 0);
    CHECK(clip_image_load(runtime, path, NULL, &image) == CLIP_OK);
    clip_image_release(image);
    CHECK(clip_dataset_open(runtime, NULL, sources, 1, &options, &data) == CLIP_OK && clip_dataset_next(data, &batch) == CLIP_OK);
    CHECK(batch.count == 1 && strcmp(batch.keys[0], names[i]) == 0);
    clip_dataset_release(data);
    snprintf(command, sizeof command, "file_name,caption\nfolder-%s/%s.png,one\n", names[i], names[i]);
    CHECK(captions("bytes.csv", command, strlen(command), joined, &counters) == CLIP_OK && strcmp(joined, "one") == 0);
    snprintf(path, sizeof path, "%s/checkpoints", other);
    CHECK(clip_trainer_save(trainer, path, 1, NULL) == CLIP_OK && clip_trainer_resume(trainer, path) == CLIP_OK);
    snprintf(path, sizeof path, "%s/%s", other, names[i]);
    for (int turn = 0; turn < 2; turn++) CHECK(clip_trainer_export(trainer, path, NULL) == CLIP_OK); /* makes it, replaces it */
    CHECK(clip_model_open(runtime, path, NULL, &opened) == CLIP_OK);
    CHECK(clip_model_swap(opened, 0, path, NULL) == CLIP_OK);
    clip_model_release(opened);
  }
  CHECK(clip_model_open(runtime, "/nowhere/" LATIN, NULL, &opened) == CLIP_NOT_FOUND && strstr(clip_last_error(), "caf\\xE9") != NULL);
  CHECK(clip_plugin_load(runtime, "/nowhere/" LATIN ".so") != CLIP_OK && strstr(clip_last_error(), "caf\\xE9.so") != NULL);
  clip_trainer_release(trainer);
  clip_model_release(model);
}

static void training(const char *folder) {
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  char path[512];
  snprintf(path, sizeof path, "%s/checkpoints", scratch);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK && clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  CHECK(clip_trainer_save(trainer, path, 1, "caf\xe9") == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), "note") != NULL);
  CHECK(clip_trainer_save(trainer, path, 1, "caf\xc3\xa9") == CLIP_OK && clip_trainer_resume(trainer, path) == CLIP_OK);
  char note[16];
  CHECK(clip_trainer_note(trainer, note, sizeof note) == 5 && strcmp(note, "caf\xc3\xa9") == 0);
  /* One pair has no other to be told from. */
  static const uint8_t pixels[12] = {0};
  const clip_image_view view = {.pixels = pixels, .width = 2, .height = 2, .format = CLIP_PIXELS_RGB};
  const char *text = "a cat";
  clip_train_batch batch = CLIP_INIT(clip_train_batch);
  batch.n = 1, batch.images = &view, batch.texts = &text;
  warnings[0] = 0;
  CHECK(clip_train_step(trainer, &batch, NULL) == CLIP_OK && strstr(warnings, "a batch of one pair") != NULL);
  warnings[0] = 0;
  CHECK(clip_train_step(trainer, &batch, NULL) == CLIP_OK && warnings[0] == 0);
  clip_trainer_release(trainer);
  clip_model_release(model);
}

/* A text of 100 MB that is truncated takes no longer than what fits. */
static void long_text(const char *folder) {
  clip_model *model = NULL;
  clip_encode_options options = CLIP_INIT(clip_encode_options);
  options.flags = CLIP_ENCODE_TRUNCATE;
  size_t size = 100 << 20;
  char *text = malloc(size + 1);
  float embedding[1024];
  CHECK(text != NULL && clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  static const char *const kinds[] = {"a ", "word", "\xc3\xa9\xcc\x81", "&amp;", "1", "  "};
  for (size_t kind = 0; text != NULL && kind < sizeof kinds / sizeof *kinds; kind++) {
    size_t length = strlen(kinds[kind]);
    for (size_t i = 0; i < size; i++) text[i] = kinds[kind][i % length];
    text[size - size % length] = 0;
    for (int cleaning = 0; cleaning < 2; cleaning++) {
      options.flags = CLIP_ENCODE_TRUNCATE | (cleaning ? CLIP_ENCODE_OPENAI_CLEANING : 0);
      double start = seconds();
      CHECK(clip_encode_text(model, (const char *const[]){text}, 1, &options, embedding, 1024) == CLIP_OK);
      double taken = seconds() - start;
      if (taken > 2) printf("\"%s\" with cleaning %d took %.1f s\n", kinds[kind], cleaning, taken);
      CHECK(taken < 5);
    }
  }
  free(text);
  clip_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: limits_test MODEL IMAGE FOLDER\n"), 2;
  scratch = argv[3];
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.log = keep_warning;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  images();
  char command[1024], *image_path = realpath(argv[2], NULL);
  snprintf(command, sizeof command, "cp '%s' '%s/a.png'", argv[2], scratch);
  CHECK(image_path != NULL && system(command) == 0);
  records();
  links(image_path);
  controls();
  bytes_in_names(argv[1]);
  training(argv[1]);
  long_text(argv[1]);
  free(image_path);
  clip_runtime_release(runtime);
  return checks_report();
}
