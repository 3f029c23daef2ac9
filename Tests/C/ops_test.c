/* Every row of op_cases.h: by each kernel set against the reference set, by the reference set against plain loops, its
 * gradient against central differences of the loss, and with "bench" for speed: ops_test FOLDER [bench]. */
#include "clipcore.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "op_trial.h"

/* The slope of the loss along `direction`, which has length 1. */
static double slope(tensor *t, const double *direction, double step) {
  float kept[most_values];
  double sides[2];
  memcpy(kept, t->values, t->count * sizeof(float));
  for (int side = 0; side < 2; side++) {
    for (size_t i = 0; i < t->count; i++) t->values[i] = (float)(kept[i] + (side ? -step : step) * direction[i]);
    sides[side] = loss(0);
  }
  memcpy(t->values, kept, t->count * sizeof(float));
  return (sides[0] - sides[1]) / (2 * step);
}

/* Pixels, and texts with the end that the case under test looks for. */
static void make_batch(void) {
  for (size_t i = 0; i < pair_count * 3 * S * S; i++) pixels[i] = (float)(1.5 * uniform());
  for (size_t row = 0; row < pair_count; row++) {
    int length = text_case->rule == CLIP_END_LAST ? context : 2 + (int)(row % 4);
    for (int i = 0; i < context; i++) tokens[row * context + (size_t)i] = i < length ? 1 + (int)(8.9 * (uniform() + 1)) : 0;
    if (text_case->rule == CLIP_END_TOKEN_ID) tokens[row * context + (size_t)length] = 19;
  }
}

/* A batch and weights for two cases. */
static int prepare(const op_case *image, const op_case *text, uint64_t seed) {
  image_case = image;
  text_case = text;
  state = seed;
  make_batch();
  if (find_tensors()) return 1;
  printf("%s / %s: %s\n", image->name, text->name, clip_last_error());
  return 0;
}

static void differentiate(const char *image, const char *text) {
  int good = prepare(image_named(image), text_named(text), 1) && isfinite(loss(1));
  CHECK(good);
  if (!good) return;
  for (int i = 0; i < tensor_count; i++) {
    tensor *t = &tensors[i];
    if (strstr(t->name, "running_") || (frozen && strstr(t->name, ".op."))) continue;
    double norm = 0, length = 0, expected = 0, direction[most_values];
    CHECK(t->count <= most_values);
    for (size_t k = 0; k < t->count; k++) norm += (double)t->gradient[k] * t->gradient[k];
    norm = sqrt(norm);
    /* Along the gradient, and along a random direction, which misses nothing that the gradient leaves out. */
    double step = 7e-4, noise = 5e-7 / step;
    if (norm > 1e-4) {
      for (size_t k = 0; k < t->count; k++) direction[k] = t->gradient[k] / norm;
      double found = slope(t, direction, step);
      if (!(fabs(found - norm) <= 0.02 * norm + noise)) printf("%s / %s: %s: slope %g, gradient %g\n", image, text, t->name, found, norm);
      CHECK(fabs(found - norm) <= 0.02 * norm + noise);
    }
    for (size_t k = 0; k < t->count; k++) direction[k] = uniform();
    for (size_t k = 0; k < t->count; k++) length += direction[k] * direction[k];
    for (size_t k = 0; k < t->count; k++) direction[k] /= sqrt(length);
    for (size_t k = 0; k < t->count; k++) expected += direction[k] * t->gradient[k];
    double found = slope(t, direction, step), bound = 0.02 * (fabs(expected) + norm / sqrt((double)t->count)) + noise;
    if (!(fabs(found - expected) <= bound)) printf("%s / %s: %s: random slope %g, expected %g\n", image, text, t->name, found, expected);
    CHECK(fabs(found - expected) <= bound);
  }
}

static clip_runtime *create_runtime(uint32_t threads, const char *kernels) {
  clip_runtime_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.threads = threads;
  options.kernels = kernels;
  clip_runtime *created = NULL;
  clip_status status = clip_runtime_create(&options, &created);
  int may_miss = kernels && status == CLIP_UNSUPPORTED; /* by this processor */
#ifdef SANITIZED
  may_miss |= kernels && status == CLIP_NOT_FOUND; /* scripts/build-sanitized makes some sets alone */
#endif
  CHECK(status == CLIP_OK || may_miss);
  if (created) CHECK(clip_plugin_register(created, op_cases_entry) == CLIP_OK);
  return created;
}

/* The largest difference of the tensors' gradients from `others`, of the largest of each. -1: not one bit differs. */
static double distance(float *const *others) {
  double worst = -1;
  for (int i = 0; i < tensor_count; i++) {
    double size = 1e-6, difference = 0;
    for (size_t k = 0; k < tensors[i].count; k++) {
      size = fmax(size, fabs((double)others[i][k]));
      difference = fmax(difference, fabs((double)tensors[i].gradient[k] - others[i][k]));
    }
    if (memcmp(tensors[i].gradient, others[i], tensors[i].count * sizeof(float))) worst = fmax(worst, difference / size);
  }
  return worst;
}

