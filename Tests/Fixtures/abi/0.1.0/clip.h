/* clip.h: embed images and texts in one vector space with CLIP models.
 *
 *   clip_runtime *runtime = NULL;
 *   clip_model *model = NULL;
 *   clip_image *photo = NULL;
 *   clip_image_view view;
 *   const char *captions[] = {"a cat", "a slice of pizza"};
 *   float image[128], texts[2 * 128], probabilities[2];
 *
 *   if (clip_runtime_create(NULL, &runtime) || clip_model_open(runtime, "Models/emoji", NULL, &model) ||
 *       clip_image_load(runtime, "Examples/images/cat.png", NULL, &photo) || clip_image_get_view(photo, &view) ||
 *       clip_encode_image(model, &view, 1, NULL, image, 128) ||
 *       clip_encode_text(model, captions, 2, NULL, texts, 2 * 128) ||
 *       clip_classify(model, image, 1, texts, 2, probabilities, 2)) {
 *     fprintf(stderr, "%s\n", clip_last_error());
 *     return 1;
 *   }
 *   printf("%s: %.3f, %s: %.3f\n", captions[0], probabilities[0], captions[1], probabilities[1]);
 *   clip_image_release(photo);
 *   clip_model_release(model);
 *   clip_runtime_release(runtime);
 *
 * Rules for every call
 * --------------------
 * Errors.   A call that can fail returns a clip_status. On failure clip_last_error() on the same thread says
 *           what was expected, what was found and where; outputs are unchanged unless the call says otherwise.
 *           The library never prints, exits or aborts.
 * Handles.  Created through the last parameter `out`, owned by the caller and freed by clip_..._release, in any
 *           order: a model keeps its runtime. Releasing NULL does nothing.
 * Buffers.  Each output buffer is followed by its capacity in elements. A buffer that is too small is
 *           CLIP_INVALID_ARGUMENT, the message has the size needed, and nothing is written.
 * Structs.  A struct that starts with struct_size may grow at its end. Make it with CLIP_INIT. Zero in every
 *           other field is the default, and NULL in place of an options struct is all defaults. A field that this
 *           library does not know is CLIP_INVALID_ARGUMENT unless it is zero; so is an unknown flag. A struct
 *           without struct_size never changes.
 * Text.     UTF-8 ending in NUL, paths too. A function that returns text writes at most `capacity` bytes with the
 *           NUL and returns the length of the whole text without it, as snprintf does.
 * Lists.    A function that lists things calls `visit` for each of them, on the calling thread and with no lock
 *           held. Its argument is valid during the call. A visitor returns 0 to continue; any other value ends
 *           the list, and the result is still CLIP_OK.
 * Tensors.  Dense, row-major, float32. [n, d] is n rows of d elements.
 * Threads.  [any-thread]   may run on any thread, also several times at once on one handle.
 *           [owner-thread] no other call may be using the handle at the same time.
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

/* A struct of the given type with struct_size set and all else zero:
 *   clip_encode_options options = CLIP_INIT(clip_encode_options); */
#ifdef __cplusplus
#define CLIP_INIT(type) \
  ([] { \
    type clip_initial = type(); \
    clip_initial.struct_size = sizeof(type); \
    return clip_initial; \
  }())
#else
#define CLIP_INIT(type) ((type){.struct_size = sizeof(type)})
#endif

