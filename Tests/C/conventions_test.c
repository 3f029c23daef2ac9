/* What holds for every call: sizes of structs, flags, capacities, texts, visitors, progress.
 *
 *   conventions_test MODEL IMAGE
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"

/* A struct that may grow has no padding at its end: a field more is always a larger struct. */
#define ENDS_WITH(type, field) \
  _Static_assert(offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type), #type " has padding at its end")
ENDS_WITH(clip_runtime_options, plugin_entry_count);
ENDS_WITH(clip_model_options, image_height);
ENDS_WITH(clip_model_info, memory_bytes);
ENDS_WITH(clip_encode_options, prompt);
ENDS_WITH(clip_image_options, smaller_side);
ENDS_WITH(clip_plugin_info, plugin);
ENDS_WITH(clip_encoder_info, multiply_adds);
ENDS_WITH(clip_recommend_options, max_milliseconds);
ENDS_WITH(clip_recommendation, milliseconds);
ENDS_WITH(clip_trainer_options, low_rank_pattern_count);
ENDS_WITH(clip_train_batch, teacher_texts);
ENDS_WITH(clip_train_metrics, step);
ENDS_WITH(clip_export_options, progress);

/* ---------------------------------------------------------------- structs */

/* Options as a program with a newer header has them. */
typedef struct newer_options {
  clip_encode_options known;
  uint64_t field;
} newer_options;

typedef struct newer_info {
  clip_model_info known;
  uint64_t field;
} newer_info;

static void structs(clip_model *model) {
  clip_model_info facts = described(model);
  size_t d = facts.embedding_width;
  float *row = malloc(2 * d * sizeof(float));
  newer_options newer = {.known = {.struct_size = sizeof newer}};
  CHECK(clip_encode_text(model, captions, 1, &newer.known, row, d) == CLIP_OK);
  newer.field = 1;
  INVALID(clip_encode_text(model, captions, 1, &newer.known, row, d), "a newer field");
  newer.field = (uint64_t)1 << 56;
  INVALID(clip_encode_text(model, captions, 1, &newer.known, row, d), "a newer field");

  /* As a program with an older header has them: what is behind struct_size is not read. */
  clip_encode_options older = {.struct_size = offsetof(clip_encode_options, background), .background = 0xffffffffu, .image_width = 7};
  CHECK(clip_encode_image(model, views, 1, &older, row, d) == CLIP_OK);
  older.struct_size = sizeof older;
  INVALID(clip_encode_image(model, views, 1, &older, row, d), "background");
  older.background = 0;
  CHECK(clip_encode_image(model, views, 1, &older, row, d) == CLIP_OK); /* the sizes are for pixels of the caller's */
  older.struct_size = 65540;
  INVALID(clip_encode_image(model, views, 1, &older, row, d), "struct_size");

  /* A longer struct that is filled keeps its tail, a shorter one what is behind it. */
  newer_info more = {.known = {.struct_size = sizeof more}, .field = 77};
  CHECK(clip_model_describe(model, &more.known) == CLIP_OK && more.field == 77 && more.known.embedding_width == d);
  CHECK(more.known.struct_size == sizeof more);
  clip_model_info less = {.struct_size = offsetof(clip_model_info, memory_bytes), .memory_bytes = 77};
  CHECK(clip_model_describe(model, &less) == CLIP_OK && less.memory_bytes == 77 && less.embedding_width == d);
  free(row);
}

/* ---------------------------------------------------------------- buffers */

