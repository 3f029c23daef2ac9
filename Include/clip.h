/* clip.h: the public interface of libclipcore.
 *
 * clipcore embeds pictures and sentences in one vector space with CLIP models
 * (Radford et al., "Learning Transferable Visual Models From Natural Language
 * Supervision", 2021, https://arxiv.org/abs/2103.00020).
 *
 * Conventions
 * -----------
 * Errors.    Every call that can fail returns a clip_status. On anything but CLIP_OK,
 *            clip_last_error() on the same thread says what was expected, what was found
 *            and where, and the outputs of the call are left as they were unless said
 *            otherwise. The library never exits, aborts or prints.
 * Handles.   Opaque and reference counted inside: a model keeps its runtime alive, so
 *            handles may be released in any order. Releasing NULL does nothing.
 * Structs.   A struct the caller fills starts with `uint32_t struct_size`; set it to
 *            sizeof(the struct). Zero in every other field means the default. A struct
 *            the library fills starts with it too, set by the caller in the same way.
 *            Structs grow at the end only.
 * Strings.   UTF-8, NUL-terminated, paths too: they are passed to the system as they are, and
 *            one that is not UTF-8 is not found.
 * Layout.    Tensors are dense, row-major float32 in host byte order. "[n, d]" is n rows
 *            of d numbers. Sizes are numbers of elements unless "bytes" is said.
 *
 * Thread tags
 * -----------
 * [any-thread]     may be called from any thread, also at the same time on one handle.
 * [owner-thread]   no other call may be using the handle meanwhile: create and release.
 */
#ifndef CLIPCORE_CLIP_H
#define CLIPCORE_CLIP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CLIP_API __attribute__((visibility("default")))
#else
#define CLIP_API
#endif

/* ---------------------------------------------------------------- status and version */

typedef enum clip_status {
  CLIP_OK = 0,
  CLIP_INVALID_ARGUMENT = 1, /* a null pointer, a zero count, an unknown flag, a size out of range */
  CLIP_NOT_FOUND = 2,        /* no such file, folder, plugin or tensor */
  CLIP_IO = 3,               /* the system refused to read or write; the message has its reason */
  CLIP_FORMAT = 4,           /* a file is not what its format says: truncated, lying, malformed */
  CLIP_UNSUPPORTED = 5,      /* well formed, but a feature this build does not have */
  CLIP_MISMATCH = 6,         /* tensors missing, extra or of another shape than the config implies */
  CLIP_LIMIT = 7,            /* larger than a limit: pixels of an image, tokens of a text, nesting */
  CLIP_OUT_OF_MEMORY = 8,    /* the system has not enough memory; nothing is leaked */
  CLIP_PLUGIN = 9,           /* a plugin is broken, of another ABI, or reported a failure */
  CLIP_NOT_FINITE = 10       /* training: a loss, gradient or statistic is NaN or infinite; the message names the tensor */
} clip_status;

/* The status's name, such as "CLIP_FORMAT"; "CLIP_STATUS_<n>" is never returned: an unknown
 * value gives "unknown status". Static. [any-thread] */
CLIP_API const char *clip_status_name(clip_status status);

/* The message of the last failed call on this thread; "" when there was none. Valid until
 * the next call on this thread. Never NULL. [any-thread] */
CLIP_API const char *clip_last_error(void);

/* Version of the library, "major.minor.patch". Static. [any-thread] */
CLIP_API const char *clip_version(void);

/* Version of this interface: (major << 16) | minor. A program built against major.minor
 * works with a library of the same major and the same or a higher minor. [any-thread] */
#define CLIP_ABI_VERSION ((uint32_t)((1u << 16) | 0u))
CLIP_API uint32_t clip_abi_version(void);

/* ---------------------------------------------------------------- runtime */

/* A runtime holds what models share: worker threads, plugins, the log callback. */
typedef struct clip_runtime clip_runtime;

typedef enum clip_log_level { CLIP_LOG_ERROR = 0, CLIP_LOG_WARNING = 1, CLIP_LOG_INFO = 2 } clip_log_level;

/* Receives a message, valid during the call. It may come from any thread that is inside a
 * call of the library, or watches plugins; it must not call back into the library. */
typedef void (*clip_log_fn)(void *user, clip_log_level level, const char *message);

/* Runs task(context, i) once for every i in [0, count), in any order and on any threads, and
 * returns when all have finished. */
typedef void (*clip_task_fn)(void *context, size_t index);
typedef void (*clip_parallel_for_fn)(void *user, size_t count, clip_task_fn task, void *context);

typedef struct clip_runtime_options {
  uint32_t struct_size;
  /* Threads that compute one call, the calling thread among them; 1 to 256. 0 and 1 start no
   * thread. All models of the runtime share them; they sleep, without spinning, when idle. */
  uint32_t threads;
  /* Folders and plugin files to load before CLIP_PLUGIN_PATH (colon-separated) and the folder
   * "clipcore/plugins" beside libclipcore.so. Copied. */
  const char *const *plugin_paths;
  size_t plugin_path_count;
  clip_log_fn log; /* NULL: messages are dropped */
  void *log_user;
  /* The host's own parallel loop, used instead of threads started here; NULL: none. With it,
   * `threads` says how many pieces to cut work into. */
  clip_parallel_for_fn parallel_for;
  void *parallel_user;
  /* The largest image decoded or preprocessed, in pixels. 0: 178956970, where Pillow refuses. */
  uint64_t max_image_pixels;
  /* Which kernels compute: NULL for the environment variable CLIP_KERNELS, else the best this
   * processor runs. A kernel set's id, or its last part: "x86-64-v3", "reference". */
  const char *kernels;
} clip_runtime_options;

/* Creates a runtime. `options` may be NULL. A plugin that cannot be loaded is skipped with a
 * warning to the log. *out is owned by the caller: clip_runtime_release. [any-thread] */
CLIP_API clip_status clip_runtime_create(const clip_runtime_options *options, clip_runtime **out);

/* Gives up the caller's reference; the threads end when the last model is closed too.
 * [owner-thread] */
CLIP_API void clip_runtime_release(clip_runtime *runtime);

/* ---------------------------------------------------------------- plugins */

typedef enum clip_plugin_kind {
  CLIP_KIND_ENCODER = 1,
  CLIP_KIND_IMAGE_CODEC = 2,
  CLIP_KIND_KERNELS = 3,
  CLIP_KIND_TOKENIZER = 4,
  CLIP_KIND_OP = 6,
  CLIP_KIND_IMAGE_AUGMENTATION = 7,
  CLIP_KIND_TEXT_AUGMENTATION = 8
} clip_plugin_kind;

/* One thing that a plugin brings. The strings live as long as the runtime, also when the plugin
 * is unloaded before. */
