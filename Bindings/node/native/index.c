/* index.c: the index. */
#include "addon.h"

static clip_status run_fingerprint(job *j) { return clip_index_fingerprint(j->text, j->message, sizeof j->message); }
static napi_value printed(napi_env env, job *j) { return text_value(env, j->message); }

/* fingerprint(runtime, folder): the runtime is not used. */
static napi_value fingerprint(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], RUNTIME), run_fingerprint, printed);
  if (!j) return NULL;
  if (!(j->text = text_of(env, a[1]))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a folder");
  return start(env, j, NULL);
}

/* openIndex(runtime, path, options) */
static napi_value open_index(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  handle *h = handle_of(env, a[0], RUNTIME);
  char *path = text_of(env, a[1]), *print = text_in(env, a[2], "fingerprint");
  clip_index *index = NULL;
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = (bool_in(env, a[2], "create") ? CLIP_INDEX_CREATE : 0) | (bool_in(env, a[2], "readOnly") ? CLIP_INDEX_READ_ONLY : 0);
  options.fingerprint = print;
  options.embedding_width = u32_in(env, a[2], "embeddingWidth"), options.storage = (clip_storage)u32_in(env, a[2], "storage");
  options.wait_milliseconds = u64_in(env, a[2], "waitMilliseconds");
  if (!path) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a path");
  napi_value value = NULL;
  if (h && !pending(env) && !failed(env, clip_index_open(h->pointer, path, &options, &index))) value = new_handle(env, INDEX, index, h);
  free(path), free(print);
  return value;
}

static napi_value describe_index(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], INDEX);
  clip_index_info i = CLIP_INIT(clip_index_info);
  napi_value object = NULL;
  if (!h || failed(env, clip_index_describe(h->pointer, &i)) || napi_create_object(env, &object) != napi_ok) return NULL;
  set(env, object, "embeddingWidth", number_value(env, i.embedding_width));
  set(env, object, "storage", number_value(env, i.storage));
  set(env, object, "entries", number_value(env, (double)i.entries));
  set(env, object, "changes", number_value(env, (double)i.changes));
  set(env, object, "fileBytes", number_value(env, (double)i.file_bytes));
  set(env, object, "memoryBytes", number_value(env, (double)i.memory_bytes));
  return object;
}

static napi_value index_fingerprint(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], INDEX);
  if (!h) return NULL;
  TEXT_VALUE(env, clip_index_get_fingerprint(h->pointer, buffer, capacity));
}

/* ---------------------------------------------------------------- changes */

static clip_status run_put(job *j) {
  return clip_index_put(j->self->pointer, j->keys[0].list, j->in, j->keys[1].list, j->keys[0].n);
}

/* put(index, keys, embeddings or undefined, metadata or undefined, {width}) */
static napi_value put(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_put, NULL);
  if (!j) return NULL;
  bool is = false;
  job_keys(env, &j->keys[0], a[1]);
  j->in = bytes_of(env, a[2], &j->in_size);
  napi_is_array(env, a[3], &is);
  if (is) job_keys(env, &j->keys[1], a[3]);
  if ((is && j->keys[1].n != j->keys[0].n) || (j->in && j->in_size != 4 * j->keys[0].n * u32_in(env, a[4], "width"))) {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected an embedding, and metadata if there is any, for each key");
  }
  return start(env, j, NULL);
}

static clip_status run_rename(job *j) { return clip_index_rename(j->self->pointer, j->keys[0].list, j->keys[1].list, j->keys[0].n); }

/* rename(index, from, to) */
static napi_value rename_entries(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_rename, NULL);
  if (!j) return NULL;
  job_keys(env, &j->keys[0], a[1]);
  job_keys(env, &j->keys[1], a[2]);
  if (j->keys[0].n != j->keys[1].n) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a new key for each key");
  return start(env, j, NULL);
}

