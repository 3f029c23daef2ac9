/* codec.c: image codecs in Java. A codec's functions in C have no argument that says which codec is meant, so each has a slot
 * with functions and tables of its own. A slot is never given back: a runtime may use it to its end. */
#include "support.h"
#include <clipcore/plugin/image_codec.h>

enum { SLOTS = 8 };

static jobject objects[SLOTS]; /* global references */

/* The environment of this thread, which Java may not know: then *attached is set. */
static JNIEnv *enter(int *attached) {
  JNIEnv *env = NULL;
  *attached = (*machine)->GetEnv(machine, (void **)&env, JNI_VERSION_10) == JNI_EDETACHED;
  if (*attached && (*machine)->AttachCurrentThreadAsDaemon(machine, (void **)&env, NULL) != JNI_OK) return NULL;
  return env && (*env)->PushLocalFrame(env, 16) == 0 ? env : NULL;
}

/* Ends a call of a codec; the message of its exception goes to the host. */
static clip_status leave(JNIEnv *env, int attached, clip_plugin_error *error) {
  jthrowable thrown = (*env)->ExceptionOccurred(env);
  if (thrown) {
    (*env)->ExceptionClear(env);
    jbyteArray text = (*env)->CallStaticObjectMethod(env, methods.native, methods.message_of, thrown);
    if ((*env)->ExceptionCheck(env)) (*env)->ExceptionClear(env), text = NULL;
    if (text && error && error->capacity > 0) {
      size_t length = (size_t)(*env)->GetArrayLength(env, text);
      if (length > error->capacity - 1) length = error->capacity - 1;
      (*env)->GetByteArrayRegion(env, text, 0, (jsize)length, (jbyte *)error->message);
      error->message[length] = 0;
    }
  }
  (*env)->PopLocalFrame(env, NULL);
  if (attached) (*machine)->DetachCurrentThread(machine);
  return thrown ? CLIP_FORMAT : CLIP_OK;
}

static int recognises(int slot, const uint8_t *data, size_t size) {
  int attached, answer = 0;
  JNIEnv *env = enter(&attached);
  if (!env) return 0;
  jobject bytes = (*env)->NewDirectByteBuffer(env, (void *)data, (jlong)size);
  if (bytes) answer = (*env)->CallStaticBooleanMethod(env, methods.native, methods.codec_recognises, objects[slot], bytes);
  return leave(env, attached, NULL) == CLIP_OK && answer;
}

static clip_status read_header(int slot, const uint8_t *data, size_t size, clip_codec_header *header, clip_plugin_error *error) {
  int attached;
  JNIEnv *env = enter(&attached);
  if (!env) return CLIP_OUT_OF_MEMORY;
  jobject bytes = (*env)->NewDirectByteBuffer(env, (void *)data, (jlong)size);
  jlongArray numbers = NULL;
  if (bytes) numbers = (*env)->CallStaticObjectMethod(env, methods.native, methods.codec_header, objects[slot], bytes);
  if (numbers && !(*env)->ExceptionCheck(env)) {
    jlong n[3];
    (*env)->GetLongArrayRegion(env, numbers, 0, 3, n);
    header->width = n[0] > 0 ? (uint32_t)n[0] : 0, header->height = n[1] > 0 ? (uint32_t)n[1] : 0;
    header->format = (clip_pixel_format)n[2];
  }
  return leave(env, attached, error);
}

static clip_status decode(int slot, const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels,
                          size_t stride, clip_plugin_error *error) {
  static const size_t channels[] = {0, 3, 4, 3, 4, 1};
  int attached;
  JNIEnv *env = enter(&attached);
  if (!env) return CLIP_OUT_OF_MEMORY;
  size_t row = header->width * channels[(unsigned)header->format <= CLIP_PIXELS_GRAY ? header->format : 0];
  jobject bytes = (*env)->NewDirectByteBuffer(env, (void *)data, (jlong)size);
  jobject out = bytes ? (*env)->NewDirectByteBuffer(env, pixels, (jlong)(stride * (header->height - 1) + row)) : NULL;
  if (out) {
    (*env)->CallStaticVoidMethod(env, methods.native, methods.codec_decode, objects[slot], bytes, (jint)header->width,
                                 (jint)header->height, (jint)header->format, out, (jint)stride);
  }
  return leave(env, attached, error);
}

static clip_image_codec codecs[SLOTS];
static clip_plugin_item items[SLOTS];
static clip_plugin plugins[SLOTS];

#define SLOT(n) \
  static int recognises##n(const uint8_t *data, size_t size) { return recognises(n, data, size); } \
  static clip_status header##n(const uint8_t *data, size_t size, clip_codec_header *header, clip_plugin_error *error) { \
    return read_header(n, data, size, header, error); \
  } \
  static clip_status decode##n(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels, \
                               size_t stride, clip_plugin_error *error) { \
    return decode(n, data, size, header, pixels, stride, error); \
  } \
  static const clip_plugin *entry##n(void) { return &plugins[n]; }
SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7)
#define EACH(name) {name##0, name##1, name##2, name##3, name##4, name##5, name##6, name##7}

/* `array`: id, description and extensions. Called for one slot after the other, under a lock. */
NATIVE(void, codecFill)(JNIEnv *env, jclass class, jint slot, jbyteArray array, jobject codec) {
  (void)class;
  static int (*const recognise[])(const uint8_t *, size_t) = EACH(recognises);
  static clip_status (*const headers[])(const uint8_t *, size_t, clip_codec_header *, clip_plugin_error *) = EACH(header);
  static clip_status (*const decodes[])(const uint8_t *, size_t, const clip_codec_header *, uint8_t *, size_t,
                                        clip_plugin_error *) = EACH(decode);
  size_t size = (size_t)(*env)->GetArrayLength(env, array);
  char *id = malloc(size);
  if (!id || !(objects[slot] = (*env)->NewGlobalRef(env, codec))) {
    free(id);
    (*env)->ThrowNew(env, (*env)->FindClass(env, "java/lang/OutOfMemoryError"), "a codec");
    return;
  }
  (*env)->GetByteArrayRegion(env, array, 0, (jsize)size, (jbyte *)id);
  const char *description = id + strlen(id) + 1, *extensions = description + strlen(description) + 1;
  codecs[slot] = (clip_image_codec){sizeof(clip_image_codec), id, description, extensions, recognise[slot], headers[slot], decodes[slot]};
  items[slot] = (clip_plugin_item){CLIP_KIND_IMAGE_CODEC, &codecs[slot]};
  plugins[slot] = (clip_plugin){sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, id, "1.0.0", "NOASSERTION", &items[slot], 1};
}

NATIVE(void, codecRegister)(JNIEnv *env, jclass class, jlong runtime, jint slot) {
  (void)class;
  static const clip_plugin_entry_fn entries[] = EACH(entry);
  throw_status(env, clip_plugin_register(runtime_of(runtime), entries[slot]));
}