typedef struct clip_plugin_info {
  uint32_t struct_size;
  clip_plugin_kind kind;
  const char *id;          /* "clipcore.encoder.clip-vit" */
  const char *description; /* one line */
  const char *version;     /* the plugin's own */
  const char *license;     /* SPDX expression */
  const char *path;        /* the file it came from; "" when built in */
  uint32_t active;         /* kernels: 1 when these compute; else 1 when usable on this machine */
  const char *plugin;      /* id of the plugin that brings it; "" when built in */
} clip_plugin_info;

/* The number of things loaded plugins bring; 0 for NULL. [any-thread] */
CLIP_API size_t clip_plugin_count(const clip_runtime *runtime);

/* Fills *info for index < clip_plugin_count. The order is that of loading; a reload keeps a
 * plugin's place, an unload moves up what comes after it. Each call tells of the moment it is made
 * in, so while other threads load and unload, an index may mean another item, or be
 * CLIP_INVALID_ARGUMENT, by the next call. [any-thread] */
CLIP_API clip_status clip_plugin_at(const clip_runtime *runtime, size_t index, clip_plugin_info *info);

/* What an encoder makes of a configuration, found without weights. */
typedef struct clip_encoder_info {
  uint32_t struct_size;
  uint32_t tower;           /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  uint32_t features;        /* numbers that come out for one item */
  uint32_t image_width;     /* pixels; 0 for text */
  uint32_t image_height;
  uint32_t context_length;  /* tokens; 0 for images */
  uint32_t vocabulary_size;
  uint32_t end_rule;        /* where a text ends: a clip_end_rule of clip_plugin.h */
  int32_t end_token;        /* of the rules that have one */
  uint32_t reserved;
  uint64_t parameters;      /* numbers in its weights */
  uint64_t multiply_adds;   /* for one picture, or a text of context_length tokens */
} clip_encoder_info;

/* Receives a tensor that an encoder wants: [shape[0], …, shape[rank - 1]]. Valid during the call. */
typedef void (*clip_tensor_fn)(void *user, const char *name, const uint64_t *shape, size_t rank);

/* Builds the graph of the encoder `id` with `config`, a JSON object or NULL for the encoder's own
 * example, and fills *info. `visit`, if not NULL, gets each tensor by the name that the encoder
 * asks for. CLIP_NOT_FOUND: no such encoder; else what the encoder says of the configuration.
 * [any-thread] */
CLIP_API clip_status clip_encoder_describe(const clip_runtime *runtime, const char *id, const char *config,
                                           clip_encoder_info *info, clip_tensor_fn visit, void *user);

enum {
  CLIP_RECOMMEND_MEASURE = 1u /* run each encoder on this machine, with weights of zero: seconds each */
};

/* What a task wants of an encoder. `needs` weighs it: "local-detail:3,low-latency:1", names with a
 * number above 0, or alone for 1. Declared by encoders: local-detail, global-context, texture,
 * multi-scale, small-data. Found by the host: low-latency, few-parameters. */
typedef struct clip_task {
  uint32_t struct_size;
  uint32_t tower;            /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT; 0: CLIP_TOWER_IMAGE */
  const char *needs;
  uint64_t max_parameters;   /* 0: any */
  double max_milliseconds;   /* for one item, with CLIP_RECOMMEND_MEASURE; 0: any */
  uint32_t flags;            /* CLIP_RECOMMEND_* */
  uint32_t reserved;
} clip_task;

typedef struct clip_recommendation {
  uint32_t struct_size;
  float score;               /* 0 to 1: how far the needs are met */
  const char *id;
  const char *reasons;       /* one need after the other: "local-detail 3 of 3, declared; …" */
  uint64_t parameters;
  uint64_t multiply_adds;
  double milliseconds;       /* for one item; 0 where it was not measured */
} clip_recommendation;

/* Receives a recommendation, valid during the call. */
typedef void (*clip_recommendation_fn)(void *user, const clip_recommendation *recommendation);

/* Scores the loaded encoders of a modality for a task, by their example configurations, and gives
 * them to `visit`, the best first. One that cannot be built or goes over a limit is left out.
 * CLIP_INVALID_ARGUMENT: a need that is not known. [any-thread] */
CLIP_API clip_status clip_recommend_encoders(const clip_runtime *runtime, const clip_task *task,
                                             clip_recommendation_fn visit, void *user);
/* The calls below change what is loaded, one at a time; calls that use plugins go on meanwhile
 * with what was there when they began. Where `plugin` is asked for, it is the plugin's id or, if
 * none has that, the path it was loaded from, as in clip_plugin_info. On an error nothing has
 * changed. What is loaded later counts for what is opened, decoded or swapped from then on; the
 * kernels that compute are chosen when the runtime is created and stay.
 *
 * clip_plugin_load loads one plugin file, or each *.so of a folder. A file that is broken, or
 * brings an id that is there already, is an error with the reason; in a folder it is skipped with
 * a warning to the log. [any-thread] */
CLIP_API clip_status clip_plugin_load(clip_runtime *runtime, const char *path);

/* Takes a plugin away: what it brought is not found any more. Models and calls that use it go on,
 * and its code stays in memory until the last of them is closed or returns. The plugin whose
 * kernels compute cannot be taken away: CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_plugin_unload(clip_runtime *runtime, const char *plugin);

/* Loads a plugin's file again, also when it is the same path written anew, and puts it in the
 * place of the old one, which is kept on any error and in memory for its users as with unload.
 * Open models keep the old code until clip_model_swap. Not for a plugin that was registered, nor
 * for the one whose kernels compute. [any-thread] */
CLIP_API clip_status clip_plugin_reload(clip_runtime *runtime, const char *plugin);

/* The function that a plugin exports as clip_plugin_entry; clip_plugin.h has the table. */
typedef struct clip_plugin clip_plugin;
typedef const clip_plugin *(*clip_plugin_entry_fn)(void);

/* Adds a plugin that is linked into the program, by its entry function, which may have any name.
 * Its code and table must stay until the runtime and its models are gone. [any-thread] */
CLIP_API clip_status clip_plugin_register(clip_runtime *runtime, clip_plugin_entry_fn entry);

/* Told of a watched file that changed: CLIP_OK and "" when its new code was loaded; else the old
 * one is in place, and `message` says why. The strings are valid during the call. It comes on the
 * watching thread, with no lock held, and may call the library: clip_model_swap brings a model to
 * the new code. */
typedef void (*clip_plugin_changed_fn)(void *user, const char *plugin, const char *path, clip_status status,
                                       const char *message);

