/* train.c: training. */
#include "support.h"

NATIVE(jlong, trainerCreate)(JNIEnv *env, jclass class, jlong handle, jlongArray numbers, jfloatArray rates, jlongArray sizes) {
  (void)class;
  clip_model *model = NULL;
  clip_model_info info = CLIP_INIT(clip_model_info);
  clip_trainer *trainer = NULL;
  clip_trainer_options o = CLIP_INIT(clip_trainer_options);
  jlong n[7];
  jfloat r[8];
  (*env)->GetLongArrayRegion(env, numbers, 0, 7, n);
  (*env)->GetFloatArrayRegion(env, rates, 0, 8, r);
  o.flags = n[0] ? CLIP_TRAIN_RECOMPUTE : 0, o.seed = (uint64_t)n[1];
  o.optimizer = (clip_optimizer)n[2], o.schedule = (clip_schedule)n[3];
  o.warmup_steps = (uint64_t)n[4], o.total_steps = (uint64_t)n[5], o.chunk = (uint32_t)n[6];
  o.learning_rate = r[0], o.beta1 = r[1], o.beta2 = r[2], o.epsilon = r[3];
  o.weight_decay = r[4], o.gradient_clip = r[5], o.final_rate = r[6], o.average_decay = r[7];
  /* Of one moment, so that the sizes are the trainer's whatever a swap does. */
  clip_status status = clip_model_snapshot(HANDLE(clip_model, handle), &model);
  if (status == CLIP_OK) status = clip_model_describe(model, &info);
  if (status == CLIP_OK) status = clip_trainer_create(model, &o, &trainer);
  throw_status(env, status);
  clip_model_release(model);
  if (status == CLIP_OK) (*env)->SetLongArrayRegion(env, sizes, 0, 3, (const jlong[]){info.image_width, info.image_height, info.context_length});
  return (jlong)(intptr_t)trainer;
}

NATIVE(void, trainerRelease)(JNIEnv *env, jclass class, jlong trainer) {
  (void)env, (void)class;
  clip_trainer_release(HANDLE(clip_trainer, trainer));
}

NATIVE(void, trainerRun)(JNIEnv *env, jclass class, jboolean step, jlong handle, jint n, jlongArray view_numbers, jobject pixels,
                         jbyteArray text_array, jobject tokens, jlongArray numbers, jbyteArray prompt, jdoubleArray out) {
  (void)class;
  clip_trainer *trainer = HANDLE(clip_trainer, handle);
  jni_bytes text_bytes = bytes_of(env, text_array), prompt_bytes = bytes_of(env, prompt);
  clip_encode_options options = encode_options(env, numbers, prompt_bytes);
  const char **texts = texts_of(env, text_bytes, n);
  clip_image_view *views = pixels ? NULL : views_of(env, view_numbers, n);
  if (!(*env)->ExceptionCheck(env)) {
    clip_train_batch batch = CLIP_INIT(clip_train_batch);
    clip_train_metrics m = CLIP_INIT(clip_train_metrics);
    batch.n = (size_t)n, batch.options = &options;
    batch.pixels = address_of(env, pixels), batch.images = views;
    batch.tokens = address_of(env, tokens), batch.texts = texts;
    clip_status status = step ? clip_train_step(trainer, &batch, &m) : clip_trainer_evaluate(trainer, &batch, &m);
    throw_status(env, status);
    jdouble values[] = {m.accuracy, m.loss, m.temperature, m.gradient_norm, m.learning_rate, (jdouble)m.step};
    if (status == CLIP_OK) (*env)->SetDoubleArrayRegion(env, out, 0, 6, values);
  }
  free(texts), free(views);
  bytes_free(env, text_bytes), bytes_free(env, prompt_bytes);
}

NATIVE(void, trainerSetLearningRate)(JNIEnv *env, jclass class, jlong trainer, jdouble rate) {
  (void)class;
  throw_status(env, clip_trainer_set_learning_rate(HANDLE(clip_trainer, trainer), rate));
}

NATIVE(void, trainerSave)(JNIEnv *env, jclass class, jlong trainer, jbyteArray folder, jint keep, jbyteArray note) {
  (void)class;
  jni_bytes path = bytes_of(env, folder), text = bytes_of(env, note);
  if (path.data && (text.data || !note)) {
    throw_status(env, clip_trainer_save(HANDLE(clip_trainer, trainer), (const char *)path.data, (uint32_t)keep, (const char *)text.data));
  }
  bytes_free(env, path), bytes_free(env, text);
}

NATIVE(void, trainerResume)(JNIEnv *env, jclass class, jlong trainer, jbyteArray path) {
  (void)class;
  jni_bytes text = bytes_of(env, path);
  if (text.data) throw_status(env, clip_trainer_resume(HANDLE(clip_trainer, trainer), (const char *)text.data));
  bytes_free(env, text);
}

NATIVE(jbyteArray, trainerNote)(JNIEnv *env, jclass class, jlong trainer) {
  (void)class;
  TEXT_OF(env, clip_trainer_note(HANDLE(clip_trainer, trainer), buffer, capacity));
}

NATIVE(void, trainerExport)(JNIEnv *env, jclass class, jlong trainer, jbyteArray folder, jobject progress) {
  (void)class;
  jni_call call = {.env = env, .progress = progress};
  clip_export_options options = CLIP_INIT(clip_export_options);
  options.progress = progress_of(&call);
  jni_bytes path = bytes_of(env, folder);
  if (path.data) throw_status(env, clip_trainer_export(HANDLE(clip_trainer, trainer), (const char *)path.data, &options));
  bytes_free(env, path);
}

NATIVE(void, trainerUpdateModel)(JNIEnv *env, jclass class, jlong trainer, jlong model) {
  (void)class;
  throw_status(env, clip_trainer_update_model(HANDLE(clip_trainer, trainer), HANDLE(clip_model, model), 0));
}
