/* addon.h: what the files of the addon share. index.js is their only caller: it knows the order of arguments.
 *
 * A job is a call that runs on a thread of Node's pool and settles a promise. What it reads is copied when it begins, because a
 * program may change or transfer its arrays meanwhile. */
#ifndef CLIPCORE_NODE_ADDON_H
#define CLIPCORE_NODE_ADDON_H

#define NAPI_VERSION 8
#include <clipcore/clip_extend.h>
#include <clipcore/clip_index.h>
#include <clipcore/clip_train.h>
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- handles */

typedef enum kind { RUNTIME, MODEL, IMAGE, INDEX, TRAINER } kind;

/* What C holds; freed when it is closed and nothing uses it. Counted on the thread of JavaScript alone. */
typedef struct handle {
  kind kind;
  void *pointer;
  int users;  /* running jobs, and handles that keep this one */
  int closed; /* by the program or the garbage collector */
  int forgotten; /* by the garbage collector */
  struct handle *keeps;
  clip_image_view view;         /* of an image */
  struct channel *log;          /* of a runtime, or NULL */
} handle;

/* A function of JavaScript that any thread calls. Node frees it when the program ends, while threads may still run: it is
 * not used again after Node has begun to close it. */
typedef struct channel {
  napi_threadsafe_function function;
  pthread_mutex_t mutex; /* of closing, and of the function's calls */
  int closing;
  int finalized, released; /* by Node and by channel_free, both on the thread of JavaScript; the last one frees */
} channel;

/* A channel to `function`, or NULL. `on_data` gets `context`. */
channel *channel_new(napi_env env, napi_value function, void *context, napi_threadsafe_function_call_js on_data);
/* Whether the channel takes `data`; else the caller still owns that. [any-thread] */
int channel_send(channel *c, void *data);
void channel_free(channel *c);

/* A value of JavaScript for a new handle, which keeps another one. Takes the pointer, also when it fails. */
napi_value new_handle(napi_env env, kind kind, void *pointer, handle *keeps);
void release(kind kind, void *pointer);
/* The open handle in a value, or NULL with an exception. */
handle *handle_of(napi_env env, napi_value value, kind kind);
void handle_use(handle *h);
void handle_done(handle *h);

/* ---------------------------------------------------------------- values */

void throw_message(napi_env env, clip_status status, const char *message);
/* Throws for a status that is not CLIP_OK; the message is that of this thread. */
int failed(napi_env env, clip_status status);
int pending(napi_env env);

/* Copies, which the caller frees. NULL for undefined and null, and with an exception. */
char *text_of(napi_env env, napi_value value);
void *bytes_of(napi_env env, napi_value value, size_t *size); /* of a typed array */

/* A property of an options object; 0, NULL or false where there is none. A number that is not in [low, high] is an exception. */
napi_value property(napi_env env, napi_value object, const char *name);
double number_in(napi_env env, napi_value object, const char *name, double low, double high);
uint32_t u32_in(napi_env env, napi_value object, const char *name);
uint64_t u64_in(napi_env env, napi_value object, const char *name);
float float_in(napi_env env, napi_value object, const char *name);
int bool_in(napi_env env, napi_value object, const char *name);
char *text_in(napi_env env, napi_value object, const char *name);

napi_value number_value(napi_env env, double number);
napi_value text_value(napi_env env, const char *text);
napi_value bytes_value(napi_env env, const void *data, size_t size); /* a Uint8Array */
napi_value array_value(napi_env env, napi_typedarray_type type, const void *data, size_t count, size_t element);
void set(napi_env env, napi_value object, const char *name, napi_value value);

/* The text that a function writes as snprintf does. */
#define TEXT_VALUE(env, call) \
  char small[512], *buffer = small; \
  size_t capacity = sizeof small, length = (call); \
  if (length >= capacity && (buffer = malloc(capacity = length + 1))) length = (call); \
  napi_value text = buffer ? text_value(env, buffer) : NULL; \
  if (buffer != small) free(buffer); \
  return text

/* ---------------------------------------------------------------- jobs */

/* A job's progress and its end by an AbortSignal: made before the job, and kept by it. */
typedef struct watch {
  atomic_int cancelled;
  napi_ref progress; /* a function, or NULL */
  napi_ref thrown;   /* what it threw, or NULL */
} watch;

typedef struct keys {
  clip_index_bytes *list;
  size_t n;
} keys;

typedef struct found {
  float score;
  uint64_t group;
  clip_index_bytes part[4]; /* key, metadata; of a pair two of each */
} found;

typedef struct job job;
struct job {
  /* run on a thread of the pool; result on that of JavaScript, after CLIP_OK; NULL: undefined. */
  clip_status (*run)(job *j);
  napi_value (*result)(napi_env env, job *j);

  handle *self, *other, **images;
  size_t image_count;
  char *text, *text2, *prompt;
  char **texts;
  size_t n; /* items */
  clip_image_view *views;
  void *in, *in2, *out, *out2;
  size_t in_size, in2_size, capacity;
  int what;
  uint32_t number;
  uint64_t large;
  double real;
  keys keys[2];
  found *found;
  size_t found_count, found_capacity;
  void *made; /* of this kind, until a handle has it */
  kind made_kind;
  union {
    clip_model_options model;
    clip_encode_options encode;
    clip_image_options image;
    clip_index_search_options search;
    clip_index_duplicates_options duplicates;
    clip_index_groups_options groups;
    clip_trainer_options trainer;
    clip_export_options write;
  } options;
  int with_options;
  clip_train_metrics metrics;
  clip_model_info sizes; /* of a trainer's model */

  watch *watch;
  napi_ref watch_value;
  channel *progress;
  clip_status status;
  char message[4096];
  napi_async_work work;
  napi_deferred deferred;
};

/* A new job that uses `self`, or NULL with an exception. */
job *new_job(napi_env env, handle *self, clip_status (*run)(job *), napi_value (*result)(napi_env, job *));
/* The result of a job that made something, which keeps the runtime. */
napi_value made_handle(napi_env env, job *j);
void job_images(napi_env env, job *j, napi_value array);
void job_texts(napi_env env, job *j, napi_value array);
void job_keys(napi_env env, keys *k, napi_value array);
void job_free(job *j);
void encode_options(napi_env env, job *j, napi_value options, clip_encode_options *raw);
/* Starts the job, and frees it where an exception is pending. `watch_value`: undefined for none. The promise. */
napi_value start(napi_env env, job *j, napi_value watch_value);
clip_progress progress_of(job *j);

#define ARGUMENTS(count) \
  size_t argc = (count); \
  napi_value a[count]; \
  if (napi_get_cb_info(env, info, &argc, a, NULL, NULL) != napi_ok) return NULL

void define(napi_env env, napi_value exports, const char *name, napi_callback function);
void define_index(napi_env env, napi_value exports);
void define_training(napi_env env, napi_value exports);

#endif
