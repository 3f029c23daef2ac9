/* All functions of clip.h on a small model: results, errors, and outputs that must stay unchanged.
 *
 *   api_test MODEL IMAGE
 */
#define _GNU_SOURCE
#include <clip_host.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plugin_list.h"

#define INVALID(call) \
  do { \
    CHECK((call) == CLIP_INVALID_ARGUMENT); \
    CHECK(clip_last_error()[0] != 0); \
  } while (0)

/* Threads of the process now, and before the first call: an emulator has some of its own. */
static int own_threads;
static int thread_count(void) {
  DIR *folder = opendir("/proc/self/task");
  int count = 0;
  struct dirent *entry;
  while (folder && (entry = readdir(folder))) count += entry->d_name[0] != '.';
  if (folder) closedir(folder);
  return count;
}

static void statuses(void) {
  CHECK(!strcmp(clip_status_name(CLIP_OK), "CLIP_OK"));
  CHECK(!strcmp(clip_status_name(CLIP_INVALID_ARGUMENT), "CLIP_INVALID_ARGUMENT"));
  CHECK(!strcmp(clip_status_name(CLIP_NOT_FOUND), "CLIP_NOT_FOUND"));
  CHECK(!strcmp(clip_status_name(CLIP_IO), "CLIP_IO"));
  CHECK(!strcmp(clip_status_name(CLIP_FORMAT), "CLIP_FORMAT"));
  CHECK(!strcmp(clip_status_name(CLIP_UNSUPPORTED), "CLIP_UNSUPPORTED"));
  CHECK(!strcmp(clip_status_name(CLIP_MISMATCH), "CLIP_MISMATCH"));
  CHECK(!strcmp(clip_status_name(CLIP_LIMIT), "CLIP_LIMIT"));
  CHECK(!strcmp(clip_status_name(CLIP_OUT_OF_MEMORY), "CLIP_OUT_OF_MEMORY"));
  CHECK(!strcmp(clip_status_name(CLIP_PLUGIN), "CLIP_PLUGIN"));
  CHECK(!strcmp(clip_status_name(CLIP_NOT_FINITE), "CLIP_NOT_FINITE"));
  CHECK(!strcmp(clip_status_name(CLIP_CANCELLED), "CLIP_CANCELLED"));
  CHECK(!strcmp(clip_status_name((clip_status)77), "unknown status"));
  CHECK(clip_abi_version() >> 16 == CLIP_ABI_VERSION >> 16 && clip_abi_version() >= CLIP_ABI_VERSION);
  int major, minor, patch;
  CHECK(sscanf(clip_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(clip_last_error()[0] == 0);
}

static int log_calls;
static void count_log(void *user, clip_log_level level, const char *message) {
  if (user == &log_calls && level == CLIP_LOG_WARNING && strstr(message, "no-such-plugin")) log_calls++;
}

/* A visitor that stops at its third item. */
static int third(void *user, const char *name, const uint64_t *shape, size_t rank) {
  CHECK(name[0] && shape && rank >= 1);
  return ++*(int *)user == 3;
}

static int second(void *user, const clip_recommendation *found) {
  CHECK(found->struct_size == sizeof *found && found->id[0] && found->reasons[0]);
  return ++*(int *)user == 2;
}

static void encoders(clip_runtime *runtime) {
  int seen = 0;
  clip_encoder_info info = {.struct_size = sizeof info};
  CHECK(clip_encoder_describe(runtime, "clipcore.encoder.clip-vit", NULL, &info, third, &seen) == CLIP_OK && seen == 3);
  CHECK(clip_encoder_describe(runtime, "clipcore.encoder.clip-vit", NULL, &info, NULL, NULL) == CLIP_OK);
  CHECK(info.tower == CLIP_TOWER_IMAGE && info.parameters > 0 && info.features > 0);
  seen = 0;
  clip_recommend_options options = {.struct_size = sizeof options, .needs = "few-parameters"};
  CHECK(clip_recommend_encoders(runtime, &options, second, &seen) == CLIP_OK && seen == 2);
  INVALID(clip_recommend_encoders(runtime, NULL, second, &seen));
  INVALID(clip_recommend_encoders(runtime, &options, NULL, &seen));
  options.flags = 2;
  INVALID(clip_recommend_encoders(runtime, &options, second, &seen));
}

static void runtimes(void) {
  clip_runtime *runtime = (clip_runtime *)&log_calls;
  INVALID(clip_runtime_create(NULL, NULL));

  clip_runtime_options options = {.struct_size = sizeof options};
  options.threads = 257;
  INVALID(clip_runtime_create(&options, &runtime));
  CHECK(runtime == (clip_runtime *)&log_calls); /* unchanged */
  options.threads = 1;
  options.struct_size = 0;
  INVALID(clip_runtime_create(&options, &runtime));
  options.struct_size = 3;
  INVALID(clip_runtime_create(&options, &runtime));
  options.struct_size = sizeof options;
  options.plugin_path_count = 1;
  INVALID(clip_runtime_create(&options, &runtime));
  const char *none[] = {NULL};
  options.plugin_paths = none;
  INVALID(clip_runtime_create(&options, &runtime));
  options.plugin_path_count = 0;
  clip_plugin_entry_fn no_entry[] = {NULL};
  options.plugin_entry_count = 1;
  INVALID(clip_runtime_create(&options, &runtime));
  options.plugin_entries = no_entry;
  INVALID(clip_runtime_create(&options, &runtime));
  options.plugin_entry_count = 4097;
  INVALID(clip_runtime_create(&options, &runtime));
  options.plugin_entry_count = 0;
  options.plugin_path_count = 1;

  /* A missing plugin file is a warning. */
  const char *paths[] = {"/no-such-plugin.so"};
  options.plugin_paths = paths;
  options.log = count_log;
  options.log_user = &log_calls;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(log_calls > 0);
  clip_runtime_release(runtime);

  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  size_t count = plugin_count(runtime);
  CHECK(count >= 7);
  int kinds[4] = {0}, active = 0;
  for (size_t i = 0; i < count; i++) {
    plugin_facts info;
    CHECK(plugin_at(runtime, i, &info));
    CHECK(info.id[0] && info.description[0] && info.version[0] && info.license[0]);
    if (info.kind >= CLIP_KIND_ENCODER && info.kind <= CLIP_KIND_KERNELS) kinds[info.kind]++;
    if (info.kind == CLIP_KIND_KERNELS) active += info.active == 1;
  }
  CHECK(kinds[CLIP_KIND_ENCODER] >= 3 && kinds[CLIP_KIND_IMAGE_CODEC] >= 3 && kinds[CLIP_KIND_KERNELS] >= 1);
  CHECK(active == 1);
  plugin_facts info;
  CHECK(!plugin_at(runtime, count, &info) && !plugin_at(NULL, 0, &info) && plugin_count(NULL) == 0);
  INVALID(clip_plugins_visit(NULL, plugin_seen, &info));
  INVALID(clip_plugins_visit(runtime, NULL, NULL));
  encoders(runtime);
  clip_runtime_release(runtime);
  clip_runtime_release(NULL);
}

static void models(clip_runtime *runtime, const char *folder) {
  clip_model *model = NULL;
  clip_model_options options = {.struct_size = sizeof options};
  INVALID(clip_model_open(NULL, folder, NULL, &model));
  INVALID(clip_model_open(runtime, NULL, NULL, &model));
  INVALID(clip_model_open(runtime, folder, NULL, NULL));
  CHECK(clip_model_open(runtime, "", NULL, &model) != CLIP_OK);
  CHECK(clip_model_open(runtime, "/nowhere", NULL, &model) == CLIP_NOT_FOUND);
  CHECK(strstr(clip_last_error(), "/nowhere") != NULL);
  CHECK(clip_model_open(runtime, "/dev/null", NULL, &model) != CLIP_OK);
  options.towers = 4;
  INVALID(clip_model_open(runtime, folder, &options, &model));
  options.towers = 0;
  options.storage = (clip_storage)9;
  INVALID(clip_model_open(runtime, folder, &options, &model));
  options.storage = CLIP_STORAGE_F32;
  options.flags = 1u << 30;
  INVALID(clip_model_open(runtime, folder, &options, &model));
  options.flags = 0;
  options.struct_size = 2;
  INVALID(clip_model_open(runtime, folder, &options, &model));
  CHECK(model == NULL);
  clip_model_release(NULL);

  clip_model_info info = {.struct_size = sizeof info};
  INVALID(clip_model_describe(NULL, &info));
  for (int storage = CLIP_STORAGE_F32; storage <= CLIP_STORAGE_BF16; storage++) {
    for (unsigned towers = 0; towers <= 3; towers++) {
      options = (clip_model_options){.struct_size = sizeof options, .towers = towers, .storage = (clip_storage)storage};
      CHECK(clip_model_open(runtime, folder, &options, &model) == CLIP_OK);
      CHECK(clip_model_describe(model, &info) == CLIP_OK);
      CHECK(info.towers == (towers ? towers : 3u) && info.storage == (clip_storage)storage);
      INVALID(clip_model_describe(model, NULL));
      clip_model_release(model);
      model = NULL;
    }
  }
}

static void images(clip_runtime *runtime, clip_model *model, const clip_model_info *facts, const char *image_path) {
  clip_image *image = NULL;
  INVALID(clip_image_load(NULL, image_path, NULL, &image));
  INVALID(clip_image_load(runtime, NULL, NULL, &image));
  INVALID(clip_image_load(runtime, image_path, NULL, NULL));
  CHECK(clip_image_load(runtime, "/nowhere.png", NULL, &image) == CLIP_NOT_FOUND);
  INVALID(clip_image_decode(NULL, "x", 1, NULL, &image));
  INVALID(clip_image_decode(runtime, NULL, 1, NULL, &image));
  INVALID(clip_image_decode(runtime, "x", 1, NULL, NULL));
  CHECK(clip_image_decode(runtime, "", 0, NULL, &image) != CLIP_OK);
  CHECK(clip_image_decode(runtime, "what is this", 12, NULL, &image) != CLIP_OK);
  CHECK(image == NULL);
  clip_image_release(NULL);

  CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK);
  clip_image_view view;
  INVALID(clip_image_get_view(NULL, &view));
  INVALID(clip_image_get_view(image, NULL));
  CHECK(clip_image_get_view(image, &view) == CLIP_OK);
  CHECK(view.width > 0 && view.height > 0 && view.pixels);
  CHECK(view.format == CLIP_PIXELS_RGB || view.format == CLIP_PIXELS_RGBA || view.format == CLIP_PIXELS_GRAY);

  size_t d = facts->embedding_width, numbers = 3u * facts->image_width * facts->image_height;
  float *pixels = malloc(2 * numbers * sizeof(float)), *row = malloc(2 * d * sizeof(float));
  clip_image_view pair[2] = {view, view};
  CHECK(clip_preprocess(model, pair, 2, NULL, pixels, 2 * numbers) == CLIP_OK);
  CHECK(!memcmp(pixels, pixels + numbers, numbers * sizeof(float)));
  CHECK(clip_encode_image(model, pair, 2, NULL, row, 2 * d) == CLIP_OK);
  float length = 0;
  for (size_t i = 0; i < d; i++) length += row[i] * row[i];
  CHECK(fabsf(length - 1) < 1e-5f);
  CHECK(clip_encode_pixels(model, pixels, 2, NULL, row, 2 * d) == CLIP_OK);

  INVALID(clip_preprocess(NULL, pair, 1, NULL, pixels, 2 * numbers));
  INVALID(clip_preprocess(model, NULL, 1, NULL, pixels, 2 * numbers));
  INVALID(clip_preprocess(model, pair, 0, NULL, pixels, 2 * numbers));
  INVALID(clip_preprocess(model, pair, 1, NULL, NULL, 2 * numbers));
  INVALID(clip_encode_image(NULL, pair, 1, NULL, row, 2 * d));
  INVALID(clip_encode_image(model, NULL, 1, NULL, row, 2 * d));
  INVALID(clip_encode_image(model, pair, 0, NULL, row, 2 * d));
  INVALID(clip_encode_image(model, pair, 1, NULL, NULL, 2 * d));
  INVALID(clip_encode_pixels(NULL, pixels, 1, NULL, row, 2 * d));
  INVALID(clip_encode_pixels(model, NULL, 1, NULL, row, 2 * d));
  INVALID(clip_encode_pixels(model, pixels, 0, NULL, row, 2 * d));
  INVALID(clip_encode_pixels(model, pixels, 1, NULL, NULL, 2 * d));
  CHECK(clip_encode_pixels(model, pixels, SIZE_MAX, NULL, row, 2 * d) != CLIP_OK);
  CHECK(clip_encode_pixels(model, pixels, SIZE_MAX / 64, NULL, row, 2 * d) != CLIP_OK);
  clip_encode_options options = {.struct_size = sizeof options, .flags = 1u << 31};
  INVALID(clip_encode_pixels(model, pixels, 1, &options, row, 2 * d));
  options = (clip_encode_options){.struct_size = 1};
  INVALID(clip_encode_pixels(model, pixels, 1, &options, row, 2 * d));

  /* Invalid views. */
  clip_image_view bad = view;
  bad.width = 0;
  INVALID(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers));
  bad = view, bad.height = 0;
  INVALID(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers));
  bad = view, bad.pixels = NULL;
  INVALID(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers));
  bad = view, bad.format = (clip_pixel_format)9;
  INVALID(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers));
  bad = view, bad.stride = 1;
  INVALID(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers));
  bad = view, bad.stride = SIZE_MAX - 2;
  CHECK(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers) != CLIP_OK);
  bad = view, bad.width = UINT32_MAX, bad.height = UINT32_MAX, bad.stride = 0;
  CHECK(clip_preprocess(model, &bad, 1, NULL, pixels, 2 * numbers) == CLIP_LIMIT);
  pair[1] = view, pair[1].format = (clip_pixel_format)0; /* the second of two */
  INVALID(clip_encode_image(model, pair, 2, NULL, row, 2 * d));

  /* The image file's bytes are not needed after the call, nor the runtime's handle while the model is open. */
  clip_image_release(image);
  free(pixels);
  free(row);
}