/* Watches the files of all plugins, also of those loaded later, and reloads one, as
 * clip_plugin_reload does, when it has been written and closed or another file was moved to its
 * place. Folders are watched, so one that is removed is watched no more. Starts one thread, which
 * sleeps in between and ends with the runtime: its release waits for a `changed` that runs.
 * `changed` may be NULL: the log tells too. Once for a runtime. [any-thread] */
CLIP_API clip_status clip_plugin_watch(clip_runtime *runtime, clip_plugin_changed_fn changed, void *user);

/* ---------------------------------------------------------------- model */

/* A CLIP model: an image tower, a text tower, or both. */
typedef struct clip_model clip_model;

enum { CLIP_TOWER_IMAGE = 1u, CLIP_TOWER_TEXT = 2u };

/* How the weights of linear layers, convolutions and token embeddings are held in memory; biases,
 * norms, positions and depthwise convolutions are float32. F16 and BF16 are widened as they are
 * multiplied: half the memory, cosines with float32's embeddings about 0.99999 and 0.9999.
 * INT8 takes a quarter: whole multiples, -127 to 127, of a scale for each output channel (for each
 * row of an embedding table), rounded to nearest; cosines about 0.9995. Convolutions of three
 * channels, as a picture has, stay BF16. Each row of activations is rounded to 16 bits, blocks of
 * its numbers each with a scale, and products add up exactly within a block. A row of activations
 * with a NaN or an infinity gives NaN. */
typedef enum clip_storage {
  CLIP_STORAGE_F32 = 0,
  CLIP_STORAGE_F16 = 1, /* IEEE half; a weight beyond 65504 is an error */
  CLIP_STORAGE_BF16 = 2,
  CLIP_STORAGE_INT8 = 3
} clip_storage;

enum {
  /* Tensors of the file that the model does not use are a warning, not CLIP_MISMATCH. */
  CLIP_OPEN_ALLOW_EXTRA_TENSORS = 1u,
  /* The files are checked, and no weights are held: for a trainer, preprocessing and tokens. Encoding is
   * CLIP_UNSUPPORTED. */
  CLIP_OPEN_WITHOUT_WEIGHTS = 2u
};

typedef struct clip_model_options {
  uint32_t struct_size;
  uint32_t towers; /* CLIP_TOWER_* bits; 0: both. A tower that is left out is never read. */
  clip_storage storage;
  uint32_t flags; /* CLIP_OPEN_* */
} clip_model_options;

/* Opens a folder as downloaded, Hugging Face's (config.json, model.safetensors or its sharded
 * index, preprocessor_config.json, and the tokenizer: vocab.json + merges.txt, vocab.txt, spiece.model
 * or tokenizer.json) of a CLIP, SigLIP, BERT or ViT model, open_clip's (open_clip_config.json,
 * open_clip_model.safetensors, CLIP's tokenizer files), or one with a clipcore.json that composes
 * encoders (docs/models.md). Weights are F32, F16 or BF16.
 * Float32 weights held as float32 are checked here and stay in their file: a tower's first call reads
 * them as it goes, its second packs them and takes longer, later ones need no file. Until then the
 * file may be removed, or replaced by renaming; if it is written to, those calls are CLIP_IO.
 * `options` may be NULL. *out is owned by the caller: clip_model_close. CLIP_MISMATCH lists every
 * tensor that is missing, extra or wrongly shaped. [any-thread] */
CLIP_API clip_status clip_model_open(clip_runtime *runtime, const char *folder, const clip_model_options *options,
                                     clip_model **out);

/* Draws new weights for a folder as above that has its configuration and no weights, and writes the weight file
 * of its layout: the start of training from nothing. They are drawn as CLIP's were, from the seed. A folder that
 * has weights is CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_model_initialize(clip_runtime *runtime, const char *folder, uint64_t seed);

/* Frees the model. [owner-thread] */
CLIP_API void clip_model_close(clip_model *model);

/* Replaces towers of an open model while other threads use it. `towers`: CLIP_TOWER_* bits of open
 * ones, 0 for all. They are opened from `folder`, or with NULL each from the folder it came from,
 * with the plugins as they are now: after clip_plugin_reload, the same weights under the new code.
 * Their weights are packed before this returns.
 * `options`: storage and flags; NULL for those that the tower was opened with.
 *
 * The new towers are built and checked aside and put in place at once. A call that runs finishes
 * on the towers that it began with; they are freed with their last call. Embeddings must have the
 * model's width, else CLIP_MISMATCH. Any error leaves the model as it was.
 *
 * A text tower brings its tokenizer and context length, an image tower its preprocessing. Logit
 * scale, bias and layout stay, unless `folder` replaces all towers of the model. Where a swap
 * changed image_width, image_height or context_length, clip_preprocess, clip_encode_pixels,
 * clip_tokenize and clip_encode_tokens are CLIP_MISMATCH until the caller says the new sizes in
 * clip_encode_options: buffers made for other sizes are never touched. Tokens are to be encoded by
 * the tower whose tokenizer made them. [any-thread] */
CLIP_API clip_status clip_model_swap(clip_model *model, uint32_t towers, const char *folder,
                                     const clip_model_options *options);

/* Facts about an open model, at one moment: a swap changes those of its towers. Strings live as
 * long as the model. */
typedef struct clip_model_info {
  uint32_t struct_size;
  uint32_t towers;            /* CLIP_TOWER_* bits of the towers that are open */
  uint32_t embedding_width;   /* d: numbers in one embedding */
  uint32_t image_width;       /* pixels the image tower takes; 0 without it */
  uint32_t image_height;
  uint32_t context_length;    /* tokens of one text at most, both end tokens counted; 0 without it */
  uint32_t vocabulary_size;   /* token ids are in [0, vocabulary_size) */
  uint32_t has_logit_bias;    /* 1 for models with a bias on their logits */
  float logit_scale;          /* what cosines are multiplied with, e.g. 100: exp of the stored one */
  float logit_bias;           /* 0 where there is none */
  const char *image_encoder;  /* plugin ids; "" for a tower that is not open */
  const char *text_encoder;
  const char *layout;         /* "huggingface", "open_clip" or "clipcore" */
  uint64_t image_parameters;  /* numbers in the tower's weights */
  uint64_t text_parameters;
  clip_storage storage;       /* of the image tower, or of the text tower where that is alone */
} clip_model_info;

/* Fills *info. [any-thread] */
CLIP_API clip_status clip_model_describe(const clip_model *model, clip_model_info *info);

/* ---------------------------------------------------------------- images */

typedef enum clip_pixel_format {
  CLIP_PIXELS_RGB = 1,
  CLIP_PIXELS_RGBA = 2, /* alpha not premultiplied */
  CLIP_PIXELS_BGR = 3,
  CLIP_PIXELS_BGRA = 4,
  CLIP_PIXELS_GRAY = 5
} clip_pixel_format;

