/* faiss_shim.h: FAISS as C: the functions of a clip_neighbours. No exception leaves them. */
#ifndef FAISS_SHIM_H
#define FAISS_SHIM_H

#include "../../../Include/clip_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

clip_status faiss_shim_build(const char *method, const clip_neighbours_rows *rows, void **structure,
                             clip_plugin_error *error);
clip_status faiss_shim_save(const void *structure, clip_neighbours_write_fn write, void *file,
                            clip_plugin_error *error);
clip_status faiss_shim_load(const char *method, const clip_neighbours_rows *rows, clip_neighbours_read_fn read,
                            void *file, void **structure, clip_plugin_error *error);
clip_status faiss_shim_search(void *structure, const float *query, size_t count, uint32_t *numbers, size_t *found,
                              clip_plugin_error *error);
int faiss_shim_uses_rows(const void *structure);
uint64_t faiss_shim_memory_bytes(const void *structure);
void faiss_shim_close(void *structure);

#ifdef __cplusplus
}
#endif

#endif
