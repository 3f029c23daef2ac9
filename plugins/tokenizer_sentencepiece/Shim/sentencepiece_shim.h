/* A C interface to libsentencepiece. No function throws. */
#ifndef CLIPCORE_SENTENCEPIECE_SHIM_H
#define CLIPCORE_SENTENCEPIECE_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sentencepiece_model sentencepiece_model;

enum { SENTENCEPIECE_OK = 0, SENTENCEPIECE_FAILED = 1, SENTENCEPIECE_NO_MEMORY = 2 };

/* On SENTENCEPIECE_FAILED the library's message is at `message`, at most `capacity` bytes with the NUL. The caller
 * closes *out. */
int sentencepiece_open(const void *data, size_t size, sentencepiece_model **out, char *message, size_t capacity);
void sentencepiece_close(sentencepiece_model *model);

size_t sentencepiece_piece_count(const sentencepiece_model *model);
/* The id of the piece with that name; -1 if there is none. */
int32_t sentencepiece_piece_id(const sentencepiece_model *model, const char *name);

/* Sets *count to the number of ids of `text`, and writes the first `capacity` of them to `ids`. */
int sentencepiece_encode(const sentencepiece_model *model, const char *text, size_t size, int32_t *ids,
                         size_t capacity, size_t *count, char *message, size_t message_capacity);

#ifdef __cplusplus
}
#endif

#endif
