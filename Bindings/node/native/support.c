/* support.c: handles, values and jobs. */
#include "addon.h"
#include <stdio.h>

/* ---------------------------------------------------------------- handles */

void release(kind kind, void *pointer) {
  switch (kind) {
    case RUNTIME: clip_runtime_release(pointer); break;
    case MODEL: clip_model_release(pointer); break;
    case IMAGE: clip_image_release(pointer); break;
    case INDEX: clip_index_release(pointer); break;
    case TRAINER: clip_trainer_release(pointer); break;
  }
}

/* ---------------------------------------------------------------- channels */

static void channel_destroy(channel *c) {
  pthread_mutex_destroy(&c->mutex);
  free(c);
}

static void on_finalized(napi_env env, void *data, void *hint) {
  channel *c = data;
  (void)env, (void)hint;
  pthread_mutex_lock(&c->mutex);
  c->closing = 1;
  pthread_mutex_unlock(&c->mutex);
  c->finalized = 1;
  if (c->released) channel_destroy(c);
}

channel *channel_new(napi_env env, napi_value function, void *context, napi_threadsafe_function_call_js on_data) {
  channel *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  pthread_mutex_init(&c->mutex, NULL);
  if (napi_create_threadsafe_function(env, function, NULL, text_value(env, "clipcore"), 0, 1, c, on_finalized, context, on_data,
                                      &c->function) == napi_ok) {
    return c;
  }
  channel_destroy(c);
  return NULL;
}

int channel_send(channel *c, void *data) {
  napi_status status = napi_closing;
  pthread_mutex_lock(&c->mutex);
  if (!c->closing) status = napi_call_threadsafe_function(c->function, data, napi_tsfn_nonblocking);
  if (status == napi_closing) c->closing = 1;
  pthread_mutex_unlock(&c->mutex);
  return status == napi_ok;
}

void channel_free(channel *c) {
  if (!c) return;
  if (c->finalized) {
    channel_destroy(c);
    return;
  }
  c->released = 1;
  pthread_mutex_lock(&c->mutex);
  int closing = c->closing;
  c->closing = 1;
  pthread_mutex_unlock(&c->mutex);
  if (!closing) napi_release_threadsafe_function(c->function, napi_tsfn_release);
}

static void handle_free(handle *h) {
  if (h->closed && h->users == 0 && h->pointer) {
    release(h->kind, h->pointer);
    h->pointer = NULL;
    channel_free(h->log);
    if (h->keeps) handle_done(h->keeps);
  }
  if (h->forgotten && !h->pointer) free(h);
}

void handle_use(handle *h) { h->users++; }

void handle_done(handle *h) {
  h->users--;
  handle_free(h);
}

static void on_collected(napi_env env, void *data, void *hint) {
  handle *h = data;
  (void)env, (void)hint;
  h->closed = h->forgotten = 1;
  handle_free(h);
}

napi_value new_handle(napi_env env, kind kind, void *pointer, handle *keeps) {
  handle *h = calloc(1, sizeof *h);
  napi_value value = NULL;
  if (!h || napi_create_external(env, h, on_collected, NULL, &value) != napi_ok) {
    free(h);
    release(kind, pointer);
    throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a handle");
    return NULL;
  }
  *h = (handle){.kind = kind, .pointer = pointer, .keeps = keeps};
  if (keeps) handle_use(keeps);
  return value;
}

handle *handle_of(napi_env env, napi_value value, kind kind) {
  void *data = NULL;
  handle *h;
  if (napi_get_value_external(env, value, &data) != napi_ok || (h = data)->kind != kind) {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected another object of clipcore");
    return NULL;
  }
  if (!h->closed) return h;
  throw_message(env, CLIP_INVALID_ARGUMENT, "the object is closed");
  return NULL;
}

/* ---------------------------------------------------------------- values */

void throw_message(napi_env env, clip_status status, const char *message) {
  if (!pending(env)) napi_throw_error(env, clip_status_name(status), message);
}

int failed(napi_env env, clip_status status) {
  if (status != CLIP_OK) throw_message(env, status, clip_last_error());
  return status != CLIP_OK;
}

int pending(napi_env env) {
  bool is = false;
  return napi_is_exception_pending(env, &is) != napi_ok || is;
}

