#include "faiss_shim.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "structure.hpp"

namespace {

// Runs `body` and turns an exception into a status and a message. First allocates the C++ runtime's thread-local storage:
// if an exception has no memory for it, the process ends.
template <typename Body>
clip_status guarded(clip_plugin_error *error, Body body) noexcept {
  clip_status status = CLIP_PLUGIN;
  const char *message = "an exception of unknown type";
  try {
    (void)std::uncaught_exceptions();
    body();
    return CLIP_OK;
  } catch (const Failure &failure) {
    status = failure.status;
    std::snprintf(error->message, error->capacity, "%s", failure.what());
  } catch (const std::bad_alloc &) {
    status = CLIP_OUT_OF_MEMORY;
    std::snprintf(error->message, error->capacity, "neighbours: the system has no memory left");
  } catch (const std::length_error &) {
    status = CLIP_OUT_OF_MEMORY;
    std::snprintf(error->message, error->capacity, "neighbours: the system has no memory left");
  } catch (const std::exception &exception) {
    std::snprintf(error->message, error->capacity, "neighbours: %s", exception.what());
  } catch (...) {
    std::snprintf(error->message, error->capacity, "neighbours: %s", message);
  }
  return status;
}

bool isGraph(const char *method) {
  if (std::strcmp(method, "hnsw") == 0) return true;
  if (std::strcmp(method, "ivf-pq") == 0) return false;
  throw Failure(CLIP_INVALID_ARGUMENT, "neighbours: expected the method hnsw or ivf-pq");
}

const Structure &structureOf(const void *structure) { return *static_cast<const Structure *>(structure); }

}  // namespace

clip_status faiss_shim_build(const char *method, const clip_neighbours_rows *rows, void **structure,
                             clip_plugin_error *error) {
  return guarded(error, [&] { *structure = (isGraph(method) ? buildGraph(*rows) : buildLists(*rows)).release(); });
}

clip_status faiss_shim_save(const void *structure, clip_neighbours_write_fn write, void *file,
                            clip_plugin_error *error) {
  return guarded(error, [&] { structureOf(structure).save({write, file}); });
}

clip_status faiss_shim_load(const char *method, const clip_neighbours_rows *rows, clip_neighbours_read_fn read,
                            void *file, void **structure, clip_plugin_error *error) {
  return guarded(error, [&] {
    const Input input{read, file};
    *structure = (isGraph(method) ? loadGraph(*rows, input) : loadLists(*rows, input)).release();
  });
}

clip_status faiss_shim_search(void *structure, const float *query, size_t count, uint32_t *numbers, size_t *found,
                              clip_plugin_error *error) {
  return guarded(error, [&] { *found = static_cast<Structure *>(structure)->search(query, count, numbers); });
}

int faiss_shim_uses_rows(const void *structure) { return structureOf(structure).usesRows(); }
uint64_t faiss_shim_memory_bytes(const void *structure) { return structureOf(structure).byteCount(); }
void faiss_shim_close(void *structure) { delete static_cast<Structure *>(structure); }