typedef enum clip_status {
  CLIP_OK = 0,
  CLIP_INVALID_ARGUMENT = 1, /* a null pointer, a zero count, an unknown flag, a value out of range */
  CLIP_NOT_FOUND = 2,        /* no such file, folder, plugin or tensor */
  CLIP_IO = 3,               /* the system could not read or write; the message has its reason */
  CLIP_FORMAT = 4,           /* a file is malformed or truncated */
  CLIP_UNSUPPORTED = 5,      /* well formed, but not supported by this build, model or runtime */
  CLIP_MISMATCH = 6,         /* tensors missing, extra or of an unexpected shape; parts that do not belong together */
  CLIP_LIMIT = 7,            /* larger than a limit: pixels of an image, tokens of a text, nesting */
  CLIP_OUT_OF_MEMORY = 8,    /* an allocation failed; nothing is leaked */
  CLIP_PLUGIN = 9,           /* a plugin is broken, of another ABI, or reported a failure */
  CLIP_NOT_FINITE = 10,      /* training: a loss, gradient or statistic is NaN or infinite; the message names it */
  CLIP_CANCELLED = 11        /* a progress callback asked to stop */
} clip_status;

/* ================================================================ The simple API
 * Everything needed to compare images with texts. The option structs are described further below. */

/* What models share: worker threads, plugins, log. One is enough for a process. */
typedef struct clip_runtime clip_runtime;
typedef struct clip_runtime_options clip_runtime_options;

/* A CLIP model: an image tower, a text tower, or both. */
typedef struct clip_model clip_model;
typedef struct clip_model_options clip_model_options;

/* A decoded image. */
typedef struct clip_image clip_image;

typedef enum clip_pixel_format {
  CLIP_PIXELS_RGB = 1,
  CLIP_PIXELS_RGBA = 2, /* alpha not premultiplied */
  CLIP_PIXELS_BGR = 3,
  CLIP_PIXELS_BGRA = 4,
  CLIP_PIXELS_GRAY = 5
} clip_pixel_format;

/* 8-bit pixels owned by someone else: rows from top to bottom, channels interleaved. */
typedef struct clip_image_view {
  const uint8_t *pixels;
  uint32_t width;  /* pixels, at least 1 */
  uint32_t height;
  size_t stride;   /* bytes from one row to the next; 0: no gap between rows */
  clip_pixel_format format;
  uint32_t orientation; /* EXIF's Orientation, 1 to 8, of the stored pixels: 6 is upright after a rotation by 90 degrees
                           to the right. 0 is 1, upright. Every call applies it; width and height are as stored */
  uint32_t full_width;  /* size of the image before it was decoded at 1/2, 1/4 or 1/8 of it (rounded up); 0: width and */
  uint32_t full_height; /* height. Preprocessing gives the result for that size */
} clip_image_view;

typedef struct clip_encode_options clip_encode_options;
typedef struct clip_image_options clip_image_options;

/* Creates a runtime. A plugin that cannot be loaded is skipped with a warning to the log. `options` may be NULL:
 * one thread, no log. [any-thread] */
CLIP_API clip_status clip_runtime_create(const clip_runtime_options *options, clip_runtime **out);

/* Releases the runtime. Its threads end with its last model. [owner-thread] */
CLIP_API void clip_runtime_release(clip_runtime *runtime);

/* Opens a model folder: CLIP, SigLIP, BERT or ViT as downloaded from Hugging Face (config.json, model.safetensors
 * or its shards, preprocessor_config.json, tokenizer files), open_clip's layout (open_clip_config.json,
 * open_clip_model.safetensors, tokenizer files), or a folder with clipcore.json that composes encoders
 * (docs/models.md). Weights may be F32, F16 or BF16. `options` may be NULL: both towers, held as float32.
 *
 * CLIP_MISMATCH lists each tensor that is missing, extra or of another shape than the configuration implies.
 *
 * Float32 weights that stay float32 are checked now and read later: a tower's first call reads them from the
 * file as it computes, its second call packs them and takes longer, later calls need the file for the largest token
 * tables alone (clip_storage). Until then the file may be removed or replaced by renaming; if it is overwritten, those
 * calls are CLIP_IO. [any-thread] */
CLIP_API clip_status clip_model_open(clip_runtime *runtime, const char *folder, const clip_model_options *options,
                                     clip_model **out);

/* Releases the model. [owner-thread] */
CLIP_API void clip_model_release(clip_model *model);

