/* addon.c: runtime, images and models. */
#include "addon.h"
#include <stdio.h>

static napi_value version(napi_env env, napi_callback_info info) {
  (void)info;
  return text_value(env, clip_version());
}

static napi_value abi_version(napi_env env, napi_callback_info info) {
  (void)info;
  return number_value(env, clip_abi_version());
}

static napi_value close_handle(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  void *data = NULL;
  if (napi_get_value_external(env, a[0], &data) != napi_ok) return NULL;
  handle *h = data;
  if (h->closed) return NULL;
  handle_use(h);
  h->closed = 1;
  handle_done(h);
  return NULL;
}

static void watch_free(napi_env env, void *data, void *hint) {
  watch *w = data;
  (void)hint;
  if (w->progress) napi_delete_reference(env, w->progress);
  if (w->thrown) napi_delete_reference(env, w->thrown);
  free(w);
}

/* watch(function or undefined) */
static napi_value new_watch(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  watch *w = calloc(1, sizeof *w);
  napi_value value = NULL;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, a[0], &type);
  if (!w || napi_create_external(env, w, watch_free, NULL, &value) != napi_ok) {
    free(w);
    throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a call");
  } else if (type == napi_function) {
    napi_create_reference(env, a[0], 1, &w->progress);
  }
  return value;
}

static napi_value cancel(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  void *data = NULL;
  if (napi_get_value_external(env, a[0], &data) == napi_ok) atomic_store(&((watch *)data)->cancelled, 1);
  return NULL;
}

/* ---------------------------------------------------------------- runtime */

typedef struct log_message {
  clip_log_level level;
  char text[];
} log_message;

static void on_message(napi_env env, napi_value function, void *context, void *data) {
  static const char *const levels[] = {"error", "warning", "info"};
  log_message *message = data;
  (void)context;
  if (env) {
    napi_value none = NULL, answer = NULL;
    napi_value arguments[] = {text_value(env, levels[message->level < 3 ? message->level : 2]), text_value(env, message->text)};
    napi_get_undefined(env, &none);
    if (napi_call_function(env, none, function, 2, arguments, &answer) != napi_ok) napi_get_and_clear_last_exception(env, &answer);
  }
  free(message);
}

static void on_log(void *user, clip_log_level level, const char *text) {
  log_message *message = malloc(sizeof *message + strlen(text) + 1);
  if (!message) return;
  message->level = level;
  strcpy(message->text, text);
  if (!channel_send(user, message)) free(message);
}

/* createRuntime(options) */
static napi_value create_runtime(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle none = {0};
  job *j = new_job(env, &none, NULL, NULL); /* holds the texts */
  if (!j) return NULL;
  napi_value value = NULL, log = property(env, a[0], "log"), paths = property(env, a[0], "pluginPaths");
  clip_runtime *runtime = NULL;
  channel *target = NULL;
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = u32_in(env, a[0], "threads");
  options.max_image_pixels = u64_in(env, a[0], "maxImagePixels");
  options.kernels = j->text = text_in(env, a[0], "kernels");
  if (paths) job_texts(env, j, paths);
  options.plugin_paths = (const char *const *)j->texts, options.plugin_path_count = j->n;
  if (log && !pending(env)) {
    if ((target = channel_new(env, log, NULL, on_message))) {
      napi_unref_threadsafe_function(env, target->function);
      options.log = on_log, options.log_user = target;
    } else {
      throw_message(env, CLIP_INVALID_ARGUMENT, "log: expected a function");
    }
  }
  if (!pending(env) && !failed(env, clip_runtime_create(&options, &runtime)) && (value = new_handle(env, RUNTIME, runtime, NULL))) {
    handle_of(env, value, RUNTIME)->log = target;
  } else {
    channel_free(target);
  }
  job_free(j);
  return value;
}

static napi_value image_endings(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], RUNTIME);
  if (!h) return NULL;
  TEXT_VALUE(env, clip_image_endings(h->pointer, buffer, capacity));
}

