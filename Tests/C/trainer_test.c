/* How a trainer is asked for a loss, for its tensors, or given another learning rate.
 *
 *   trainer_test MODEL NORMS IMAGE
 *
 * NORMS is a model with batch norms.
 */
#define _GNU_SOURCE
#include <math.h>

#include "caller.h"

/* The bytes of a trainer's checkpoint. */
static char *saved(const clip_trainer *trainer, size_t *size) {
  char folder[] = "/tmp/clipcore-saved-XXXXXX", command[256];
  char *bytes = NULL;
  *size = 0;
  CHECK(mkdtemp(folder) != NULL && clip_trainer_save(trainer, folder, 0, NULL) == CLIP_OK);
  snprintf(command, sizeof command, "cat %s/step-*.safetensors && rm -r %s", folder, folder);
  FILE *in = popen(command, "r");
  for (size_t room = 1 << 20, got = 1; in && got > 0; *size += got, room *= 2) {
    bytes = realloc(bytes, room);
    got = fread(bytes + *size, 1, room - *size, in);
  }
  if (in) pclose(in);
  return bytes;
}

/* The symmetric cross-entropy of what the model embeds, in inference. */
static double inferred_loss(clip_model *model) {
  clip_model_info facts = described(model);
  size_t d = facts.embedding_width;
  float *rows = malloc(2 * ITEMS * d * sizeof(float)), logits[ITEMS * ITEMS];
  double loss = 0;
  CHECK(clip_encode_image(model, views, ITEMS, NULL, rows, ITEMS * d) == CLIP_OK);
  CHECK(clip_encode_text(model, captions, ITEMS, NULL, rows + ITEMS * d, ITEMS * d) == CLIP_OK);
  CHECK(clip_similarity(model, rows, ITEMS, rows + ITEMS * d, ITEMS, logits, ITEMS * ITEMS) == CLIP_OK);
  for (int i = 0; i < ITEMS; i++) {
    double row = 0, column = 0, own = logits[i * ITEMS + i];
    for (int j = 0; j < ITEMS; j++) row += exp(logits[i * ITEMS + j] - own), column += exp(logits[j * ITEMS + i] - own);
    loss += (log(row) + log(column)) / (2 * ITEMS);
  }
  free(rows);
  return loss;
}

typedef struct largest {
  char name[128];
  uint64_t count;
} largest;

static int find_largest(void *user, const char *name, uint64_t count, double rate) {
  largest *l = user;
  if (rate > 0 && count > l->count) l->count = count, snprintf(l->name, sizeof l->name, "%s", name);
  return 0;
}

static int first_only(void *user, const char *name, uint64_t count, double rate) {
  (void)name, (void)count, (void)rate;
  ++*(int *)user;
  return 1;
}

