/* clip_images.h: embeddings of many image files. Part of libcliptools (-lcliptools -lclipcore). Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_IMAGES_H
#define CLIPCORE_CLIP_IMAGES_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where an image is stored: a file, or a part of one such as a member of an archive. This struct never changes. */
typedef struct clip_image_file {
  const char *path; /* any bytes ending in NUL: a file's name need not be UTF-8 */
  uint64_t offset;  /* bytes of the file before the image */
  uint64_t size;    /* bytes of the image; 0: all that follow */
} clip_image_file;

enum {
  CLIP_FILES_SHRINK = 1u /* decode large JPEG and WebP images at 1/2, 1/4 or 1/8 of their size, as long as that keeps
                            1.5 times the sides that the model takes: cosine with exact decoding at least 0.9995 */
};

typedef struct clip_encode_files_options {
  uint32_t struct_size;
  uint32_t flags;      /* CLIP_FILES_* */
  uint32_t batch_size; /* images that are encoded at once, 1 to 4096; 0: 32 */
  uint32_t workers;    /* threads that read, decode and resize, 1 to 256; 0: as many as compute a call of the runtime */
  const clip_image_options *image;   /* NULL: none. Its smaller_side, where it is not 0, wins over CLIP_FILES_SHRINK */
  const clip_encode_options *encode; /* NULL: none. Its progress is not called */
  clip_progress progress; /* in images: one that is decoded counts for half until it is embedded */
} clip_encode_files_options;

/* Receives the embedding [embedding_width] of image `index`, or NULL with the status and message of its error. Both pointers
 * are valid during the call. Returns 0 to continue; any other value cancels the call. It may call the library. */
typedef int (*clip_encoded_fn)(void *user, size_t index, const float *embedding, clip_status status,
                               const char *message);

/* Embeds the images of n files, as clip_image_load and clip_encode_image do, and calls `receive` for each of them, on the
 * calling thread and in their order. Threads of the call decode the images of the next batch while one is encoded;
 * memory does not grow with n. If an image cannot be read, `receive` gets the error, and the call continues.
 * Embeddings received before an error or CLIP_CANCELLED are valid. CLIP_OUT_OF_MEMORY ends the call. `options` may be NULL. Needs the image
 * tower, as it is at the time of the call. [any-thread] */
CLIP_API clip_status clip_encode_files(clip_runtime *runtime, clip_model *model, const clip_image_file *files, size_t n,
                                       const clip_encode_files_options *options, clip_encoded_fn receive, void *user);

/* Called for a file of an archive: its name in the archive, any bytes ending in NUL, and its range. Returns 0
 * to continue. */
typedef int (*clip_archive_fn)(void *user, const char *name, uint64_t offset, uint64_t size);

/* Visits the files in a tar archive, in their order. Where it is truncated or damaged, the files before are visited and
 * the result is CLIP_FORMAT. `path` need not be UTF-8. [any-thread] */
CLIP_API clip_status clip_archive_visit(const char *path, clip_archive_fn visit, void *user);

#ifdef __cplusplus
}
#endif

#endif
