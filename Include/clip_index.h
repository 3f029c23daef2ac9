/* clip_index.h: an index of embeddings in one file: search by embedding, near-duplicates, look-up by key. Part of
 * libclipindex (-lclipindex -lclipcore). The file is an SQLite database that other programs may read (docs/index.md).
 * Conventions: clip.h.
 *
 *   clip_index_open(runtime, "images.index", &options, &index);   options: a fingerprint, a width, CLIP_INDEX_CREATE
 *   clip_index_put(index, keys, embeddings, NULL, n);
 *   clip_index_search(index, query, NULL, print_match, NULL);
 *   clip_index_release(index);
 */
#ifndef CLIPCORE_CLIP_INDEX_H
#define CLIPCORE_CLIP_INDEX_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An open index: entries, each a key, an embedding of unit length and, if the caller wants, metadata.
 *
 * A call that changes entries is one transaction: after an error, and after the process is killed at any moment, the
 * file has all of its changes or none. One writer and any number of readers, in any processes, use a file at the same
 * time; each call sees whole transactions. A second writer waits for the first. The handle belongs to the process that
 * opened it: in a child that this forks, every call but clip_index_release is CLIP_UNSUPPORTED. */
typedef struct clip_index clip_index;

/* A key or metadata: any bytes, file names that are not UTF-8 too. This struct never changes. */
typedef struct clip_index_bytes {
  const void *data; /* may be NULL where size is 0 */
  size_t size;      /* of a key 1 to 65536; of metadata at most 16 MiB */
} clip_index_bytes;

enum {
  CLIP_INDEX_CREATE = 1u,   /* make the file if it is not there or empty; else that is CLIP_NOT_FOUND */
  CLIP_INDEX_READ_ONLY = 2u /* calls that change entries are CLIP_INVALID_ARGUMENT */
};

typedef struct clip_index_options {
  uint32_t struct_size;
  uint32_t flags; /* CLIP_INDEX_* */
  /* Names what made the embeddings, 1 to 4096 bytes: clip_index_fingerprint, with what else changes them if there is
   * such. An index with another fingerprint is CLIP_MISMATCH. NULL: as the file has it; a new file needs one. */
  const char *fingerprint;
  uint32_t embedding_width; /* 1 to 65536; an index of another width is CLIP_MISMATCH. 0: as the file has it; a new
                               file needs one */
  /* Of a new file; an existing one keeps its own. CLIP_STORAGE_F32; CLIP_STORAGE_F16, half the size, scores within
   * 0.0005; CLIP_STORAGE_INT8: rows are F16 in the file and INT8 in memory, a search scores the best candidates again
   * from the file, so that scores are those of F16 and recall at 10 is at least 0.98. */
  clip_storage storage;
  uint64_t wait_milliseconds; /* how long a call waits for another writer before it is CLIP_IO; 0: 10000 */
  /* NULL: searches compare all rows. "hnsw" or "ivf-pq" of the plugin over FAISS, or a method of another plugin: they
   * find most of the nearest, in less time. What a method needs is built by the first search, and kept in a file beside
   * the index ("images.index.hnsw"), which is made again when it is missing, damaged or out of date; with
   * CLIP_INDEX_READ_ONLY it is only read, and without one all rows are compared. CLIP_NOT_FOUND: no plugin has it. */
  const char *neighbours;
} clip_index_options;

/* Writes the fingerprint of a model folder and its NUL, 33 bytes: a hash of the names and contents of its configuration,
 * tokenizer and weight files, of large files of one block in each 128 KiB (or more: of at most 8192 blocks). The same for
 * a copy of the folder under another name. [any-thread] */
CLIP_API clip_status clip_index_fingerprint(const char *folder, char *buffer, size_t capacity);

/* Opens an index, whose rows are read by the first search. `options` may be NULL: an existing file of any fingerprint.
 * CLIP_FORMAT: no index, or a damaged one. CLIP_UNSUPPORTED: of a newer format. [any-thread] */
CLIP_API clip_status clip_index_open(clip_runtime *runtime, const char *path, const clip_index_options *options,
                                     clip_index **out);

/* Releases the index. [owner-thread] */
CLIP_API void clip_index_release(clip_index *index);

/* Facts about an index at one moment. */
typedef struct clip_index_info {
  uint32_t struct_size;
  uint32_t embedding_width;
  clip_storage storage;
  uint64_t entries;
  uint64_t changes;      /* rises with each transaction that changes entries */
  uint64_t file_bytes;   /* of the database, without its log */
  uint64_t memory_bytes; /* of what this handle holds to search; 0 before its first search */
} clip_index_info;

/* Fills *info. [any-thread] */
CLIP_API clip_status clip_index_describe(clip_index *index, clip_index_info *info);

/* Writes the fingerprint that the index was created with, and returns its length. [any-thread] */
CLIP_API size_t clip_index_get_fingerprint(const clip_index *index, char *buffer, size_t capacity);

/* ---------------------------------------------------------------- changes */

/* Adds n entries, and replaces those whose keys are there. embeddings [n, embedding_width] of any length but 0 are scaled
 * to 1; a row that is 0, NaN or infinite is CLIP_INVALID_ARGUMENT. NULL: the entries keep theirs, and CLIP_NOT_FOUND if
 * one is not there. metadata [n] may be NULL: none. Of equal keys the last counts. [any-thread] */
