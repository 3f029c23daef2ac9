#include "support.h"

jni_methods methods;
JavaVM *machine;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  JNIEnv *env;
  (void)reserved;
  if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_10) != JNI_OK) return JNI_ERR;
  jclass found = (*env)->FindClass(env, "clipcore/Native");
  if (!found || !(methods.native = (*env)->NewGlobalRef(env, found))) return JNI_ERR;
  const struct {
    jmethodID *id;
    const char *name, *signature;
  } wanted[] = {
    {&methods.fail, "fail", "(I[B[B)V"},
    {&methods.progress, "progress", "(Lclipcore/Progress;JJ)Z"},
    {&methods.entry, "entry", "(Ljava/util/function/Predicate;F[B[B)Z"},
    {&methods.pair, "pair", "(Ljava/util/function/BiConsumer;F[B[B[B[B)V"},
    {&methods.member, "member", "(Ljava/util/List;JF[B[B)V"},
    {&methods.log, "log", "(Lclipcore/Log;I[B)V"},
    {&methods.codec_header, "codecHeader", "(Lclipcore/Codec;Ljava/nio/ByteBuffer;)[J"},
    {&methods.codec_recognises, "codecRecognises", "(Lclipcore/Codec;Ljava/nio/ByteBuffer;)Z"},
    {&methods.codec_decode, "codecDecode", "(Lclipcore/Codec;Ljava/nio/ByteBuffer;IIILjava/nio/ByteBuffer;I)V"},
    {&methods.message_of, "messageOf", "(Ljava/lang/Throwable;)[B"},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    *wanted[i].id = (*env)->GetStaticMethodID(env, methods.native, wanted[i].name, wanted[i].signature);
    if (!*wanted[i].id) return JNI_ERR;
  }
  machine = vm;
  return JNI_VERSION_10;
}

void throw_status(JNIEnv *env, clip_status status) {
  if (status == CLIP_OK || (*env)->ExceptionCheck(env)) return;
  const char *message = clip_last_error(), *name = clip_status_name(status);
  jbyteArray text = new_bytes(env, message, strlen(message));
  jbyteArray status_name = text ? new_bytes(env, name, strlen(name)) : NULL;
  if (status_name) (*env)->CallStaticVoidMethod(env, methods.native, methods.fail, (jint)status, status_name, text);
}

static int on_progress(void *user, uint64_t done, uint64_t total) {
  jni_call *call = user;
  JNIEnv *env = call->env;
  if ((*env)->ExceptionCheck(env)) return 1;
  jboolean more = (*env)->CallStaticBooleanMethod(env, methods.native, methods.progress, call->progress, (jlong)done, (jlong)total);
  return (*env)->ExceptionCheck(env) || !more;
}

clip_progress progress_of(jni_call *call) { return (clip_progress){call->progress ? on_progress : NULL, call}; }

jbyteArray new_bytes(JNIEnv *env, const void *data, size_t size) {
  if (size > INT32_MAX) size = INT32_MAX;
  jbyteArray array = (*env)->NewByteArray(env, (jsize)size);
  if (array && size > 0) (*env)->SetByteArrayRegion(env, array, 0, (jsize)size, data);
  return array;
}

const char **texts_of(JNIEnv *env, jni_bytes bytes, jint n) {
  if (!bytes.data) return NULL;
  const char **texts = calloc((size_t)n + 1, sizeof *texts), *at = (const char *)bytes.data;
  if (!texts) (*env)->ThrowNew(env, (*env)->FindClass(env, "java/lang/OutOfMemoryError"), "texts of a call");
  for (jint i = 0; texts && i < n; i++) {
    texts[i] = at;
    at += strlen(at) + 1;
  }
  return texts;
}

clip_image_view *views_of(JNIEnv *env, jlongArray numbers, jint n) {
  if (!numbers) return NULL;
  clip_image_view *views = calloc((size_t)n + 1, sizeof *views);
  jlong *fields = views ? (*env)->GetLongArrayElements(env, numbers, NULL) : NULL;
  if (!fields) {
    free(views);
    if (!(*env)->ExceptionCheck(env)) (*env)->ThrowNew(env, (*env)->FindClass(env, "java/lang/OutOfMemoryError"), "images of a call");
    return NULL;
  }
  for (jint i = 0; i < n; i++) {
    const jlong *f = fields + 8 * (size_t)i;
    views[i] = (clip_image_view){HANDLE(const uint8_t, f[0]), (uint32_t)f[1], (uint32_t)f[2], (size_t)f[3],
                                 (clip_pixel_format)f[4], (uint32_t)f[5], (uint32_t)f[6], (uint32_t)f[7]};
  }
  (*env)->ReleaseLongArrayElements(env, numbers, fields, JNI_ABORT);
  return views;
}

clip_encode_options encode_options(JNIEnv *env, jlongArray numbers, jni_bytes prompt) {
  clip_encode_options options = CLIP_INIT(clip_encode_options);
  jlong n[5];
  (*env)->GetLongArrayRegion(env, numbers, 0, 5, n);
  options.flags = (uint32_t)n[0], options.background = (uint32_t)n[1];
  options.image_width = (uint32_t)n[2], options.image_height = (uint32_t)n[3], options.context_length = (uint32_t)n[4];
  options.prompt = (const char *)prompt.data;
  return options;
}
