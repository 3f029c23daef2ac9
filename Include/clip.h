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
 * Strings.   UTF-8, NUL-terminated. Paths are passed to the system as they are.
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
  CLIP_NOT_FINITE = 10       /* training: a loss or gradient is NaN or infinite; the message names the tensor */
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
 * call of the library; it must not call back into the library. */
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
  CLIP_KIND_KERNELS = 3
} clip_plugin_kind;

/* One thing that a plugin brings. The strings live as long as the runtime. */
typedef struct clip_plugin_info {
  uint32_t struct_size;
  clip_plugin_kind kind;
  const char *id;          /* "clipcore.encoder.clip-vit" */
  const char *description; /* one line */
  const char *version;     /* the plugin's own */
  const char *license;     /* SPDX expression */
  const char *path;        /* the file it came from; "" when built in */
  uint32_t active;         /* kernels: 1 when these compute; else 1 when usable on this machine */
} clip_plugin_info;

/* The number of things loaded plugins bring; 0 for NULL. [any-thread] */
CLIP_API size_t clip_plugin_count(const clip_runtime *runtime);

/* Fills *info for index < clip_plugin_count. [any-thread] */
CLIP_API clip_status clip_plugin_at(const clip_runtime *runtime, size_t index, clip_plugin_info *info);

/* ---------------------------------------------------------------- model */

/* A CLIP model: an image tower, a text tower, or both. */
typedef struct clip_model clip_model;

enum { CLIP_TOWER_IMAGE = 1u, CLIP_TOWER_TEXT = 2u };

/* How linear weights are held in memory. Sums are always float32. */
typedef enum clip_storage {
  CLIP_STORAGE_F32 = 0,
  CLIP_STORAGE_F16 = 1, /* IEEE half; a weight beyond 65504 is an error */
  CLIP_STORAGE_BF16 = 2
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
 * index, preprocessor_config.json, vocab.json + merges.txt or tokenizer.json) or open_clip's
 * (open_clip_config.json, open_clip_model.safetensors, the same tokenizer files), or one with a
 * clipcore.json that composes encoders (docs/models.md). Weights are
 * F32, F16 or BF16; files are mapped and not needed once this returns. `options` may be NULL.
 * *out is owned by the caller: clip_model_close. CLIP_MISMATCH lists every tensor that is
 * missing, extra or wrongly shaped. [any-thread] */
CLIP_API clip_status clip_model_open(clip_runtime *runtime, const char *folder, const clip_model_options *options,
                                     clip_model **out);

/* Frees the model. [owner-thread] */
CLIP_API void clip_model_close(clip_model *model);

/* Facts about an open model. Strings live as long as the model. */
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
  clip_storage storage;
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

/* Sets *view to the image's pixels: RGB, RGBA or gray; valid until clip_image_free. [any-thread] */
CLIP_API clip_status clip_image_get_view(const clip_image *image, clip_image_view *view);

/* [owner-thread] */
CLIP_API void clip_image_free(clip_image *image);

/* ---------------------------------------------------------------- encoding */

enum {
  CLIP_RAW_FEATURES = 1u,      /* features as the tower gives them, not scaled to unit length */
  CLIP_TRUNCATE = 2u,          /* cut a text that is too long and keep its end token; else CLIP_LIMIT */
  CLIP_OPENAI_CLEANING = 4u,   /* clean text as OpenAI's code does (ftfy, HTML entities, lower case)
                                  instead of as Hugging Face's (NFC, white space, lower case) */
  CLIP_COMPOSITE_ALPHA = 8u    /* lay pixels with alpha over `background`; else alpha is dropped */
};

/* Options of the calls below; NULL is the same as all zero. A flag without a meaning for a
 * call is ignored by it. */
typedef struct clip_encode_options {
  uint32_t struct_size;
  uint32_t flags;         /* CLIP_RAW_FEATURES and the others above */
  uint8_t background[4];  /* red, green, blue for CLIP_COMPOSITE_ALPHA; the fourth is 0 */
} clip_encode_options;

/* Resizes, crops and normalises as the model's files say: Pillow's antialiased filter on
 * 8-bit data, then torchvision's centre crop, or open_clip's `longest` or `squash` modes.
 * pixels: [n, 3, image_height, image_width], red first. Needs the image tower. [any-thread] */
CLIP_API clip_status clip_preprocess(clip_model *model, const clip_image_view *images, size_t n,
                                     const clip_encode_options *options, float *pixels);

/* Tokenizes n texts. tokens: [n, context_length], each row start token, text, end token,
 * padding; lengths: [n], tokens up to and including the end token, or NULL. Needs the text
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
 * groups the first that fits counts. */
typedef struct clip_parameter_group {
  uint32_t struct_size;
  float rate;          /* multiplies the learning rate; 0: these tensors are frozen */
  const char *pattern; /* "visual.*" */
} clip_parameter_group;

enum {
  CLIP_TRAIN_CHECKPOINTS = 1u /* keep few activations and compute the others again: less memory, more time */
};

/* Weight decay is for tensors of two sides and more: norms, biases, class tokens and scales have none. */
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

/* Copies the tensor that the checkpoint calls `name`, as it lies there, row-major float32, to values[count].
 * CLIP_MISMATCH when it has another number of elements. [owner-thread] */
CLIP_API clip_status clip_trainer_read(const clip_trainer *trainer, clip_trainer_tensor kind, const char *name,
                                       float *values, size_t count);

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

/* Writes a model's folder in the layout that the trainer's model was opened from: weights in float32, with
 * low-rank updates merged in, and its configuration and tokenizer files. The folder is made where there is none. [owner-thread] */
CLIP_API clip_status clip_trainer_export(const clip_trainer *trainer, const char *folder, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