static int is_absent(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  return !value || napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

char *text_of(napi_env env, napi_value value) {
  size_t length = 0;
  if (is_absent(env, value)) return NULL;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected a string");
    return NULL;
  }
  char *text = malloc(length + 1);
  if (!text || napi_get_value_string_utf8(env, value, text, length + 1, &length) != napi_ok) {
    throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a text");
  } else if (strlen(text) == length) {
    return text;
  } else {
    throw_message(env, CLIP_INVALID_ARGUMENT, "a text has a NUL");
  }
  free(text);
  return NULL;
}

void *bytes_of(napi_env env, napi_value value, size_t *size) {
  static const size_t elements[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  napi_typedarray_type type;
  size_t count = 0;
  void *data = NULL;
  if (is_absent(env, value)) return NULL;
  if (napi_get_typedarray_info(env, value, &type, &count, &data, NULL, NULL) != napi_ok || (size_t)type >= sizeof elements / sizeof *elements) {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected a typed array");
    return NULL;
  }
  *size = count * elements[type];
  void *copy = malloc(*size + 1);
  if (!copy) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a copy of an array");
  if (copy && *size) memcpy(copy, data, *size);
  return copy;
}

napi_value property(napi_env env, napi_value object, const char *name) {
  napi_value value = NULL;
  if (pending(env) || is_absent(env, object) || napi_get_named_property(env, object, name, &value) != napi_ok) return NULL;
  return is_absent(env, value) ? NULL : value;
}

double number_in(napi_env env, napi_value object, const char *name, double low, double high) {
  napi_value value = property(env, object, name);
  double number = 0;
  if (!value) return 0;
  if (napi_get_value_double(env, value, &number) == napi_ok && number >= low && number <= high) return number;
  char message[160];
  snprintf(message, sizeof message, "%s: expected a number from %g to %g", name, low, high);
  throw_message(env, CLIP_INVALID_ARGUMENT, message);
  return 0;
}

uint32_t u32_in(napi_env env, napi_value object, const char *name) { return (uint32_t)number_in(env, object, name, 0, UINT32_MAX); }
uint64_t u64_in(napi_env env, napi_value object, const char *name) { return (uint64_t)number_in(env, object, name, 0, 9007199254740991.0); }
float float_in(napi_env env, napi_value object, const char *name) { return (float)number_in(env, object, name, -1e30, 1e30); }

int bool_in(napi_env env, napi_value object, const char *name) {
  napi_value value = property(env, object, name), as = NULL;
  bool is = false;
  return value && napi_coerce_to_bool(env, value, &as) == napi_ok && napi_get_value_bool(env, as, &is) == napi_ok && is;
}

char *text_in(napi_env env, napi_value object, const char *name) {
  napi_value value = property(env, object, name);
  return value ? text_of(env, value) : NULL;
}

napi_value number_value(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

napi_value text_value(napi_env env, const char *text) {
  napi_value value = NULL;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

napi_value array_value(napi_env env, napi_typedarray_type type, const void *data, size_t count, size_t element) {
  void *to = NULL;
  napi_value buffer = NULL, array = NULL;
  if (napi_create_arraybuffer(env, count * element, &to, &buffer) != napi_ok) {
    throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a result");
    return NULL;
  }
  if (count) memcpy(to, data, count * element);
  napi_create_typedarray(env, type, count, buffer, 0, &array);
  return array;
}

napi_value bytes_value(napi_env env, const void *data, size_t size) { return array_value(env, napi_uint8_array, data, size, 1); }

void set(napi_env env, napi_value object, const char *name, napi_value value) {
  if (value) napi_set_named_property(env, object, name, value);
}

void define(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value = NULL;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok) set(env, exports, name, value);
}

/* ---------------------------------------------------------------- jobs */

job *new_job(napi_env env, handle *self, clip_status (*run)(job *), napi_value (*result)(napi_env, job *)) {
  job *j = self ? calloc(1, sizeof *j) : NULL;
  if (self && !j) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a call");
  if (!j) return NULL;
  j->self = self, j->run = run, j->result = result;
  handle_use(self);
  return j;
}

napi_value made_handle(napi_env env, job *j) {
  void *made = j->made;
  j->made = NULL;
  return new_handle(env, j->made_kind, made, j->self->kind == RUNTIME ? j->self : j->self->keeps);
}

static size_t length_of(napi_env env, napi_value array) {
  uint32_t n = 0;
  if (napi_get_array_length(env, array, &n) != napi_ok) throw_message(env, CLIP_INVALID_ARGUMENT, "expected an array");
  return n;
}

void job_images(napi_env env, job *j, napi_value array) {
  j->n = length_of(env, array);
  j->images = calloc(j->n + 1, sizeof *j->images);
  j->views = calloc(j->n + 1, sizeof *j->views);
  if (!j->images || !j->views) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for the images of a call");
  for (size_t i = 0; i < j->n && !pending(env); i++) {
    napi_value value = NULL;
    napi_get_element(env, array, (uint32_t)i, &value);
    handle *image = handle_of(env, value, IMAGE);
    if (!image) return;
    handle_use(j->images[j->image_count++] = image);
    j->views[i] = image->view;
  }
}

void job_texts(napi_env env, job *j, napi_value array) {
  j->n = length_of(env, array);
  j->texts = calloc(j->n + 1, sizeof *j->texts);
  if (!j->texts) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for the texts of a call");
  for (size_t i = 0; i < j->n && !pending(env); i++) {
    napi_value value = NULL;
    napi_get_element(env, array, (uint32_t)i, &value);
    if (!(j->texts[i] = text_of(env, value))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected strings");
  }
}

/* Of Uint8Arrays. */
void job_keys(napi_env env, keys *k, napi_value array) {
  k->n = length_of(env, array);
  k->list = calloc(k->n + 1, sizeof *k->list);
  if (!k->list) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for the keys of a call");
  for (size_t i = 0; i < k->n && !pending(env); i++) {
    napi_value value = NULL;
    napi_get_element(env, array, (uint32_t)i, &value);
    if (!(k->list[i].data = bytes_of(env, value, &k->list[i].size))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected keys");
  }
}

void job_free(job *j) {
  if (j->made) release(j->made_kind, j->made);
  for (size_t i = 0; i < j->image_count; i++) handle_done(j->images[i]);
  if (j->other) handle_done(j->other);
  handle_done(j->self);
  for (size_t i = 0; j->texts && i < j->n; i++) free(j->texts[i]);
  for (int k = 0; k < 2; k++) {
    for (size_t i = 0; j->keys[k].list && i < j->keys[k].n; i++) free((void *)j->keys[k].list[i].data);
    free(j->keys[k].list);
  }
  for (size_t i = 0; i < j->found_count; i++) {
    for (int part = 0; part < 4; part++) free((void *)j->found[i].part[part].data);
  }
  void *owned[] = {j->images, j->views, j->texts, j->text, j->text2, j->prompt, j->in, j->in2, j->out, j->out2, j->found};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
  free(j);
}

void encode_options(napi_env env, job *j, napi_value options, clip_encode_options *raw) {
  *raw = CLIP_INIT(clip_encode_options);
  raw->flags = (bool_in(env, options, "raw") ? CLIP_ENCODE_RAW : 0) | (bool_in(env, options, "truncate") ? CLIP_ENCODE_TRUNCATE : 0) |
               (bool_in(env, options, "openaiCleaning") ? CLIP_ENCODE_OPENAI_CLEANING : 0) |
               (property(env, options, "background") ? CLIP_ENCODE_COMPOSITE_ALPHA : 0);
  raw->background = u32_in(env, options, "background");
  raw->image_width = u32_in(env, options, "imageWidth"), raw->image_height = u32_in(env, options, "imageHeight");
  raw->context_length = u32_in(env, options, "contextLength");
  raw->prompt = j->prompt = text_in(env, options, "prompt");
}

static void settle(napi_env env, job *j) {
  napi_value value = NULL, code = NULL, message = NULL;
  if (j->watch && j->watch->thrown) {
    napi_get_reference_value(env, j->watch->thrown, &value);
    napi_delete_reference(env, j->watch->thrown);
    j->watch->thrown = NULL;
    napi_reject_deferred(env, j->deferred, value);
  } else {
    if (j->status == CLIP_OK) {
      value = j->result ? j->result(env, j) : NULL;
    } else {
      code = text_value(env, clip_status_name(j->status)), message = text_value(env, j->message);
      napi_create_error(env, code, message, &value);
    }
    if (pending(env)) {
      napi_get_and_clear_last_exception(env, &value);
      napi_reject_deferred(env, j->deferred, value);
    } else if (j->status == CLIP_OK) {
      if (!value) napi_get_undefined(env, &value);
      napi_resolve_deferred(env, j->deferred, value);
    } else {
      napi_reject_deferred(env, j->deferred, value);
    }
  }
  if (j->watch_value) napi_delete_reference(env, j->watch_value);
  napi_delete_async_work(env, j->work);
  job_free(j);
}

typedef struct step {
  job *job; /* of the last step, which has no progress */
  uint64_t done, total;
} step;

/* A step of a job's progress, on the thread of JavaScript. */
static void on_step(napi_env env, napi_value function, void *context, void *data) {
  step *s = data;
  watch *w = context;
  if (!env) { /* the program ends: nothing waits for the promise */
    if (s->job) {
      channel_free(s->job->progress);
      job_free(s->job);
    }
    free(s);
  } else if (s->job) {
    job *j = s->job;
    free(s);
    channel_free(j->progress);
    /* What waits for the promise goes on when the scope is closed. */
    napi_value resource = NULL;
    napi_async_context async = NULL;
    napi_callback_scope scope = NULL;
    napi_create_object(env, &resource);
    napi_async_init(env, resource, text_value(env, "clipcore"), &async);
    napi_open_callback_scope(env, resource, async, &scope);
    settle(env, j);
    if (scope) napi_close_callback_scope(env, scope);
    if (async) napi_async_destroy(env, async);
  } else {
    napi_value arguments[] = {number_value(env, (double)s->done), number_value(env, (double)s->total)}, none = NULL, answer = NULL;
    free(s);
    if (atomic_load(&w->cancelled)) return;
    napi_get_undefined(env, &none);
    if (napi_call_function(env, none, function, 2, arguments, &answer) != napi_ok && pending(env)) {
      napi_get_and_clear_last_exception(env, &answer);
      napi_create_reference(env, answer, 1, &w->thrown);
      atomic_store(&w->cancelled, 1);
    }
  }
}

static int send(job *j, step values) {
  step *s = malloc(sizeof *s);
  if (!s) return 0;
  *s = values;
  if (channel_send(j->progress, s)) return 1;
  free(s);
  return 0;
}

static int on_progress(void *user, uint64_t done, uint64_t total) {
  job *j = user;
  if (j->progress) send(j, (step){NULL, done, total});
  return atomic_load(&j->watch->cancelled);
}

clip_progress progress_of(job *j) { return (clip_progress){j->watch ? on_progress : NULL, j}; }

static void execute(napi_env env, void *data) {
  job *j = data;
  (void)env;
  j->status = j->run(j);
  if (j->status != CLIP_OK) snprintf(j->message, sizeof j->message, "%s", clip_last_error());
}

/* With a progress function, the promise is settled after the last call of that. */
static void complete(napi_env env, napi_status status, void *data) {
  job *j = data;
  if (status != napi_ok && j->status == CLIP_OK) {
    j->status = CLIP_CANCELLED;
    snprintf(j->message, sizeof j->message, "the program ends");
  }
  if (j->progress && send(j, (step){.job = j})) return;
  channel_free(j->progress);
  settle(env, j);
}

napi_value start(napi_env env, job *j, napi_value watch_value) {
  napi_value promise = NULL, name = NULL, function = NULL;
  if (!j) return NULL;
  if (pending(env)) goto failed;
  name = text_value(env, "clipcore");
  if (!is_absent(env, watch_value)) {
    void *data = NULL;
    if (napi_get_value_external(env, watch_value, &data) != napi_ok) goto failed;
    j->watch = data;
    if (j->watch->progress) {
      napi_get_reference_value(env, j->watch->progress, &function);
      if (!(j->progress = channel_new(env, function, j->watch, on_step))) goto failed;
    }
  }
  if (napi_create_async_work(env, NULL, name, execute, complete, j, &j->work) != napi_ok) goto failed;
  if (j->watch) napi_create_reference(env, watch_value, 1, &j->watch_value);
  if (napi_create_promise(env, &j->deferred, &promise) == napi_ok && napi_queue_async_work(env, j->work) == napi_ok) return promise;
  napi_delete_async_work(env, j->work);
  if (j->watch_value) napi_delete_reference(env, j->watch_value);
failed:
  throw_message(env, CLIP_OUT_OF_MEMORY, "Node cannot start the call");
  channel_free(j->progress);
  job_free(j);
  return NULL;
}