/* 8-bit pixels that somebody else owns: rows from top to bottom, channels interleaved. */
typedef struct clip_image_view {
  uint32_t struct_size;
  clip_pixel_format format;
  uint32_t width;  /* pixels, at least 1 */
  uint32_t height;
  size_t stride;   /* bytes from one row to the next; 0: rows follow each other */
  const uint8_t *pixels;
} clip_image_view;

/* A decoded image that the library owns. */
typedef struct clip_image clip_image;

/* Decodes a JPEG, PNG or WebP file, or whatever else a codec plugin recognises by its first
 * bytes. 16-bit channels keep their upper byte; orientation tags are not applied (as Pillow's
 * open does). *out is owned by the caller: clip_image_free. [any-thread] */
CLIP_API clip_status clip_image_load(clip_runtime *runtime, const char *path, clip_image **out);

/* The same from `size` bytes of memory, which are not needed after the call. [any-thread] */
CLIP_API clip_status clip_image_decode(clip_runtime *runtime, const void *data, size_t size, clip_image **out);

/* Sets *view to the image's pixels: RGB, RGBA or gray, for an augmented one also BGR or BGRA; valid
 * until clip_image_free. [any-thread] */
CLIP_API clip_status clip_image_get_view(const clip_image *image, clip_image_view *view);

/* [owner-thread] */
CLIP_API void clip_image_free(clip_image *image);

/* ---------------------------------------------------------------- augmentation */

typedef enum clip_parameter_type {
  CLIP_PARAMETER_NUMBER = 1,  /* in [low, high] */
  CLIP_PARAMETER_INTEGER = 2, /* in [low, high] */
  CLIP_PARAMETER_BOOLEAN = 3, /* 0 or 1 */
  CLIP_PARAMETER_CHOICE = 4,  /* one of `choices` */
  CLIP_PARAMETER_NUMBERS = 5, /* count_low to count_high numbers, each in [low, high] */
  CLIP_PARAMETER_TEXT = 6     /* UTF-8 */
} clip_parameter_type;

/* A parameter that an augmentation declares. This struct keeps its size. */
typedef struct clip_parameter {
  const char *name;        /* [a-z0-9_], the key in a pipeline */
  const char *description; /* one line */
  uint32_t type;           /* clip_parameter_type */
  uint32_t reserved;       /* 0 */
  double low, high;        /* the range, both ends in it; without a meaning for boolean, choice and text */
  double number;           /* default of number, integer and boolean; of choice, which one from 0 */
  const double *numbers;   /* default of numbers */
  size_t number_count;
  size_t count_low, count_high;
  const char *text;        /* default of text */
  const char *const *choices;
  size_t choice_count;
} clip_parameter;

/* What an augmentation says about itself. Pointers live as long as the plugin that brought it. */
typedef struct clip_augmentation_info {
  uint32_t struct_size;
  clip_plugin_kind kind;   /* CLIP_KIND_IMAGE_AUGMENTATION or CLIP_KIND_TEXT_AUGMENTATION */
  const char *id;
  const char *op;          /* its name in pipelines */
  const char *description;
  double probability;      /* of a step that names no "p" */
  const clip_parameter *parameters;
  size_t parameter_count;
} clip_augmentation_info;

/* Fills *info for the augmentation of that op or id. CLIP_NOT_FOUND lists what there is. [any-thread] */
CLIP_API clip_status clip_augmentation_describe(const clip_runtime *runtime, const char *op,
                                                clip_augmentation_info *info);

/* Steps that make a picture or a text into a varied one. */
typedef struct clip_pipeline clip_pipeline;

/* Makes a pipeline from JSON, as docs/augmentation.md describes:
 *   [{"op": "color_jitter", "brightness": 0.1, "p": 0.8}, {"one_of": [{"op": ...}, {"op": ...}]}]
 * All steps are for pictures, or all for texts. An unknown op or parameter, or a value out of range,
 * is an error that lists what there is. *out is owned by the caller: clip_pipeline_free. It keeps the
 * runtime and its plugins. [any-thread] */
CLIP_API clip_status clip_pipeline_create(clip_runtime *runtime, const char *json, clip_pipeline **out);

/* [owner-thread] */
CLIP_API void clip_pipeline_free(clip_pipeline *pipeline);

/* Varies a picture. The result depends on the picture, the pipeline, `seed` and `index` alone, on any
 * thread: give a run one seed, and each picture of it another index. The result has the view's pixel
 * format unless a step changes that. *out is owned by the caller: clip_image_free. [any-thread] */
CLIP_API clip_status clip_augment_image(const clip_pipeline *pipeline, const clip_image_view *image, uint64_t seed,
                                        uint64_t index, clip_image **out);

/* Varies a text in the same way. *out is owned by the caller: clip_text_free. [any-thread] */
CLIP_API clip_status clip_augment_text(const clip_pipeline *pipeline, const char *text, uint64_t seed,
                                       uint64_t index, char **out);

/* How many texts steps left as they were since what they work with, such as a translator, failed. 0 for
 * NULL. [any-thread] */
CLIP_API uint64_t clip_pipeline_failures(const clip_pipeline *pipeline);

/* Frees a text that the library made. [any-thread] */
CLIP_API void clip_text_free(char *text);

/* ---------------------------------------------------------------- encoding */

enum {
  CLIP_RAW_FEATURES = 1u,      /* features as the tower gives them, not scaled to unit length */
  CLIP_TRUNCATE = 2u,          /* cut a text that is too long and keep its end token; else CLIP_LIMIT */
  CLIP_OPENAI_CLEANING = 4u,   /* CLIP's tokenizer: clean text as OpenAI's code does (ftfy, HTML entities,
                                  lower case) instead of as Hugging Face's (NFC, white space, lower case) */
  CLIP_COMPOSITE_ALPHA = 8u    /* lay pixels with alpha over `background`; else alpha is dropped */
};

/* Options of the calls below; NULL is the same as all zero. A flag without a meaning for a
 * call is ignored by it. */
typedef struct clip_encode_options {
  uint32_t struct_size;
  uint32_t flags;         /* CLIP_RAW_FEATURES and the others above */
  uint8_t background[4];  /* red, green, blue for CLIP_COMPOSITE_ALPHA; the fourth is 0 */
  /* What the caller's pixels or tokens were made for, as clip_model_describe told. The call is
   * CLIP_MISMATCH where the model takes others. 0: the sizes that the model was opened with. */
  uint32_t image_width;
  uint32_t image_height;
  uint32_t context_length;
} clip_encode_options;