CLIP_API clip_status clip_index_put(clip_index *index, const clip_index_bytes *keys, const float *embeddings,
                                    const clip_index_bytes *metadata, size_t n);

/* Gives n entries other keys, one after the other; an entry that has such a key is replaced. CLIP_NOT_FOUND if one is not
 * there. [any-thread] */
CLIP_API clip_status clip_index_rename(clip_index *index, const clip_index_bytes *from, const clip_index_bytes *to,
                                       size_t n);

/* Removes the entries with these keys; keys that are not there are passed over. `removed` may be NULL: how many were.
 * [any-thread] */
CLIP_API clip_status clip_index_remove(clip_index *index, const clip_index_bytes *keys, size_t n, uint64_t *removed);

/* ---------------------------------------------------------------- look-up */

/* An entry, valid during the call that has it. */
typedef struct clip_index_entry {
  uint32_t struct_size;
  float score;          /* the cosine, where entries are compared; else 0 */
  clip_index_bytes key;
  clip_index_bytes metadata; /* size 0: none */
} clip_index_entry;

typedef int (*clip_index_entry_fn)(void *user, const clip_index_entry *entry);

/* Calls `visit`, which may be NULL, for the entry with this key, and writes its embedding [embedding_width] of unit
 * length, as it is stored, to `embedding` unless that is NULL. CLIP_NOT_FOUND if there is none. [any-thread] */
CLIP_API clip_status clip_index_get(clip_index *index, const void *key, size_t key_size, float *embedding,
                                    size_t capacity, clip_index_entry_fn visit, void *user);

/* Lists the entries whose keys begin with `prefix` (of size 0: all), in the order of their keys' bytes. Entries that
 * change meanwhile may be left out. [any-thread] */
CLIP_API clip_status clip_index_visit(clip_index *index, const void *prefix, size_t prefix_size,
                                      clip_index_entry_fn visit, void *user);

/* ---------------------------------------------------------------- search
 * Scores are cosines. The first search of a handle reads all rows into memory, later ones what changed since. Work is on
 * the runtime's threads; calls on one handle run one at a time. A call with the handle from inside a filter or a progress
 * callback is CLIP_INVALID_ARGUMENT; visitors may call it. */

enum { CLIP_INDEX_THRESHOLD = 1u /* only what scores at least `threshold` */ };

/* Whether an entry may be a match: 0 leaves it out. Called on the calling thread, once for an entry, best first, until
 * enough are found. With `neighbours`, one that was missed first may come later. */
typedef int (*clip_index_filter_fn)(void *user, const clip_index_entry *entry);

typedef struct clip_index_search_options {
  uint32_t struct_size;
  uint32_t flags;      /* CLIP_INDEX_THRESHOLD */
  uint32_t count;      /* matches at most; 0: 10 */
  float threshold;     /* -1 to 1 */
  clip_index_filter_fn filter; /* NULL: none */
  void *filter_user;
  clip_progress progress; /* of reading rows into memory, or building what `neighbours` needs, in rows */
} clip_index_search_options;

/* Lists the entries that are nearest to query [embedding_width], of any length but 0: best first, equal scores in the
 * order of keys. All entries are compared, and on any number of threads the result is the same, unless the index was
 * opened with `neighbours`: then scores are exact, and a few of the nearest may be missing. NaN or infinity in the query is
 * CLIP_INVALID_ARGUMENT. `options` may be NULL. [any-thread] */
CLIP_API clip_status clip_index_search(clip_index *index, const float *query,
                                       const clip_index_search_options *options, clip_index_entry_fn visit, void *user);

typedef struct clip_index_duplicates_options {
  uint32_t struct_size;
  uint32_t count;         /* pairs at most, up to 1000000; 0: 10000 */
  float threshold;        /* least score of a pair, above 0 to 1; 0: 0.95 */
  clip_progress progress; /* of comparing, in rows */
} clip_index_duplicates_options;

/* The key of `a` is before that of `b`; both have the pair's score. */
typedef int (*clip_index_pair_fn)(void *user, const clip_index_entry *a, const clip_index_entry *b);

/* Lists the pairs of entries that are nearest to each other, best first, equal scores in the order of keys. Time grows
 * as the square of entries. `options` may be NULL. [any-thread] */
CLIP_API clip_status clip_index_duplicates(clip_index *index, const clip_index_duplicates_options *options,
                                           clip_index_pair_fn visit, void *user);

typedef struct clip_index_groups_options {
  uint32_t struct_size;
  float threshold;        /* as in clip_index_duplicates_options */
  clip_progress progress; /* of comparing, in rows */
} clip_index_groups_options;

/* `group` counts from 0. The score is that of the entry and the one nearest to it. */
typedef int (*clip_index_member_fn)(void *user, uint64_t group, const clip_index_entry *entry);

/* Lists groups: entries joined by pairs that score at least the threshold, directly or through others. Groups with the
 * nearest pair first, equal ones in the order of their first keys; a group's entries one after the other, in the order of
 * keys. Pairs are not kept, so that memory grows as entries. Time is that of clip_index_duplicates. [any-thread] */
CLIP_API clip_status clip_index_groups(clip_index *index, const clip_index_groups_options *options,
                                       clip_index_member_fn visit, void *user);

#ifdef __cplusplus
}
#endif

#endif