static clip_status run_remove(job *j) { return clip_index_remove(j->self->pointer, j->keys[0].list, j->keys[0].n, &j->large); }
static napi_value removed(napi_env env, job *j) { return number_value(env, (double)j->large); }

/* remove(index, keys) */
static napi_value remove_entries(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_remove, removed);
  if (!j) return NULL;
  job_keys(env, &j->keys[0], a[1]);
  return start(env, j, NULL);
}

/* ---------------------------------------------------------------- look-up and search */

static int keep(job *j, float score, const clip_index_bytes *parts, int count) {
  if (j->found_count == j->found_capacity) {
    size_t capacity = 2 * j->found_capacity + 16;
    found *grown = realloc(j->found, capacity * sizeof *grown);
    if (!grown) return 1;
    j->found = grown, j->found_capacity = capacity;
  }
  found *f = &j->found[j->found_count];
  *f = (found){.score = score};
  j->found_count++;
  for (int i = 0; i < count; i++) {
    void *copy = malloc(parts[i].size + 1);
    if (!copy) return 1;
    if (parts[i].size) memcpy(copy, parts[i].data, parts[i].size);
    f->part[i] = (clip_index_bytes){copy, parts[i].size};
  }
  return 0;
}

/* large: there was no memory for an entry. */
static int on_entry(void *user, const clip_index_entry *entry) {
  job *j = user;
  const clip_index_bytes parts[] = {entry->key, entry->metadata};
  if (keep(j, entry->score, parts, 2)) j->large = 1;
  return j->large != 0;
}

static int on_pair(void *user, const clip_index_entry *x, const clip_index_entry *y) {
  job *j = user;
  const clip_index_bytes parts[] = {x->key, x->metadata, y->key, y->metadata};
  if (keep(j, x->score, parts, 4)) j->large = 1;
  return j->large != 0;
}

static clip_status whole(job *j, clip_status status) {
  return status == CLIP_OK && j->large ? clip_set_last_error(CLIP_OUT_OF_MEMORY, "no memory for the entries found") : status;
}

static napi_value entry_value(napi_env env, const found *f, int first) {
  napi_value object = NULL;
  if (napi_create_object(env, &object) != napi_ok) return NULL;
  set(env, object, "score", number_value(env, f->score));
  set(env, object, "key", bytes_value(env, f->part[first].data, f->part[first].size));
  set(env, object, "metadata", bytes_value(env, f->part[first + 1].data, f->part[first + 1].size));
  return object;
}

static napi_value list_value(napi_env env, job *j) {
  napi_value list = NULL;
  napi_create_array_with_length(env, j->found_count, &list);
  for (size_t i = 0; i < j->found_count && !pending(env); i++) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_value value = entry_value(env, &j->found[i], 0);
    if (j->what) {
      napi_value pair = NULL;
      napi_create_array_with_length(env, 2, &pair);
      napi_set_element(env, pair, 0, value);
      napi_set_element(env, pair, 1, entry_value(env, &j->found[i], 2));
      value = pair;
    }
    napi_set_element(env, list, (uint32_t)i, value);
    napi_close_handle_scope(env, scope);
  }
  return list;
}

static clip_status run_get(job *j) {
  if (!(j->out = malloc(4 * j->capacity + 1))) return clip_set_last_error(CLIP_OUT_OF_MEMORY, "no memory for an embedding");
  const clip_index_bytes *key = j->keys[0].list;
  return whole(j, clip_index_get(j->self->pointer, key->data, key->size, j->out, j->capacity, on_entry, j));
}

static napi_value got(napi_env env, job *j) {
  napi_value object = j->found_count ? entry_value(env, &j->found[0], 0) : NULL;
  if (object) set(env, object, "embedding", array_value(env, napi_float32_array, j->out, j->capacity, 4));
  return object;
}

/* get(index, [key], {width}) */
static napi_value get(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_get, got);
  if (!j) return NULL;
  job_keys(env, &j->keys[0], a[1]);
  if (j->keys[0].n != 1) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a key");
  j->capacity = u32_in(env, a[2], "width");
  return start(env, j, NULL);
}