/* Decodes an image file: JPEG, PNG, WebP, or any format that a codec plugin recognises by its first bytes.
 * 16-bit channels are reduced to their upper 8 bits. The image is upright: the view has the orientation that the
 * file's EXIF or container names. `options` may be NULL. [any-thread] */
CLIP_API clip_status clip_image_load(clip_runtime *runtime, const char *path, const clip_image_options *options,
                                     clip_image **out);

/* Releases the image. [owner-thread] */
CLIP_API void clip_image_release(clip_image *image);

/* Sets *view to the image's pixels: RGB, RGBA or gray; an augmented image may also be BGR or BGRA. Valid until the
 * image is released. [any-thread] */
CLIP_API clip_status clip_image_get_view(const clip_image *image, clip_image_view *view);

/* Embeds n images: embeddings [n, embedding_width], each of unit length. The result for an image does not depend
 * on the others in the batch. On CLIP_CANCELLED and on an error in one of the images, the content of `embeddings`
 * is unspecified. `options` may be NULL. Needs the image tower. [any-thread] */
CLIP_API clip_status clip_encode_image(clip_model *model, const clip_image_view *images, size_t n,
                                       const clip_encode_options *options, float *embeddings, size_t capacity);

/* Embeds n texts: embeddings [n, embedding_width], each of unit length. As clip_encode_image in all else. Needs
 * the text tower. [any-thread] */
CLIP_API clip_status clip_encode_text(clip_model *model, const char *const *texts, size_t n,
                                      const clip_encode_options *options, float *embeddings, size_t capacity);

/* Scores each of n images against each of m texts: logits [n, m] = logit_scale * dot(image, text) + logit_bias.
 * images [n, embedding_width] and texts [m, embedding_width] are of unit length. [any-thread] */
CLIP_API clip_status clip_similarity(const clip_model *model, const float *images, size_t n, const float *texts,
                                     size_t m, float *logits, size_t capacity);

/* The probability of each of m texts for each of n images: probabilities [n, m], a softmax of the logits over the
 * texts or, for a model with a logit bias, the sigmoid of each logit. Inputs as for clip_similarity. [any-thread] */
CLIP_API clip_status clip_classify(const clip_model *model, const float *images, size_t n, const float *texts,
                                   size_t m, float *probabilities, size_t capacity);

/* The message of the last failed call on this thread, "" if there was none. Valid until the next call on this
 * thread; never NULL. [any-thread] */
CLIP_API const char *clip_last_error(void);

/* ================================================================ Status, version, progress */

/* The name of a status, such as "CLIP_FORMAT"; "unknown status" for any other value. Static. [any-thread] */
CLIP_API const char *clip_status_name(clip_status status);

/* The version of the library, "major.minor.patch". Static. [any-thread] */
CLIP_API const char *clip_version(void);

/* The version of this interface: (major << 16) | minor. A program built against major.minor works with a library
 * of the same major and of the same or a higher minor version. [any-thread] */
#define CLIP_ABI_VERSION ((uint32_t)((2u << 16) | 0u))
CLIP_API uint32_t clip_abi_version(void);

/* Called during a long call, on the calling thread, with the share of the work that is done: `done` rises to
 * `total`. Return 0 to continue; any other value cancels the call, which then returns CLIP_CANCELLED and leaves
 * handles as they were. It may call the library. */
typedef int (*clip_progress_fn)(void *user, uint64_t done, uint64_t total);

/* The last field of the options of a long call. */
typedef struct clip_progress {
  clip_progress_fn fn; /* NULL: none */
  void *user;
} clip_progress;

/* ================================================================ Runtime options */

typedef enum clip_log_level { CLIP_LOG_ERROR = 0, CLIP_LOG_WARNING = 1, CLIP_LOG_INFO = 2 } clip_log_level;

/* Receives a message, valid during the call. Called on any thread that runs a call of the library, and on the
 * thread that watches plugins. Must not call the library. */
