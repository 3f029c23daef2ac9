/* train.c: training. index.js lets the calls on a trainer wait for each other. */
#include "addon.h"

static clip_status run_create(job *j) {
  clip_trainer *trainer = NULL;
  clip_model *model = NULL; /* of one moment, so that the sizes are the trainer's whatever a swap does */
  j->sizes = CLIP_INIT(clip_model_info);
  clip_status status = clip_model_snapshot(j->self->pointer, &model);
  if (status == CLIP_OK) status = clip_model_describe(model, &j->sizes);
  if (status == CLIP_OK) status = clip_trainer_create(model, &j->options.trainer, &trainer);
  clip_model_release(model);
  j->made = trainer, j->made_kind = TRAINER;
  return status;
}

/* {raw, pixels, context}: the trainer, and the elements of a row of each. */
static napi_value created(napi_env env, job *j) {
  napi_value object = NULL;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  set(env, object, "raw", made_handle(env, j));
  set(env, object, "pixels", number_value(env, 3.0 * j->sizes.image_width * j->sizes.image_height));
  set(env, object, "context", number_value(env, j->sizes.context_length));
  return object;
}

/* createTrainer(model, options) */
static napi_value create_trainer(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], MODEL), run_create, created);
  if (!j) return NULL;
  clip_trainer_options *o = &j->options.trainer;
  *o = CLIP_INIT(clip_trainer_options);
  o->flags = bool_in(env, a[1], "recompute") ? CLIP_TRAIN_RECOMPUTE : 0;
  o->seed = u64_in(env, a[1], "seed");
  o->optimizer = (clip_optimizer)u32_in(env, a[1], "optimizer"), o->schedule = (clip_schedule)u32_in(env, a[1], "schedule");
  o->learning_rate = float_in(env, a[1], "learningRate");
  o->beta1 = float_in(env, a[1], "beta1"), o->beta2 = float_in(env, a[1], "beta2"), o->epsilon = float_in(env, a[1], "epsilon");
  o->weight_decay = float_in(env, a[1], "weightDecay"), o->gradient_clip = float_in(env, a[1], "gradientClip");
  o->final_rate = float_in(env, a[1], "finalRate"), o->average_decay = float_in(env, a[1], "averageDecay");
  o->warmup_steps = u64_in(env, a[1], "warmupSteps"), o->total_steps = u64_in(env, a[1], "totalSteps");
  o->chunk = u32_in(env, a[1], "chunk");
  return start(env, j, NULL);
}

static clip_status run_batch(job *j) {
  clip_train_batch batch = CLIP_INIT(clip_train_batch);
  batch.n = j->n, batch.options = &j->options.encode;
  batch.pixels = j->in, batch.images = j->views;
  batch.tokens = j->in2, batch.texts = (const char *const *)j->texts;
  j->metrics = CLIP_INIT(clip_train_metrics);
  return j->what ? clip_train_step(j->self->pointer, &batch, &j->metrics) : clip_trainer_evaluate(j->self->pointer, &batch, &j->metrics);
}

static napi_value measured(napi_env env, job *j) {
  napi_value object = NULL;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  set(env, object, "accuracy", number_value(env, j->metrics.accuracy));
  set(env, object, "loss", number_value(env, j->metrics.loss));
  set(env, object, "temperature", number_value(env, j->metrics.temperature));
  set(env, object, "gradientNorm", number_value(env, j->metrics.gradient_norm));
  set(env, object, "learningRate", number_value(env, j->metrics.learning_rate));
  set(env, object, "step", number_value(env, (double)j->metrics.step));
  return object;
}

