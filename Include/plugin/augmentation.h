/* plugin/augmentation.h: augmentations, the steps of pipelines. */
#ifndef CLIPCORE_PLUGIN_AUGMENTATION_H
#define CLIPCORE_PLUGIN_AUGMENTATION_H

#include "entry.h"
#include "../clip_augment.h"
#include "../clip_extend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A stream of random numbers, handed to one call of apply: Philox 4x32-10 (Salmon et al., 2011),
 * started by the caller's seed, the item and the step of the pipeline. The same calls in the same
 * order give the same numbers on any thread and machine. Not for keys or passwords. */
typedef struct clip_random clip_random;
struct clip_random {
  uint32_t struct_size;
  void *host; /* the host's own */
  uint32_t (*bits)(clip_random *random);              /* 32 random bits */
  double (*uniform)(clip_random *random);             /* in [0, 1), a multiple of 2^-53 */
  uint32_t (*below)(clip_random *random, uint32_t n); /* in [0, n), each as likely as the others; 0 for n = 0 */
  double (*normal)(clip_random *random);              /* mean 0, deviation 1 */
};

/* The settings of one step, checked against what the augmentation declares; what the step does not
 * name has its default. To ask for a setting that is not declared, or by the function of another
 * type, fails create with words that say so. Pointers live until create returns. */
typedef struct clip_settings clip_settings;
struct clip_settings {
  uint32_t struct_size;
  void *host;
  /* A number or integer; 0 or 1 for a boolean; which of the choices, from 0, for a choice. */
  double (*number)(const clip_settings *settings, const char *name);
  /* How many numbers, and where they are. */
  size_t (*numbers)(const clip_settings *settings, const char *name, const double **values);
  /* A text, or the word of a choice. */
  const char *(*text)(const clip_settings *settings, const char *name);
};

/* Where an image augmentation's result goes. allocate gives memory for a picture of that size, rows
 * *stride bytes apart; every pixel is to be written. NULL means refused (too large, no memory, a
 * second call, no such format): the host has the words, so apply returns any failure. The memory
 * is the host's, and writable until apply returns. */
typedef struct clip_image_sink clip_image_sink;
struct clip_image_sink {
  uint32_t struct_size;
  void *host;
  uint8_t *(*allocate)(clip_image_sink *sink, uint32_t width, uint32_t height, clip_pixel_format format,
                       size_t *stride);
  /* Writes `in` as Pillow resizes it: width x height pixels of red, green and blue, rows `stride` bytes
   * apart. A part of a picture is a view with its first pixel, its size and the whole's stride. Any number
   * of calls, into any memory. 0 means refused: the host has the words, so apply returns any failure. */
  int (*resize)(clip_image_sink *sink, const clip_image_view *in, clip_resample resample, uint32_t width,
                uint32_t height, uint8_t *pixels, size_t stride);
};

/* Where a text augmentation's result goes, piece by piece. append gives 0 when it refuses (too long,
 * no memory): the host has the words, so apply returns any failure. */
typedef struct clip_text_sink clip_text_sink;
struct clip_text_sink {
  uint32_t struct_size;
  void *host;
  int (*append)(clip_text_sink *sink, const char *bytes, size_t size);
  /* Counts a text that stays as it is since what the augmentation works with, such as a translator,
   * failed: clip_pipeline_failures. */
  void (*count_failure)(clip_text_sink *sink);
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
  double probability;      /* of a step that names no "p"; 0: 1. The host draws: apply always applies */
  const clip_setting_info *settings; /* names "op", "p" and "weight" are the pipeline's */
  size_t setting_count;    /* at most 64 */
  const void *context;     /* the plugin's own, for create */

  /* Makes an instance with a step's settings. NULL: there is nothing to make, instances are NULL. */
  clip_status (*create)(const clip_augmentation *self, const clip_settings *settings, void **instance,
                        clip_plugin_error *error);
  /* Frees it; NULL where there is nothing to free. */
  void (*destroy)(void *instance);

  /* Writes a new picture. To return CLIP_OK without a call of allocate leaves the picture as it is. */
  clip_status (*apply_image)(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                             clip_plugin_error *error);
  /* Writes a new text, UTF-8 without NUL. `text` is such a text of `size` bytes; it ends with a NUL. */
  clip_status (*apply_text)(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random,
                            clip_plugin_error *error);
};

#ifdef __cplusplus
}
#endif

#endif