static clip_status run_visit(job *j) { return whole(j, clip_index_visit(j->self->pointer, j->in, j->in_size, on_entry, j)); }

/* entries(index, prefix) */
static napi_value entries(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_visit, list_value);
  if (!j) return NULL;
  j->in = bytes_of(env, a[1], &j->in_size);
  return start(env, j, NULL);
}

static clip_status run_search(job *j) {
  j->options.search.progress = progress_of(j);
  return whole(j, clip_index_search(j->self->pointer, j->in, &j->options.search, on_entry, j));
}

/* search(index, query, {count, threshold, width}, watch) */
static napi_value search(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_search, list_value);
  if (!j) return NULL;
  clip_index_search_options *options = &j->options.search;
  *options = CLIP_INIT(clip_index_search_options);
  options->count = u32_in(env, a[2], "count"), options->threshold = float_in(env, a[2], "threshold");
  options->flags = property(env, a[2], "threshold") ? CLIP_INDEX_THRESHOLD : 0;
  j->in = bytes_of(env, a[1], &j->in_size);
  if (!j->in || j->in_size != 4 * (size_t)u32_in(env, a[2], "width")) throw_message(env, CLIP_INVALID_ARGUMENT, "expected one embedding as the query");
  return start(env, j, a[3]);
}

static clip_status run_duplicates(job *j) {
  j->options.duplicates.progress = progress_of(j);
  return whole(j, clip_index_duplicates(j->self->pointer, &j->options.duplicates, on_pair, j));
}

/* duplicates(index, {count, threshold}, watch) */
static napi_value duplicates(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_duplicates, list_value);
  if (!j) return NULL;
  j->what = 1; /* pairs */
  j->options.duplicates = CLIP_INIT(clip_index_duplicates_options);
  j->options.duplicates.count = u32_in(env, a[1], "count"), j->options.duplicates.threshold = float_in(env, a[1], "threshold");
  return start(env, j, a[2]);
}

static int on_member(void *user, uint64_t group, const clip_index_entry *entry) {
  job *j = user;
  int stopped = on_entry(user, entry);
  if (!stopped) j->found[j->found_count - 1].group = group;
  return stopped;
}

static clip_status run_groups(job *j) {
  j->options.groups.progress = progress_of(j);
  return whole(j, clip_index_groups(j->self->pointer, &j->options.groups, on_member, j));
}

static napi_value grouped(napi_env env, job *j) {
  napi_value list = NULL, group = NULL;
  uint32_t groups = 0, members = 0;
  napi_create_array(env, &list);
  for (size_t i = 0; i < j->found_count && !pending(env); i++) {
    if (i == 0 || j->found[i].group != j->found[i - 1].group) {
      napi_create_array(env, &group);
      napi_set_element(env, list, groups++, group);
      members = 0;
    }
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_set_element(env, group, members++, entry_value(env, &j->found[i], 0));
    napi_close_handle_scope(env, scope);
  }
  return list;
}

/* groups(index, {threshold}, watch) */
static napi_value groups(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], INDEX), run_groups, grouped);
  if (!j) return NULL;
  j->options.groups = CLIP_INIT(clip_index_groups_options);
  j->options.groups.threshold = float_in(env, a[1], "threshold");
  return start(env, j, a[2]);
}

void define_index(napi_env env, napi_value exports) {
  define(env, exports, "fingerprint", fingerprint);
  define(env, exports, "openIndex", open_index);
  define(env, exports, "describeIndex", describe_index);
  define(env, exports, "indexFingerprint", index_fingerprint);
  define(env, exports, "put", put);
  define(env, exports, "rename", rename_entries);
  define(env, exports, "remove", remove_entries);
  define(env, exports, "get", get);
  define(env, exports, "entries", entries);
  define(env, exports, "search", search);
  define(env, exports, "duplicates", duplicates);
  define(env, exports, "groups", groups);
}