typedef void (*clip_log_fn)(void *user, clip_log_level level, const char *message);

/* A parallel loop: runs task(context, i) once for each i in [0, count), in any order and on any threads, and
 * returns when all are done. */
typedef void (*clip_task_fn)(void *context, size_t index);
typedef void (*clip_parallel_for_fn)(void *user, size_t count, clip_task_fn task, void *context);

struct clip_runtime_options {
  uint32_t struct_size;
  /* Threads that compute one call, the calling thread included: 1 to 256; 0 is 1. All models of the runtime share
   * them. Idle threads sleep. */
  uint32_t threads;
  /* Plugin files, and folders of them, to load before those of the environment variable CLIP_PLUGIN_PATH
   * (separated by colons) and of the folder clipcore/plugins beside libclipcore.so. Copied. */
  const char *const *plugin_paths;
  size_t plugin_path_count;
  clip_log_fn log; /* NULL: messages are discarded */
  void *log_user;
  /* Runs loops on threads of the program, in place of threads of the runtime; `threads` is then the number of
   * pieces that work is divided into. NULL: none. */
  clip_parallel_for_fn parallel_for;
  void *parallel_user;
  /* The largest image that is decoded or preprocessed, in pixels. 0: 178,956,970, Pillow's limit, and at most 89,478,485
   * bytes of pixels for each started MiB of the file. */
  uint64_t max_image_pixels;
  /* The compute kernels: the id of a kernel set or its last part, such as "x86-64-v3" or "reference". NULL: the
   * environment variable CLIP_KERNELS, else the fastest that this processor supports. */
  const char *kernels;
};

/* ================================================================ Models */

enum { CLIP_TOWER_IMAGE = 1u, CLIP_TOWER_TEXT = 2u };

/* How the weights of linear layers, convolutions and token embeddings are held in memory. All other parameters
 * (biases, norms, positions, depthwise convolutions) are float32. A table of token embeddings with more than 2^26
 * elements in F32, F16 or BF16 stays in its file as it is, and texts read their rows from there: the file must not be
 * overwritten while the model is open. The cosine is that between an embedding and the
 * one computed with float32 weights. */
typedef enum clip_storage {
  CLIP_STORAGE_F32 = 0,
  CLIP_STORAGE_F16 = 1,  /* half the memory, cosine about 0.99999; a weight beyond 65504 is an error */
  CLIP_STORAGE_BF16 = 2, /* half the memory, cosine about 0.9999 */
  /* A quarter of the memory, cosine about 0.9995. Weights are integers from -127 to 127 with one scale for each
   * output channel (for each row of an embedding table), rounded to nearest. Activations are rounded to 16 bits
   * with one scale for each block of a row, and sums within a block are exact. A row with NaN or infinity becomes
   * NaN. Convolutions with three input channels are held as BF16. */
  CLIP_STORAGE_INT8 = 3
} clip_storage;

enum {
  CLIP_OPEN_ALLOW_EXTRA_TENSORS = 1u, /* unused tensors in the file are a warning, not CLIP_MISMATCH */
  CLIP_OPEN_WITHOUT_WEIGHTS = 2u /* check the files and hold no weights: for training, preprocessing and tokens.
                                    Encoding is CLIP_UNSUPPORTED */
};

struct clip_model_options {
  uint32_t struct_size;
  uint32_t towers; /* CLIP_TOWER_*; 0: both. The weights of other towers are not read */
  clip_storage storage;
  uint32_t flags;  /* CLIP_OPEN_* */
  clip_progress progress; /* of loading, in elements. clip_model_swap reports towers from two folders in turn */
  /* The image tower's input in pixels, both or neither; 0: as the folder says. For another size than that, position
   * embeddings are interpolated (bicubic) as open_clip, timm or transformers do it; CLIP_MISMATCH for a tower whose
   * weights fit one size alone, such as CLIP's ResNet. */
  uint32_t image_width;
  uint32_t image_height;
};