/* A batch that is cut into many pieces: the same bits on any threads and with values computed again. */
static void compare_bits(const char *image, const char *text) {
  float *first[most_tensors];
  pair_count = most_pairs;
  CHECK(prepare(image_named(image), text_named(text), 2));
  CHECK(isfinite(loss(1)));
  int count = tensor_count;
  for (int i = 0; i < count; i++) {
    first[i] = malloc(tensors[i].count * sizeof(float));
    memcpy(first[i], tensors[i].gradient, tensors[i].count * sizeof(float));
  }
  clip_runtime *kept = runtime;
  const uint32_t threads[] = {1, 3, 7};
  for (int i = 0; i < 3; i++) {
    runtime = create_runtime(threads[i], NULL);
    trainer_flags = i == 2 ? CLIP_TRAIN_RECOMPUTE : 0;
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
  for (int i = 0; i < count; i++) free(first[i]);
}

/* What an op's plugin cannot do ends in words that name the op, and changes nothing. */
static void refuse(const char *image, int is_created, clip_status expected, const char *words) {
  CHECK(prepare(image_named(image), text_named("plain_text"), 3));
  write_weights();
  clip_model_options options = CLIP_INIT(clip_model_options);
  options.flags = CLIP_OPEN_WITHOUT_WEIGHTS;
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  CHECK(clip_model_open(runtime, folder, &options, &model) == CLIP_OK);
  clip_status status = clip_trainer_create(model, NULL, &trainer);
  if (is_created) {
    CHECK(status == CLIP_OK);
    clip_train_batch batch = {.struct_size = sizeof batch, .n = pair_count, .pixels = pixels, .tokens = tokens};
    status = clip_train_step(trainer, &batch, NULL);
    CHECK(strstr(clip_last_error(), "the weights are as they were"));
  }
  CHECK(status == expected);
  CHECK(strstr(clip_last_error(), words));
  for (int i = 0; is_created && i < tensor_count; i++) {
    float values[most_values];
    CHECK(tensors[i].count <= most_values);
    CHECK(clip_trainer_read(trainer, CLIP_TENSOR_WEIGHT, tensors[i].name, values, tensors[i].count) == CLIP_OK);
    CHECK(!memcmp(values, tensors[i].values, tensors[i].count * sizeof(float)));
  }
  clip_trainer_release(trainer);
  clip_model_release(model);
}

/* Features of the batch under test, images' and then texts': 2 x pair_count x 5. 0 after an error. */
static int encode(clip_runtime *by, float *features) {
  clip_model *model = NULL;
  clip_encode_options raw = {.struct_size = sizeof raw, .flags = CLIP_ENCODE_RAW};
  write_weights();
  int good = !clip_model_open(by, folder, NULL, &model) && !clip_encode_pixels(model, pixels, pair_count, &raw, features, pair_count * 5) &&
             !clip_encode_tokens(model, tokens, pair_count, &raw, features + pair_count * 5, pair_count * 5);
  clip_model_release(model);
  return good;
}

/* Root mean square of the difference, of the size of what is wanted. */
static double error_of(const float *found, const double *wanted, size_t count) {
  double difference = 0, size = 1e-30;
  for (size_t i = 0; i < count; i++) {
    difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
    size += wanted[i] * wanted[i];
  }
  return sqrt(difference / size);
}

/* A case's features in plain loops. */
static void plain_image(size_t item, double *features) {
  plain x = plain_make(S * S, 3, S, S);
  for (size_t i = 0; i < S * S * 3; i++) x.data[i] = pixels[(item * 3 + i % 3) * S * S + i / 3];
  tower_scope = 'i';
  x = image_case->loops(plain_conv(x, "stem", W, 3, 1, 1, 1, 1));
  x = plain_linear(plain_reduce_rows(x, 0), "head", 5);
  memcpy(features, x.data, 5 * sizeof(double));
  plain_free();
}
static void plain_text(size_t item, double *features) {
  plain x = plain_make(context, W, 0, 0);
  tower_scope = 't';
  for (size_t i = 0; i < context * W; i++) x.data[i] = parameter("table", ".weight")[(size_t)tokens[item * context + i / W] * W + i % W];
  x = plain_linear(plain_reduce_rows(text_case->loops(x), 0), "head", 5);
  memcpy(features, x.data, 5 * sizeof(double));
  plain_free();
}

/* The reference kernels against plain loops, and each other set against the reference. */
static void compare_kernels(const op_case *image, const op_case *text, clip_runtime *const *sets, int count) {
  enum { size = 2 * pairs * 5 };
  float reference[size], found[size];
  double wanted[size];
  int good = prepare(image, text, 4) && encode(sets[0], reference);
  CHECK(good);
  if (!good) return;
  for (size_t item = 0; item < pairs; item++) {
    if (image->loops) plain_image(item, wanted + item * 5);
    if (text->loops) plain_text(item, wanted + (pairs + item) * 5);
  }
  double by_image = image->loops ? error_of(reference, wanted, pairs * 5) : 0;
  double by_text = text->loops ? error_of(reference + pairs * 5, wanted + pairs * 5, pairs * 5) : 0;
  if (!(by_image < 1e-6 && by_text < 1e-6)) printf("%s / %s: reference: %g and %g\n", image->name, text->name, by_image, by_text);
  CHECK(by_image < 1e-6 && by_text < 1e-6);
  for (int i = 0; i < size; i++) wanted[i] = reference[i];
  for (int set = 1; set < count; set++) {
    CHECK(encode(sets[set], found));
    double error = fmax(error_of(found, wanted, pairs * 5), error_of(found + pairs * 5, wanted + pairs * 5, pairs * 5));
    if (!(error < 1e-6)) printf("%s / %s: kernel set %d: %g\n", image->name, text->name, set, error);
    CHECK(error < 1e-6);
  }
}

/* Each op of the library is called by a row. */
static void check_coverage(void) {
  write_config("test.encoder.unknown-op");
  clip_model *model = NULL;
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_NOT_FOUND);
  const char *at = strstr(clip_last_error(), "one of "), *end = at ? strstr(at, "or of plugins") : NULL;
  CHECK(end != NULL);
  char name[80];
  int used = 0, ops = 0;
  for (at = at ? at + 7 : NULL; end && at < end && sscanf(at, "%78[a-z_0-9]%n", name + 1, &used) == 1; at += used + 2) {
    name[0] = ' ';
    strcat(name, ",");
    if (!strstr(called_ops, name)) printf("no row of op_cases.h calls%s\n", name);
    CHECK(strstr(called_ops, name));
    ops++;
  }
  CHECK(ops > 30);
}

