/* Structs that say their size: a field that this library does not know is refused when it is set, and left alone in what
 * is filled, in each struct of the headers.
 *
 *   structs_test MODEL FOLDER
 */
#define _GNU_SOURCE
#include <clip_index.h>
#include <clipcore.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { TAIL = 8, ROOM = 1024 };

static clip_runtime *runtime;
static clip_model *model;
static clip_trainer *trainer;
static clip_dataset *dataset;
static clip_index *entries;
static float floats[1 << 16];
static uint8_t bytes[1 << 16];
static const uint8_t grey[16];
static const clip_image_view view = {.pixels = grey, .width = 4, .height = 4, .format = CLIP_PIXELS_GRAY};
static const char *const text = "a cat", *table;

static int keep(void *user, const char *name, const uint64_t *shape, size_t rank) { return (void)user, (void)name, (void)shape, rank > 64; }
static int keep_encoder(void *user, const clip_recommendation *found) { return (void)user, found->struct_size == 0; }
static int keep_gap(void *user, const clip_property_gap *gap) { return (void)user, gap->struct_size == 0; }

static clip_status create_runtime(void *s) {
  clip_runtime *made = NULL;
  clip_status status = clip_runtime_create(s, &made);
  clip_runtime_release(made);
  return status;
}
static clip_status open_model(void *s) {
  clip_model *made = NULL;
  clip_status status = clip_model_open(runtime, "/nowhere", s, &made);
  clip_model_release(made);
  return status;
}
static clip_status swap(void *s) { return clip_model_swap(model, 0, "/nowhere", s); }
static clip_status encode_image(void *s) { return clip_encode_image(model, &view, 1, s, floats, 1 << 16); }
static clip_status encode_text(void *s) { return clip_encode_text(model, &text, 1, s, floats, 1 << 16); }
static clip_status tokenize(void *s) { return clip_tokenize(model, &text, 1, s, (int32_t *)bytes, 1 << 14, NULL, 0); }
static clip_status preprocess(void *s) { return clip_preprocess(model, &view, 1, s, floats, 1 << 16); }
static clip_status preprocess_bytes(void *s) { return clip_preprocess_bytes(model, &view, 1, s, bytes, 1 << 16); }
static clip_status encode_pixels(void *s) { return clip_encode_pixels(model, floats, 1, s, floats, 1 << 16); }
static clip_status encode_tokens(void *s) { return clip_encode_tokens(model, (int32_t *)bytes, 1, s, floats, 1 << 16); }
static clip_status load_image(void *s) {
  clip_image *image = NULL;
  clip_status status = clip_image_load(runtime, "Examples/images/cat.png", s, &image);
  clip_image_release(image);
  return status;
}
static clip_status decode_image(void *s) {
  clip_image *image = NULL;
  clip_status status = clip_image_decode(runtime, "none", 4, s, &image);
  clip_image_release(image);
  return status;
}
static clip_status recommend(void *s) { return clip_recommend_encoders(runtime, s, keep_encoder, NULL); }
static clip_status describe_encoder(void *s) {
  return clip_encoder_describe(runtime, "clipcore.encoder.resnet50", "{\"image_height\": 64, \"image_width\": 64}", s, keep, NULL);
}
static clip_status open_dataset(void *s) {
  clip_dataset *made = NULL;
  clip_status status = clip_dataset_open(runtime, NULL, &table, 1, s, &made);
  clip_dataset_release(made);
  return status;
}
static clip_status open_encoding(void *s) {
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  options.encode = s;
  return open_dataset(&options);
}
static clip_status next_batch(void *s) { return clip_dataset_next(dataset, s); }
static clip_status count_samples(void *s) { return clip_dataset_get_counters(dataset, s); }
static clip_status create_trainer(void *s) {
  clip_trainer *made = NULL;
  clip_status status = clip_trainer_create(model, s, &made);
  clip_trainer_release(made);
  return status;
}
static clip_status step(void *s) { return clip_train_step(trainer, s, NULL); }
static clip_status evaluate(void *s) { return clip_trainer_evaluate(trainer, s, NULL); }
static clip_train_batch pairs(void) {
  static const char *const texts[] = {"a", "b"};
  static const clip_image_view views[] = {{.pixels = grey, .width = 4, .height = 4, .format = CLIP_PIXELS_GRAY},
                                          {.pixels = grey, .width = 2, .height = 4, .format = CLIP_PIXELS_GRAY}};
  clip_train_batch batch = CLIP_INIT(clip_train_batch);
  batch.n = 2, batch.images = views, batch.texts = texts;
  return batch;
}
static clip_status step_encoding(void *s) {
  clip_train_batch batch = pairs();
  batch.options = s;
  return clip_train_step(trainer, &batch, NULL);
}
static clip_status step_metrics(void *s) {
  clip_train_batch batch = pairs();
  return clip_train_step(trainer, &batch, s);
}
static clip_status evaluation_metrics(void *s) {
  clip_train_batch batch = pairs();
  return clip_trainer_evaluate(trainer, &batch, s);
}
static clip_status export_model(void *s) { return clip_model_export(model, NULL, "/nowhere/model", s); }
static clip_status export_trainer(void *s) { return clip_trainer_export(trainer, "/nowhere/model", s); }
static clip_status describe_model(void *s) { return clip_model_describe(model, s); }
static clip_status analyse(const clip_analysis_options *options, clip_analysis *analysis) {
  for (int i = 0; i < 64; i++) floats[i] = (float)(i % 7) - 3;
  return clip_analyze(runtime, floats, floats + 32, 4, 8, options, analysis, NULL, 0);
}
static clip_status analyse_options(void *s) {
  clip_analysis analysis = CLIP_INIT(clip_analysis);
  return analyse(s, &analysis);
}
static clip_status analysis(void *s) { return analyse(NULL, s); }
static clip_status gap(void *s) { return clip_modality_gap("share/modalities.json", "text", "image", s, keep_gap, NULL); }

