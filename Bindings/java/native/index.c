/* index.c: the index. */
#include "support.h"

NATIVE(jbyteArray, fingerprint)(JNIEnv *env, jclass class, jbyteArray folder) {
  (void)class;
  char text[33];
  clip_status status = CLIP_OUT_OF_MEMORY;
  jni_bytes path = bytes_of(env, folder);
  if (path.data) status = clip_index_fingerprint((const char *)path.data, text, sizeof text);
  throw_status(env, status);
  bytes_free(env, path);
  return status == CLIP_OK ? new_bytes(env, text, strlen(text)) : NULL;
}

NATIVE(jlong, indexOpen)(JNIEnv *env, jclass class, jlong runtime, jbyteArray path, jlongArray numbers, jbyteArray fingerprint) {
  (void)class;
  clip_index *index = NULL;
  clip_index_options options = CLIP_INIT(clip_index_options);
  jlong n[4];
  (*env)->GetLongArrayRegion(env, numbers, 0, 4, n);
  options.flags = (uint32_t)n[0], options.embedding_width = (uint32_t)n[1], options.storage = (clip_storage)n[2];
  options.wait_milliseconds = (uint64_t)n[3];
  jni_bytes text = bytes_of(env, path), print = bytes_of(env, fingerprint);
  options.fingerprint = (const char *)print.data;
  if (text.data && (print.data || !fingerprint)) {
    throw_status(env, clip_index_open(runtime_of(runtime), (const char *)text.data, &options, &index));
  }
  bytes_free(env, text), bytes_free(env, print);
  return (jlong)(intptr_t)index;
}

NATIVE(void, indexRelease)(JNIEnv *env, jclass class, jlong index) {
  (void)env, (void)class;
  clip_index_release(HANDLE(clip_index, index));
}

NATIVE(void, indexDescribe)(JNIEnv *env, jclass class, jlong index, jlongArray numbers) {
  (void)class;
  clip_index_info i = CLIP_INIT(clip_index_info);
  clip_status status = clip_index_describe(HANDLE(clip_index, index), &i);
  throw_status(env, status);
  jlong n[] = {i.embedding_width, i.storage, (jlong)i.entries, (jlong)i.changes, (jlong)i.file_bytes, (jlong)i.memory_bytes};
  if (status == CLIP_OK) (*env)->SetLongArrayRegion(env, numbers, 0, 6, n);
}

NATIVE(jbyteArray, indexFingerprint)(JNIEnv *env, jclass class, jlong index) {
  (void)class;
  TEXT_OF(env, clip_index_get_fingerprint(HANDLE(clip_index, index), buffer, capacity));
}

/* Keys or metadata that follow each other in an array; `list` NULL for a null array, and with an exception. */
typedef struct parts {
  jni_bytes bytes;
  clip_index_bytes *list;
  jsize n;
} parts;

static parts parts_of(JNIEnv *env, jbyteArray array, jintArray sizes) {
  parts p = {bytes_of(env, array), NULL, array ? (*env)->GetArrayLength(env, sizes) : 0};
  if (!p.bytes.data) return p;
  jint *size = (*env)->GetIntArrayElements(env, sizes, NULL);
  if (size && !(p.list = calloc((size_t)p.n + 1, sizeof *p.list))) {
    (*env)->ThrowNew(env, (*env)->FindClass(env, "java/lang/OutOfMemoryError"), "keys of a call");
  }
  const jbyte *at = p.bytes.data;
  for (jsize i = 0; p.list && i < p.n; at += size[i++]) p.list[i] = (clip_index_bytes){at, (size_t)size[i]};
  if (size) (*env)->ReleaseIntArrayElements(env, sizes, size, JNI_ABORT);
  return p;
}

static void parts_free(JNIEnv *env, parts p) {
  free(p.list);
  bytes_free(env, p.bytes);
}

NATIVE(void, indexPut)(JNIEnv *env, jclass class, jlong index, jbyteArray keys, jintArray key_sizes, jobject embeddings,
                       jbyteArray metadata, jintArray metadata_sizes) {
  (void)class;
  parts names = parts_of(env, keys, key_sizes), extra = parts_of(env, metadata, metadata_sizes);
  if (!(*env)->ExceptionCheck(env)) {
    throw_status(env, clip_index_put(HANDLE(clip_index, index), names.list, address_of(env, embeddings), extra.list, (size_t)names.n));
  }
  parts_free(env, names), parts_free(env, extra);
}

NATIVE(void, indexRename)(JNIEnv *env, jclass class, jlong index, jbyteArray from, jintArray from_sizes, jbyteArray to, jintArray to_sizes) {
  (void)class;
  parts before = parts_of(env, from, from_sizes), after = parts_of(env, to, to_sizes);
  if (!(*env)->ExceptionCheck(env)) {
    throw_status(env, clip_index_rename(HANDLE(clip_index, index), before.list, after.list, (size_t)before.n));
  }
  parts_free(env, before), parts_free(env, after);
}

NATIVE(jlong, indexRemove)(JNIEnv *env, jclass class, jlong index, jbyteArray keys, jintArray key_sizes) {
  (void)class;
  uint64_t removed = 0;
  parts names = parts_of(env, keys, key_sizes);
  if (!(*env)->ExceptionCheck(env)) {
    throw_status(env, clip_index_remove(HANDLE(clip_index, index), names.list, (size_t)names.n, &removed));
  }
  parts_free(env, names);
  return (jlong)removed;
}

