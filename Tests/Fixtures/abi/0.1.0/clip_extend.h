/* clip_extend.h: what a library or binding on top of libclipcore needs beyond clip.h, as libcliptools does: error
 * messages, references, threads and log of a runtime, and the tables of loaded plugins. The rules are in clip.h. */
#ifndef CLIPCORE_CLIP_EXTEND_H
#define CLIPCORE_CLIP_EXTEND_H

#include "clip_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- errors */

/* Sets the message that clip_last_error returns on this thread, cut to 4095 bytes; NULL: "". Returns `status`, so
 * that a function may end with `return clip_set_last_error(CLIP_FORMAT, message);`. [any-thread] */
CLIP_API clip_status clip_set_last_error(clip_status status, const char *message);

/* ---------------------------------------------------------------- runtime and model */

/* Adds a reference to a runtime and returns it; clip_runtime_release gives it up. NULL for NULL. [any-thread] */
CLIP_API clip_runtime *clip_runtime_retain(clip_runtime *runtime);

/* Sends a message to the runtime's log. [any-thread] */
CLIP_API void clip_runtime_log(const clip_runtime *runtime, clip_log_level level, const char *message);

/* The most threads that compute one call, the calling thread included; 0 for NULL. [any-thread] */
CLIP_API uint32_t clip_runtime_threads(const clip_runtime *runtime);

/* Calls task(context, i) once for every i in [0, count), in any order on the runtime's threads and the calling
 * thread, and returns when all have returned. Not from inside a task. [any-thread] */
CLIP_API clip_status clip_runtime_parallel_for(clip_runtime *runtime, size_t count, clip_task_fn task, void *context);

/* A second handle on the model as it is at this moment. Both share the weights; a later swap of one does not change
 * the other. *out is owned by the caller: clip_model_release. [any-thread] */
CLIP_API clip_status clip_model_snapshot(clip_model *model, clip_model **out);

/* ---------------------------------------------------------------- pixels */

/* Makes an image whose pixels the caller writes to *pixels, in rows without gaps, before any other call uses the
 * image. Until then they are unspecified.
 * CLIP_LIMIT: more pixels than the runtime's max_image_pixels. *out is owned by the caller: clip_image_release.
 * [any-thread] */
CLIP_API clip_status clip_image_create(clip_runtime *runtime, clip_pixel_format format, uint32_t width,
                                       uint32_t height, clip_image **out, uint8_t **pixels);

/* The filters of Pillow's Image.resize; all but nearest are antialiased. */
typedef enum clip_resample {
  CLIP_RESAMPLE_NEAREST = 0,
  CLIP_RESAMPLE_BILINEAR = 1,
  CLIP_RESAMPLE_BICUBIC = 2,
  CLIP_RESAMPLE_LANCZOS = 3
} clip_resample;

/* Resizes a view to width x height pixels of red, green and blue as Pillow's Image.resize does; alpha is dropped.
 * Rows of `pixels` are `stride` bytes apart (0: they follow each other); `capacity` in bytes. [any-thread] */
CLIP_API clip_status clip_image_resize(clip_runtime *runtime, const clip_image_view *view, clip_resample resample,
                                       uint32_t width, uint32_t height, uint8_t *pixels, size_t capacity,
                                       size_t stride);

/* The first half of clip_preprocess: resizes and crops n images to bytes [n, image_height, image_width, 3], red
 * first, on the calling thread. `capacity` in bytes. [any-thread] */
CLIP_API clip_status clip_preprocess_bytes(const clip_model *model, const clip_image_view *images, size_t n,
                                           const clip_encode_options *options, uint8_t *bytes, size_t capacity);

/* The second half: normalises such bytes to pixels [n, 3, image_height, image_width] for clip_encode_pixels.
 * [any-thread] */
CLIP_API clip_status clip_normalize_bytes(const clip_model *model, const uint8_t *bytes, size_t n,
                                          const clip_encode_options *options, float *pixels, size_t capacity);

/* ---------------------------------------------------------------- plugin tables */

/* Receives the table of a loaded plugin's item, as the plugin header of its kind defines it: valid during the call.
 * Returns 0 to go on, anything else to stop the visit. */
typedef int (*clip_plugin_table_fn)(void *user, const char *id, const void *table);

/* Visits the tables of a kind as they are at the time of the call, in the order of loading. [any-thread] */
CLIP_API clip_status clip_plugin_tables_visit(const clip_runtime *runtime, clip_plugin_kind kind,
                                              clip_plugin_table_fn visit, void *user);

/* Keeps a plugin's code loaded, also when the plugin is unloaded or reloaded. */
typedef struct clip_plugin_reference clip_plugin_reference;

/* Sets *table to the table of this kind and id, valid until *out is released. CLIP_NOT_FOUND lists the ids of the
 * kind. *out is owned by the caller: clip_plugin_reference_release. [any-thread] */
CLIP_API clip_status clip_plugin_table_hold(const clip_runtime *runtime, clip_plugin_kind kind, const char *id,
                                            const void **table, clip_plugin_reference **out);

/* Gives up the reference; the table is no longer valid. NULL does nothing. [any-thread] */
CLIP_API void clip_plugin_reference_release(clip_plugin_reference *reference);

#ifdef __cplusplus
}
#endif

#endif