static void buffers(clip_model *model) {
  clip_model_info facts = described(model);
  size_t d = facts.embedding_width, pixel_count = (size_t)3 * facts.image_width * facts.image_height;
  size_t context = facts.context_length;
  float *rows = malloc(2 * d * sizeof(float)), *pixels = malloc(2 * pixel_count * sizeof(float)), score[4];
  int32_t *tokens = malloc(2 * context * sizeof(int32_t));
  uint32_t lengths[2] = {99, 99};
  char needed[32];

  for (size_t i = 0; i < 2 * d; i++) rows[i] = 5;
  snprintf(needed, sizeof needed, "%zu", 2 * d);
  INVALID(clip_encode_image(model, views, 2, NULL, rows, 2 * d - 1), needed);
  INVALID(clip_encode_text(model, captions, 2, NULL, rows, 2 * d - 1), needed);
  INVALID(clip_encode_text(model, captions, 2, NULL, rows, 0), needed);
  for (size_t i = 0; i < 2 * d; i++) CHECK(rows[i] == 5); /* nothing is written */
  CHECK(clip_preprocess(model, views, 2, NULL, pixels, 2 * pixel_count) == CLIP_OK);
  INVALID(clip_preprocess(model, views, 2, NULL, pixels, 2 * pixel_count - 1), "pixels");
  INVALID(clip_encode_pixels(model, pixels, 2, NULL, rows, d), needed);
  CHECK(clip_tokenize(model, captions, 2, NULL, tokens, 2 * context, lengths, 2) == CLIP_OK);
  INVALID(clip_tokenize(model, captions, 2, NULL, tokens, 2 * context - 1, lengths, 2), "tokens");
  INVALID(clip_tokenize(model, captions, 2, NULL, tokens, 2 * context, lengths, 1), "lengths");
  INVALID(clip_encode_tokens(model, tokens, 2, NULL, rows, d), needed);
  CHECK(clip_encode_text(model, captions, 2, NULL, rows, 2 * d) == CLIP_OK);
  INVALID(clip_similarity(model, rows, 2, rows, 2, score, 3), "4");
  INVALID(clip_classify(model, rows, 2, rows, 2, score, 3), "4");
  CHECK(clip_classify(model, rows, 2, rows, 2, score, SIZE_MAX) == CLIP_OK); /* more than there is need */
  CHECK(clip_similarity(model, rows, SIZE_MAX / 2, rows, 3, score, SIZE_MAX) != CLIP_OK);

  /* Texts, as snprintf writes them. */
  char id[64], small[9] = "????????";
  size_t length = clip_model_encoder(model, CLIP_TOWER_IMAGE, id, sizeof id);
  CHECK(length == strlen(id) && length > 8 && !strncmp(id, "clipcore.encoder.", 17));
  CHECK(clip_model_encoder(model, CLIP_TOWER_IMAGE, NULL, 0) == length);
  CHECK(clip_model_encoder(model, CLIP_TOWER_IMAGE, small, 8) == length && !memcmp(small, id, 7) && small[7] == 0 && small[8] == 0);
  CHECK(clip_model_encoder(model, 3, small, 8) == 0 && small[0] == 0);
  CHECK(clip_model_encoder(NULL, CLIP_TOWER_IMAGE, small, 8) == 0);
  free(rows), free(pixels), free(tokens);
}

/* ---------------------------------------------------------------- flags */

static void flags(clip_model *model, const char *folder) {
  float *row = malloc(described(model).embedding_width * sizeof(float));
  size_t d = described(model).embedding_width;
  clip_encode_options encode = CLIP_INIT(clip_encode_options);
  clip_model_options open = CLIP_INIT(clip_model_options);
  clip_trainer_options train = CLIP_INIT(clip_trainer_options);
  clip_export_options export = CLIP_INIT(clip_export_options);
  clip_model *none = NULL;
  clip_trainer *trainer = NULL;
  encode.flags = CLIP_ENCODE_TRUNCATE | CLIP_ENCODE_COMPOSITE_ALPHA; /* one of them means something to each */
  CHECK(clip_encode_image(model, views, 1, &encode, row, d) == CLIP_OK);
  CHECK(clip_encode_text(model, captions, 1, &encode, row, d) == CLIP_OK);
  encode.flags = 16, open.flags = 4, train.flags = 2, export.flags = 2;
  INVALID(clip_encode_image(model, views, 1, &encode, row, d), "CLIP_ENCODE_");
  INVALID(clip_encode_text(model, captions, 1, &encode, row, d), "CLIP_ENCODE_");
  INVALID(clip_model_open(runtime, folder, &open, &none), "CLIP_OPEN_");
  INVALID(clip_trainer_create(model, &train, &trainer), "CLIP_TRAIN_");
  INVALID(clip_model_export(model, NULL, "/nowhere/model", &export), "CLIP_EXPORT_");
  CHECK(none == NULL && trainer == NULL);
  free(row);
}

/* ---------------------------------------------------------------- lists */

static int counted(void *user, const clip_plugin_info *info) {
  CHECK(info->struct_size == sizeof *info && info->id[0]);
  ++*(int *)user;
  return 0;
}