/* Calls a Predicate; `failed` is the answer when it throws. */
static int test_entry(JNIEnv *env, jobject predicate, const clip_index_entry *entry, int failed) {
  if ((*env)->ExceptionCheck(env)) return failed;
  jbyteArray key = new_bytes(env, entry->key.data, entry->key.size);
  jbyteArray metadata = key ? new_bytes(env, entry->metadata.data, entry->metadata.size) : NULL;
  int answer = failed;
  if (metadata) answer = (*env)->CallStaticBooleanMethod(env, methods.native, methods.entry, predicate, entry->score, key, metadata);
  if ((*env)->ExceptionCheck(env)) answer = failed;
  (*env)->DeleteLocalRef(env, key);
  (*env)->DeleteLocalRef(env, metadata);
  return answer;
}

/* True goes on. */
static int on_entry(void *user, const clip_index_entry *entry) {
  jni_call *call = user;
  return !test_entry(call->env, call->visit, entry, 0);
}

/* After an exception all is taken, so that the search ends soonest. */
static int on_filter(void *user, const clip_index_entry *entry) {
  jni_call *call = user;
  return test_entry(call->env, call->filter, entry, 1);
}

static int on_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) {
  jni_call *call = user;
  JNIEnv *env = call->env;
  const clip_index_bytes parts[] = {a->key, a->metadata, b->key, b->metadata};
  jbyteArray made[4] = {NULL};
  if ((*env)->ExceptionCheck(env)) return 1;
  int count = 0;
  while (count < 4 && (made[count] = new_bytes(env, parts[count].data, parts[count].size))) count++;
  if (count == 4) {
    (*env)->CallStaticVoidMethod(env, methods.native, methods.pair, call->visit, a->score, made[0], made[1], made[2], made[3]);
  }
  for (int i = 0; i < count; i++) (*env)->DeleteLocalRef(env, made[i]);
  return (*env)->ExceptionCheck(env);
}

NATIVE(void, indexGet)(JNIEnv *env, jclass class, jlong index, jbyteArray key, jobject embedding, jint width, jobject visit) {
  (void)class;
  jni_call call = {.env = env, .visit = visit};
  jni_bytes bytes = bytes_of(env, key);
  if (bytes.data) {
    throw_status(env, clip_index_get(HANDLE(clip_index, index), bytes.data, (size_t)(*env)->GetArrayLength(env, key),
                                     address_of(env, embedding), (size_t)width, on_entry, &call));
  }
  bytes_free(env, bytes);
}

NATIVE(void, indexVisit)(JNIEnv *env, jclass class, jlong index, jbyteArray prefix, jobject visit) {
  (void)class;
  jni_call call = {.env = env, .visit = visit};
  jni_bytes bytes = bytes_of(env, prefix);
  if (bytes.data) {
    throw_status(env, clip_index_visit(HANDLE(clip_index, index), bytes.data, (size_t)(*env)->GetArrayLength(env, prefix), on_entry, &call));
  }
  bytes_free(env, bytes);
}

NATIVE(void, indexSearch)(JNIEnv *env, jclass class, jlong index, jobject query, jint count, jboolean limited, jfloat threshold,
                          jobject filter, jobject progress, jobject visit) {
  (void)class;
  jni_call call = {.env = env, .progress = progress, .visit = visit, .filter = filter};
  clip_index_search_options options = CLIP_INIT(clip_index_search_options);
  options.count = (uint32_t)count, options.threshold = threshold, options.progress = progress_of(&call);
  if (limited) options.flags = CLIP_INDEX_THRESHOLD;
  if (filter) options.filter = on_filter, options.filter_user = &call;
  throw_status(env, clip_index_search(HANDLE(clip_index, index), address_of(env, query), &options, on_entry, &call));
}

NATIVE(void, indexDuplicates)(JNIEnv *env, jclass class, jlong index, jint count, jfloat threshold, jobject progress, jobject visit) {
  (void)class;
  jni_call call = {.env = env, .progress = progress, .visit = visit};
  clip_index_duplicates_options options = CLIP_INIT(clip_index_duplicates_options);
  options.count = (uint32_t)count, options.threshold = threshold, options.progress = progress_of(&call);
  throw_status(env, clip_index_duplicates(HANDLE(clip_index, index), &options, on_pair, &call));
}

static int on_member(void *user, uint64_t group, const clip_index_entry *entry) {
  jni_call *call = user;
  JNIEnv *env = call->env;
  if ((*env)->ExceptionCheck(env)) return 1;
  jbyteArray key = new_bytes(env, entry->key.data, entry->key.size);
  jbyteArray metadata = key ? new_bytes(env, entry->metadata.data, entry->metadata.size) : NULL;
  if (metadata) {
    (*env)->CallStaticVoidMethod(env, methods.native, methods.member, call->visit, (jlong)group, entry->score, key, metadata);
  }
  (*env)->DeleteLocalRef(env, key);
  (*env)->DeleteLocalRef(env, metadata);
  return (*env)->ExceptionCheck(env);
}

NATIVE(void, indexGroups)(JNIEnv *env, jclass class, jlong index, jfloat threshold, jobject progress, jobject groups) {
  (void)class;
  jni_call call = {.env = env, .progress = progress, .visit = groups};
  clip_index_groups_options options = CLIP_INIT(clip_index_groups_options);
  options.threshold = threshold, options.progress = progress_of(&call);
  throw_status(env, clip_index_groups(HANDLE(clip_index, index), &options, on_member, &call));
}