static clip_status open_index(void *s) {
  clip_index *made = NULL;
  clip_status status = clip_index_open(runtime, "/nowhere/index", s, &made);
  clip_index_release(made);
  return status;
}
static clip_status describe_index(void *s) { return clip_index_describe(entries, s); }
static int keep_entry(void *user, const clip_index_entry *entry) { return (void)user, entry->struct_size == 0; }
static int keep_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) { return (void)user, a == b; }
static clip_status search(void *s) { return clip_index_search(entries, floats, s, keep_entry, NULL); }
static clip_status duplicates(void *s) { return clip_index_duplicates(entries, s, keep_pair, NULL); }
static int keep_member(void *user, uint64_t group, const clip_index_entry *entry) {
  (void)user, (void)group, (void)entry;
  return 0;
}
static clip_status groups(void *s) { return clip_index_groups(entries, s, keep_member, NULL); }

/* What the library fills keeps what it does not know; what it reads may not have it set. VISITED: of the library's own
 * making, told to a callback. */
enum direction { READ, FILLED, VISITED };

#define ROW(type, direction, call) {#type, sizeof(type), direction, call, #call}
static const struct {
  const char *name;
  size_t size;
  enum direction direction;
  clip_status (*call)(void *);
  const char *call_name;
} rows[] = {
  ROW(clip_runtime_options, READ, create_runtime), ROW(clip_model_options, READ, open_model),
  ROW(clip_model_options, READ, swap), ROW(clip_model_info, FILLED, describe_model),
  ROW(clip_image_options, READ, load_image), ROW(clip_image_options, READ, decode_image),
  ROW(clip_encode_options, READ, encode_image), ROW(clip_encode_options, READ, encode_text),
  ROW(clip_encode_options, READ, tokenize), ROW(clip_encode_options, READ, preprocess),
  ROW(clip_encode_options, READ, preprocess_bytes), ROW(clip_encode_options, READ, encode_pixels),
  ROW(clip_encode_options, READ, encode_tokens), ROW(clip_encode_options, READ, open_encoding),
  ROW(clip_encode_options, READ, step_encoding), ROW(clip_plugin_info, VISITED, NULL),
  ROW(clip_encoder_info, FILLED, describe_encoder), ROW(clip_recommend_options, READ, recommend),
  ROW(clip_recommendation, VISITED, NULL), ROW(clip_augmentation_info, VISITED, NULL),
  ROW(clip_dataset_options, READ, open_dataset), ROW(clip_batch, FILLED, next_batch),
  ROW(clip_dataset_counters, FILLED, count_samples), ROW(clip_trainer_options, READ, create_trainer),
  ROW(clip_train_batch, READ, step), ROW(clip_train_batch, READ, evaluate),
  ROW(clip_train_metrics, FILLED, step_metrics), ROW(clip_train_metrics, FILLED, evaluation_metrics),
  ROW(clip_export_options, READ, export_model), ROW(clip_export_options, READ, export_trainer),
  ROW(clip_analysis_options, READ, analyse_options), ROW(clip_analysis, FILLED, analysis),
  ROW(clip_property_gap, VISITED, NULL), ROW(clip_modality_gap_info, FILLED, gap),
  ROW(clip_index_options, READ, open_index), ROW(clip_index_info, FILLED, describe_index),
  ROW(clip_index_entry, VISITED, NULL), ROW(clip_index_search_options, READ, search),
  ROW(clip_index_duplicates_options, READ, duplicates), ROW(clip_index_groups_options, READ, groups),
};

