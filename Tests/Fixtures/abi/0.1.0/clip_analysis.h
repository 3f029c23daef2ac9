/* clip_analysis.h: measures of how well pairs of embeddings match, and the catalogue of modalities. Part of libcliptools
 * (-lcliptools -lclipcore). Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_ANALYSIS_H
#define CLIPCORE_CLIP_ANALYSIS_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clip_analysis_options {
  uint32_t struct_size;
  uint32_t calibration_bins; /* 1 to 1000; 0: 15 */
  double logit_scale;        /* the factor of cosines in losses, as in clip_model_info; 0: 100 */
} clip_analysis_options;

/* One direction: n queries, each searched among all n candidates. Equal scores count as better ones. This
 * struct never changes. */
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
  double gap;              /* distance of the two centroids of unit-length embeddings, 0 to 2 */
  double shifted_gap;      /* the same after each side was moved by half of it towards the other, and scaled to 1 */
  double alignment;        /* mean squared distance of the pairs, 0 to 4 (Wang and Isola 2020) */
  double image_uniformity; /* log of the mean of exp(-2 distance^2) over different images, -8 to 0 */
  double text_uniformity;
  double matched_mean;     /* mean cosine of the pairs, and of all others */
  double unmatched_mean;
  double logit_scale;      /* as used */
  double best_logit_scale; /* of 1 to 10000, where the mean loss of both directions is least, to about 1 % */
  double best_loss;        /* that mean loss */
  double best_calibration_error; /* mean of both directions, at that scale */
  clip_retrieval image_to_text;
  clip_retrieval text_to_image;
  clip_retrieval shifted_image_to_text; /* after the shift */
  clip_retrieval shifted_text_to_image;
} clip_analysis;

/* One pair among the others. This struct never changes. */
typedef struct clip_pair_analysis {
  uint32_t text_rank;   /* of its text for its image, from 1 */
  uint32_t image_rank;  /* of its image for its text */
  uint32_t other_text;  /* index of the best text for its image that is not its own */
  uint32_t other_image;
  double cosine;        /* of the pair */
  double hardness;      /* its loss: the mean of both directions at logit_scale, in nats */
} clip_pair_analysis;

/* Measures how well pairs match: images [n, d] and texts [n, d], row i of both is pair i, of any length but
 * 0 and from any model. n is at least 2. Time grows as n^2 d; nothing of n^2 is kept. Sums are in double
 * precision and the same on any number of threads. `options` may be NULL. Fills *analysis and, unless it
 * is NULL, pairs [n], with room for `capacity` of them. docs/analysis.md explains the measures. [any-thread] */
CLIP_API clip_status clip_analyze(clip_runtime *runtime, const float *images, const float *texts, size_t n, size_t d,
                                  const clip_analysis_options *options, clip_analysis *analysis,
                                  clip_pair_analysis *pairs, size_t capacity);

/* How far two modalities are apart in one property, as the catalogue says. Valid during the visit. */
typedef struct clip_property_gap {
  uint32_t struct_size;
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
  char level[32];      /* the name of that score, such as "high"; truncated to 31 bytes */
} clip_modality_gap_info;

/* Returns 0 to go on, anything else to stop the visit. */
typedef int (*clip_property_gap_fn)(void *user, const clip_property_gap *gap);

/* The gap between modalities `a` and `b`, "text" and "image" say, by property: those that count most come
 * first. `path`: the JSON file of modalities, which users may copy and add to; NULL for
 * ../share/clipcore/modalities.json from the library's folder. `visit` may be NULL. CLIP_NOT_FOUND: no such
 * modality; CLIP_FORMAT: the file is not as docs/analysis.md describes. [any-thread] */
CLIP_API clip_status clip_modality_gap(const char *path, const char *a, const char *b, clip_modality_gap_info *info,
                                       clip_property_gap_fn visit, void *user);

/* Receives one text of the catalogue; of a list, one after the other. Valid during the call. Returns 0 to go on,
 * anything else to stop the visit. */
typedef int (*clip_catalogue_fn)(void *user, const char *entry, const char *field, const char *value);

/* Visits all texts of a section of the same file, in its order: "modalities", "alignment" (kinds of it) or
 * "gaps" (semantic ones). On an error some may have been visited. [any-thread] */
CLIP_API clip_status clip_catalogue_visit(const char *path, const char *section, clip_catalogue_fn visit, void *user);

#ifdef __cplusplus
}
#endif

#endif