static clip_status run_initialize(job *j) { return clip_model_initialize(j->self->pointer, j->text, j->large); }
static clip_status run_load_plugin(job *j) { return clip_plugin_load(j->self->pointer, j->text); }
static clip_status run_unload_plugin(job *j) { return clip_plugin_unload(j->self->pointer, j->text); }

/* initializeModel(runtime, folder, {seed}), and those that take a runtime and a text. */
static napi_value with_text(napi_env env, napi_callback_info info, clip_status (*run)(job *)) {
  ARGUMENTS(3);
  job *j = new_job(env, handle_of(env, a[0], RUNTIME), run, NULL);
  if (!j) return NULL;
  if (!(j->text = text_of(env, a[1]))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a string");
  j->large = u64_in(env, a[2], "seed");
  return start(env, j, NULL);
}

static napi_value initialize_model(napi_env env, napi_callback_info info) { return with_text(env, info, run_initialize); }
static napi_value load_plugin(napi_env env, napi_callback_info info) { return with_text(env, info, run_load_plugin); }
static napi_value unload_plugin(napi_env env, napi_callback_info info) { return with_text(env, info, run_unload_plugin); }

/* ---------------------------------------------------------------- images */

static clip_status run_image(job *j) {
  clip_image *image = NULL;
  clip_status status = j->in ? clip_image_decode(j->self->pointer, j->in, j->in_size, &j->options.image, &image)
                             : clip_image_load(j->self->pointer, j->text, &j->options.image, &image);
  j->made = image, j->made_kind = IMAGE;
  return status;
}

static napi_value image_value(napi_env env, clip_image *image, handle *runtime) {
  clip_image_view view;
  if (failed(env, clip_image_get_view(image, &view))) {
    clip_image_release(image);
    return NULL;
  }
  napi_value value = new_handle(env, IMAGE, image, runtime);
  if (value) handle_of(env, value, IMAGE)->view = view;
  return value;
}

static napi_value made_image(napi_env env, job *j) {
  clip_image *image = j->made;
  j->made = NULL;
  return image_value(env, image, j->self);
}

/* loadImage(runtime, path or Uint8Array, options) */
static napi_value load_image(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  napi_valuetype type = napi_undefined;
  job *j = new_job(env, handle_of(env, a[0], RUNTIME), run_image, made_image);
  if (!j) return NULL;
  napi_typeof(env, a[1], &type);
  if (type == napi_string) j->text = text_of(env, a[1]);
  else j->in = bytes_of(env, a[1], &j->in_size);
  if (!j->text && !j->in) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a path or a Uint8Array");
  j->options.image = CLIP_INIT(clip_image_options);
  j->options.image.flags = (bool_in(env, a[2], "asStored") ? CLIP_IMAGE_AS_STORED : 0) | (bool_in(env, a[2], "lenient") ? CLIP_IMAGE_LENIENT : 0);
  j->options.image.smaller_side = u32_in(env, a[2], "smallerSide");
  return start(env, j, NULL);
}

/* createImage(runtime, Uint8Array, {width, height, stride, format}): copies the pixels. */
static napi_value create_image(napi_env env, napi_callback_info info) {
  static const size_t channels[] = {0, 3, 4, 3, 4, 1};
  ARGUMENTS(3);
  handle *h = handle_of(env, a[0], RUNTIME);
  if (!h) return NULL;
  void *data = NULL;
  size_t size = 0;
  bool is = false;
  uint32_t width = u32_in(env, a[2], "width"), height = u32_in(env, a[2], "height"), format = u32_in(env, a[2], "format");
  uint64_t stride = u64_in(env, a[2], "stride"), row = format <= CLIP_PIXELS_GRAY ? (uint64_t)width * channels[format] : 0;
  if (pending(env)) return NULL;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, a[1], &is) != napi_ok || !is || napi_get_typedarray_info(env, a[1], &type, &size, &data, NULL, NULL) != napi_ok ||
      (type != napi_uint8_array && type != napi_uint8_clamped_array)) {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected the pixels as a Uint8Array");
    return NULL;
  }
  if (stride == 0) stride = row;
  if (row == 0 || height == 0 || stride < row || size < row || (size - row) / stride < height - 1) {
    char message[160];
    snprintf(message, sizeof message, "%u x %u pixels of format %u with stride %llu do not fit %zu bytes", width, height, format,
             (unsigned long long)stride, size);
    throw_message(env, CLIP_INVALID_ARGUMENT, message);
    return NULL;
  }
  clip_image *image = NULL;
  uint8_t *pixels = NULL;
  if (failed(env, clip_image_create(h->pointer, (clip_pixel_format)format, width, height, &image, &pixels))) return NULL;
  for (size_t y = 0; y < height; y++) memcpy(pixels + y * row, (uint8_t *)data + y * stride, row);
  return image_value(env, image, h);
}

