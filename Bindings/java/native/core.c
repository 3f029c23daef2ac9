/* core.c: runtime, images and models. */
#include "support.h"
#include <clipcore/clip_host.h>

NATIVE(jbyteArray, version)(JNIEnv *env, jclass class) {
  (void)class;
  return new_bytes(env, clip_version(), strlen(clip_version()));
}

NATIVE(jint, abiVersion)(JNIEnv *env, jclass class) {
  (void)env, (void)class;
  return (jint)clip_abi_version();
}

/* On any thread, maybe one that Java does not know, and maybe while an exception is on its way. */
static void on_log(void *user, clip_log_level level, const char *message) {
  JNIEnv *env;
  jint known = (*machine)->GetEnv(machine, (void **)&env, JNI_VERSION_10);
  if (known == JNI_EDETACHED && (*machine)->AttachCurrentThreadAsDaemon(machine, (void **)&env, NULL) != JNI_OK) return;
  jthrowable thrown = (*env)->ExceptionOccurred(env);
  (*env)->ExceptionClear(env);
  jbyteArray text = new_bytes(env, message, strlen(message));
  if (text) (*env)->CallStaticVoidMethod(env, methods.native, methods.log, ((jni_runtime *)user)->log, (jint)level, text);
  (*env)->ExceptionClear(env);
  (*env)->DeleteLocalRef(env, text);
  if (thrown) (*env)->Throw(env, thrown);
  (*env)->DeleteLocalRef(env, thrown);
  if (known == JNI_EDETACHED) (*machine)->DetachCurrentThread(machine);
}

NATIVE(jlong, runtimeCreate)(JNIEnv *env, jclass class, jint threads, jbyteArray paths, jint path_count, jobject log,
                             jlong max_image_pixels, jbyteArray kernels) {
  (void)class;
  jni_runtime *made = calloc(1, sizeof *made);
  jni_bytes path_bytes = bytes_of(env, paths), kernel_bytes = bytes_of(env, kernels);
  const char **path_texts = texts_of(env, path_bytes, path_count);
  clip_status status = CLIP_OUT_OF_MEMORY;
  if (made && path_texts && (!log || (made->log = (*env)->NewGlobalRef(env, log)))) {
    clip_runtime_options options = CLIP_INIT(clip_runtime_options);
    options.threads = (uint32_t)threads;
    options.plugin_paths = path_texts, options.plugin_path_count = (size_t)path_count;
    options.max_image_pixels = (uint64_t)max_image_pixels;
    options.kernels = (const char *)kernel_bytes.data;
    if (log) options.log = on_log, options.log_user = made;
    status = clip_runtime_create(&options, &made->runtime);
  }
  throw_status(env, status);
  free(path_texts);
  bytes_free(env, path_bytes), bytes_free(env, kernel_bytes);
  if (status == CLIP_OK) return (jlong)(intptr_t)made;
  if (made && made->log) (*env)->DeleteGlobalRef(env, made->log);
  free(made);
  return 0;
}

/* Called when no model, image or index of the runtime is left. */
NATIVE(void, runtimeRelease)(JNIEnv *env, jclass class, jlong handle) {
  (void)class;
  jni_runtime *runtime = HANDLE(jni_runtime, handle);
  clip_runtime_release(runtime->runtime);
  if (runtime->log) (*env)->DeleteGlobalRef(env, runtime->log);
  free(runtime);
}

NATIVE(void, modelInitialize)(JNIEnv *env, jclass class, jlong runtime, jbyteArray folder, jlong seed) {
  (void)class;
  jni_bytes path = bytes_of(env, folder);
  if (path.data) throw_status(env, clip_model_initialize(runtime_of(runtime), (const char *)path.data, (uint64_t)seed));
  bytes_free(env, path);
}

NATIVE(jbyteArray, imageEndings)(JNIEnv *env, jclass class, jlong runtime) {
  (void)class;
  TEXT_OF(env, clip_image_endings(runtime_of(runtime), buffer, capacity));
}

NATIVE(void, pluginLoad)(JNIEnv *env, jclass class, jlong runtime, jbyteArray path) {
  (void)class;
  jni_bytes text = bytes_of(env, path);
  if (text.data) throw_status(env, clip_plugin_load(runtime_of(runtime), (const char *)text.data));
  bytes_free(env, text);
}