static void texts(clip_model *model, const clip_model_info *facts) {
  size_t d = facts->embedding_width, context = facts->context_length;
  const char *captions[] = {"a cat", "", "the quick brown fox"};
  int32_t *tokens = malloc(3 * context * sizeof(int32_t));
  uint32_t lengths[3] = {0};
  float *rows = malloc(3 * d * sizeof(float)), *same = malloc(3 * d * sizeof(float));
  CHECK(clip_tokenize(model, captions, 3, NULL, tokens, 3 * context, lengths, 3) == CLIP_OK);
  CHECK(lengths[0] > 2 && lengths[1] == 2 && lengths[2] > lengths[0]);
  for (size_t i = 0; i < 3 * context; i++) CHECK(tokens[i] >= 0 && (uint32_t)tokens[i] < facts->vocabulary_size);
  CHECK(clip_tokenize(model, captions, 3, NULL, tokens, 3 * context, NULL, 0) == CLIP_OK);
  CHECK(clip_encode_text(model, captions, 3, NULL, rows, 3 * d) == CLIP_OK);
  CHECK(clip_encode_tokens(model, tokens, 3, NULL, same, 3 * d) == CLIP_OK);
  CHECK(!memcmp(rows, same, 3 * d * sizeof(float)));

  INVALID(clip_tokenize(NULL, captions, 1, NULL, tokens, 3 * context, lengths, 3));
  INVALID(clip_tokenize(model, NULL, 1, NULL, tokens, 3 * context, lengths, 3));
  INVALID(clip_tokenize(model, captions, 0, NULL, tokens, 3 * context, lengths, 3));
  INVALID(clip_tokenize(model, captions, 1, NULL, NULL, 3 * context, lengths, 3));
  INVALID(clip_encode_text(NULL, captions, 1, NULL, rows, 3 * d));
  INVALID(clip_encode_text(model, NULL, 1, NULL, rows, 3 * d));
  INVALID(clip_encode_text(model, captions, 0, NULL, rows, 3 * d));
  INVALID(clip_encode_text(model, captions, 1, NULL, NULL, 3 * d));
  INVALID(clip_encode_tokens(NULL, tokens, 1, NULL, rows, 3 * d));
  INVALID(clip_encode_tokens(model, NULL, 1, NULL, rows, 3 * d));
  INVALID(clip_encode_tokens(model, tokens, 0, NULL, rows, 3 * d));
  INVALID(clip_encode_tokens(model, tokens, 1, NULL, NULL, 3 * d));
  const char *hole[] = {"a cat", NULL};
  INVALID(clip_encode_text(model, hole, 2, NULL, rows, 3 * d));
  INVALID(clip_tokenize(model, hole, 2, NULL, tokens, 3 * context, lengths, 3));
  tokens[1] = (int32_t)facts->vocabulary_size;
  INVALID(clip_encode_tokens(model, tokens, 1, NULL, rows, 3 * d));
  tokens[1] = -1;
  INVALID(clip_encode_tokens(model, tokens, 1, NULL, rows, 3 * d));

  char *endless = malloc(100001);
  memset(endless, 'x', 100000), endless[100000] = 0;
  for (int i = 1; i < 100000; i += 2) endless[i] = ' ';
  const char *too_long[] = {endless};
  CHECK(clip_encode_text(model, too_long, 1, NULL, rows, 3 * d) == CLIP_LIMIT);
  clip_encode_options cut = {.struct_size = sizeof cut, .flags = CLIP_ENCODE_TRUNCATE};
  CHECK(clip_encode_text(model, too_long, 1, &cut, rows, 3 * d) == CLIP_OK);
  CHECK(clip_tokenize(model, too_long, 1, &cut, tokens, 3 * context, lengths, 3) == CLIP_OK && lengths[0] == context);
  free(endless);

  float logits[9], probabilities[9];
  CHECK(clip_similarity(model, same, 3, same, 3, logits, 9) == CLIP_OK);
  CHECK(fabsf(logits[4] - facts->logit_scale - facts->logit_bias) < 1e-3f * facts->logit_scale);
  CHECK(clip_classify(model, same, 3, same, 3, probabilities, 9) == CLIP_OK);
  CHECK(fabsf(probabilities[3] + probabilities[4] + probabilities[5] - 1) < 1e-5f);
  INVALID(clip_similarity(NULL, same, 3, same, 3, logits, 9));
  INVALID(clip_similarity(model, NULL, 3, same, 3, logits, 9));
  INVALID(clip_similarity(model, same, 0, same, 3, logits, 9));
  INVALID(clip_similarity(model, same, 3, NULL, 3, logits, 9));
  INVALID(clip_similarity(model, same, 3, same, 0, logits, 9));
  INVALID(clip_similarity(model, same, 3, same, 3, NULL, 9));
  INVALID(clip_classify(NULL, same, 3, same, 3, probabilities, 9));
  INVALID(clip_classify(model, NULL, 3, same, 3, probabilities, 9));
  INVALID(clip_classify(model, same, 0, same, 3, probabilities, 9));
  INVALID(clip_classify(model, same, 3, NULL, 3, probabilities, 9));
  INVALID(clip_classify(model, same, 3, same, 0, probabilities, 9));
  INVALID(clip_classify(model, same, 3, same, 3, NULL, 9));
  free(tokens), free(rows), free(same);
}

