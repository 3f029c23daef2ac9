// What FAISS asks of OpenMP and BLAS, so that neither comes into the host's process: libgomp ends a process that has no
// memory for a thread, and a BLAS starts threads when it is loaded. Loops of FAISS run on the thread that calls it; the
// host's threads work in tasks around it, and in sgemm_.
#include <sched.h>

#include <algorithm>
#include <cstring>

#include "omp.h"
#include "structure.hpp"

__attribute__((tls_model("initial-exec"))) thread_local const Structure *productThreads = nullptr;

namespace {

enum LockState { unlocked, locked, abandoned };

void acquire(std::atomic<int> &lock) {
  for (int state = unlocked; !lock.compare_exchange_weak(state, locked, std::memory_order_acquire); state = unlocked) {
    if (state == abandoned) return;
    if (state == locked) sched_yield();
  }
}
// One that is abandoned stays so.
void release(std::atomic<int> &lock) {
  int state = locked;
  lock.compare_exchange_strong(state, unlocked, std::memory_order_release);
}
std::atomic<int> critical{unlocked}, atomic{unlocked};

std::atomic<int> &lockAt(omp_lock_t *lock) {
  static_assert(sizeof(std::atomic<int>) == sizeof(omp_lock_t), "a word");
  return *reinterpret_cast<std::atomic<int> *>(lock);
}

typedef float Lanes __attribute__((vector_size(32), aligned(4)));

#if defined(__x86_64__)
#define FOR_PROCESSORS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_PROCESSORS
#endif

constexpr size_t panelWidth = 16, tileRows = 4;

// The rows of a [count, depth] in panels of 16, each [depth, 16], with zeros at the end.
std::vector<float> packed(const float *a, size_t count, size_t depth) {
  std::vector<float> panels((count + panelWidth - 1) / panelWidth * panelWidth * depth);
  for (size_t i = 0; i < count; i++)
    for (size_t d = 0; d < depth; d++)
      panels[(i / panelWidth * depth + d) * panelWidth + i % panelWidth] = a[i * depth + d];
  return panels;
}

// c[j, i] = a[i] . b[j] for the packed rows a and n rows b.
FOR_PROCESSORS
void products(const float *panels, size_t count, const float *b, size_t n, size_t depth, float *c, size_t stride) {
  for (size_t i = 0; i < count; i += panelWidth)
    for (size_t j = 0; j < n; j += tileRows) {
      const float *rows[tileRows];
      for (size_t y = 0; y < tileRows; y++) rows[y] = b + std::min(j + y, n - 1) * depth;
      const float *panel = panels + i * depth;
      Lanes sums[tileRows][2] = {};
      for (size_t d = 0; d < depth; d++) {
        const Lanes *values = reinterpret_cast<const Lanes *>(panel + d * panelWidth);
        for (size_t y = 0; y < tileRows; y++) {
          sums[y][0] += values[0] * rows[y][d];
          sums[y][1] += values[1] * rows[y][d];
        }
      }
      const size_t columns = std::min(panelWidth, count - i);
      for (size_t y = 0; y < tileRows && j + y < n; y++) std::memcpy(c + (j + y) * stride + i, sums[y], columns * sizeof(float));
    }
}

}  // namespace

void abandonLock(omp_lock_t &lock) { lockAt(&lock) = abandoned; }

extern "C" {

// The column-major product of BLAS, as FAISS's search calls it: C = A^T B.
int sgemm_(const char *transposedA, const char *transposedB, const int *m, const int *n, const int *k, const float *alpha,
           const float *a, const int *strideA, const float *b, const int *strideB, const float *beta, float *c,
           const int *strideC) {
  if ((*transposedA | 32) != 't' || (*transposedB | 32) != 'n' || *alpha != 1 || *beta != 0 || *strideA != *k || *strideB != *k)
    throw std::logic_error("expected a product of rows with rows");
  const size_t rows = static_cast<size_t>(*m), columns = static_cast<size_t>(*n), depth = static_cast<size_t>(*k);
  const size_t stride = static_cast<size_t>(*strideC), block = 64;
  const std::vector<float> panels = packed(a, rows, depth);
  auto task = [&](size_t i) {
    const size_t first = i * block, count = std::min(block, columns - first);
    products(panels.data(), rows, b + first * depth, count, depth, c + first * stride, stride);
  };
  const size_t pieces = (columns + block - 1) / block;
  if (const Structure *structure = productThreads) {
    structure->run(pieces, task);
  } else {
    for (size_t i = 0; i < pieces; i++) task(i);
  }
  return 0;
}

// Functions of LAPACK, which only FAISS's transforms call.
#define ABSENT(name) int name(void) { throw std::logic_error(#name " is not there"); }
ABSENT(dgemm_) ABSENT(dgesvd_) ABSENT(dsyev_) ABSENT(sgeqrf_) ABSENT(sgesvd_) ABSENT(sorgqr_) ABSENT(ssyrk_)

void GOMP_parallel(void (*body)(void *), void *data, unsigned, unsigned) { body(data); }
void GOMP_barrier(void) {}
bool GOMP_single_start(void) { return true; }
void GOMP_critical_start(void) { acquire(critical); }
void GOMP_critical_end(void) { release(critical); }
void GOMP_atomic_start(void) { acquire(atomic); }
void GOMP_atomic_end(void) { release(atomic); }
bool GOMP_loop_nonmonotonic_dynamic_start(long start, long end, long, long, long *first, long *last) {
  *first = start, *last = end;
  return start != end;
}
bool GOMP_loop_nonmonotonic_dynamic_next(long *, long *) { return false; }
void GOMP_loop_end(void) {}
int omp_get_max_threads(void) { return 1; }
int omp_get_num_threads(void) { return 1; }
int omp_get_thread_num(void) { return 0; }
int omp_in_parallel(void) { return 0; }
int omp_get_nested(void) { return 0; }
void omp_set_nested(int) {}
void omp_set_num_threads(int) {}
void omp_init_lock(omp_lock_t *lock) { lockAt(lock) = unlocked; }
void omp_destroy_lock(omp_lock_t *) {}
void omp_set_lock(omp_lock_t *lock) { acquire(lockAt(lock)); }
void omp_unset_lock(omp_lock_t *lock) { release(lockAt(lock)); }
}