/* Writes random initial weights into a model folder that has its configuration but no weights: the start of
 * training from scratch. The distributions are those of CLIP; the same seed makes the same file. A folder that has
 * weights is CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_model_initialize(clip_runtime *runtime, const char *folder, uint64_t seed);

/* Facts about a model at one moment; a swap may change them. */
typedef struct clip_model_info {
  uint32_t struct_size;
  uint32_t towers;           /* CLIP_TOWER_* of the towers that are open */
  uint32_t embedding_width;  /* elements of one embedding */
  uint32_t image_width;      /* pixels of the image tower's input; 0 without that tower */
  uint32_t image_height;
  uint32_t context_length;   /* most tokens of a text, start and end token included; 0 without the text tower */
  uint32_t vocabulary_size;  /* token ids are in [0, vocabulary_size) */
  uint32_t has_logit_bias;   /* 1 for a model with a bias on its logits (SigLIP), else 0 */
  float logit_scale;         /* the factor of cosines in logits, such as 100 */
  float logit_bias;          /* 0 without one */
  clip_storage storage;      /* of the image tower; of the text tower if it is the only one */
  uint32_t resized_side;     /* the smaller side of an image after the resize of preprocessing, in pixels, at most; 0
                                if images are only cropped, and without the image tower */
  const char *layout;        /* "huggingface", "open_clip" or "clipcore". Static */
  uint64_t image_parameters; /* elements of the image tower's weights */
  uint64_t text_parameters;
  uint64_t memory_bytes;     /* memory held now for weights, packed copies included, and for activations that are
                                kept between calls. Weights still in their file do not count: the first calls raise
                                it */
} clip_model_info;

/* Fills *info. [any-thread] */
CLIP_API clip_status clip_model_describe(const clip_model *model, clip_model_info *info);

/* Writes the id of the plugin that built a tower, such as "clipcore.encoder.clip-vit", and returns its length.
 * `tower`: CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT. 0 and "" where that tower is not open. [any-thread] */
CLIP_API size_t clip_model_encoder(const clip_model *model, uint32_t tower, char *buffer, size_t capacity);

/* Replaces towers of a model while other threads use it. `towers`: CLIP_TOWER_* of open towers, 0 for all. They
 * are opened from `folder` or, if it is NULL, each from the folder it came from; with the plugins that are loaded
 * now. After clip_plugin_reload that brings the same weights under the new code. `options`: storage, flags and
 * progress; NULL for those the tower was opened with. Weights are packed before the call returns.
 *
 * The new towers are built aside and replace the old ones at once. Calls that are running finish with the towers
 * they began with. On any error the model is unchanged; CLIP_MISMATCH if the new embeddings have another width.
 *
 * The tokenizer and context length belong to the text tower, preprocessing to the image tower. Logit scale, bias
 * and layout stay unless all towers are replaced from `folder`. Where a swap changes image_width, image_height or
 * context_length, calls with the caller's pixels and tokens (clip_preprocess, clip_encode_pixels, clip_tokenize,
 * clip_encode_tokens) are CLIP_MISMATCH until clip_encode_options has the new sizes. Encode tokens with the tower
 * whose tokenizer made them. [any-thread] */
CLIP_API clip_status clip_model_swap(clip_model *model, uint32_t towers, const char *folder,
                                     const clip_model_options *options);

/* ================================================================ Images */

enum {
  CLIP_IMAGE_AS_STORED = 1u, /* orientation is not applied: the view's is 1, as in open_clip */
  CLIP_IMAGE_LENIENT = 2u    /* keep what can be decoded of a damaged JPEG, PNG or WebP; the rest is gray or black */
};