/* runBatch(trainer, {pixels, images, tokens, texts, options}, {step, pixels, context}): the sizes of a row are in the last. */
static napi_value run_one(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], TRAINER), run_batch, measured);
  if (!j) return NULL;
  size_t images = 0, texts = 0, pixel_row = 4 * (size_t)u32_in(env, a[2], "pixels"), token_row = 4 * (size_t)u32_in(env, a[2], "context");
  napi_value pixels = property(env, a[1], "pixels"), tokens = property(env, a[1], "tokens");
  napi_value image_list = property(env, a[1], "images"), text_list = property(env, a[1], "texts");
  j->what = bool_in(env, a[2], "step");
  if (pixels) {
    j->in = bytes_of(env, pixels, &j->in_size);
    images = pixel_row && j->in_size % pixel_row == 0 ? j->in_size / pixel_row : 0;
  } else if (image_list) {
    job_images(env, j, image_list);
    images = j->n;
  }
  if (tokens) {
    j->in2 = bytes_of(env, tokens, &j->in2_size);
    texts = token_row && j->in2_size % token_row == 0 ? j->in2_size / token_row : 0;
  } else if (text_list) {
    j->n = 0;
    job_texts(env, j, text_list);
    texts = j->n;
  }
  if (images == 0 || images != texts) throw_message(env, CLIP_INVALID_ARGUMENT, "expected as many images as texts, at least one, in whole rows");
  if (!j->texts) j->n = images;
  encode_options(env, j, property(env, a[1], "options"), &j->options.encode);
  return start(env, j, NULL);
}

static clip_status run_rate(job *j) { return clip_trainer_set_learning_rate(j->self->pointer, j->real); }
static clip_status run_save(job *j) { return clip_trainer_save(j->self->pointer, j->text, j->number, j->text2); }
static clip_status run_resume(job *j) { return clip_trainer_resume(j->self->pointer, j->text); }
static clip_status run_update(job *j) { return clip_trainer_update_model(j->self->pointer, j->other->pointer, 0); }

static clip_status run_export(job *j) {
  j->options.write = CLIP_INIT(clip_export_options);
  j->options.write.progress = progress_of(j);
  return clip_trainer_export(j->self->pointer, j->text, &j->options.write);
}

/* A call that takes a trainer, a text, options, and a watch. */
static napi_value with_folder(napi_env env, napi_callback_info info, clip_status (*run)(job *)) {
  ARGUMENTS(4);
  job *j = new_job(env, handle_of(env, a[0], TRAINER), run, NULL);
  if (!j) return NULL;
  if (!(j->text = text_of(env, a[1]))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a path");
  j->number = u32_in(env, a[2], "keep"), j->text2 = text_in(env, a[2], "note");
  return start(env, j, a[3]);
}

static napi_value save(napi_env env, napi_callback_info info) { return with_folder(env, info, run_save); }
static napi_value resume(napi_env env, napi_callback_info info) { return with_folder(env, info, run_resume); }
static napi_value export_model(napi_env env, napi_callback_info info) { return with_folder(env, info, run_export); }

/* setLearningRate(trainer, {rate}) */
static napi_value set_learning_rate(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], TRAINER), run_rate, NULL);
  if (!j) return NULL;
  j->real = number_in(env, a[1], "rate", -1e300, 1e300);
  return start(env, j, NULL);
}

/* updateModel(trainer, model) */
static napi_value update_model(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], TRAINER), run_update, NULL);
  if (!j) return NULL;
  if ((j->other = handle_of(env, a[1], MODEL))) handle_use(j->other);
  return start(env, j, NULL);
}

static napi_value note(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], TRAINER);
  if (!h) return NULL;
  TEXT_VALUE(env, clip_trainer_note(h->pointer, buffer, capacity));
}

void define_training(napi_env env, napi_value exports) {
  define(env, exports, "createTrainer", create_trainer);
  define(env, exports, "runBatch", run_one);
  define(env, exports, "save", save);
  define(env, exports, "resume", resume);
  define(env, exports, "exportModel", export_model);
  define(env, exports, "setLearningRate", set_learning_rate);
  define(env, exports, "updateModel", update_model);
  define(env, exports, "note", note);
}
