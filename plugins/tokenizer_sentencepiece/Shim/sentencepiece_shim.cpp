#include "sentencepiece_shim.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

// The library exports this function but has no installed header with it. By default the library logs to stderr; level 3
// is for fatal errors only.
namespace sentencepiece {
namespace logging {
void SetMinLogLevel(int level);
}
}  // namespace sentencepiece

struct sentencepiece_model {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

// Runs `body`, which returns a status of the library. The C++ runtime's thread-local storage is made first: the process
// ends where an exception finds no memory for it. Returns the code for the status or an exception, and writes the
// message of a failure.
template <typename Body>
int guarded(char *message, size_t capacity, Body body) noexcept {
  try {
    (void)std::uncaught_exceptions();
    const sentencepiece::util::Status status = body();
    if (status.ok()) return SENTENCEPIECE_OK;
    std::snprintf(message, capacity, "%s", status.ToString().c_str());
  } catch (const std::bad_alloc &) {
    return SENTENCEPIECE_NO_MEMORY;
  } catch (const std::exception &error) {
    std::snprintf(message, capacity, "%s", error.what());
  } catch (...) {
    std::snprintf(message, capacity, "an exception of unknown type");
  }
  return SENTENCEPIECE_FAILED;
}

}  // namespace

int sentencepiece_open(const void *data, size_t size, sentencepiece_model **out, char *message, size_t capacity) {
  sentencepiece_model *model = nullptr;
  const int result = guarded(message, capacity, [&] {
    sentencepiece::logging::SetMinLogLevel(3);
    model = new sentencepiece_model;
    return model->processor.LoadFromSerializedProto({static_cast<const char *>(data), size});
  });
  if (result != SENTENCEPIECE_OK) {
    delete model;
    return result;
  }
  *out = model;
  return result;
}

void sentencepiece_close(sentencepiece_model *model) { delete model; }

size_t sentencepiece_piece_count(const sentencepiece_model *model) {
  return static_cast<size_t>(std::max(0, model->processor.GetPieceSize()));
}

int32_t sentencepiece_piece_id(const sentencepiece_model *model, const char *name) {
  char message[1];
  int id = -1;
  guarded(message, sizeof message, [&] {
    // For an unknown name PieceToId returns the unknown piece's id.
    id = model->processor.PieceToId(name);
    if (model->processor.IdToPiece(id) != name) id = -1;
    return sentencepiece::util::Status();
  });
  return id;
}

int sentencepiece_encode(const sentencepiece_model *model, const char *text, size_t size, int32_t *ids,
                         size_t capacity, size_t *count, char *message, size_t message_capacity) {
  return guarded(message, message_capacity, [&] {
    std::vector<int> found;
    const sentencepiece::util::Status status = model->processor.Encode({text, size}, &found);
    if (status.ok()) {
      std::copy_n(found.begin(), std::min(capacity, found.size()), ids);
      *count = found.size();
    }
    return status;
  });
}