/* Resizes, crops and normalises as the model's files say: Pillow's antialiased filter on
 * 8-bit data, then torchvision's centre crop, or open_clip's `longest` or `squash` modes.
 * pixels: [n, 3, image_height, image_width], red first. Needs the image tower. [any-thread] */
CLIP_API clip_status clip_preprocess(clip_model *model, const clip_image_view *images, size_t n,
                                     const clip_encode_options *options, float *pixels);

/* Tokenizes n texts. tokens: [n, context_length], each row start token (SigLIP has none), text, end
 * token, padding; lengths: [n], tokens up to and including the end token, or NULL. Needs the text
 * tower. [any-thread] */
CLIP_API clip_status clip_tokenize(clip_model *model, const char *const *texts, size_t n,
                                   const clip_encode_options *options, int32_t *tokens, uint32_t *lengths);

/* Embeds n images. embeddings: [n, embedding_width]. The result for an item does not depend on
 * the others in the batch. [any-thread] */
CLIP_API clip_status clip_encode_image(clip_model *model, const clip_image_view *images, size_t n,
                                       const clip_encode_options *options, float *embeddings);

/* Embeds n images already preprocessed: pixels [n, 3, image_height, image_width]. [any-thread] */
CLIP_API clip_status clip_encode_pixels(clip_model *model, const float *pixels, size_t n,
                                        const clip_encode_options *options, float *embeddings);

/* Embeds n texts. embeddings: [n, embedding_width]. [any-thread] */
CLIP_API clip_status clip_encode_text(clip_model *model, const char *const *texts, size_t n,
                                      const clip_encode_options *options, float *embeddings);

/* Embeds n texts already tokenized: tokens [n, context_length], as clip_tokenize gives them.
 * An id outside the vocabulary is CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_encode_tokens(clip_model *model, const int32_t *tokens, size_t n,
                                        const clip_encode_options *options, float *embeddings);

/* ---------------------------------------------------------------- scores */

/* logits[i, j] = logit_scale * dot(image[i], text[j]) + logit_bias, for unit-length embeddings
 * images [n, d] and texts [m, d]; logits: [n, m]. [any-thread] */
CLIP_API clip_status clip_similarity(const clip_model *model, const float *images, size_t n, const float *texts,
                                     size_t m, float *logits);

/* Probabilities of m captions for each of n images, from unit-length embeddings: a softmax over
 * the captions, or for a model with a logit bias a sigmoid for each pair.
 * probabilities: [n, m]. [any-thread] */
CLIP_API clip_status clip_classify(const clip_model *model, const float *images, size_t n, const float *texts,
                                   size_t m, float *probabilities);

/* ---------------------------------------------------------------- data */

/* Pairs of pictures and captions, read from files in random order, decoded, varied and preprocessed by
 * worker threads of its own ahead of the caller (docs/training-data.md). */
typedef struct clip_dataset clip_dataset;

enum {
  CLIP_DATASET_ORDERED = 1u,       /* the order of the sources: no shuffling */
  CLIP_DATASET_FULL_BATCHES = 2u,  /* what is left of an epoch and fills no batch is dropped */
  CLIP_DATASET_IMAGES = 4u,        /* batches have the pictures, decoded and varied */
  CLIP_DATASET_FILES = 8u,         /* batches have the pictures' files as they are stored */
  CLIP_DATASET_PATHS_OUTSIDE = 16u, /* tables may name files outside their own folder */
  CLIP_DATASET_ALL_CAPTIONS = 32u  /* batches have all captions of each pair, not varied */
};

typedef struct clip_dataset_options {
  uint32_t struct_size;
  uint32_t flags;          /* CLIP_DATASET_* */
  uint64_t seed;           /* of order, choice of captions and variation */
  uint32_t batch_size;     /* samples of a batch at most; 0: 32 */
  uint32_t epochs;         /* times through the data; 0: without end */
  uint32_t shuffle_buffer; /* pairs that are mixed with each other; about 200 bytes each; 0: 10000 */
  uint32_t workers;        /* threads, 1 to 64; 0: 1 */
  uint32_t prefetch;       /* samples made ahead at most; 0: batch_size */
  /* This is part shard_index of shard_count; 0 of 0 is all. Parts share nothing and are all. */
  uint32_t shard_index;
  uint32_t shard_count;
  uint32_t caption_field_count;
  /* Which captions: names of columns or of keys in JSON, "txt" for a caption's own file and "cls" for a class's.
   * One is drawn for each sample. None: the usual, docs/training-data.md. Copied. */
  const char *const *caption_fields;
  /* The column or key of a picture's path; in archives and folders the ending of its name. NULL: the
   * usual. Copied. */
  const char *image_field;
  /* The run stops when more than this share of at least 100 samples of an epoch is bad; 0: 0.1 */
  double max_bad_share;
  uint64_t max_file_bytes; /* of one picture's file; 0: 64 MiB */
  /* Cleaning and background (laid under before image_pipeline), as in the encode calls; CLIP_TRUNCATE goes
   * without saying. NULL: none. Copied. */
  const clip_encode_options *encode;
  const clip_pipeline *image_pipeline; /* NULL: none; kept until the data set is closed, also when freed */
  const clip_pipeline *text_pipeline;
} clip_dataset_options;

/* Opens WebDataset archives (.tar), tables of paths and captions (.csv, .tsv, .jsonl, .ndjson) and folders,
 * `source_count` of them. A path may be a pattern: "shards/{000..127}.tar", "{train,extra}.csv". Every file
 * must be there; it is read later. `model` says how pictures are preprocessed and captions tokenized, as it
 * is now; NULL for neither. No thread starts before the first clip_dataset_next. `options` may be NULL.
 * *out is owned by the caller: clip_dataset_close; it keeps runtime, model and pipelines. [any-thread] */
CLIP_API clip_status clip_dataset_open(clip_runtime *runtime, clip_model *model, const char *const *sources,
                                       size_t source_count, const clip_dataset_options *options, clip_dataset **out);

/* Ends the workers and frees the data set and its last batch. [owner-thread] */
CLIP_API void clip_dataset_close(clip_dataset *dataset);

/* Samples that the library owns, valid until the next call for a batch, restore or close. */
typedef struct clip_batch {
  uint32_t struct_size;
  uint32_t count;                /* samples; 0 when all epochs are over */
  uint64_t epoch;                /* from 0; all samples of a batch are of one */
  const char *const *keys;       /* [count]: the names of the pairs */
  const char *const *captions;   /* [count] */
  const float *pixels;           /* [count, 3, image_height, image_width]; NULL without an image tower */
  const int32_t *tokens;         /* [count, context_length]; NULL without a tokenizer */
  const uint32_t *lengths;       /* [count]: tokens up to and including the end token */
  const clip_image_view *images; /* [count]; NULL without CLIP_DATASET_IMAGES */
  const void *const *files;      /* [count]; NULL without CLIP_DATASET_FILES */
  const size_t *file_sizes;      /* [count], in bytes */
  /* With CLIP_DATASET_ALL_CAPTIONS: all of the first pair, at least one, then of the next; and how many [count]. */
  const char *const *all_captions;
  const uint32_t *caption_counts;
} clip_batch;

