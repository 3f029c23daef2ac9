/* libsentencepiece's C++ interface as C functions. None of them throws. */
#ifndef CLIPCORE_SENTENCEPIECE_SHIM_H
#define CLIPCORE_SENTENCEPIECE_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sentencepiece_model sentencepiece_model;

enum { SENTENCEPIECE_OK = 0, SENTENCEPIECE_REFUSED = 1, SENTENCEPIECE_NO_MEMORY = 2 };

/* On SENTENCEPIECE_REFUSED the library's words are at `words`, at most `capacity` bytes with the NUL.
 * *out is the caller's to close. */
int sentencepiece_open(const void *data, size_t size, sentencepiece_model **out, char *words, size_t capacity);
void sentencepiece_close(sentencepiece_model *model);

size_t sentencepiece_piece_count(const sentencepiece_model *model);
/* -1 where no piece has that name. */
int32_t sentencepiece_piece_id(const sentencepiece_model *model, const char *name);

/* Writes the first `capacity` of *count ids. */
int sentencepiece_encode(const sentencepiece_model *model, const char *text, size_t size, int32_t *ids,
                         size_t capacity, size_t *count, char *words, size_t words_capacity);

#ifdef __cplusplus
}
#endif

#endif