static int stopped(void *user, const clip_plugin_info *info) {
  return counted(user, info), *(int *)user == 2;
}

/* The list is that of the moment when it began, also when a visitor takes what it is told of away. */
static int unloading(void *user, const clip_plugin_info *info) {
  if (info->kind == CLIP_KIND_IMAGE_CODEC) CHECK(clip_plugin_unload(user, info->plugin) == CLIP_OK && info->description[0]);
  return 0;
}

static void lists(void) {
  int all = 0, some = 0, left = 0;
  clip_runtime *own = NULL;
  CHECK(clip_runtime_create(NULL, &own) == CLIP_OK);
  CHECK(clip_plugins_visit(own, counted, &all) == CLIP_OK && all > 2);
  CHECK(clip_plugins_visit(own, stopped, &some) == CLIP_OK && some == 2);
  CHECK(clip_plugins_visit(own, unloading, own) == CLIP_OK);
  CHECK(clip_plugins_visit(own, counted, &left) == CLIP_OK && left == all - 4);
  clip_runtime_release(own);
}

/* ---------------------------------------------------------------- progress */

typedef struct watched {
  int reports, cancel_at; /* the report that cancels; 0: none */
  int is_wrong;
  uint64_t done, total;
} watched;

static int watch(void *user, uint64_t done, uint64_t total) {
  watched *w = user;
  w->is_wrong |= done > total || (w->reports > 0 && (done < w->done || total != w->total));
  w->done = done, w->total = total;
  return ++w->reports == w->cancel_at;
}

typedef struct calls {
  clip_model *model;
  const char *folder, *target;
  const clip_trainer *trainer;
  float *rows, *pixels;
  int32_t *tokens;
  size_t d, pixel_count, context;
  const char *texts[MANY];
} calls;

static clip_status call(calls *c, int which, clip_progress progress) {
  clip_encode_options encode = CLIP_INIT(clip_encode_options);
  clip_model_options open = CLIP_INIT(clip_model_options);
  clip_export_options export = CLIP_INIT(clip_export_options);
  encode.progress = open.progress = export.progress = progress;
  clip_model *model = NULL;
  clip_status status;
  switch (which) {
    case 0: return clip_encode_image(c->model, views, MANY, &encode, c->rows, MANY * c->d);
    case 1: return clip_encode_text(c->model, c->texts, MANY, &encode, c->rows, MANY * c->d);
    case 2: return clip_preprocess(c->model, views, MANY, &encode, c->pixels, MANY * c->pixel_count);
    case 3: return clip_encode_pixels(c->model, c->pixels, MANY, &encode, c->rows, MANY * c->d);
    case 4: return clip_tokenize(c->model, c->texts, MANY, &encode, c->tokens, MANY * c->context, NULL, 0);
    case 5: return clip_encode_tokens(c->model, c->tokens, MANY, &encode, c->rows, MANY * c->d);
    case 6: return clip_model_swap(c->model, 0, c->folder, &open);
    case 7: return clip_model_export(c->model, NULL, c->target, &export);
    case 8: return clip_trainer_export(c->trainer, c->target, &export);
    default:
      status = clip_model_open(runtime, c->folder, &open, &model);
      CHECK((status == CLIP_OK) == (model != NULL));
      clip_model_release(model);
      return status;
  }
}

static int entries(const char *folder) {
  DIR *listing = opendir(folder);
  int count = 0;
  struct dirent *entry;
  while (listing && (entry = readdir(listing))) count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
  if (listing) closedir(listing);
  return count;
}

