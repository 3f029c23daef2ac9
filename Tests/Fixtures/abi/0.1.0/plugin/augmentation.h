/* plugin/augmentation.h: augmentations, the steps of pipelines. */
#ifndef CLIPCORE_PLUGIN_AUGMENTATION_H
#define CLIPCORE_PLUGIN_AUGMENTATION_H

#include "entry.h"
#include "../clip_augment.h"
#include "../clip_extend.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* A stream of random numbers, handed to one call of apply: Philox 4x32-10 (Salmon et al., 2011),
 * started by the caller's seed, the item and the step of the pipeline. The same calls in the same
 * order return the same numbers on any thread and machine. Not for keys or passwords. */
typedef struct clip_random clip_random;
struct clip_random {
  uint32_t struct_size;
  void *host; /* for the host */
  uint32_t (*CLIP_NONNULL bits)(clip_random *random);              /* 32 random bits */
  double (*CLIP_NONNULL uniform)(clip_random *random);             /* in [0, 1), a multiple of 2^-53 */
  /* in [0, n), each as likely as the others; 0 for n = 0 */
  uint32_t (*CLIP_NONNULL below)(clip_random *random, uint32_t n);
  double (*CLIP_NONNULL normal)(clip_random *random);              /* mean 0, deviation 1 */
};

/* The settings of one step, checked against what the augmentation declares; a setting that the step does not
 * name has its default. Asking for a setting that is not declared, or with the function of another type, makes the
 * step fail with a message that says so. Pointers are valid until create returns. */
typedef struct clip_settings clip_settings;
struct clip_settings {
  uint32_t struct_size;
  void *host;
  /* A number or integer; 0 or 1 for a boolean; the index of the choice for a choice. */
  double (*CLIP_NONNULL number)(const clip_settings *settings, const char *name);
  /* Sets *values to the list and returns its length. */
  size_t (*CLIP_NONNULL numbers)(const clip_settings *settings, const char *name, const double **values);
  /* A text, or the name of the choice. */
  const char *(*CLIP_NONNULL text)(const clip_settings *settings, const char *name);
};

/* Takes an image augmentation's result. allocate returns memory for an image of that size, rows *stride bytes
 * apart; the plugin writes every pixel before apply returns. NULL: the host refused (too large, no memory, a second
 * call, no such format) and has the message, so apply may return any failure. The memory belongs to the host. */
typedef struct clip_image_sink clip_image_sink;
struct clip_image_sink {
  uint32_t struct_size;
  void *host;
  uint8_t *(*CLIP_NONNULL allocate)(clip_image_sink *sink, uint32_t width, uint32_t height, clip_pixel_format format,
                       size_t *stride);
  /* Writes `in` as Pillow resizes it: width x height pixels of red, green and blue, rows `stride` bytes
   * apart. A part of an image is a view of its first pixel and its size with the stride of the whole. Any number
   * of calls, into any memory. 0: the host refused and has the message, so apply may return any failure. */
  int (*CLIP_NONNULL resize)(clip_image_sink *sink, const clip_image_view *in, clip_resample resample, uint32_t width,
                uint32_t height, uint8_t *pixels, size_t stride);
};

/* Takes a text augmentation's result, piece by piece. append returns 0 where the host refuses (too long, no memory):
 * it has the message, so apply may return any failure. */
typedef struct clip_text_sink clip_text_sink;
struct clip_text_sink {
  uint32_t struct_size;
  void *host;
  int (*CLIP_NONNULL append)(clip_text_sink *sink, const char *bytes, size_t size);
  /* Counts a text that is left as it was because what the augmentation depends on, such as a translator,
   * failed: clip_pipeline_failures. */
  void (*CLIP_NONNULL count_failure)(clip_text_sink *sink);
};

/* An augmentation: a step of a pipeline. CLIP_KIND_IMAGE_AUGMENTATION has apply_image,
 * CLIP_KIND_TEXT_AUGMENTATION apply_text; the other is NULL. apply may be called on one instance from
 * any threads at once, so an instance does not change after create. */
typedef struct clip_augmentation clip_augmentation;
struct clip_augmentation {
  uint32_t struct_size;
  uint32_t formats;        /* bit (1 << clip_pixel_format) for each that apply_image takes; 0: all. The host
                              converts others, and the result back */
  const char *id;          /* "clipcore.augment.color-jitter" */
  const char *description; /* one line */
  const char *op;          /* its name in pipelines, [a-z0-9_]: "color_jitter" */
  double probability;      /* of a step without "p"; 0: 1. The host draws it: apply is called for chosen items alone */
  const clip_setting_info *settings; /* not named "op", "p", "weight", "one_of" or "sequence" */
  size_t setting_count;    /* at most 64 */
  const void *context;     /* for the plugin's create */

  /* Makes an instance with a step's settings. NULL: instances are NULL. */
  clip_status (*create)(const clip_augmentation *self, const clip_settings *settings, void **instance,
                        clip_plugin_error *error);
  /* Frees an instance; may be NULL. */
  void (*destroy)(void *instance);

  /* Writes a new image. CLIP_OK without a call of allocate leaves the image as it is. */
  clip_status (*apply_image)(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                             clip_plugin_error *error);
  /* Writes a new text, UTF-8 without NUL. `text` is UTF-8 of `size` bytes, followed by a NUL. */
  clip_status (*apply_text)(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random,
                            clip_plugin_error *error);
};

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