static void *other_thread(void *ok) {
  *(int *)ok = clip_last_error()[0] == 0;
  return NULL;
}

int main(int argc, char **argv) {
  own_threads = thread_count();
  if (argc != 3) return fprintf(stderr, "usage: api_test MODEL IMAGE\n"), 2;
  statuses();
  runtimes();

  clip_runtime *runtime = NULL;
  clip_model *model = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  models(runtime, argv[1]);
  int ok = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, other_thread, &ok);
  pthread_join(thread, NULL);
  CHECK(ok); /* the message belongs to the thread whose call failed */

  CHECK(clip_model_open(runtime, argv[1], NULL, &model) == CLIP_OK);
  clip_model_info facts = {.struct_size = sizeof facts};
  CHECK(clip_model_describe(model, &facts) == CLIP_OK);
  images(runtime, model, &facts, argv[2]);
  texts(model, &facts);
  CHECK(thread_count() == own_threads); /* no thread was requested */
  clip_runtime_release(runtime); /* the model keeps its runtime */
  texts(model, &facts);
  clip_model_release(model);

  clip_runtime_options options = {.struct_size = sizeof options, .threads = 3};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, argv[1], NULL, &model) == CLIP_OK);
  texts(model, &facts);
  CHECK(thread_count() <= own_threads + 2);
  clip_model_release(model);
  clip_runtime_release(runtime);
  CHECK(thread_count() == own_threads); /* the workers have ended */
  return checks_report();
}