NATIVE(void, pluginUnload)(JNIEnv *env, jclass class, jlong runtime, jbyteArray plugin) {
  (void)class;
  jni_bytes text = bytes_of(env, plugin);
  if (text.data) throw_status(env, clip_plugin_unload(runtime_of(runtime), (const char *)text.data));
  bytes_free(env, text);
}

/* ---------------------------------------------------------------- images */

static clip_image_options image_options(JNIEnv *env, jlongArray numbers) {
  clip_image_options options = CLIP_INIT(clip_image_options);
  jlong n[2];
  (*env)->GetLongArrayRegion(env, numbers, 0, 2, n);
  options.flags = (uint32_t)n[0], options.smaller_side = (uint32_t)n[1];
  return options;
}

NATIVE(jlong, imageLoad)(JNIEnv *env, jclass class, jlong runtime, jbyteArray path, jlongArray numbers) {
  (void)class;
  clip_image *image = NULL;
  clip_image_options options = image_options(env, numbers);
  jni_bytes text = bytes_of(env, path);
  if (text.data) throw_status(env, clip_image_load(runtime_of(runtime), (const char *)text.data, &options, &image));
  bytes_free(env, text);
  return (jlong)(intptr_t)image;
}

NATIVE(jlong, imageDecode)(JNIEnv *env, jclass class, jlong runtime, jobject data, jlong size, jlongArray numbers) {
  (void)class;
  clip_image *image = NULL;
  clip_image_options options = image_options(env, numbers);
  throw_status(env, clip_image_decode(runtime_of(runtime), address_of(env, data), (size_t)size, &options, &image));
  return (jlong)(intptr_t)image;
}

NATIVE(void, imageView)(JNIEnv *env, jclass class, jlong image, jlongArray numbers) {
  (void)class;
  clip_image_view v;
  clip_status status = clip_image_get_view(HANDLE(clip_image, image), &v);
  throw_status(env, status);
  if (status != CLIP_OK) return;
  jlong n[] = {(jlong)(intptr_t)v.pixels, v.width, v.height, (jlong)v.stride, v.format, v.orientation, v.full_width, v.full_height};
  (*env)->SetLongArrayRegion(env, numbers, 0, 8, n);
}

NATIVE(void, imageRelease)(JNIEnv *env, jclass class, jlong image) {
  (void)env, (void)class;
  clip_image_release(HANDLE(clip_image, image));
}

NATIVE(jlong, address)(JNIEnv *env, jclass class, jobject buffer) {
  (void)class;
  return (jlong)(intptr_t)address_of(env, buffer);
}

NATIVE(void, copy)(JNIEnv *env, jclass class, jlong from, jobject to, jlong size) {
  (void)class;
  void *target = address_of(env, to);
  if (target) memcpy(target, HANDLE(const void, from), (size_t)size);
}

/* ---------------------------------------------------------------- models */

static clip_model_options model_options(JNIEnv *env, jlongArray numbers, jni_call *call) {
  clip_model_options options = CLIP_INIT(clip_model_options);
  jlong n[5];
  (*env)->GetLongArrayRegion(env, numbers, 0, 5, n);
  options.towers = (uint32_t)n[0], options.storage = (clip_storage)n[1], options.flags = (uint32_t)n[2];
  options.image_width = (uint32_t)n[3], options.image_height = (uint32_t)n[4];
  options.progress = progress_of(call);
  return options;
}

NATIVE(jlong, modelOpen)(JNIEnv *env, jclass class, jlong runtime, jbyteArray folder, jlongArray numbers, jobject progress) {
  (void)class;
  jni_call call = {.env = env, .progress = progress};
  clip_model *model = NULL;
  clip_model_options options = model_options(env, numbers, &call);
  jni_bytes path = bytes_of(env, folder);
  if (path.data) throw_status(env, clip_model_open(runtime_of(runtime), (const char *)path.data, &options, &model));
  bytes_free(env, path);
  if (model && (*env)->ExceptionCheck(env)) clip_model_release(model), model = NULL;
  return (jlong)(intptr_t)model;
}

NATIVE(void, modelRelease)(JNIEnv *env, jclass class, jlong model) {
  (void)env, (void)class;
  clip_model_release(HANDLE(clip_model, model));
}

