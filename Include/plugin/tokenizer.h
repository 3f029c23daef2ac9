/* plugin/tokenizer.h: tokenizers. */
#ifndef CLIPCORE_PLUGIN_TOKENIZER_H
#define CLIPCORE_PLUGIN_TOKENIZER_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* A tokenizer whose model is a file in a format of its own. The host cleans the text before, and adds
 * end token and padding after. A file that is malformed is CLIP_FORMAT. */
typedef struct clip_tokenizer {
  uint32_t struct_size;
  const char *id;
  const char *description;
  /* Reads a model file of `size` bytes, which are not needed after the call. *tokenizer is the host's
   * to close, and does not change: the functions below may run on it at the same time. */
  clip_status (*CLIP_NONNULL open)(const uint8_t *data, size_t size, void **tokenizer, clip_plugin_error *error);
  /* The number of tokens; their ids are below it. */
  size_t (*CLIP_NONNULL token_count)(const void *tokenizer);
  /* The id of the token of that name, such as "</s>"; -1 if there is none. */
  int32_t (*CLIP_NONNULL token_id)(const void *tokenizer, const char *name);
  /* The ids of `size` bytes of UTF-8 without NUL. *count is how many there are; the first `capacity` of
   * them are written to `ids`. */
  clip_status (*CLIP_NONNULL encode)(const void *tokenizer, const char *text, size_t size, int32_t *ids,
                                      size_t capacity, size_t *count, clip_plugin_error *error);
  void (*CLIP_NONNULL close)(void *tokenizer);
} clip_tokenizer;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