/* The next batch; its last one of an epoch may be smaller. Waits where the workers are behind. A bad
 * sample (no picture or caption, undecodable, too large, not UTF-8) is counted, told to the log with its
 * reason and skipped; so is the rest of a shard that is damaged or cut short. CLIP_FORMAT when too many
 * are bad; also an epoch without any good sample is an error. After an error every call gives it again,
 * until clip_dataset_restore. One call at a time; others wait. [any-thread] */
CLIP_API clip_status clip_dataset_next(clip_dataset *dataset, clip_batch *batch);

enum { CLIP_DATASET_STATE_BYTES = 256 };

/* Writes where the data set is, after the batches given so far: CLIP_DATASET_STATE_BYTES bytes, good on any
 * machine. [any-thread] */
CLIP_API clip_status clip_dataset_save(clip_dataset *dataset, uint8_t *state);

/* Goes on after a saved state: the batches that follow are those that would have followed there, whatever
 * workers, prefetch and epochs are. Sources and options that decide the order must be the same, else
 * CLIP_MISMATCH; other bytes are CLIP_FORMAT. [any-thread] */
CLIP_API clip_status clip_dataset_restore(clip_dataset *dataset, const uint8_t *state, size_t size);

/* Counts over all epochs; a saved state has them too. */
typedef struct clip_dataset_counters {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t samples;            /* good ones, given out */
  uint64_t without_image;      /* bad ones, by their reason */
  uint64_t without_caption;
  uint64_t bad_images;         /* undecodable, or refused by a pipeline */
  uint64_t bad_texts;          /* not UTF-8, or a record or JSON that is malformed */
  uint64_t too_large;          /* beyond max_file_bytes, max_image_pixels or 1 MiB of text */
  uint64_t damaged_shards;     /* cut short, malformed or gone: their rest was skipped, each time again */
  uint64_t waited_nanoseconds; /* that calls for batches waited for the workers, since open or restore */
} clip_dataset_counters;

/* Fills *counters, also while another thread waits for a batch. [any-thread] */
CLIP_API clip_status clip_dataset_get_counters(const clip_dataset *dataset, clip_dataset_counters *counters);

/* ---------------------------------------------------------------- analysis */

typedef struct clip_analysis_options {
  uint32_t struct_size;
  uint32_t calibration_bins; /* 1 to 1000; 0: 15 */
  double logit_scale;        /* what cosines are multiplied with for losses, as in clip_model_info; 0: 100 */
} clip_analysis_options;

/* One way of looking: n queries, each among all n candidates. Equal scores count as better ones. This
 * struct keeps its size. */
typedef struct clip_retrieval {
  double recall_at_1; /* share of queries whose match is the best; then among the best 5, 10 */
  double recall_at_5;
  double recall_at_10;
  double mean_reciprocal_rank;
  double median_rank;       /* from 1 */
  double loss;              /* mean cross entropy at logit_scale, in nats */
  double calibration_error; /* of the softmax's confidence at logit_scale (Guo et al. 2017), 0 to 1 */
  double hubness;           /* skewness of how often a candidate is among a query's nearest 10 */
} clip_retrieval;

typedef struct clip_analysis {
  uint32_t struct_size;
  uint32_t reserved;
  double gap;              /* distance of the two centroids of unit-length embeddings, 0 to 2 */
  double shifted_gap;      /* the same after both sides were moved together by half of it, and scaled to 1 */
  double alignment;        /* mean squared distance of the pairs, 0 to 4 (Wang and Isola 2020) */
  double image_uniformity; /* log of the mean of exp(-2 distance^2) over different images, -8 to 0 */
  double text_uniformity;
  double matched_mean;     /* mean cosine of the pairs, and of all others */
  double unmatched_mean;
  double logit_scale;      /* as used */
  double best_logit_scale; /* of 1 to 10000, where the mean loss of both ways is least, to about 1 % */
  double best_loss;        /* that mean loss */
  double best_calibration_error; /* mean of both ways, there */
  clip_retrieval image_to_text;
  clip_retrieval text_to_image;
  clip_retrieval shifted_image_to_text; /* after the shift */
  clip_retrieval shifted_text_to_image;
} clip_analysis;

/* One pair among the others. This struct keeps its size. */
typedef struct clip_pair_analysis {
  uint32_t text_rank;   /* of its text for its image, from 1 */
  uint32_t image_rank;  /* of its image for its text */
  uint32_t other_text;  /* index of the best text for its image that is not its own */
  uint32_t other_image;
  double cosine;        /* of the pair */
  double hardness;      /* its loss: the mean of both ways at logit_scale, in nats */
} clip_pair_analysis;

/* Measures how well pairs meet: images [n, d] and texts [n, d], row i of both is pair i, of any length but
 * 0 and from any model. n is at least 2. Time grows as n^2 d; nothing of n^2 is kept. Sums are in double
 * precision and the same on any number of threads. `options` may be NULL. Fills *analysis and, unless it
 * is NULL, pairs [n]. docs/analysis.md tells what the numbers mean. [any-thread] */
CLIP_API clip_status clip_analyze(clip_runtime *runtime, const float *images, const float *texts, size_t n, size_t d,
                                  const clip_analysis_options *options, clip_analysis *analysis,
                                  clip_pair_analysis *pairs);

/* How far two modalities are apart in one property, as the catalogue says. Valid during the visit. */
typedef struct clip_property_gap {
  uint32_t struct_size;
  uint32_t reserved;
  const char *property;
  const char *title;
  const char *a; /* what the first modality has, and the second */
  const char *b;
  const char *challenge; /* what that makes hard */
  double gap;    /* 0 to 1 */
  double weight; /* all weights add up to 1 */
} clip_property_gap;

typedef struct clip_modality_gap_info {
  uint32_t struct_size;
  uint32_t properties; /* how many were visited */
  double score;        /* alignment difficulty, 0 to 1: the sum of weight times gap */
  char level[32];      /* what that is called, such as "high"; cut to 31 bytes */
} clip_modality_gap_info;

typedef void (*clip_property_gap_fn)(void *user, const clip_property_gap *gap);

/* The gap between modalities `a` and `b`, "text" and "image" say, by property: those that count most come
 * first. `path`: the JSON file of modalities, which users may copy and add to; NULL for
 * ../share/clipcore/modalities.json from the library's folder. `visit` may be NULL. CLIP_NOT_FOUND: no such
 * modality; CLIP_FORMAT: the file is not as docs/analysis.md describes. [any-thread] */