static void training(const char *folder) {
  clip_model *model = opened(folder, 0);
  clip_trainer *trainer = NULL, *other = NULL;
  clip_trainer_options options = CLIP_INIT(clip_trainer_options);
  options.learning_rate = 0.001f;
  options.schedule = CLIP_SCHEDULE_LINEAR;
  options.total_steps = 10;
  clip_train_batch batch = CLIP_INIT(clip_train_batch);
  batch.n = ITEMS, batch.images = views, batch.texts = captions;
  clip_train_metrics before = CLIP_INIT(clip_train_metrics), step = CLIP_INIT(clip_train_metrics), after = CLIP_INIT(clip_train_metrics);
  CHECK(clip_trainer_create(model, &options, &trainer) == CLIP_OK && clip_trainer_create(model, &options, &other) == CLIP_OK);

  /* The loss that inference has, and no change of any kind. */
  size_t size = 0, same_size = 0;
  char *state = saved(trainer, &size);
  CHECK(clip_trainer_evaluate(trainer, &batch, &before) == CLIP_OK);
  CHECK(fabs(before.loss - inferred_loss(model)) < 1e-4 * (1 + before.loss));
  CHECK(before.step == 0 && before.gradient_norm == 0 && fabs(before.learning_rate - 0.001) < 1e-8);
  char *same = saved(trainer, &same_size);
  CHECK(size > 0 && size == same_size && !memcmp(state, same, size));
  free(state), free(same);
  CHECK(clip_train_step(trainer, &batch, &step) == CLIP_OK && step.step == 1);
  CHECK(clip_trainer_evaluate(trainer, &batch, NULL) == CLIP_OK);

  /* Gradients are those of the step still. */
  largest l = {.count = 0};
  CHECK(clip_trainer_tensors_visit(trainer, find_largest, &l) == CLIP_OK && l.count > 0);
  float *gradient = malloc(l.count * sizeof(float)), *again = malloc(l.count * sizeof(float));
  CHECK(clip_train_step(other, &batch, NULL) == CLIP_OK);
  CHECK(clip_trainer_read(trainer, CLIP_TENSOR_GRADIENT, l.name, gradient, l.count) == CLIP_OK);
  CHECK(clip_trainer_read(other, CLIP_TENSOR_GRADIENT, l.name, again, l.count) == CLIP_OK);
  CHECK(!memcmp(gradient, again, l.count * sizeof(float)));
  INVALID(clip_trainer_read(trainer, CLIP_TENSOR_GRADIENT, l.name, gradient, l.count - 1), "values: expected room");
  int seen = 0;
  CHECK(clip_trainer_tensors_visit(trainer, first_only, &seen) == CLIP_OK && seen == 1);
  free(gradient), free(again);
  state = saved(trainer, &size), same = saved(other, &same_size);
  CHECK(size == same_size && !memcmp(state, same, size)); /* one was evaluated between, the other was not */
  free(state), free(same);

  /* A rate that is set: schedule and all go on from it, and a checkpoint keeps it. */
  INVALID(clip_trainer_set_learning_rate(trainer, 0), "rate");
  INVALID(clip_trainer_set_learning_rate(trainer, -1), "rate");
  INVALID(clip_trainer_set_learning_rate(trainer, NAN), "rate");
  INVALID(clip_trainer_set_learning_rate(trainer, 1e6), "rate");
  INVALID(clip_trainer_set_learning_rate(NULL, 0.1), "trainer");
  CHECK(clip_trainer_set_learning_rate(trainer, 0.01) == CLIP_OK);
  char kept[] = "/tmp/clipcore-rate-XXXXXX", command[64];
  CHECK(mkdtemp(kept) != NULL && clip_trainer_save(trainer, kept, 0, NULL) == CLIP_OK);
  CHECK(clip_train_step(trainer, &batch, &step) == CLIP_OK && fabs(step.learning_rate - 0.009) < 1e-8);
  CHECK(clip_trainer_resume(other, kept) == CLIP_OK);
  CHECK(clip_train_step(other, &batch, &after) == CLIP_OK && after.learning_rate == step.learning_rate && after.loss == step.loss);
  state = saved(trainer, &size), same = saved(other, &same_size);
  CHECK(size == same_size && !memcmp(state, same, size));
  free(state), free(same);
  snprintf(command, sizeof command, "rm -r %s", kept);
  CHECK(system(command) == 0);

  INVALID(clip_trainer_evaluate(NULL, &batch, NULL), "trainer");
  INVALID(clip_trainer_evaluate(trainer, NULL, NULL), "batch");
  batch.n = 0;
  INVALID(clip_trainer_evaluate(trainer, &batch, NULL), "batch.n");
  batch.n = ITEMS, after.struct_size = 2;
  INVALID(clip_trainer_evaluate(trainer, &batch, &after), "metrics");

  /* What is not finite is named, and harms nothing. */
  clip_model_info facts = described(model);
  float *pixels = calloc((size_t)ITEMS * 3 * facts.image_width * facts.image_height, sizeof(float));
  pixels[5] = NAN, batch.pixels = pixels;
  CHECK(clip_trainer_evaluate(trainer, &batch, NULL) == CLIP_NOT_FINITE && strstr(clip_last_error(), "evaluation after step 2"));
  batch.pixels = NULL;
  CHECK(clip_train_step(trainer, &batch, NULL) == CLIP_OK);
  free(pixels);
  clip_trainer_release(trainer), clip_trainer_release(other);
  clip_model_release(model);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: trainer_test MODEL NORMS IMAGE\n"), 2;
  begin(argv[3]);
  training(argv[1]);
  training(argv[2]);
  return end();
}