static int is_unknown_field(clip_status status) {
  return status == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), "a newer field") != NULL;
}

static void try_row(size_t row) {
  _Alignas(16) uint8_t room[ROOM] = {0};
  size_t size = rows[row].size;
  uint32_t said = (uint32_t)size + TAIL;
  int failed = 0;
#define CALL() (memcpy(room, &said, sizeof said), rows[row].call(room))
#define EXPECT(good) \
  if (!(good) && !failed++) printf("%s in %s: %s: %s\n", rows[row].name, rows[row].call_name, #good, clip_last_error())
  if (rows[row].direction == FILLED) memset(room + size, 0x55, TAIL + 4);
  clip_status status = CALL();
  EXPECT(!is_unknown_field(status) && (rows[row].direction == READ || status == CLIP_OK));
  for (size_t at = 0; at < TAIL; at++) {
    if (rows[row].direction == FILLED) {
      EXPECT(room[size + at] == 0x55);
    } else {
      memset(room, 0, sizeof room);
      room[size + at] = 1;
      EXPECT(is_unknown_field(CALL()));
    }
  }
  memset(room, 0, sizeof room);
  static const uint32_t wrong[] = {0, 3, 65537, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    said = wrong[i];
    EXPECT(CALL() == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), "struct_size") != NULL);
  }
  CHECK(!failed);
}

/* Each struct of the headers has a row. */
static void headers(void) {
  static const char *const names[] = {"clip", "clip_host", "clip_data", "clip_train", "clip_augment", "clip_analysis",
                                      "clip_extend", "clip_ffi", "clip_index"};
  int structs = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64], line[512], name[64] = "";
    snprintf(path, sizeof path, "Include/%s.h", names[i]);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      char *found = strstr(line, "struct clip_");
      if (found != NULL && strchr(line, '{') != NULL) sscanf(found, "struct %63[a-z0-9_]", name);
      if (strstr(line, "struct_size;") == NULL) continue;
      size_t row = 0;
      while (row < sizeof rows / sizeof *rows && strcmp(rows[row].name, name) != 0) row++;
      if (row == sizeof rows / sizeof *rows) printf("%s: %s has no row in structs_test\n", path, name);
      CHECK(row < sizeof rows / sizeof *rows);
      structs++;
    }
    if (file != NULL) fclose(file);
  }
  CHECK(structs > 15);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: structs_test MODEL FOLDER\n"), 2;
  char path[512];
  snprintf(path, sizeof path, "%s/table.csv", argv[2]);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs("file_name,caption\nnone.png,a cat\n", file) >= 0 && fclose(file) == 0);
  table = path;
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  options.max_bad_share = 1;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, argv[1], NULL, &model) == CLIP_OK);
  CHECK(clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  CHECK(clip_dataset_open(runtime, NULL, &table, 1, &options, &dataset) == CLIP_OK);
  clip_index_options index = CLIP_INIT(clip_index_options);
  index.flags = CLIP_INDEX_CREATE, index.fingerprint = "none", index.embedding_width = 4;
  char place[512];
  snprintf(place, sizeof place, "%s/index", argv[2]);
  CHECK(clip_index_open(runtime, place, &index, &entries) == CLIP_OK);
  headers();
  for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
    if (rows[row].direction != VISITED) try_row(row);
  clip_index_release(entries);
  clip_dataset_release(dataset);
  clip_trainer_release(trainer);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
