#include <jansson.h>

/* json_decref counts with atomics that Swift cannot import inline. */
static inline void clip_json_release(json_t *json) { json_decref(json); }