/* describeImage(image): with a copy of the pixels. */
static napi_value describe_image(napi_env env, napi_callback_info info) {
  static const size_t channels[] = {0, 3, 4, 3, 4, 1};
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], IMAGE);
  if (!h) return NULL;
  napi_value object = NULL, buffer = NULL, array = NULL;
  void *to = NULL;
  clip_image_view v = h->view;
  size_t row = v.width * channels[(unsigned)v.format <= CLIP_PIXELS_GRAY ? v.format : 0], stride = v.stride ? v.stride : row;
  if (napi_create_object(env, &object) != napi_ok || napi_create_arraybuffer(env, row * v.height, &to, &buffer) != napi_ok) {
    throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for the pixels");
    return NULL;
  }
  for (size_t y = 0; y < v.height; y++) memcpy((uint8_t *)to + y * row, v.pixels + y * stride, row);
  napi_create_typedarray(env, napi_uint8_array, row * v.height, buffer, 0, &array);
  set(env, object, "width", number_value(env, v.width));
  set(env, object, "height", number_value(env, v.height));
  set(env, object, "format", number_value(env, v.format));
  set(env, object, "orientation", number_value(env, v.orientation ? v.orientation : 1));
  set(env, object, "pixels", array);
  return object;
}

/* ---------------------------------------------------------------- models */

static void model_options(napi_env env, job *j, napi_value options) {
  clip_model_options *raw = &j->options.model;
  *raw = CLIP_INIT(clip_model_options);
  j->with_options = options && property(env, options, "given");
  raw->towers = u32_in(env, options, "towers"), raw->storage = (clip_storage)u32_in(env, options, "storage");
  raw->flags = (bool_in(env, options, "allowExtraTensors") ? CLIP_OPEN_ALLOW_EXTRA_TENSORS : 0) |
               (bool_in(env, options, "withoutWeights") ? CLIP_OPEN_WITHOUT_WEIGHTS : 0);
  raw->image_width = u32_in(env, options, "imageWidth"), raw->image_height = u32_in(env, options, "imageHeight");
}

static clip_status run_open(job *j) {
  clip_model *model = NULL;
  j->options.model.progress = progress_of(j);
  clip_status status = clip_model_open(j->self->pointer, j->text, &j->options.model, &model);
  j->made = model, j->made_kind = MODEL;
  return status;
}



/* openModel(runtime, folder, options, watch) */
static napi_value open_model(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  job *j = new_job(env, handle_of(env, a[0], RUNTIME), run_open, made_handle);
  if (!j) return NULL;
  if (!(j->text = text_of(env, a[1]))) throw_message(env, CLIP_INVALID_ARGUMENT, "expected a folder");
  model_options(env, j, a[2]);
  return start(env, j, a[3]);
}

static clip_status run_swap(job *j) {
  j->options.model.progress = progress_of(j);
  return clip_model_swap(j->self->pointer, j->number, j->text, j->with_options ? &j->options.model : NULL);
}

/* swap(model, {of: towers}, folder or undefined, options, watch): `given` in the options says that they are. */
static napi_value swap(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  job *j = new_job(env, handle_of(env, a[0], MODEL), run_swap, NULL);
  if (!j) return NULL;
  j->number = u32_in(env, a[1], "of");
  j->text = text_of(env, a[2]);
  model_options(env, j, a[3]);
  return start(env, j, a[4]);
}

