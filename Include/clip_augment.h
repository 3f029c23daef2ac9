/* clip_augment.h: pipelines that augment images and texts. Part of libcliptools (-lcliptools -lclipcore).
 * Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_AUGMENT_H
#define CLIPCORE_CLIP_AUGMENT_H

#include "clip_host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clip_setting_type {
  CLIP_SETTING_NUMBER = 1,  /* in [low, high] */
  CLIP_SETTING_INTEGER = 2, /* in [low, high] */
  CLIP_SETTING_BOOLEAN = 3, /* 0 or 1 */
  CLIP_SETTING_CHOICE = 4,  /* one of `choices` */
  CLIP_SETTING_NUMBERS = 5, /* count_low to count_high numbers, each in [low, high] */
  CLIP_SETTING_TEXT = 6     /* UTF-8 */
} clip_setting_type;

/* A setting that an augmentation declares. This struct never changes. */
typedef struct clip_setting_info {
  const char *name;        /* [a-z0-9_], the key in a pipeline */
  const char *description; /* one line */
  clip_setting_type type;
  double low, high;        /* the range, both ends included; not used for boolean, choice and text */
  double number;           /* default of number, integer and boolean; of choice, its index */
  const double *numbers;   /* default of numbers */
  size_t number_count;
  size_t count_low, count_high;
  const char *text;        /* default of text */
  const char *const *choices;
  size_t choice_count;
} clip_setting_info;

/* The declaration of an augmentation. Valid during the visit. */
typedef struct clip_augmentation_info {
  uint32_t struct_size;
  clip_plugin_kind kind;   /* CLIP_KIND_IMAGE_AUGMENTATION or CLIP_KIND_TEXT_AUGMENTATION */
  const char *id;
  const char *op;          /* its name in pipelines */
  const char *description;
  double probability;      /* of a step without "p" */
  const clip_setting_info *settings;
  size_t setting_count;
} clip_augmentation_info;

/* Returns 0 to continue, anything else to stop the visit. */
typedef int (*clip_augmentation_fn)(void *user, const clip_augmentation_info *info);

/* Visits the loaded augmentations, in the order of loading. `op`: only the one of this op or id, NULL: all.
 * CLIP_NOT_FOUND lists the ops there are. [any-thread] */
CLIP_API clip_status clip_augmentations_visit(clip_runtime *runtime, const char *op, clip_augmentation_fn visit,
                                              void *user);

/* Steps that augment an image or a text. */
typedef struct clip_pipeline clip_pipeline;

/* Makes a pipeline from JSON, as docs/augmentation.md describes:
 *   [{"op": "color_jitter", "brightness": 0.1, "p": 0.8}, {"one_of": [{"op": ...}, {"op": ...}]}]
 * All steps are for images, or all for texts. An unknown op or setting, or a value out of range,
 * is an error that lists what there is. *out is owned by the caller: clip_pipeline_release. It keeps the
 * runtime and its plugins. [any-thread] */
CLIP_API clip_status clip_pipeline_create(clip_runtime *runtime, const char *json, clip_pipeline **out);

/* [owner-thread] */
CLIP_API void clip_pipeline_release(clip_pipeline *pipeline);

/* Augments an image. The result depends on the image, the pipeline, `seed` and `index` alone: use one seed for a
 * run, and another index for each image. The result has the view's pixel
 * format unless a step changes that. *out is owned by the caller: clip_image_release. [any-thread] */
CLIP_API clip_status clip_augment_image(const clip_pipeline *pipeline, const clip_image_view *image, uint64_t seed,
                                        uint64_t index, clip_image **out);

/* Augments a text in the same way and writes it to `buffer` with its NUL. *length is its length in bytes without the
 * NUL, also where `capacity` is too small: CLIP_INVALID_ARGUMENT, and `buffer` is untouched. The steps run again
 * with the next call, so begin with ample room. [any-thread] */
CLIP_API clip_status clip_augment_text(const clip_pipeline *pipeline, const char *text, uint64_t seed,
                                       uint64_t index, char *buffer, size_t capacity, size_t *length);

/* The number of texts that steps left unchanged because a resource, such as a translator, failed. 0 for NULL. [any-thread] */
CLIP_API uint64_t clip_pipeline_failures(const clip_pipeline *pipeline);

#ifdef __cplusplus
}
#endif

#endif