CLIP_API clip_status clip_modality_gap(const char *path, const char *a, const char *b, clip_modality_gap_info *info,
                                       clip_property_gap_fn visit, void *user);

/* Receives one text of the catalogue; of a list, one after the other. Valid during the call. */
typedef void (*clip_catalogue_fn)(void *user, const char *entry, const char *field, const char *value);

/* Visits all texts of a section of the same file, in its order: "modalities", "alignment" (kinds of it) or
 * "gaps" (semantic ones). On an error some may have been visited. [any-thread] */
CLIP_API clip_status clip_catalogue(const char *path, const char *section, clip_catalogue_fn visit, void *user);

/* ---------------------------------------------------------------- closures */

/* Any C function; cast it to what it is. */
typedef void (*clip_function)(void);

/* A C function made at run time. */
typedef struct clip_closure clip_closure;

/* Makes a C function of the given signature that calls `callback` with `user` before its own
 * arguments, and returns what that returns: for languages whose callbacks carry no data, and for the
 * functions of clip_plugin.h that are handed no pointer of their own. `signature` has a result and up
 * to 31 arguments in words: void, int8 to int64, uint8 to uint64, int, uint, long, ulong, size_t,
 * float, double, pointer. An enum such as clip_status is "int":
 *
 *   int wide(void *limit, const uint8_t *data, size_t size);
 *   clip_closure_create("int(pointer,size_t)", (clip_function)wide, &limit, &closure);
 *   codec.recognises = (int (*)(const uint8_t *, size_t))clip_closure_function(closure);
 *
 * A signature that is not the callback's crashes or gives nonsense, as a wrong cast does. Needs
 * libffi (libffi.so.8), which is loaded by the first call: CLIP_UNSUPPORTED without it. *out is owned
 * by the caller: clip_closure_free. [any-thread] */
CLIP_API clip_status clip_closure_create(const char *signature, clip_function callback, void *user,
                                         clip_closure **out);

/* The function, to be called from any thread until clip_closure_free. NULL for NULL. [any-thread] */
CLIP_API clip_function clip_closure_function(const clip_closure *closure);

/* Nothing may call the function any more. [owner-thread] */
CLIP_API void clip_closure_free(clip_closure *closure);
/* ---------------------------------------------------------------- training */

/* A model's weights in training, with the optimiser's state. It reads the model's folder anew, in float32, and
 * does not touch the model: export the weights and open them to embed with them. One thread at a time may use
 * it; the runtime's threads compute. */
typedef struct clip_trainer clip_trainer;

/* Losses of n pictures against n captions, over logits scale * cosine + bias. */
typedef enum clip_loss {
  CLIP_LOSS_CONTRASTIVE = 0,  /* CLIP's symmetric cross-entropy (Radford et al., 2021) */
  CLIP_LOSS_SIGMOID = 1,      /* SigLIP's sigmoid of each pair, summed over captions (Zhai et al., 2023) */
  CLIP_LOSS_DISTILLATION = 2  /* cross-entropy against the softmax of a teacher's logits, both ways */
} clip_loss;

typedef struct clip_loss_term {
  uint32_t struct_size;
  clip_loss kind;
  float weight;          /* 0: 1 */
  float label_smoothing; /* contrastive: in [0, 1), the share of the target spread over all captions */
} clip_loss_term;

typedef enum clip_optimizer { CLIP_OPTIMIZER_ADAMW = 0, CLIP_OPTIMIZER_SGD = 1 } clip_optimizer;

/* After a linear warm-up. */
typedef enum clip_schedule { CLIP_SCHEDULE_CONSTANT = 0, CLIP_SCHEDULE_COSINE = 1, CLIP_SCHEDULE_LINEAR = 2 } clip_schedule;

/* Tensors whose names, as the checkpoint has them, fit a pattern: "*" is any characters, "?" one. Of several
 * groups the first that fits counts; one that fits no tensor of the model is CLIP_NOT_FOUND. */
typedef struct clip_parameter_group {
  uint32_t struct_size;
  float rate;          /* multiplies the learning rate; 0: these tensors are frozen */
  const char *pattern; /* "visual.*" */
} clip_parameter_group;

enum {
  CLIP_TRAIN_CHECKPOINTS = 1u /* keep few activations and compute the others again: less memory, more time */
};

/* Weight decay is for tensors of two sides and more in the file: norms, biases, class tokens and scales have none. */
typedef struct clip_trainer_options {
  uint32_t struct_size;
  uint32_t flags;                /* CLIP_TRAIN_* */
  uint64_t seed;                 /* of dropout and of new low-rank weights */
  const clip_loss_term *losses;  /* their weighted sum; none: sigmoid for a model with a logit bias, else contrastive */
  size_t loss_count;
  clip_optimizer optimizer;
  float learning_rate;           /* 0: 0.0005 */
  float beta1;                   /* AdamW's first, SGD's momentum. 0: 0.9; below 0: none */
  float beta2;                   /* 0: 0.98 */
  float epsilon;                 /* 0: 1e-6 */
  float weight_decay;            /* 0: none */
  float gradient_clip;           /* the largest norm of all gradients together, which scales them; 0: no limit */
  clip_schedule schedule;
  float final_rate;              /* share of the learning rate that is left at total_steps, in [0, 1] */
  uint64_t warmup_steps;
  uint64_t total_steps;          /* cosine and linear need it */
  float average_decay;           /* of an exponential mean of the weights, in [0, 1); 0: none is kept */
  uint32_t chunk;                /* items computed at a time; the gradients are those of the whole batch. 0: all */
  const clip_parameter_group *groups;
  size_t group_count;
  /* Low-rank adaptation (Hu et al., 2021): matrices whose names fit a pattern are frozen and get an update of
   * this rank instead, scaled by low_rank_scale / low_rank (0: 1). 0: none. Exports have it merged in. */
  uint32_t low_rank;
  float low_rank_scale;
  const char *const *low_rank_patterns;
  size_t low_rank_pattern_count;
} clip_trainer_options;

/* n pairs: picture i belongs to caption i. Pictures as `pixels` or as `images`, captions as `tokens` or `texts`;
 * the first of each is taken where both are there. The teacher's are for distillation. */
