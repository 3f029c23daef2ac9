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

#ifdef __cplusplus
}
#endif

#endif