NATIVE(jbyteArray, modelDescribe)(JNIEnv *env, jclass class, jlong model, jlongArray numbers, jfloatArray logit) {
  (void)class;
  clip_model_info i = CLIP_INIT(clip_model_info);
  clip_status status = clip_model_describe(HANDLE(clip_model, model), &i);
  throw_status(env, status);
  if (status != CLIP_OK) return NULL;
  jlong n[] = {i.towers, i.embedding_width, i.image_width, i.image_height, i.context_length, i.vocabulary_size, i.has_logit_bias,
               i.storage, i.resized_side, (jlong)i.image_parameters, (jlong)i.text_parameters, (jlong)i.memory_bytes};
  jfloat values[] = {i.logit_scale, i.logit_bias};
  (*env)->SetLongArrayRegion(env, numbers, 0, 12, n);
  (*env)->SetFloatArrayRegion(env, logit, 0, 2, values);
  return new_bytes(env, i.layout, strlen(i.layout));
}

NATIVE(jbyteArray, modelEncoder)(JNIEnv *env, jclass class, jlong model, jint tower) {
  (void)class;
  TEXT_OF(env, clip_model_encoder(HANDLE(clip_model, model), (uint32_t)tower, buffer, capacity));
}

NATIVE(void, modelSwap)(JNIEnv *env, jclass class, jlong model, jint towers, jbyteArray folder, jlongArray numbers, jobject progress) {
  (void)class;
  jni_call call = {.env = env, .progress = progress};
  jni_bytes path = bytes_of(env, folder);
  clip_model_options options = CLIP_INIT(clip_model_options);
  if (numbers) options = model_options(env, numbers, &call);
  if (path.data || !folder) {
    throw_status(env, clip_model_swap(HANDLE(clip_model, model), (uint32_t)towers, (const char *)path.data, numbers ? &options : NULL));
  }
  bytes_free(env, path);
}

/* The calls of Native.java, by their numbers. */
enum { IMAGES, TEXTS, PREPROCESS, PIXELS, TOKENIZE, TOKENS };

NATIVE(void, encode)(JNIEnv *env, jclass class, jint what, jlong handle, jint count, jlongArray view_numbers, jbyteArray text_array,
                     jobject in, jlongArray numbers, jbyteArray prompt, jobject progress, jobject out, jlong out_capacity,
                     jobject lengths) {
  (void)class;
  jni_call call = {.env = env, .progress = progress};
  clip_model *model = HANDLE(clip_model, handle);
  jni_bytes text_bytes = bytes_of(env, text_array), prompt_bytes = bytes_of(env, prompt);
  clip_encode_options options = encode_options(env, numbers, prompt_bytes);
  if (what != TOKENIZE) options.progress = progress_of(&call);
  const char **texts = texts_of(env, text_bytes, count);
  clip_image_view *views = views_of(env, view_numbers, count);
  size_t n = (size_t)count, capacity = (size_t)out_capacity;
  void *to = address_of(env, out), *from = address_of(env, in);
  clip_status status = CLIP_OK;
  if (!(*env)->ExceptionCheck(env)) {
    switch (what) {
      case IMAGES: status = clip_encode_image(model, views, n, &options, to, capacity); break;
      case TEXTS: status = clip_encode_text(model, texts, n, &options, to, capacity); break;
      case PREPROCESS: status = clip_preprocess(model, views, n, &options, to, capacity); break;
      case PIXELS: status = clip_encode_pixels(model, from, n, &options, to, capacity); break;
      case TOKENIZE: status = clip_tokenize(model, texts, n, &options, to, capacity, address_of(env, lengths), n); break;
      default: status = clip_encode_tokens(model, from, n, &options, to, capacity);
    }
    throw_status(env, status);
  }
  free(texts), free(views);
  bytes_free(env, text_bytes), bytes_free(env, prompt_bytes);
}

NATIVE(void, score)(JNIEnv *env, jclass class, jboolean classify, jlong handle, jobject images, jint n, jobject texts, jint m, jobject out) {
  (void)class;
  const clip_model *model = HANDLE(clip_model, handle);
  const float *a = address_of(env, images), *b = address_of(env, texts);
  size_t rows = (size_t)n, columns = (size_t)m;
  float *to = address_of(env, out);
  throw_status(env, classify ? clip_classify(model, a, rows, b, columns, to, rows * columns)
                             : clip_similarity(model, a, rows, b, columns, to, rows * columns));
}
