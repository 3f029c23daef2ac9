/* What a scenario of the torture test works on, and what a scenario is. */
#ifndef CLIPCORE_TESTS_TORTURE_WORLD_H
#define CLIPCORE_TESTS_TORTURE_WORLD_H

#include <clip_index.h>
#include <clipcore.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 32, ITEMS = 2, PAIRS = 6, FLOATS = 1 << 20 };

typedef struct world {
  const char *work;   /* a folder for what is written */
  const char *folder; /* of the model */
  clip_runtime *runtime;
  clip_model *model;
  clip_model_info info;
  clip_trainer *trainer;
  clip_dataset *dataset;
  clip_pipeline *pipeline;
  clip_image *image;
  clip_closure *closure;
  clip_plugin_reference *reference;
  clip_index *index;
  uint64_t hash; /* of the results of `call` */
} world;

/* `prepare` and `finish` run with memory, `call` without; a call that failed must work when it is made again. */
typedef struct scenario {
  const char *name;
  clip_status (*prepare)(world *);
  clip_status (*call)(world *);
  int needs; /* CLIP_TOWER_*: for each model with these; 0: once */
  const char *argument;
} scenario;

static uint8_t pixels_of_picture[SIDE * SIDE * 3];
static clip_image_view views[ITEMS];
static const char *const captions[ITEMS] = {"a photo of a cat", "two dogs &amp; a Caf\xc3\xa9"};
static float floats[FLOATS];
static const scenario *running;

static void add_to_hash(world *w, const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) w->hash = (w->hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}
static clip_status add_floats(world *w, clip_status status, size_t count) {
  if (status == CLIP_OK) add_to_hash(w, floats, count * sizeof *floats);
  return status;
}
static const char *in_work(world *w, const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", w->work, name);
  return path;
}
#define TRY(call) \
  do { \
    clip_status tried = (call); \
    if (tried != CLIP_OK) return tried; \
  } while (0)

#endif
