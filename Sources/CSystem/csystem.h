/* The libc that clipcore uses, and the few things of it that Swift cannot import. */
#ifndef CLIPCORE_CSYSTEM_H
#define CLIPCORE_CSYSTEM_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The calling thread's last error message. */
enum { csystem_message_capacity = 4096 };
static inline char *csystem_message(void) {
  static _Thread_local char message[csystem_message_capacity];
  return message;
}

static inline int csystem_errno(void) { return errno; }

/* The system's words for an errno value, at `text`. */
static inline void csystem_describe(int code, char *text, size_t capacity) {
  const char *words = strerror_r(code, text, capacity); /* GNU's, which may leave text alone */
  if (capacity == 0 || words == text) return;
  text[0] = 0;
  strncat(text, words, capacity - 1);
}

/* The words at `from` to `to`, cut to `capacity` bytes with the NUL. */
static inline void csystem_copy_text(char *to, size_t capacity, const char *from) {
  if (to != NULL && capacity > 0) snprintf(to, capacity, "%s", from);
}

static inline int csystem_is_file(const struct stat *s) { return S_ISREG(s->st_mode); }
static inline int csystem_is_folder(const struct stat *s) { return S_ISDIR(s->st_mode); }

/* The name of a folder's entry, as long as the entry lives. */
static inline const char *csystem_entry_name(const struct dirent *entry) { return entry->d_name; }

/* Does not wait for the other end of a pipe. */
static inline int csystem_open_read(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

/* A new or emptied file to write. */
static inline int csystem_open_write(const char *path) { return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); }

/* A file in memory alone, as memfd_create gives it; -1 with errno set where it cannot. */
static inline int csystem_memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */); }

/* The path of the library that `inside` points into; NULL where it is unknown. */
static inline const char *csystem_library_path(const void *inside) {
  Dl_info info;
  return dladdr(inside, &info) != 0 ? info.dli_fname : NULL;
}

/* Room for the tables of one plugin, in the plugin's own data. */
static inline void *csystem_plugin_storage(void) {
  static _Alignas(16) unsigned char storage[4096];
  return storage;
}
enum { csystem_plugin_storage_bytes = 4096 };

/* What a thread that waits awake does meanwhile: it leaves the core to its other thread. */
static inline void csystem_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/* A hint that the line at `address` is read soon, into the second cache; any address will do. */
static inline void csystem_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/* Vectors of 16-bit floats widened: Swift's own conversions go lane by lane. No alignment is
 * needed. _by_bits is for processors that cannot convert halves: a float whose exponent is 112
 * too low, scaled, is right for subnormal halves too. */
#define CSYSTEM_WIDEN(lanes)                                                                      \
  typedef float csystem_float##lanes __attribute__((ext_vector_type(lanes)));                     \
  typedef int csystem_int##lanes __attribute__((ext_vector_type(lanes)));                         \
  typedef unsigned short csystem_short##lanes __attribute__((ext_vector_type(lanes)));            \
  typedef _Float16 csystem_half##lanes __attribute__((ext_vector_type(lanes)));                   \
  static inline csystem_int##lanes csystem_widen##lanes(const void *source) {                     \
    csystem_short##lanes narrow;                                                                  \
    memcpy(&narrow, source, sizeof narrow);                                                       \
    return __builtin_convertvector(narrow, csystem_int##lanes);                                   \
  }                                                                                               \
  static inline csystem_float##lanes csystem_brain##lanes(const void *source) {                   \
    return (csystem_float##lanes)(csystem_widen##lanes(source) << 16);                            \
  }                                                                                               \
  static inline csystem_float##lanes csystem_half##lanes##_by_bits(const void *source) {          \
    csystem_int##lanes half = csystem_widen##lanes(source), size = half & 0x7fff;                 \
    csystem_float##lanes scaled = (csystem_float##lanes)(size << 13) * 0x1p112f;                  \
    csystem_int##lanes infinite = (size > 0x7bff) & 0x7f800000;                                   \
    return (csystem_float##lanes)((csystem_int##lanes)scaled | infinite | (half & 0x8000) << 16); \
  }                                                                                               \
  static inline csystem_float##lanes csystem_half##lanes##_by_machine(const void *source) {       \
    csystem_half##lanes half;                                                                     \
    memcpy(&half, source, sizeof half);                                                           \
    return __builtin_convertvector(half, csystem_float##lanes);                                   \
  }
CSYSTEM_WIDEN(4)
CSYSTEM_WIDEN(8)
CSYSTEM_WIDEN(16)

/* Calls body with `work` and room on the stack that is not set to anything, which Swift's own
 * variables cannot be. */
enum { csystem_stack_floats = 72 * 128 + 12 * 272 };
static inline void csystem_with_stack(const void *work, void (*body)(const void *work, float *stack)) {
  _Alignas(64) float stack[csystem_stack_floats];
  body(work, stack);
}

/* Bits of CLIP_CPU_* this processor and system can run. */
static inline unsigned csystem_cpu_features(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d, low, high, found = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 0;
  unsigned leaf1 = c;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 6u) != 6u || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (b & (1u << 5)) found |= 1u;       /* AVX2 */
  if (leaf1 & (1u << 12)) found |= 2u;  /* FMA */
  if (leaf1 & (1u << 29)) found |= 4u;  /* F16C */
  unsigned avx512 = (1u << 16) | (1u << 17) | (1u << 28) | (1u << 30) | (1u << 31); /* F DQ CD BW VL */
  if ((low & 0xe0u) == 0xe0u && (b & avx512) == avx512) found |= 8u;
  return found;
#else
  return 0;
#endif
}

#endif
