/* The weights of two trainers alternate in one model while four threads encode with it.
 *
 *   publish_test MODEL IMAGE
 *
 * Every result has the bits of either trainer's weights, as computed without concurrent calls.
 */
#include <clip_train.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { CALLERS = 4, ROUNDS = 100, MOST_ROUNDS = 4000, CAPTIONS = 2 };

static clip_runtime *runtime;
static clip_model *model;
static clip_image_view view;
static size_t width;
static float *image_of[2], *text_of[2];
static atomic_int stop;
static atomic_size_t seen[2], bad;
static const char *captions[CAPTIONS] = {"a cat", "a dog"};

/* The index of the weights that give this result; -1: neither. */
static int owner(const float *got, float **want, size_t count) {
  for (int i = 0; i < 2; i++)
    if (!memcmp(got, want[i], count * sizeof(float))) return i;
  return -1;
}

static void *caller(void *argument) {
  size_t index = (size_t)argument;
  float *rows = malloc(CAPTIONS * width * sizeof(float));
  while (!atomic_load(&stop)) {
    clip_status status = index % 2 ? clip_encode_text(model, captions, CAPTIONS, NULL, rows, CAPTIONS * width)
                                   : clip_encode_image(model, &view, 1, NULL, rows, width);
    int found = index % 2 ? owner(rows, text_of, CAPTIONS * width) : owner(rows, image_of, width);
    if (status != CLIP_OK || found < 0) atomic_fetch_add(&bad, 1);
    else atomic_fetch_add(&seen[found], 1);
  }
  free(rows);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: publish_test MODEL IMAGE\n"), 2;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  clip_image *image = NULL;
  CHECK(clip_image_load(runtime, argv[2], NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK);
  clip_model_options empty = {.struct_size = sizeof empty, .flags = CLIP_OPEN_WITHOUT_WEIGHTS};
  CHECK(clip_model_open(runtime, argv[1], &empty, &model) == CLIP_OK);
  clip_model_info info = {.struct_size = sizeof info};
  CHECK(clip_model_describe(model, &info) == CLIP_OK);
  width = info.embedding_width;

  /* One trainer before and one after a step. */
  clip_trainer *trainers[2] = {NULL};
  clip_trainer_options training = {.struct_size = sizeof training, .learning_rate = 0.01f};
  for (int i = 0; i < 2; i++) {
    image_of[i] = malloc(width * sizeof(float)), text_of[i] = malloc(CAPTIONS * width * sizeof(float));
    CHECK(clip_trainer_create(model, &training, &trainers[i]) == CLIP_OK);
    clip_image_view views[CAPTIONS] = {view, view};
    clip_train_batch batch = {.struct_size = sizeof batch, .n = CAPTIONS, .images = views, .texts = captions};
    clip_train_metrics metrics = {.struct_size = sizeof metrics};
    if (i == 1) CHECK(clip_train_step(trainers[i], &batch, &metrics) == CLIP_OK);
    CHECK(clip_trainer_update_model(trainers[i], model, 0) == CLIP_OK);
    CHECK(clip_encode_image(model, &view, 1, NULL, image_of[i], width) == CLIP_OK);
    CHECK(clip_encode_text(model, captions, CAPTIONS, NULL, text_of[i], CAPTIONS * width) == CLIP_OK);
  }
  CHECK(owner(image_of[1], image_of, width) == 1 && owner(text_of[1], text_of, CAPTIONS * width) == 1);

  pthread_t callers[CALLERS];
  for (size_t i = 0; i < CALLERS; i++) pthread_create(&callers[i], NULL, caller, (void *)i);
  int failed = 0, round = 0;
  while (round < ROUNDS || (round < MOST_ROUNDS && (!atomic_load(&seen[0]) || !atomic_load(&seen[1])))) {
    failed += clip_trainer_update_model(trainers[round % 2], model, 0) != CLIP_OK;
    /* A failed update changes nothing. */
    failed += round % 10 == 0 && clip_trainer_update_model(trainers[0], model, CLIP_EXPORT_AVERAGE) == CLIP_OK;
    round++;
  }
  atomic_store(&stop, 1);
  for (size_t i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
  CHECK(failed == 0);
  CHECK(atomic_load(&bad) == 0);
  CHECK(atomic_load(&seen[0]) > 0 && atomic_load(&seen[1]) > 0);
  printf("%d times published, %zu and %zu calls with either's weights\n", round, atomic_load(&seen[0]), atomic_load(&seen[1]));

  /* Trainers may be released before the model. */
  for (int i = 0; i < 2; i++) clip_trainer_release(trainers[i]);
  float *row = malloc(CAPTIONS * width * sizeof(float));
  int last = (round - 1) % 2;
  CHECK(clip_encode_image(model, &view, 1, NULL, row, width) == CLIP_OK && owner(row, image_of, width) == last);
  CHECK(clip_encode_text(model, captions, CAPTIONS, NULL, row, CAPTIONS * width) == CLIP_OK && owner(row, text_of, CAPTIONS * width) == last);
  free(row);
  clip_model_release(model);
  clip_image_release(image);
  clip_runtime_release(runtime);
  for (int i = 0; i < 2; i++) free(image_of[i]), free(text_of[i]);
  return checks_report();
}
