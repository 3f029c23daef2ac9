/* gradients_test PLUGIN FOLDER: each op's gradient against central differences of the trainer's loss. */
#include "clipcore.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { most_tensors = 64, pairs = 4, most_pairs = 512, context = 6 };

typedef struct {
  char name[64];
  char shape[64];
  size_t count;
  float values[512];
  float gradient[512];
} tensor;

static tensor tensors[most_tensors];
static int tensor_count;
static const char *folder;
static clip_runtime *runtime;
static float pixels[most_pairs * 3 * 36];
static int32_t tokens[most_pairs * context];
static size_t pair_count = pairs;
static uint32_t trainer_flags, trainer_chunk;
static const char *frozen; /* a pattern of frozen tensors */
static uint64_t state;

static double uniform(void) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 * 2 - 1;
}

static void write_config(const char *image, const char *text) {
  char path[600];
  snprintf(path, sizeof path, "%s/clipcore.json", folder);
  FILE *f = fopen(path, "w");
  fprintf(f,
          "{\"version\":1,\"embed_dim\":5,\"logit_scale\":\"logit_scale\","
          "\"image\":{\"encoder\":\"test.encoder.image-op\",\"scope\":\"i\",\"config\":{\"op\":\"%s\"},\"preprocess\":{\"size\":6}},"
          "\"text\":{\"encoder\":\"test.encoder.text-op\",\"scope\":\"t\",\"config\":{\"op\":\"%s\"},\"tokenizer\":\"none\"}}",
          image, text);
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

/* The tensors to write are those that the error of an empty model lists as missing. */
static int find_tensors(void) {
  clip_model *model = NULL;
  tensor_count = 0;
  write_weights();
  if (clip_model_open(runtime, folder, NULL, &model) != CLIP_MISMATCH) return 0;
  const char *at = clip_last_error();
  while ((at = strstr(at, "missing: ")) != NULL && tensor_count < most_tensors) {
    tensor *t = &tensors[tensor_count];
    if (sscanf(at, "missing: %63s %63[^]]]", t->name, t->shape) != 2) return 0;
    strcat(t->shape, "]");
    t->count = 1;
    for (char *p = t->shape; *p; p++)
      if (*p == '[' || *p == ',') t->count *= strtoul(p + 1, NULL, 10);
    if (t->count > 512) return 0;
    double size = strstr(t->name, "running_var") || strstr(t->name, "norm.weight") || strstr(t->name, "op.weight") ? 0.5 : 0.7;
    double shift = strstr(t->name, "running_var") || strstr(t->name, "norm.weight") ? 1 : 0;
    for (size_t i = 0; i < t->count; i++) t->values[i] = (float)(shift + size * uniform());
    tensor_count++;
    at += 9;
  }
  return tensor_count > 0;
}

/* The loss of one step; also reads the gradients if `wants`. NaN on failure. */
static double loss(int wants) {
  write_weights();
  clip_model_options options = {sizeof options, 0, CLIP_STORAGE_F32, CLIP_OPEN_WITHOUT_WEIGHTS};
  clip_trainer_options training;
  memset(&training, 0, sizeof training);
  training.struct_size = sizeof training;
  training.seed = 7;
  training.flags = trainer_flags;
  training.chunk = trainer_chunk;
  clip_parameter_group group = {sizeof group, 0, frozen};
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
      memset(tensors[i].gradient, 0, sizeof tensors[i].gradient);
  clip_trainer_release(trainer);
  clip_model_close(model);
  return metrics.loss;
}

/* The directional derivative of the loss along the unit vector `direction`. */
static double slope(tensor *t, const double *direction, double step) {
  float kept[512];
  double sides[2];
  memcpy(kept, t->values, sizeof kept);
  for (int side = 0; side < 2; side++) {
    for (size_t i = 0; i < t->count; i++) t->values[i] = (float)(kept[i] + (side ? -step : step) * direction[i]);
    sides[side] = loss(0);
  }
  memcpy(t->values, kept, sizeof kept);
  return (sides[0] - sides[1]) / (2 * step);
}

static void make_batch(const char *text) {
  for (size_t i = 0; i < pair_count * 3 * 36; i++) pixels[i] = (float)(1.5 * uniform());
  for (size_t row = 0; row < pair_count; row++) {
    int length = !strcmp(text, "last") ? context : 2 + (int)(row % 4);
    for (int i = 0; i < context; i++) tokens[row * context + (size_t)i] = i < length ? 1 + (int)(8.9 * (uniform() + 1)) : 0;
    if (strcmp(text, "padding") && strcmp(text, "last")) tokens[row * context + (size_t)length] = 19;
  }
}

static void differentiate(const char *image, const char *text) {
  state = 1;
  make_batch(text);
  write_config(image, text);
  if (!find_tensors()) {
    printf("%s / %s: %s\n", image, text, clip_last_error());
    CHECK(0);
    return;
  }
  if (!isfinite(loss(1))) {
    CHECK(0);
    return;
  }
  for (int i = 0; i < tensor_count; i++) {
    tensor *t = &tensors[i];
    if (strstr(t->name, "running_") || (frozen && strstr(t->name, ".op."))) continue;
    double norm = 0, other = 0, expected = 0, direction[512];
    for (size_t k = 0; k < t->count; k++) norm += (double)t->gradient[k] * t->gradient[k];
    norm = sqrt(norm);
    /* Along the gradient, and along a random direction, which also finds components that the gradient lacks. */
    double step = 7e-4, noise = 5e-7 / step;
    if (norm > 1e-4) {
      for (size_t k = 0; k < t->count; k++) direction[k] = t->gradient[k] / norm;
      double found = slope(t, direction, step);
      if (!(fabs(found - norm) <= 0.02 * norm + noise)) printf("%s / %s: %s: slope %g, gradient %g\n", image, text, t->name, found, norm);
      CHECK(fabs(found - norm) <= 0.02 * norm + noise);
    }
    for (size_t k = 0; k < t->count; k++) direction[k] = uniform();
    for (size_t k = 0; k < t->count; k++) other += direction[k] * direction[k];
    for (size_t k = 0; k < t->count; k++) direction[k] /= sqrt(other);
    for (size_t k = 0; k < t->count; k++) expected += direction[k] * t->gradient[k];
    double found = slope(t, direction, step), bound = 0.02 * (fabs(expected) + norm / sqrt((double)t->count)) + noise;
    if (!(fabs(found - expected) <= bound)) printf("%s / %s: %s: random slope %g, expected %g\n", image, text, t->name, found, expected);
    CHECK(fabs(found - expected) <= bound);
  }
}

static clip_runtime *create_runtime(const char *plugin, uint32_t threads) {
  clip_runtime_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.threads = threads;
  options.plugin_paths = &plugin;
  options.plugin_path_count = 1;
  clip_runtime *created = NULL;
  CHECK(clip_runtime_create(&options, &created) == CLIP_OK);
  return created;
}

/* The largest difference of a tensor's gradient from `others`, relative to the largest element. -1: the same bits. */
static double distance(const tensor *others) {
  double worst = -1;
  for (int i = 0; i < tensor_count; i++) {
    double size = 1e-6, difference = 0;
    for (size_t k = 0; k < tensors[i].count; k++) {
      size = fmax(size, fabs((double)others[i].gradient[k]));
      difference = fmax(difference, fabs((double)tensors[i].gradient[k] - others[i].gradient[k]));
    }
    if (memcmp(tensors[i].gradient, others[i].gradient, tensors[i].count * sizeof(float))) worst = fmax(worst, difference / size);
  }
  return worst;
}

/* A batch that is cut into many pieces: the same bits on any number of threads and with recomputation. */
static void compare_bits(const char *plugin, const char *image, const char *text) {
  static tensor first[most_tensors];
  state = 2;
  pair_count = most_pairs;
  make_batch(text);
  write_config(image, text);
  CHECK(find_tensors());
  CHECK(isfinite(loss(1)));
  memcpy(first, tensors, sizeof first);
  clip_runtime *kept = runtime;
  const uint32_t threads[] = {1, 3, 7};
  for (int i = 0; i < 3; i++) {
    runtime = create_runtime(plugin, threads[i]);
    trainer_flags = i == 2 ? CLIP_TRAIN_CHECKPOINTS : 0;
    CHECK(isfinite(loss(1)) && distance(first) < 0);
    trainer_flags = 0;
    clip_runtime_release(runtime);
  }
  runtime = kept;
  trainer_chunk = 100;
  CHECK(isfinite(loss(1)));
  CHECK(distance(first) < 2e-4);
  trainer_chunk = 0;
  pair_count = pairs;
}

/* A failure of a plugin's op is an error that names the op and changes nothing. */
static void refuse(const char *image, int is_created, clip_status expected, const char *words) {
  state = 3;
  make_batch("");
  write_config(image, "");
  CHECK(find_tensors());
  write_weights();
  clip_model_options options = {sizeof options, 0, CLIP_STORAGE_F32, CLIP_OPEN_WITHOUT_WEIGHTS};
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  CHECK(clip_model_open(runtime, folder, &options, &model) == CLIP_OK);
  clip_status status = clip_trainer_create(model, NULL, &trainer);
  if (is_created) {
    CHECK(status == CLIP_OK);
    clip_train_batch batch = {sizeof batch, 0, pair_count, pixels, NULL, tokens, NULL, NULL, NULL, NULL, NULL, 0};
    status = clip_train_step(trainer, &batch, NULL);
    CHECK(strstr(clip_last_error(), "the weights are as they were"));
  }
  CHECK(status == expected);
  CHECK(strstr(clip_last_error(), words));
  for (int i = 0; is_created && i < tensor_count; i++) {
    float values[512];
    CHECK(clip_trainer_read(trainer, CLIP_TENSOR_WEIGHT, tensors[i].name, values, tensors[i].count) == CLIP_OK);
    CHECK(!memcmp(values, tensors[i].values, tensors[i].count * sizeof(float)));
  }
  clip_trainer_release(trainer);
  clip_model_close(model);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  folder = argv[2];
  runtime = create_runtime(argv[1], 2);
  const char *const images[] = {
      "none", "conv", "conv_1x1", "conv_dilated", "conv_grouped", "conv_depthwise", "batch_norm", "layer_norm", "dropout",
      "relu", "gelu", "quick_gelu", "gelu_tanh", "sigmoid", "silu", "tanh", "avg_pool", "max_pool", "resize_nearest",
      "resize_larger", "resize_smaller", "channel_attention", "spatial_attention", "scale_attention", "feature_pyramid",
      "add", "add_same", "add_row", "add_column", "multiply", "multiply_same", "multiply_row", "multiply_column", "concat", "mix",
      "mix_mean", "max_rows", "attention", "attention_same", "attention_shared", "linear_twice", "class_token", "checkpointed",
      "custom_bend", "custom_gather", "custom_same", "custom_first", "custom_all"};
  const char *const texts[] = {"positions", "position_table", "table_row", "causal", "causal_mean", "padding", "last", "max",
                               "tanh_first", "dropout", "custom_running", "custom_end"};
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) differentiate(images[i], "");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) differentiate("none", texts[i]);
  trainer_flags = CLIP_TRAIN_CHECKPOINTS;
  differentiate("checkpointed", "causal");
  differentiate("feature_pyramid", "dropout");
  differentiate("custom_all", "custom_end");
  trainer_chunk = 3;
  differentiate("class_token", "dropout");
  differentiate("custom_all", "custom_end");
  trainer_flags = trainer_chunk = 0;
  frozen = "*.op.*";
  differentiate("custom_all", "custom_end");
  frozen = NULL;
  compare_bits(argv[1], "custom_all", "custom_end");
  compare_bits(argv[1], "custom_first", "custom_running");
  refuse("custom_blind", 0, CLIP_UNSUPPORTED, "the op \"custom test.op.blind\" has no gradient");
  refuse("custom_spoiled", 1, CLIP_NOT_FINITE, "begins with the gradient of custom test.op.spoiled");
  clip_runtime_release(runtime);
  return checks_report();
}
