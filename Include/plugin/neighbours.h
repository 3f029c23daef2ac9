/* plugin/neighbours.h: structures that find the nearest rows of an index without comparing all of them. */
#ifndef CLIPCORE_PLUGIN_NEIGHBOURS_H
#define CLIPCORE_PLUGIN_NEIGHBOURS_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* The rows that a structure is over, of unit length and numbered from 0. The struct is the call's, to be copied; what it
 * names is valid as long as the structure, for one that says uses_rows, else until build or load returns. Functions may
 * be called on any thread. */
typedef struct clip_neighbours_rows {
  uint32_t struct_size;
  uint32_t width;
  uint32_t count;       /* below 2^31 */
  uint32_t query_bytes; /* of a prepared query: a multiple of 64 */
  void *host;
  /* Writes row `number` [width]. */
  void (*CLIP_NONNULL read)(void *host, uint32_t number, float *row);
  /* Prepare a query [width] of unit length, or a row as one: query_bytes bytes, aligned to 64. */
  void (*CLIP_NONNULL prepare)(void *host, const float *query, void *prepared);
  void (*CLIP_NONNULL prepare_row)(void *host, uint32_t number, void *prepared);
  /* The cosine of a row and a prepared query. */
  float (*CLIP_NONNULL score)(void *host, uint32_t number, const void *prepared);
  /* Calls task(user, i) for each i in [0, count) on the host's threads. */
  clip_status (*CLIP_NONNULL run)(void *host, size_t count, clip_task_fn CLIP_NONNULL task, void *user);
  /* Reports how much of a build is done. Returns 0 to go on; anything else: it is to end with CLIP_CANCELLED. */
  int (*CLIP_NONNULL progress)(void *host, uint64_t done, uint64_t total);
} clip_neighbours_rows;

/* Write and read all of `size` bytes of a structure's file. */
typedef clip_status (*clip_neighbours_write_fn)(void *file, const void *data, size_t size);
typedef clip_status (*clip_neighbours_read_fn)(void *file, void *data, size_t size);

/* Approximate search: the host scores what is found again, from the rows. */
typedef struct clip_neighbours {
  uint32_t struct_size;
  const char *id; /* "clipcore.neighbours.faiss" */
  const char *description;
  const char *methods; /* their names with commas: "hnsw,ivf-pq" */
  /* Builds a structure over at least 4096 rows. *structure is the host's to close. */
  clip_status (*CLIP_NONNULL build)(const char *method, const clip_neighbours_rows *rows, void **structure,
                                    clip_plugin_error *error);
  /* Writes the structure, and reads one over the same rows. Bytes are not trusted: CLIP_FORMAT. */
  clip_status (*CLIP_NONNULL save)(const void *structure, clip_neighbours_write_fn CLIP_NONNULL write, void *file,
                                   clip_plugin_error *error);
  clip_status (*CLIP_NONNULL load)(const char *method, const clip_neighbours_rows *rows,
                                   clip_neighbours_read_fn CLIP_NONNULL read, void *file, void **structure,
                                   clip_plugin_error *error);
  /* Writes the numbers of up to `count` rows near to query [width], each once, in any order. One call at a time. */
  clip_status (*CLIP_NONNULL search)(void *structure, const float *query, size_t count, uint32_t *numbers,
                                     size_t *found, clip_plugin_error *error);
  /* 1 if `search` calls the functions of the rows; else the host need not keep them in memory. */
  int (*CLIP_NONNULL uses_rows)(const void *structure);
  uint64_t (*CLIP_NONNULL memory_bytes)(const void *structure);
  void (*CLIP_NONNULL close)(void *structure);
} clip_neighbours;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
