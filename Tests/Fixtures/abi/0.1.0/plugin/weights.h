/* plugin/weights.h: formats of weight files. */
#ifndef CLIPCORE_PLUGIN_WEIGHTS_H
#define CLIPCORE_PLUGIN_WEIGHTS_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NONNULL_BEGIN

/* One tensor of a file. Its pointers are valid until `visit` returns. This struct does not grow. */
typedef struct clip_weight_tensor {
  const char *name;  /* UTF-8 */
  const char *dtype; /* safetensors's name of the element type: "F32", "BF16", "F8_E4M3". Elements are little-endian. */
  const uint64_t *sides; /* `rank` of them; a scalar has none */
  const uint64_t *CLIP_NULLABLE strides; /* in elements, one for each side; NULL: row-major without gaps */
  size_t rank;
  uint64_t offset; /* bytes from the start of the file to the first element */
} clip_weight_tensor;

/* Receives a tensor. If it returns anything but CLIP_OK, read ends with that status. */
typedef clip_status (*clip_weight_fn)(void *host, const clip_weight_tensor *tensor);

/* Finds the tensors in a file that the host has mapped. Nothing is copied: the host reads the elements itself, after it
 * has checked that they lie in the file. A file that is malformed, or asks for anything but tensors, is CLIP_FORMAT. */
typedef struct clip_weight_format {
  uint32_t struct_size;
  const char *id; /* "clipcore.weights.pytorch" */
  const char *description;
  int (*recognises)(const uint8_t *data, size_t size); /* 1 if the first bytes are of this format */
  clip_status (*read)(const uint8_t *data, size_t size, clip_weight_fn visit, void *host, clip_plugin_error *error);
} clip_weight_format;

CLIP_NONNULL_END

#ifdef __cplusplus
}
#endif

#endif
