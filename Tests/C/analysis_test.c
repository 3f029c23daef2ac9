/* clip_analyze from several threads on one runtime, with buffers of exactly the size needed; the catalogue.
 *
 *   analysis_test CATALOGUE
 */
#include <clipcore.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 3, N = 53, D = 21 };

typedef struct result {
  clip_analysis facts;
  clip_pair_analysis pairs[N];
} result;

static clip_runtime *runtime;
static const char *catalogue;
static float *images, *texts;
static result expected;

static clip_status measure(result *out) {
  memset(out, 0, sizeof *out);
  out->facts.struct_size = sizeof out->facts;
  return clip_analyze(runtime, images, texts, N, D, NULL, &out->facts, out->pairs, N);
}

static int count(void *user, const char *entry, const char *field, const char *value) {
  *(size_t *)user += strlen(entry) + strlen(field) + strlen(value);
  return 0;
}

static int add(void *user, const clip_property_gap *gap) {
  *(double *)user += gap->gap * gap->weight;
  return 0;
}

static int stop(void *user, const char *entry, const char *field, const char *value) {
  (void)entry, (void)field, (void)value;
  ++*(int *)user;
  return 1;
}

static int stop_gap(void *user, const clip_property_gap *gap) {
  (void)gap;
  ++*(int *)user;
  return 1;
}

static void *use(void *failures) {
  for (int i = 0; i < ROUNDS; i++) {
    result found;
    if (measure(&found) != CLIP_OK || memcmp(&found, &expected, sizeof found) != 0) ++*(int *)failures;
    clip_modality_gap_info info = {.struct_size = sizeof info};
    double score = 0;
    size_t bytes = 0;
    if (clip_modality_gap(catalogue, "text", "video", &info, add, &score) != CLIP_OK) ++*(int *)failures;
    if (score - info.score > 1e-12 || info.score - score > 1e-12) ++*(int *)failures;
    if (clip_catalogue_visit(catalogue, "gaps", count, &bytes) != CLIP_OK || bytes == 0) ++*(int *)failures;
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  catalogue = argv[1];
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 3};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  images = malloc(N * D * sizeof *images), texts = malloc(N * D * sizeof *texts);
  if (!images || !texts) return 2;
  uint32_t state = 1;
  for (int i = 0; i < N * D; i++) {
    state = state * 1664525u + 1013904223u;
    images[i] = (float)(state >> 8) / (1 << 23) - 1;
    state = state * 1664525u + 1013904223u;
    texts[i] = images[i] + (float)(state >> 8) / (1 << 23) - 1;
  }
  CHECK(measure(&expected) == CLIP_OK);
  CHECK(expected.facts.image_to_text.recall_at_1 > 0.5 && expected.facts.gap > 0 && expected.pairs[N - 1].text_rank >= 1);
  pthread_t threads[THREADS];
  int failures[THREADS] = {0};
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, use, &failures[i]) == 0);
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(failures[i] == 0);
  }
  /* A shorter struct, of an older caller, is filled up to its size. Without pairs nothing else is written. */
  struct {
    uint32_t struct_size;
    double gap, shifted_gap, guard;
  } old = {.struct_size = 24, .guard = 7};
  CHECK(clip_analyze(runtime, images, texts, N, D, NULL, (clip_analysis *)(void *)&old, NULL, 0) == CLIP_OK);
  CHECK(old.gap == expected.facts.gap && old.guard == 7);
  /* Room for a pair too few, and visits that are stopped. */
  result found;
  memset(&found, 0, sizeof found);
  found.facts.struct_size = sizeof found.facts;
  CHECK(clip_analyze(runtime, images, texts, N, D, NULL, &found.facts, found.pairs, N - 1) == CLIP_INVALID_ARGUMENT);
  CHECK(strstr(clip_last_error(), "pairs: expected room for 53") && found.pairs[0].text_rank == 0 && found.facts.gap == 0);
  int visits = 0;
  clip_modality_gap_info info = {.struct_size = sizeof info};
  CHECK(clip_catalogue_visit(catalogue, "gaps", stop, &visits) == CLIP_OK && visits == 1);
  CHECK(clip_modality_gap(catalogue, "text", "video", &info, stop_gap, &visits) == CLIP_OK && visits == 2 && info.properties > 1);
  texts[N * D - 1] = INFINITY;
  CHECK(measure(&found) == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), "texts[52]"));
  CHECK(clip_catalogue_visit(argv[0], "gaps", count, NULL) == CLIP_FORMAT);
  CHECK(clip_catalogue_visit("/nowhere", "gaps", count, NULL) == CLIP_NOT_FOUND);
  free(images), free(texts);
  clip_runtime_release(runtime);
  return checks_report();
}
