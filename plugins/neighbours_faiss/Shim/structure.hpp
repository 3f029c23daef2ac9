// A structure of FAISS over the host's rows, and what its files share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "faiss_shim.h"

// A failure that the host is told.
struct Failure : std::runtime_error {
  clip_status status;
  Failure(clip_status status, const char *message) : std::runtime_error(message), status(status) {}
};

inline void check(clip_status status) {
  if (status != CLIP_OK) throw Failure(status, "");
}

// A structure's file, to which it is written, or from which it is read as untrusted bytes.
struct Output {
  clip_neighbours_write_fn write;
  void *file;

  template <typename T>
  void put(const T *values, size_t count) const {
    static_assert(std::is_trivially_copyable<T>::value, "bytes");
    check(write(file, values, count * sizeof(T)));
  }
  template <typename T>
  void put(T value) const { put(&value, 1); }
};

struct Input {
  clip_neighbours_read_fn read;
  void *file;

  template <typename T>
  void get(T *values, size_t count) const {
    static_assert(std::is_trivially_copyable<T>::value, "bytes");
    check(read(file, values, count * sizeof(T)));
  }
  template <typename T>
  T get() const {
    T value;
    get(&value, 1);
    return value;
  }
};

struct Structure {
  const clip_neighbours_rows rows;

  explicit Structure(const clip_neighbours_rows &rows) : rows(rows) {}
  virtual ~Structure() = default;
  virtual void save(const Output &output) const = 0;
  virtual size_t search(const float *query, size_t count, uint32_t *numbers) = 0;
  virtual bool usesRows() const = 0;
  virtual size_t byteCount() const = 0;

  void progress(uint64_t done) const {
    if (rows.progress(rows.host, done, rows.count)) throw Failure(CLIP_CANCELLED, "cancelled");
  }

  // Calls task(i) for each i in [0, count) on the host's threads. An exception in one of them ends the others that look
  // at `failed`.
  template <typename Task>
  void run(size_t count, Task &task) const {
    struct Call {
      Task &task;
      std::exception_ptr error;
      std::atomic<bool> hasFailed{false};
    } call{task, nullptr};
    check(rows.run(rows.host, count, [](void *user, size_t i) {
      Call &call = *static_cast<Call *>(user);
      if (call.hasFailed) return;
      try {
        call.task(i);
      } catch (...) {
        if (!call.hasFailed.exchange(true)) call.error = std::current_exception();
      }
    }, &call));
    if (call.error) std::rethrow_exception(call.error);
  }
};

std::unique_ptr<Structure> buildGraph(const clip_neighbours_rows &rows);
std::unique_ptr<Structure> loadGraph(const clip_neighbours_rows &rows, const Input &input);
std::unique_ptr<Structure> buildLists(const clip_neighbours_rows &rows);
std::unique_ptr<Structure> loadLists(const clip_neighbours_rows &rows, const Input &input);