static void progress(const char *folder) {
  char parent[] = "/tmp/clipcore-conventions-XXXXXX", target[64], command[128];
  CHECK(mkdtemp(parent) != NULL);
  snprintf(target, sizeof target, "%s/model", parent);
  clip_trainer *trainer = NULL;
  calls c = {.model = opened(folder, 0), .folder = folder, .target = target};
  clip_model_info facts = described(c.model);
  c.d = facts.embedding_width, c.context = facts.context_length, c.pixel_count = (size_t)3 * facts.image_width * facts.image_height;
  c.rows = malloc(MANY * c.d * sizeof(float)), c.tokens = malloc(MANY * c.context * sizeof(int32_t));
  c.pixels = malloc(MANY * c.pixel_count * sizeof(float));
  float *want = malloc(2 * c.d * sizeof(float)), *got = malloc(2 * c.d * sizeof(float));
  for (int i = 0; i < MANY; i++) c.texts[i] = captions[i % ITEMS];
  CHECK(clip_trainer_create(c.model, NULL, &trainer) == CLIP_OK);
  c.trainer = trainer;
  CHECK(clip_encode_text(c.model, c.texts, 2, NULL, want, 2 * c.d) == CLIP_OK);
  for (int which = 0; which < 10; which++) {
    watched w = {0};
    CHECK(call(&c, which, (clip_progress){watch, &w}) == CLIP_OK);
    CHECK(w.reports >= 2 && w.done == w.total && w.total > 0 && !w.is_wrong);
    int before = entries(parent), last = w.reports;
    for (int at = 1; at <= last; at += last > 6 ? last / 6 : 1) {
      watched cancelled = {.cancel_at = at};
      CHECK(call(&c, which, (clip_progress){watch, &cancelled}) == CLIP_CANCELLED && strstr(clip_last_error(), "cancelled"));
      CHECK(cancelled.reports == at);
      CHECK(entries(parent) == before); /* nothing is left of a folder that was begun */
    }
    /* The model is as it was. */
    CHECK(clip_encode_text(c.model, c.texts, 2, NULL, got, 2 * c.d) == CLIP_OK && !memcmp(got, want, 2 * c.d * sizeof(float)));
    CHECK(described(c.model).towers == facts.towers);
  }
  /* A callback stays with its call: a swap that takes its options from an earlier one does not report. */
  watched once = {0};
  CHECK(call(&c, 6, (clip_progress){watch, &once}) == CLIP_OK);
  int reports = once.reports;
  CHECK(clip_model_swap(c.model, 0, NULL, NULL) == CLIP_OK && once.reports == reports);
  clip_trainer_release(trainer);
  clip_model_release(c.model);
  free(c.rows), free(c.pixels), free(c.tokens), free(want), free(got);
  snprintf(command, sizeof command, "rm -r %s", parent);
  CHECK(system(command) == 0);
}

/* ---------------------------------------------------------------- memory */

static void memory(const char *folder) {
  clip_model *model = opened(folder, 0);
  clip_model_info facts = described(model);
  size_t d = facts.embedding_width;
  uint64_t all = 4 * (facts.image_parameters + facts.text_parameters);
  float *row = malloc(d * sizeof(float));
  for (int i = 0; i < 3; i++) {
    CHECK(clip_encode_image(model, views, 1, NULL, row, d) == CLIP_OK);
    CHECK(clip_encode_text(model, captions, 1, NULL, row, d) == CLIP_OK);
  }
  uint64_t warm = described(model).memory_bytes;
  CHECK(facts.memory_bytes < warm); /* activations, and weights that were in their file at first */
  CHECK(warm > all * 9 / 10 && warm < 2 * all + (16 << 20));
  for (int i = 0; i < 3; i++) CHECK(clip_encode_image(model, views, 1, NULL, row, d) == CLIP_OK);
  CHECK(described(model).memory_bytes == warm);
  CHECK(clip_model_swap(model, CLIP_TOWER_TEXT, NULL, NULL) == CLIP_OK);
  uint64_t swapped = described(model).memory_bytes; /* what the old tower had is gone */
  CHECK(swapped > all * 9 / 10 && swapped <= warm + warm / 8);
  clip_model_release(model);

  clip_model_options options = CLIP_INIT(clip_model_options);
  options.storage = CLIP_STORAGE_BF16;
  CHECK(clip_model_open(runtime, folder, &options, &model) == CLIP_OK);
  uint64_t halves = described(model).memory_bytes;
  CHECK(halves > all * 4 / 10 && halves < all * 3 / 4);
  clip_model_release(model);
  model = opened(folder, CLIP_OPEN_WITHOUT_WEIGHTS);
  CHECK(described(model).memory_bytes == 0);
  clip_model_release(model);
  free(row);
}

/* ---------------------------------------------------------------- */

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: conventions_test MODEL IMAGE\n"), 2;
  begin(argv[2]);
  clip_model *model = opened(argv[1], 0);
  structs(model);
  buffers(model);
  flags(model, argv[1]);
  clip_model_release(model);
  lists();
  progress(argv[1]);
  memory(argv[1]);
  return end();
}