static double seconds(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Milliseconds of each image case for 4 images of 56 x 56, 64 wide: the best of 5 encodes and of 5 steps. */
static int bench(void) {
  S = 56, W = 64;
  printf("%-20s %10s %10s\n", "case", "encode ms", "step ms");
  for (int i = 0; i < image_count; i++) {
    if (!prepare(&image_cases[i], text_named("plain_text"), 5)) return 1;
    write_weights();
    clip_model *model = NULL;
    clip_trainer *trainer = NULL;
    clip_train_batch batch = {.struct_size = sizeof batch, .n = pair_count, .pixels = pixels, .tokens = tokens};
    float features[pairs * 5];
    double encoding = INFINITY, step = INFINITY;
    if (clip_model_open(runtime, folder, NULL, &model) || clip_trainer_create(model, NULL, &trainer)) return 1;
    for (int round = 0; round < 6; round++) {
      double start = seconds();
      if (clip_encode_pixels(model, pixels, pair_count, NULL, features, pairs * 5)) return 1;
      double middle = seconds();
      if (clip_train_step(trainer, &batch, NULL)) return 1;
      if (round > 0) encoding = fmin(encoding, middle - start), step = fmin(step, seconds() - middle);
    }
    printf("%-20s %10.3f %10.3f\n", image_cases[i].name, encoding * 1e3, step * 1e3);
    clip_trainer_release(trainer);
    clip_model_release(model);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  folder = argv[1];
  runtime = create_runtime(2, NULL);
  if (argc > 2 && !strcmp(argv[2], "bench")) return bench() ? printf("%s\n", clip_last_error()), 1 : 0;
  for (int i = 0; i < image_count; i++) differentiate(image_cases[i].name, "plain_text");
  for (int i = 0; i < text_count; i++) differentiate("none", text_cases[i].name);
  trainer_flags = CLIP_TRAIN_RECOMPUTE;
  differentiate("checkpointed", "causal");
  differentiate("feature_pyramid", "text_dropout");
  differentiate("sample_all", "sample_end");
  trainer_chunk = 3;
  differentiate("class_token", "text_dropout");
  differentiate("sample_all", "sample_end");
  trainer_flags = trainer_chunk = 0;
  frozen = "*.op.*";
  differentiate("sample_all", "sample_end");
  frozen = NULL;
  compare_bits("sample_all", "sample_end");
  compare_bits("sample_first", "sample_running");
  refuse("sample_blind", 0, CLIP_UNSUPPORTED, "the op \"test.op.blind\" has no gradient");
  refuse("sample_spoiled", 1, CLIP_NOT_FINITE, "begins with the gradient of test.op.spoiled");

  const char *const kernels[] = {"reference", "x86-64", "x86-64-v3", "x86-64-v4", "x86-64-v4-vnni", "x86-64-v4-bf16"};
  clip_runtime *sets[6];
  int set_count = 0;
  for (int i = 0; i < 6; i++)
    if ((sets[set_count] = create_runtime(2, kernels[i])) != NULL) set_count++;
  CHECK(set_count > 1);
  for (int i = 0; i < image_count; i++) compare_kernels(&image_cases[i], text_named("plain_text"), sets, set_count);
  for (int i = 0; i < text_count; i++) compare_kernels(image_named("none"), &text_cases[i], sets, set_count);
  for (int i = 0; i < set_count; i++) clip_runtime_release(sets[i]);
  check_coverage();
  clip_runtime_release(runtime);
  return checks_report();
}