static napi_value describe_model(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  handle *h = handle_of(env, a[0], MODEL);
  clip_model_info i = CLIP_INIT(clip_model_info);
  napi_value object = NULL, flag = NULL;
  if (!h || failed(env, clip_model_describe(h->pointer, &i)) || napi_create_object(env, &object) != napi_ok) return NULL;
  const struct {
    const char *name;
    double value;
  } numbers[] = {
    {"towers", i.towers}, {"embeddingWidth", i.embedding_width}, {"imageWidth", i.image_width}, {"imageHeight", i.image_height},
    {"contextLength", i.context_length}, {"vocabularySize", i.vocabulary_size}, {"logitScale", i.logit_scale},
    {"logitBias", i.logit_bias}, {"storage", i.storage}, {"resizedSide", i.resized_side},
    {"imageParameters", (double)i.image_parameters}, {"textParameters", (double)i.text_parameters},
    {"memoryBytes", (double)i.memory_bytes},
  };
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) set(env, object, numbers[n].name, number_value(env, numbers[n].value));
  napi_get_boolean(env, i.has_logit_bias != 0, &flag);
  set(env, object, "hasLogitBias", flag);
  set(env, object, "layout", text_value(env, i.layout));
  return object;
}

/* encoder(model, {of: tower}) */
static napi_value encoder(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  handle *h = handle_of(env, a[0], MODEL);
  uint32_t tower = u32_in(env, a[1], "of");
  if (!h || pending(env)) return NULL;
  TEXT_VALUE(env, clip_model_encoder(h->pointer, tower, buffer, capacity));
}

enum { IMAGES, TEXTS, PREPROCESS, PIXELS, TOKENIZE, TOKENS }; /* the calls of index.js */

static clip_status run_encode(job *j) {
  clip_encode_options *options = &j->options.encode;
  clip_model *model = j->self->pointer;
  const char *const *texts = (const char *const *)j->texts;
  if (!(j->out = malloc(4 * j->capacity + 1)) || (j->what == TOKENIZE && !(j->out2 = malloc(4 * j->n + 1)))) {
    return clip_set_last_error(CLIP_OUT_OF_MEMORY, "no memory for a result");
  }
  if (j->what != TOKENIZE) options->progress = progress_of(j);
  switch (j->what) {
    case IMAGES: return clip_encode_image(model, j->views, j->n, options, j->out, j->capacity);
    case TEXTS: return clip_encode_text(model, texts, j->n, options, j->out, j->capacity);
    case PREPROCESS: return clip_preprocess(model, j->views, j->n, options, j->out, j->capacity);
    case PIXELS: return clip_encode_pixels(model, j->in, j->n, options, j->out, j->capacity);
    case TOKENIZE: return clip_tokenize(model, texts, j->n, options, j->out, j->capacity, j->out2, j->n);
    default: return clip_encode_tokens(model, j->in, j->n, options, j->out, j->capacity);
  }
}

static napi_value encoded(napi_env env, job *j) {
  if (j->what != TOKENIZE) return array_value(env, napi_float32_array, j->out, j->capacity, 4);
  napi_value object = NULL;
  napi_create_object(env, &object);
  set(env, object, "ids", array_value(env, napi_int32_array, j->out, j->capacity, 4));
  set(env, object, "lengths", array_value(env, napi_uint32_array, j->out2, j->n, 4));
  return object;
}

/* The sizes of a model in JavaScript. */
static clip_model_info sizes_in(napi_env env, napi_value object) {
  clip_model_info i = CLIP_INIT(clip_model_info);
  i.embedding_width = u32_in(env, object, "embeddingWidth"), i.context_length = u32_in(env, object, "contextLength");
  i.image_width = u32_in(env, object, "imageWidth"), i.image_height = u32_in(env, object, "imageHeight");
  return i;
}

/* The elements of a row of pixels or of tokens as C counts them: of the sizes that the options name, and those of `i` for each
 * 0. They do not depend on a swap at the same time, which the call finds. 0 where they are too many. */
