/* A model in a folder whose encoders are two rows of op_cases.h: its weights, a batch, the loss and its gradients. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clipcore.h"
#include "op_cases.h"

enum { most_tensors = 64, pairs = 4, most_pairs = 512, context = 6, most_values = 512 };

typedef struct {
  char name[64];
  char shape[64];
  size_t count;
  float *values;
  float *gradient;
} tensor;

static tensor tensors[most_tensors];
static int tensor_count;
static const char *folder;
static clip_runtime *runtime;
static float pixels[most_pairs * 3 * 36];
static int32_t tokens[most_pairs * context];
static size_t pair_count = pairs;
static uint32_t trainer_flags, trainer_chunk;
static const char *frozen; /* a pattern */
static uint64_t state;

/* The parameters of this tower are read. */
static char tower_scope;
static const float *parameter(const char *name, const char *suffix) {
  char full[80];
  snprintf(full, sizeof full, "%c.%s%s", tower_scope, name, suffix);
  for (int i = 0; i < tensor_count; i++)
    if (!strcmp(tensors[i].name, full)) return tensors[i].values;
  return NULL;
}

static double uniform(void) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 * 2 - 1;
}

static const op_case *find_case(const op_case *cases, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(cases[i].name, name)) return &cases[i];
  printf("no case %s\n", name);
  exit(1);
}
static const op_case *image_named(const char *name) {
  for (int i = 0; i < untrained_count; i++)
    if (!strcmp(untrained_cases[i].name, name)) return &untrained_cases[i];
  return find_case(image_cases, image_count, name);
}
static const op_case *text_named(const char *name) { return find_case(text_cases, text_count, name); }

static void write_config(const char *image_encoder) {
  char path[600];
  snprintf(path, sizeof path, "%s/clipcore.json", folder);
  FILE *f = fopen(path, "w");
  fprintf(f,
          "{\"version\":1,\"embed_dim\":5,\"logit_scale\":\"logit_scale\","
          "\"image\":{\"encoder\":\"%s\",\"scope\":\"i\",\"preprocess\":{\"size\":%u}},"
          "\"text\":{\"encoder\":\"test.encoder.text-op\",\"scope\":\"t\",\"tokenizer\":\"none\"}}",
          image_encoder, S);
  fclose(f);
}

static void write_weights(void) {
  char path[600];
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  static char header[65536];
  size_t end = 4;
  int length = snprintf(header, sizeof header, "{\"logit_scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}");
  for (int i = 0; i < tensor_count; i++) {
    length += snprintf(header + length, sizeof header - (size_t)length, ",\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                       tensors[i].name, tensors[i].shape, end, end + 4 * tensors[i].count);
    end += 4 * tensors[i].count;
  }
  length += snprintf(header + length, sizeof header - (size_t)length, "}");
  uint64_t size = (uint64_t)length;
  float scale = 1.5f;
  FILE *f = fopen(path, "wb");
  fwrite(&size, 8, 1, f);
  fwrite(header, 1, (size_t)length, f);
  fwrite(&scale, 4, 1, f);
  for (int i = 0; i < tensor_count; i++) fwrite(tensors[i].values, 4, tensors[i].count, f);
  fclose(f);
}

/* What the model lacks is what its error lists. */
static int find_tensors(void) {
  clip_model *model = NULL;
  while (tensor_count > 0) {
    free(tensors[--tensor_count].values);
    free(tensors[tensor_count].gradient);
  }
  write_config("test.encoder.image-op");
  write_weights();
  if (clip_model_open(runtime, folder, NULL, &model) != CLIP_MISMATCH) return 0;
  const char *at = clip_last_error();
  while ((at = strstr(at, "missing: ")) != NULL && tensor_count < most_tensors) {
    tensor *t = &tensors[tensor_count];
    /* "missing: NAME [SHAPE]", or "missing: NAME or NAME [SHAPE]", the graph's name first. */
    const char *shape = strchr(at, '[');
    if (!shape || sscanf(at, "missing: %63s", t->name) != 1 || sscanf(shape, "%62[^]]]", t->shape) != 1) return 0;
    strcat(t->shape, "]");
    t->count = 1;
    for (char *p = t->shape; *p; p++)
      if (*p == '[' || *p == ',') t->count *= strtoul(p + 1, NULL, 10);
    t->values = malloc(t->count * sizeof(float));
    t->gradient = calloc(t->count, sizeof(float));
    double size = strstr(t->name, "running_var") || strstr(t->name, "norm.weight") || strstr(t->name, "op.weight") ? 0.5 : 0.7;
    double shift = strstr(t->name, "running_var") || strstr(t->name, "norm.weight") ? 1 : 0;
    for (size_t i = 0; i < t->count; i++) t->values[i] = (float)(shift + size * uniform());
    tensor_count++;
    at += 9;
  }
  return tensor_count > 0;
}

/* The loss of one step, and the gradients with `wants`. NaN on failure. */
static double loss(int wants) {
  write_weights();
  clip_model_options options = CLIP_INIT(clip_model_options);
  options.flags = CLIP_OPEN_WITHOUT_WEIGHTS;
  clip_trainer_options training;
  memset(&training, 0, sizeof training);
  training.struct_size = sizeof training;
  training.seed = 7;
  training.flags = trainer_flags;
  training.chunk = trainer_chunk;
  clip_tensor_group group = {frozen, 0};
  training.groups = &group;
  training.group_count = frozen != NULL;
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  clip_train_batch batch;
  memset(&batch, 0, sizeof batch);
  batch.struct_size = sizeof batch;
  batch.n = pair_count;
  batch.pixels = pixels;
  batch.tokens = tokens;
  clip_train_metrics metrics = {0};
  metrics.struct_size = sizeof metrics;
  metrics.loss = NAN;
  if (clip_model_open(runtime, folder, &options, &model) || clip_trainer_create(model, &training, &trainer) ||
      clip_train_step(trainer, &batch, &metrics))
    printf("%s\n", clip_last_error());
  for (int i = 0; i < tensor_count && wants; i++)
    if (clip_trainer_read(trainer, CLIP_TENSOR_GRADIENT, tensors[i].name, tensors[i].gradient, tensors[i].count))
      memset(tensors[i].gradient, 0, tensors[i].count * sizeof(float));
  clip_trainer_release(trainer);
  clip_model_release(model);
  return metrics.loss;
}