typedef struct clip_train_batch {
  uint32_t struct_size;
  uint32_t teacher_width;          /* numbers in one of the teacher's embeddings */
  size_t n;
  const float *pixels;             /* [n, 3, image_height, image_width], preprocessed */
  const clip_image_view *images;   /* [n] */
  const int32_t *tokens;           /* [n, context_length] */
  const char *const *texts;        /* [n]; the empty text is one */
  const clip_encode_options *options; /* for images and texts; NULL: none */
  const float *teacher_logits;     /* [n, n], a row for each picture; or both of the next */
  const float *teacher_images;     /* [n, teacher_width], of unit length */
  const float *teacher_texts;      /* [n, teacher_width], of unit length */
  float teacher_scale;             /* what the teacher's cosines are multiplied with; 0: 100 */
} clip_train_batch;

/* Of one step. */
typedef struct clip_train_metrics {
  uint32_t struct_size;
  float accuracy;      /* share of pictures and captions that rank their own partner first, before the update */
  double loss;         /* before the update */
  double temperature;  /* what cosines are multiplied with, after the update */
  double gradient_norm; /* of all gradients together, before clipping */
  double learning_rate; /* of this update */
  uint64_t step;       /* updates made so far, this one counted */
} clip_train_metrics;

/* Prepares the model's weights for training. `options` may be NULL. Both towers must be open. CLIP_UNSUPPORTED
 * names an op that has no gradient. *out is owned by the caller: clip_trainer_release. [any-thread] */
CLIP_API clip_status clip_trainer_create(clip_model *model, const clip_trainer_options *options, clip_trainer **out);

/* [owner-thread] */
CLIP_API void clip_trainer_release(clip_trainer *trainer);

/* One update from one batch. Fills *metrics, which may be NULL. CLIP_NOT_FINITE names the tensor that first went
 * bad; then, as after every other failure, the weights and the optimiser are as they were. The same steps from
 * the same seed give the same bits on any number of threads. [owner-thread] */
CLIP_API clip_status clip_train_step(clip_trainer *trainer, const clip_train_batch *batch, clip_train_metrics *metrics);

/* What clip_trainer_read copies. */
typedef enum clip_trainer_tensor {
  CLIP_TENSOR_WEIGHT = 0,
  CLIP_TENSOR_GRADIENT = 1, /* of the last step, before clipping; CLIP_NOT_FOUND for a frozen one */
  CLIP_TENSOR_AVERAGE = 2   /* the exponential mean of the weight */
} clip_trainer_tensor;

/* Copies the tensor that the checkpoint calls `name`, as it lies there, row-major float32, to values[count]; also
 * a new one of low-rank adaptation, as clip_trainer_visit calls it.
 * CLIP_MISMATCH when it has another number of elements. [owner-thread] */
CLIP_API clip_status clip_trainer_read(const clip_trainer *trainer, clip_trainer_tensor kind, const char *name,
                                       float *values, size_t count);

/* Receives a tensor of the checkpoint, valid during the call: how many numbers it has, and the factor of the learning
 * rate that it is trained with. 0: it is frozen. */
typedef void (*clip_trained_tensor_fn)(void *user, const char *name, uint64_t count, double rate);

/* Visits the tensors that the towers use, in no set order, and the new ones of low-rank adaptation. [owner-thread] */
CLIP_API clip_status clip_trainer_visit(const clip_trainer *trainer, clip_trained_tensor_fn visit, void *user);

/* Writes a checkpoint, <folder>/step-<number>.safetensors: the weights that are trained, the optimiser's state
 * and the step. It is written aside, synced and renamed, so that a crash or a full disk leaves the earlier ones
 * whole; of those, all but the last `keep`, this one counted, are removed then (0: none is). The folder is made
 * where there is none. `note`, UTF-8 of at most 65536 bytes or NULL, is kept in it for the caller. [owner-thread] */
CLIP_API clip_status clip_trainer_save(const clip_trainer *trainer, const char *folder, uint32_t keep, const char *note);

/* Goes on from a checkpoint, or from a folder's last: what follows is the same bits as if the run had not
 * stopped. The trainer is one of the same model and options; CLIP_MISMATCH, with nothing changed, where a
 * tensor, the optimiser or the seed differs. [owner-thread] */
CLIP_API clip_status clip_trainer_resume(clip_trainer *trainer, const char *path);

/* The note of the checkpoint last resumed from, "" without one, cut to `capacity` bytes with the NUL. Returns its
 * length. [owner-thread] */
CLIP_API size_t clip_trainer_note(const clip_trainer *trainer, char *note, size_t capacity);

enum {
  CLIP_EXPORT_AVERAGE = 1u /* the exponential mean of the weights */
};

/* How a model's folder names its files and tensors. */
typedef enum clip_layout {
  CLIP_LAYOUT_AS_OPENED = 0,
  CLIP_LAYOUT_HUGGING_FACE = 1, /* config.json, preprocessor_config.json, model.safetensors */
  CLIP_LAYOUT_OPEN_CLIP = 2     /* open_clip_config.json, open_clip_model.safetensors */
} clip_layout;

typedef struct clip_export_options {
  uint32_t struct_size;
  uint32_t flags;       /* CLIP_EXPORT_* */
  clip_layout layout;
  clip_storage storage; /* of weights in the file, F32, F16 or BF16; a tensor of one number is float32 */
} clip_export_options;

/* Writes a model's folder: the weights in training, with low-rank updates merged in, configuration and tokenizer
 * files. `options` may be NULL. The folder is written beside its place and put there whole; a model that was in it
 * is replaced, other files stay. On an error it is as it was: CLIP_UNSUPPORTED says what the layout cannot express
 * (in Hugging Face's a ResNet, in any other a composed model), or which weight half precision cannot hold.
 * [owner-thread] */
CLIP_API clip_status clip_trainer_export(const clip_trainer *trainer, const char *folder,
                                         const clip_export_options *options);

/* The same without a trainer: the weights of the folder that the model was opened from, of both towers, or in their
 * place those of `checkpoint`: a file of clip_trainer_save, or a folder, whose last one is taken. NULL: none.
 * CLIP_MISMATCH when it is not one of this model. The model may be open without weights. [any-thread] */
CLIP_API clip_status clip_model_export(const clip_model *model, const char *checkpoint, const char *folder,
                                       const clip_export_options *options);

/* Makes an open model embed with the trainer's weights and logit scale, while other threads use it: as with
 * clip_model_swap, calls that run finish on the weights that they began with, and any error leaves the model as it
 * was. `flags`: CLIP_EXPORT_*. The model has both towers; CLIP_MISMATCH for another architecture than the trainer's.
 * Its storage, tokenizer and preprocessing stay. It may have been opened without weights. Its folder is as before:
 * clip_model_swap without another brings those weights back; until then clip_model_export is CLIP_UNSUPPORTED.
 * [owner-thread] of the trainer, [any-thread] of the model */
CLIP_API clip_status clip_trainer_publish(const clip_trainer *trainer, clip_model *model, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