static size_t row_of(int of_tokens, const clip_encode_options *o, const clip_model_info *i) {
  size_t width = o->image_width ? o->image_width : i->image_width, height = o->image_height ? o->image_height : i->image_height;
  if (of_tokens) return o->context_length ? o->context_length : i->context_length;
  return height && width > SIZE_MAX / 12 / height ? 0 : 3 * width * height;
}

/* encode(model, {what, sizes as opened}, images, texts or array, options, watch) */
static napi_value encode(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  job *j = new_job(env, handle_of(env, a[0], MODEL), run_encode, encoded);
  if (!j) return NULL;
  j->what = (int)u32_in(env, a[1], "what");
  encode_options(env, j, a[3], &j->options.encode);
  clip_model_info opened = sizes_in(env, a[1]), now = CLIP_INIT(clip_model_info);
  const clip_encode_options none = CLIP_INIT(clip_encode_options);
  int of_tokens = j->what == TOKENIZE || j->what == TOKENS;
  size_t row = row_of(of_tokens, &j->options.encode, &opened), width = opened.embedding_width;
  if (j->what == IMAGES || j->what == PREPROCESS) {
    job_images(env, j, a[2]);
  } else if (j->what == TEXTS || j->what == TOKENIZE) {
    job_texts(env, j, a[2]);
  } else if ((j->in = bytes_of(env, a[2], &j->in_size))) {
    if (row == 0 || j->in_size == 0 || j->in_size % (4 * row)) throw_message(env, CLIP_INVALID_ARGUMENT, "expected whole rows of the model's size");
    else j->n = j->in_size / (4 * row);
  } else {
    throw_message(env, CLIP_INVALID_ARGUMENT, "expected a typed array");
  }
  if (j->what == PREPROCESS || j->what == TOKENIZE) {
    /* The call refuses sizes that the model does not have: no memory for those, which may be huge. */
    width = !failed(env, clip_model_describe(j->self->pointer, &now)) && row == row_of(of_tokens, &none, &now) ? row : 0;
  }
  j->capacity = j->n * width;
  return start(env, j, a[4]);
}

/* score(model, {classify, width}, images, texts) */
static napi_value score(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  handle *h = handle_of(env, a[0], MODEL);
  size_t width = u32_in(env, a[1], "width"), count[2] = {0, 0};
  void *rows[2] = {NULL, NULL};
  int classify = bool_in(env, a[1], "classify");
  for (int i = 0; h && i < 2; i++) {
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, a[2 + i], &type, &count[i], &rows[i], NULL, NULL) != napi_ok || type != napi_float32_array ||
        width == 0 || count[i] == 0 || count[i] % width) {
      throw_message(env, CLIP_INVALID_ARGUMENT, "expected embeddings: Float32Arrays of whole rows");
    }
  }
  if (!h || pending(env)) return NULL;
  size_t n = count[0] / width, m = count[1] / width;
  float *out = malloc(sizeof(float) * n * m);
  napi_value value = NULL;
  if (!out) throw_message(env, CLIP_OUT_OF_MEMORY, "no memory for a result");
  else if (!failed(env, classify ? clip_classify(h->pointer, rows[0], n, rows[1], m, out, n * m)
                                 : clip_similarity(h->pointer, rows[0], n, rows[1], m, out, n * m))) {
    value = array_value(env, napi_float32_array, out, n * m, 4);
  }
  free(out);
  return value;
}

/* Once for each thread of JavaScript. */
NAPI_MODULE_INIT() {
  const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
    {"version", version}, {"abiVersion", abi_version}, {"close", close_handle}, {"watch", new_watch}, {"cancel", cancel},
    {"createRuntime", create_runtime}, {"imageEndings", image_endings}, {"initializeModel", initialize_model},
    {"loadPlugin", load_plugin}, {"unloadPlugin", unload_plugin}, {"loadImage", load_image}, {"createImage", create_image},
    {"describeImage", describe_image}, {"openModel", open_model}, {"swap", swap}, {"describeModel", describe_model},
    {"encoder", encoder}, {"encode", encode}, {"score", score},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) define(env, exports, functions[i].name, functions[i].function);
  define_index(env, exports);
  define_training(env, exports);
  return exports;
}