struct clip_image_options {
  uint32_t struct_size;
  uint32_t flags;        /* CLIP_IMAGE_* */
  uint32_t smaller_side; /* pixels needed of the smaller side. A larger image may be decoded at 1/2, 1/4 or 1/8 of its
                            size, in a fraction of the time, as long as it keeps that many. 0: full size */
};

/* Decodes an image file that is in memory: clip_image_load for `size` bytes, which are not needed afterwards.
 * [any-thread] */
CLIP_API clip_status clip_image_decode(clip_runtime *runtime, const void *data, size_t size,
                                       const clip_image_options *options, clip_image **out);

/* Writes the name endings of the image files that codecs read, loaded or loaded on demand, and returns the length:
 * lower case, comma-separated, "jpg,jpeg,png". [any-thread] */
CLIP_API size_t clip_image_endings(const clip_runtime *runtime, char *buffer, size_t capacity);

/* ================================================================ Encoding */

enum {
  CLIP_ENCODE_RAW = 1u,              /* the tower's output, not scaled to unit length */
  CLIP_ENCODE_TRUNCATE = 2u,         /* cut a text that is too long and keep its end token; else CLIP_LIMIT */
  CLIP_ENCODE_OPENAI_CLEANING = 4u,  /* CLIP's tokenizer: clean texts as OpenAI's Python does (ftfy, HTML entities,
                                        lower case). In open_clip's layout that is the default */
  CLIP_ENCODE_COMPOSITE_ALPHA = 8u   /* blend transparent pixels over `background`; else alpha is dropped */
};

/* A flag that means nothing to a call, such as CLIP_ENCODE_TRUNCATE to clip_encode_image, is ignored. */
struct clip_encode_options {
  uint32_t struct_size;
  uint32_t flags;      /* CLIP_ENCODE_* */
  uint32_t background; /* 0xRRGGBB, for CLIP_ENCODE_COMPOSITE_ALPHA */
  /* The sizes that the caller's pixels and tokens were made for, from clip_model_describe; CLIP_MISMATCH if the
   * model now takes others. 0: those the model was opened with. */
  uint32_t image_width;
  uint32_t image_height;
  uint32_t context_length;
  clip_progress progress; /* of encoding, in items of the batch */
  /* A prompt to put before each text: a name in the model's config_sentence_transformers.json; "": none; NULL: the
   * model's default_prompt_name. CLIP_NOT_FOUND if the model has no prompt of that name. */
  const char *prompt;
};

/* Preprocesses n images for the image tower: pixels [n, 3, image_height, image_width], channels in the order red,
 * green, blue. Resizes (Pillow's antialiased filters on 8-bit data), crops and normalises as the model's files
 * say. Needs the image tower. [any-thread] */
CLIP_API clip_status clip_preprocess(clip_model *model, const clip_image_view *images, size_t n,
                                     const clip_encode_options *options, float *pixels, size_t capacity);

/* Embeds n preprocessed images: pixels [n, 3, image_height, image_width]. As clip_encode_image in all else.
 * [any-thread] */
CLIP_API clip_status clip_encode_pixels(clip_model *model, const float *pixels, size_t n,
                                        const clip_encode_options *options, float *embeddings, size_t capacity);

/* Tokenizes n texts: tokens [n, context_length], each row a start token (none for SigLIP), the text, an end token
 * and padding. lengths [n], which may be NULL, are the tokens of each row up to and including the end token. Needs
 * the text tower. [any-thread] */
CLIP_API clip_status clip_tokenize(clip_model *model, const char *const *texts, size_t n,
                                   const clip_encode_options *options, int32_t *tokens, size_t capacity,
                                   uint32_t *lengths, size_t lengths_capacity);

/* Embeds n tokenized texts: tokens [n, context_length]. An id outside the vocabulary is CLIP_INVALID_ARGUMENT. As
 * clip_encode_text in all else. [any-thread] */
CLIP_API clip_status clip_encode_tokens(clip_model *model, const int32_t *tokens, size_t n,
                                        const clip_encode_options *options, float *embeddings, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
