/* support.h: what the functions of Native.java share. A function that fails throws a ClipException; callbacks end their call
 * when a method of Java has thrown, and the exception goes on in the caller. */
#ifndef CLIPCORE_JNI_SUPPORT_H
#define CLIPCORE_JNI_SUPPORT_H

#include <clipcore/clip_extend.h>
#include <clipcore/clip_index.h>
#include <clipcore/clip_train.h>
#include <jni.h>
#include <stdlib.h>
#include <string.h>

/* A function of Native.java. */
#define NATIVE(type, name) JNIEXPORT type JNICALL Java_clipcore_Native_##name

#define HANDLE(type, value) ((type *)(intptr_t)(value))

typedef struct jni_methods {
  jclass native;
  jmethodID fail, progress, entry, pair, member, log, codec_header, codec_recognises, codec_decode, message_of;
} jni_methods;

extern jni_methods methods;
extern JavaVM *machine;

/* A runtime, and the global reference to its log or NULL. */
typedef struct jni_runtime {
  clip_runtime *runtime;
  jobject log;
} jni_runtime;

static inline clip_runtime *runtime_of(jlong handle) { return HANDLE(jni_runtime, handle)->runtime; }

/* Throws for a status that is not CLIP_OK, unless a callback has thrown. */
void throw_status(JNIEnv *env, clip_status status);

/* An object for a progress callback, or NULL; it is in use until the call has ended. */
typedef struct jni_call {
  JNIEnv *env;
  jobject progress, visit, filter;
} jni_call;

clip_progress progress_of(jni_call *call);

/* Bytes of an array; NULL for a null one, and with an exception when there is no memory. */
typedef struct jni_bytes {
  jbyteArray array;
  jbyte *data;
} jni_bytes;

static inline jni_bytes bytes_of(JNIEnv *env, jbyteArray array) {
  jni_bytes bytes = {array, array ? (*env)->GetByteArrayElements(env, array, NULL) : NULL};
  return bytes;
}

static inline void bytes_free(JNIEnv *env, jni_bytes bytes) {
  if (bytes.data) (*env)->ReleaseByteArrayElements(env, bytes.array, bytes.data, JNI_ABORT);
}

/* A new array, NULL with an exception when there is no memory. */
jbyteArray new_bytes(JNIEnv *env, const void *data, size_t size);

/* The text that a function writes as snprintf does. */
#define TEXT_OF(env, call) \
  char small[512], *buffer = small; \
  size_t capacity = sizeof small, length = (call); \
  if (length >= capacity && (buffer = malloc(capacity = length + 1))) length = (call); \
  jbyteArray text = buffer ? new_bytes(env, buffer, length < capacity ? length : capacity - 1) : NULL; \
  if (buffer != small) free(buffer); \
  return text

/* n texts, each with its NUL, as C takes them: NULL for a null array, and with an exception when there is no memory. The
 * caller frees them. */
const char **texts_of(JNIEnv *env, jni_bytes bytes, jint n);

/* Views from rows of 8 numbers, the fields of clip_image_view. */
clip_image_view *views_of(JNIEnv *env, jlongArray numbers, jint n);

/* NULL for a null buffer. */
static inline void *address_of(JNIEnv *env, jobject buffer) { return buffer ? (*env)->GetDirectBufferAddress(env, buffer) : NULL; }

clip_encode_options encode_options(JNIEnv *env, jlongArray numbers, jni_bytes prompt);

#endif
