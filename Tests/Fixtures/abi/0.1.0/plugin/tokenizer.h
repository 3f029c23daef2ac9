/* plugin/tokenizer.h: tokenizers. */
#ifndef CLIPCORE_PLUGIN_TOKENIZER_H
#define CLIPCORE_PLUGIN_TOKENIZER_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* What is done to a text before it is tokenized. */
typedef enum clip_text_cleaning {
  CLIP_CLEANING_NONE = 0,       /* what the tokenizer's files say alone, as transformers */
  CLIP_CLEANING_OPENAI = 1,     /* CLIP's: ftfy's repairs, HTML entities, white space, lower case */
  CLIP_CLEANING_WHITESPACE = 2, /* the same without lower case */
  CLIP_CLEANING_CANONICAL = 3   /* SigLIP's: the same in lower case, without ASCII punctuation */
} clip_text_cleaning;

/* Bits of clip_tokenizer_model.flags. */
enum {
  CLIP_TOKENIZER_STRIP_SEPARATOR = 1, /* the separator token becomes 0 */
  CLIP_TOKENIZER_PAD_RIGHT = 2        /* padding comes last, whatever the files say */
};

/* Bits of the flags of `encode`. */
enum {
  CLIP_TEXT_TRUNCATE = 1,       /* shorten a text that is too long */
  CLIP_TEXT_OPENAI_CLEANING = 2 /* clean as CLIP_CLEANING_OPENAI, where the tokenizer lets the caller choose */
};

/* A model folder, and what the model's config says about its texts. Valid during the call of `open`. */
typedef struct clip_tokenizer_model clip_tokenizer_model;
struct clip_tokenizer_model {
  uint32_t struct_size;
  uint32_t flags;              /* CLIP_TOKENIZER_* */
  const char *folder;          /* its path, for messages */
  const char *kind;            /* the config's word for the tokenizer, such as "clip" */
  const char *language;        /* of the texts; NULL: the tokenizer's own */
  clip_text_cleaning cleaning; /* where the caller of `encode` does not choose */
  uint32_t context_length;     /* tokens in a row */
  uint32_t vocabulary_size;    /* ids are below it */
  int32_t padding;             /* what padding must be, CLIP_FORMAT if it is not; -1: the tokenizer's own */
  void *host;
  /* The bytes of a file of the folder, valid until `open` returns. CLIP_NOT_FOUND without a message if there is none. */
  clip_status (*CLIP_NONNULL file)(const clip_tokenizer_model *model, const char *name, const uint8_t **data,
                                    size_t *size, clip_plugin_error *error);
};

/* A tokenizer: from texts to rows of token ids. */
typedef struct clip_tokenizer {
  uint32_t struct_size;
  const char *id; /* "clipcore.tokenizer.subword" */
  const char *description;
  /* Opens the tokenizer of a model folder. A malformed file is CLIP_FORMAT, with its path in the message. *tokenizer is
   * the host's to close, and does not change: `encode` may run on it on several threads. */
  clip_status (*CLIP_NONNULL open)(const clip_tokenizer_model *model, void **tokenizer, clip_plugin_error *error);
  /* Writes all `context_length` ids of a row: the text's, with the tokens before and after it, and padding. The text is
   * `size` bytes without NUL, which may not be UTF-8. *count is the number of tokens without the padding at the end.
   * A text that is too long is CLIP_LIMIT. */
  clip_status (*CLIP_NONNULL encode)(const void *tokenizer, const char *text, size_t size, uint32_t flags, int32_t *row,
                                      size_t *count, clip_plugin_error *error);
  void (*CLIP_NONNULL close)(void *tokenizer);
} clip_tokenizer;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
