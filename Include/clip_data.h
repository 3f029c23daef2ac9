/* clip_data.h: data sets of images and captions. Part of libcliptools (-lcliptools -lclipcore).
 * Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_DATA_H
#define CLIPCORE_CLIP_DATA_H

#include "clip_augment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pairs of images and captions, read from files in random order, and decoded, augmented and preprocessed by the data
 * set's worker threads ahead of the caller (docs/training-data.md). */
typedef struct clip_dataset clip_dataset;

enum {
  CLIP_DATASET_ORDERED = 1u,       /* in the order of the sources, not shuffled */
  CLIP_DATASET_FULL_BATCHES = 2u,  /* drop the last samples of an epoch if they fill no batch */
  CLIP_DATASET_IMAGES = 4u,        /* batches have the images, decoded and augmented */
  CLIP_DATASET_FILES = 8u,         /* batches have the images' files as they are stored */
  CLIP_DATASET_PATHS_OUTSIDE = 16u, /* tables may name files, and links lead, outside their own folder */
  CLIP_DATASET_ALL_CAPTIONS = 32u  /* batches have all captions of each pair, not augmented */
};

typedef struct clip_dataset_options {
  uint32_t struct_size;
  uint32_t flags;          /* CLIP_DATASET_* */
  uint64_t seed;           /* of the order, the choice of captions, and augmentation */
  uint32_t batch_size;     /* samples of a batch at most; 0: 32 */
  uint32_t epochs;         /* number of epochs; 0: no end */
  uint32_t shuffle_buffer; /* pairs that are shuffled together; about 200 bytes each; 0: 10000 */
  uint32_t workers;        /* threads, 1 to 64; 0: 1 */
  uint32_t prefetch;       /* samples made ahead of the caller, at most; 0: batch_size */
  /* Reads part shard_index of shard_count, for several processes; 0 of 0: everything. No pair is in two parts. */
  uint32_t shard_index;
  uint32_t shard_count;
  uint32_t caption_field_count;
  /* Which captions: names of columns or of keys in JSON, "txt" for a caption's own file and "cls" for a class's.
   * One is drawn for each sample. None: the usual, docs/training-data.md. Copied. */
  const char *const *caption_fields;
  /* The column or key of an image's path; in archives and folders the ending of its name. NULL: the
   * usual. Copied. */
  const char *image_field;
  /* The run stops when more than this share of at least 100 samples of an epoch is bad; 0: 0.1 */
  double max_bad_share;
  uint64_t max_file_bytes; /* of one image's file; 0: 64 MiB */
  /* Cleaning and background (laid under before image_pipeline), as in the encode calls; captions
   * are always truncated. NULL: none. Copied. */
  const clip_encode_options *encode;
  const clip_pipeline *image_pipeline; /* NULL: none; the data set keeps it */
  const clip_pipeline *text_pipeline;
  const clip_image_options *image; /* how images are decoded. NULL: exactly, upright. Copied */
} clip_dataset_options;

/* Opens WebDataset archives (.tar), tables of paths and captions (.csv, .tsv, .jsonl, .ndjson) and folders,
 * `source_count` of them. A path may be a pattern: "shards/{000..127}.tar", "{train,extra}.csv". Every file
 * must be there; it is read later. `model` says how images are preprocessed and captions tokenized, as it
 * is now; NULL for neither. No thread starts before the first clip_dataset_next. `options` may be NULL.
 * *out is owned by the caller: clip_dataset_release; it keeps runtime, model and pipelines. [any-thread] */
CLIP_API clip_status clip_dataset_open(clip_runtime *runtime, clip_model *model, const char *const *sources,
                                       size_t source_count, const clip_dataset_options *options, clip_dataset **out);

/* Ends the workers and frees the data set and its last batch. [owner-thread] */
CLIP_API void clip_dataset_release(clip_dataset *dataset);

/* Samples that the library owns, valid until the next call for a batch, restore or release. */
typedef struct clip_batch {
  uint32_t struct_size;
  uint32_t count;                /* samples; 0 after the last epoch */
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

/* The next batch; the last one of an epoch may be smaller. Waits while the workers are behind. A bad sample (no image
 * or caption, undecodable, too large, not UTF-8) is counted, logged with its reason and skipped; so is the rest of a
 * damaged or truncated shard. CLIP_FORMAT if too many samples are bad, or all of an epoch; every later call fails
 * with the same error until clip_dataset_restore. After CLIP_IO and CLIP_OUT_OF_MEMORY, failures of the system,
 * nothing is skipped, and the next call gives this batch. The workers belong to the process of the first call: in a
 * child that it forks, all calls but clip_dataset_release are CLIP_UNSUPPORTED. One call at a time; others wait.
 * [any-thread] */
CLIP_API clip_status clip_dataset_next(clip_dataset *dataset, clip_batch *batch);

enum { CLIP_DATASET_STATE_BYTES = 256 };

/* Writes the position in the data set, after the batches given so far: CLIP_DATASET_STATE_BYTES bytes, valid on any
 * machine. `capacity` in bytes. [any-thread] */
CLIP_API clip_status clip_dataset_save(clip_dataset *dataset, uint8_t *state, size_t capacity);

/* Continues from a saved state: the batches that follow are those that would have followed there, whatever
 * workers, prefetch and epochs are. Sources and options that decide the order must be the same, else
 * CLIP_MISMATCH; other bytes are CLIP_FORMAT. [any-thread] */
CLIP_API clip_status clip_dataset_restore(clip_dataset *dataset, const uint8_t *state, size_t size);

/* Counts over all epochs. A saved state includes them. */
typedef struct clip_dataset_counters {
  uint32_t struct_size;
  uint64_t samples;            /* good ones, given out */
  uint64_t without_image;      /* bad ones, by their reason */
  uint64_t without_caption;
  uint64_t bad_images;         /* undecodable, or refused by a pipeline */
  uint64_t bad_texts;          /* not UTF-8, or a record or JSON that is malformed */
  uint64_t too_large;          /* beyond max_file_bytes, max_image_pixels or 1 MiB of text */
  uint64_t damaged_shards;     /* truncated, malformed or missing: their rest was skipped, in each epoch */
  uint64_t waited_nanoseconds; /* for which calls waited for the workers, since open or restore */
} clip_dataset_counters;

/* Fills *counters, also while another thread waits for a batch. [any-thread] */
CLIP_API clip_status clip_dataset_get_counters(const clip_dataset *dataset, clip_dataset_counters *counters);

#ifdef __cplusplus
}
#endif

#endif
