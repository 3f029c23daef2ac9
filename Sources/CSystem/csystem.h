/* The libc that clipcore uses, and the few things of it that Swift cannot import. */
#ifndef CLIPCORE_CSYSTEM_H
#define CLIPCORE_CSYSTEM_H

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
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

/* Whether a folder's entry is a folder itself; a link to one is not. */
static inline int csystem_entry_is_folder(DIR *folder, const struct dirent *entry) {
  struct stat facts;
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  return fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode);
}

/* Nanoseconds of a clock that only goes forward. */
static inline long long csystem_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* A descriptor above 2 for one that may be 0, 1 or 2: what a process prints after it has closed its standard streams
 * must not land in a file of ours. -1 with errno set where there is none. */
static inline int csystem_above_standard(int descriptor) {
  if (descriptor < 0 || descriptor > 2) return descriptor;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3), code = errno;
  close(descriptor);
  errno = code;
  return moved;
}

static inline int csystem_open(const char *path, int flags) {
  int descriptor;
  do descriptor = open(path, flags | O_CLOEXEC, 0666);
  while (descriptor < 0 && errno == EINTR);
  return csystem_above_standard(descriptor);
}

/* Does not wait for the other end of a pipe. */
static inline int csystem_open_read(const char *path) { return csystem_open(path, O_RDONLY | O_NONBLOCK); }

/* A new or emptied file to write. */
static inline int csystem_open_write(const char *path) { return csystem_open(path, O_WRONLY | O_CREAT | O_TRUNC); }

/* A folder to list; NULL with errno set where it cannot be. */
static inline DIR *csystem_open_folder(const char *path) {
  int descriptor = csystem_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
  if (folder == NULL && descriptor >= 0) {
    int code = errno;
    close(descriptor);
    errno = code;
  }
  return folder;
}

/* The next entry's name, valid until the next call; NULL at the end, with errno 0, or after a failure. */
static inline const char *csystem_next_entry(DIR *folder) {
  errno = 0;
  struct dirent *entry = readdir(folder);
  return entry == NULL ? NULL : entry->d_name;
}

/* read, made again where a signal interrupted it. */
static inline ssize_t csystem_read(int descriptor, void *bytes, size_t size) {
  ssize_t count;
  do count = read(descriptor, bytes, size);
  while (count < 0 && errno == EINTR);
  return count;
}

/* write, made again where a signal interrupted it. Beyond the limit of `ulimit -f` it is EFBIG, and never SIGXFSZ,
 * which would end the process. */
static inline ssize_t csystem_write(int descriptor, const void *bytes, size_t size) {
  sigset_t limit, before, pending;
  sigemptyset(&limit), sigaddset(&limit, SIGXFSZ), sigemptyset(&pending);
  pthread_sigmask(SIG_BLOCK, &limit, &before);
  sigpending(&pending);
  ssize_t count;
  do count = write(descriptor, bytes, size);
  while (count < 0 && errno == EINTR);
  int code = errno;
  if (count < 0 && code == EFBIG && !sigismember(&pending, SIGXFSZ)) {
    const struct timespec none = {0, 0};
    while (sigtimedwait(&limit, NULL, &none) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = code;
  return count;
}

/* An environment variable; NULL in a program with more rights than its user (AT_SECURE), who chose the value. */
static inline const char *csystem_environment(const char *name) { return secure_getenv(name); }

/* Whether users other than its owner and root may write to it. */
static inline int csystem_is_open_to_others(const struct stat *s) { return (s->st_mode & S_IWOTH) != 0; }

/* Puts each of two files or folders in the other's place, at once; -1 with errno set where it cannot. */
static inline int csystem_exchange(const char *one, const char *other) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2u /* RENAME_EXCHANGE */);
}

/* A file in memory alone, as memfd_create gives it; -1 with errno set where it cannot. */
static inline int csystem_memory_file(const char *name) {
  return csystem_above_standard((int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */));
}

/* Advice that the system may ignore: huge pages for a block; no need of a file's pages any more. */
static inline void csystem_ask_for_huge_pages(void *memory, size_t size) {
#if defined(MADV_HUGEPAGE)
  madvise(memory, size, MADV_HUGEPAGE);
#else
  (void)memory, (void)size;
#endif
}
static inline void csystem_forget_pages(const void *begin, const void *end) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)begin + page - 1) / page * page;
  uintptr_t last = (uintptr_t)end / page * page;
  if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
}

/* The path of the library that `inside` points into; NULL where it is unknown. */
static inline const char *csystem_library_path(const void *inside) {
  Dl_info info;
  return dladdr(inside, &info) != 0 ? info.dli_fname : NULL;
}

/* Room for the tables of one plugin, in the plugin's own data. */
static inline void *csystem_plugin_storage(void) {
  static _Alignas(16) unsigned char storage[32768];
  return storage;
}
enum { csystem_plugin_storage_bytes = 32768 };

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

/* Products of 16-bit integers, two to a lane of a float vector, whose bits are all that counts.
 * _add_pairs: the 32-bit lanes of `sum`, plus a's low half times b's low half, plus the same of the
 * high halves: one instruction and an addition on x86. _load_pairs widens 2 * lanes signed bytes.
 * _largest_bits: lane by lane the larger magnitude by its bits, so that NaN is above infinity.
 * _store_low16 writes the low half of each lane. */
#if defined(__AVX512BW__)
#define CSYSTEM_DOT16(a, b) __builtin_ia32_pmaddwd512(a, b)
#endif
#if defined(__AVX2__)
#define CSYSTEM_DOT8(a, b) __builtin_ia32_pmaddwd256(a, b)
#endif
#if defined(__SSE2__)
#define CSYSTEM_DOT4(a, b) __builtin_ia32_pmaddwd128(a, b)
#endif
#define CSYSTEM_DOT_BY_LANES(lanes, a, b)                                                         \
  ((((csystem_int##lanes)(a) << 16 >> 16) * ((csystem_int##lanes)(b) << 16 >> 16)) +              \
   (((csystem_int##lanes)(a) >> 16) * ((csystem_int##lanes)(b) >> 16)))
#if !defined(CSYSTEM_DOT16)
#define CSYSTEM_DOT16(a, b) CSYSTEM_DOT_BY_LANES(16, a, b)
#endif
#if !defined(CSYSTEM_DOT8)
#define CSYSTEM_DOT8(a, b) CSYSTEM_DOT_BY_LANES(8, a, b)
#endif
#if !defined(CSYSTEM_DOT4)
#define CSYSTEM_DOT4(a, b) CSYSTEM_DOT_BY_LANES(4, a, b)
#endif
#define CSYSTEM_PAIRS(lanes)                                                                      \
  typedef short csystem_pairs##lanes __attribute__((vector_size(4 * lanes)));                     \
  static inline csystem_float##lanes csystem_load_pairs##lanes(const void *source) {              \
    signed char __attribute__((vector_size(2 * lanes))) bytes;                                    \
    memcpy(&bytes, source, sizeof bytes);                                                         \
    return (csystem_float##lanes)__builtin_convertvector(bytes, csystem_pairs##lanes);            \
  }                                                                                               \
  static inline csystem_float##lanes csystem_add_pairs##lanes(                                    \
      csystem_float##lanes sum, csystem_float##lanes a, csystem_float##lanes b) {                 \
    return (csystem_float##lanes)((csystem_int##lanes)sum +                                       \
        (csystem_int##lanes)CSYSTEM_DOT##lanes((csystem_pairs##lanes)a, (csystem_pairs##lanes)b)); \
  }                                                                                               \
  static inline csystem_float##lanes csystem_from_integers##lanes(csystem_float##lanes bits) {    \
    return __builtin_convertvector((csystem_int##lanes)bits, csystem_float##lanes);               \
  }                                                                                               \
  static inline csystem_float##lanes csystem_largest_bits##lanes(csystem_float##lanes a,          \
                                                                 csystem_float##lanes b) {        \
    return (csystem_float##lanes)__builtin_elementwise_max((csystem_int##lanes)a & 0x7fffffff,    \
                                                           (csystem_int##lanes)b & 0x7fffffff);   \
  }                                                                                               \
  static inline void csystem_store_low16_##lanes(void *target, csystem_float##lanes bits) {       \
    csystem_short##lanes low = __builtin_convertvector((csystem_int##lanes)bits, csystem_short##lanes); \
    memcpy(target, &low, sizeof low);                                                             \
  }
CSYSTEM_PAIRS(4)
CSYSTEM_PAIRS(8)
CSYSTEM_PAIRS(16)

/* For the resize of pictures, whose sums are 32-bit integers in the bits of a float vector's lanes too.
 * _pixel_pairs: four pixels of four bytes; the bytes of the first two side by side as 16-bit integers, then those of
 * the last two. _row_pairs: the same of eight bytes of two rows. _repeat_pairs: two pairs of weights, each in four
 * lanes; _repeat_pair: one in all. _resampled: the bytes that the sums of both parts make; 4: of both halves
 * together. */
#define CSYSTEM_LANES(type, lanes) type __attribute__((ext_vector_type(lanes)))
static inline csystem_float8 csystem_pixel_pairs8(const void *source) {
  CSYSTEM_LANES(unsigned char, 16) pixels;
  memcpy(&pixels, source, sizeof pixels);
  pixels = __builtin_shufflevector(pixels, pixels, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  return (csystem_float8)__builtin_convertvector(pixels, CSYSTEM_LANES(short, 16));
}
static inline csystem_float8 csystem_row_pairs8(const void *first, const void *second) {
  CSYSTEM_LANES(unsigned char, 8) a, b;
  memcpy(&a, first, sizeof a), memcpy(&b, second, sizeof b);
  CSYSTEM_LANES(unsigned char, 16) pairs =
      __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  return (csystem_float8)__builtin_convertvector(pairs, CSYSTEM_LANES(short, 16));
}
static inline csystem_float8 csystem_repeat_pairs8(const void *weights) {
  CSYSTEM_LANES(int, 2) pairs;
  memcpy(&pairs, weights, sizeof pairs);
  return (csystem_float8)__builtin_shufflevector(pairs, pairs, 0, 0, 0, 0, 1, 1, 1, 1);
}
static inline csystem_float8 csystem_repeat_pair8(const void *weights) {
  int pair;
  memcpy(&pair, weights, sizeof pair);
  return (csystem_float8)(csystem_int8)pair;
}
static inline uint32_t csystem_resampled4(csystem_float8 low, csystem_float8 high) {
  CSYSTEM_LANES(unsigned, 8) sums = (CSYSTEM_LANES(unsigned, 8))low + ((CSYSTEM_LANES(unsigned, 8))high << 15);
  csystem_int4 whole = (csystem_int4)(sums.lo + sums.hi + (1u << 21)) >> 22;
  whole = __builtin_elementwise_min(__builtin_elementwise_max(whole, (csystem_int4)0), (csystem_int4)255);
  CSYSTEM_LANES(unsigned char, 4) cut = __builtin_convertvector(whole, CSYSTEM_LANES(unsigned char, 4));
  uint32_t bytes;
  memcpy(&bytes, &cut, sizeof bytes);
  return bytes;
}
static inline uint64_t csystem_resampled8(csystem_float8 low, csystem_float8 high) {
  CSYSTEM_LANES(unsigned, 8) sums = (CSYSTEM_LANES(unsigned, 8))low + ((CSYSTEM_LANES(unsigned, 8))high << 15);
  csystem_int8 whole = (csystem_int8)(sums + (1u << 21)) >> 22;
  whole = __builtin_elementwise_min(__builtin_elementwise_max(whole, (csystem_int8)0), (csystem_int8)255);
  CSYSTEM_LANES(unsigned char, 8) cut = __builtin_convertvector(whole, CSYSTEM_LANES(unsigned char, 8));
  uint64_t bytes;
  memcpy(&bytes, &cut, sizeof bytes);
  return bytes;
}

/* Whole numbers and back; fractions are cut off. */
static inline csystem_int8 csystem_truncated8(csystem_float8 numbers) { return __builtin_convertvector(numbers, csystem_int8); }
/* Swift's squareRoot() of a vector goes lane by lane. */
static inline csystem_float8 csystem_square_roots8(csystem_float8 numbers) { return __builtin_elementwise_sqrt(numbers); }
static inline csystem_float8 csystem_floats8(csystem_int8 numbers) { return __builtin_convertvector(numbers, csystem_float8); }

/* Eight pixels of three bytes. _load reads the byte behind them too, and leaves the one behind each above its own.
 * _channel: the byte of each that is `shift` bits up, as a number. _store writes numbers from 0 to below 256, their
 * fractions cut off: two pixels at a time, since lanes taken out one by one are computed one by one. */
static inline csystem_int8 csystem_load_pixels8(const void *source) {
  int pixels[8];
  for (int lane = 0; lane < 8; lane++) memcpy(pixels + lane, (const char *)source + 3 * lane, 4);
  return (csystem_int8){pixels[0], pixels[1], pixels[2], pixels[3], pixels[4], pixels[5], pixels[6], pixels[7]};
}
static inline csystem_float8 csystem_channel8(csystem_int8 pixels, int shift) {
  return __builtin_convertvector((pixels >> shift) & 255, csystem_float8);
}
static inline void csystem_store_pixels8(void *target, csystem_float8 red, csystem_float8 green, csystem_float8 blue) {
  CSYSTEM_LANES(uint64_t, 4) pairs = (CSYSTEM_LANES(uint64_t, 4))(
      csystem_truncated8(red) | csystem_truncated8(green) << 8 | csystem_truncated8(blue) << 16);
  pairs = (pairs & 0xffffff) | (pairs >> 8 & 0xffffff000000);
  uint64_t bytes[3] = {pairs[0] | pairs[1] << 48, pairs[1] >> 16 | pairs[2] << 32, pairs[2] >> 32 | pairs[3] << 16};
  memcpy(target, bytes, sizeof bytes);
}

/* Calls body with `work` and room on the stack that is not set to anything, which Swift's own
 * variables cannot be. */
enum { csystem_stack_floats = 72 * 128 };
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

/* Seconds of a clock that never goes back. */
static inline double csystem_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A pipe closed on exec, neither end among 0, 1 and 2. */
static inline int csystem_pipe(int ends[2]) {
  int found[2], code = 0;
  if (pipe2(found, O_CLOEXEC) != 0) return errno;
  for (int i = 0; i < 2; i++) {
    ends[i] = fcntl(found[i], F_DUPFD_CLOEXEC, 3);
    if (ends[i] < 0 && code == 0) code = errno;
  }
  close(found[0]), close(found[1]);
  for (int i = 0; code != 0 && i < 2; i++)
    if (ends[i] >= 0) close(ends[i]);
  return code;
}

/* Runs `/bin/sh -c command clipcore argument` between two pipes, in a process group of its own, with
 * every signal as it is by default, nothing else open, and errors to nowhere. *input and *output are
 * the parent's ends, which do not block; *input_reader keeps a write to *input from raising SIGPIPE.
 * Gives an errno value, 0 for success. */
static inline int csystem_spawn_filter(const char *command, const char *argument, pid_t *pid, int *input,
                                       int *input_reader, int *output) {
  extern char **environ;
  char *words[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, (char *)"clipcore", (char *)argument, NULL};
  int in[2], out[2], code = csystem_pipe(in);
  if (code != 0) return code;
  if ((code = csystem_pipe(out)) != 0) {
    close(in[0]), close(in[1]);
    return code;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none), sigfillset(&all);
  /* Files of their own: the child's ends block. */
  fcntl(in[1], F_SETFL, O_NONBLOCK), fcntl(out[0], F_SETFL, O_NONBLOCK);
  if ((code = posix_spawn_file_actions_init(&actions)) == 0) {
    if ((code = posix_spawnattr_init(&attributes)) == 0) {
      if ((code = posix_spawn_file_actions_adddup2(&actions, in[0], 0)) == 0 &&
          (code = posix_spawn_file_actions_adddup2(&actions, out[1], 1)) == 0 &&
          (code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)) == 0 &&
          (code = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
          (code = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
          (code = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
          (code = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
          (code = posix_spawnattr_setflags(
               &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)) == 0)
        code = posix_spawn(pid, words[0], &actions, &attributes, words, environ);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  close(out[1]);
  if (code != 0) close(in[0]), close(in[1]), close(out[0]);
  *input = in[1], *input_reader = in[0], *output = out[0];
  return code;
}

/* Whether the child runs still. It is not reaped: its id stays its own. */
static inline int csystem_is_running(pid_t pid) {
  siginfo_t facts;
  facts.si_pid = 0;
  return waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) == 0 && facts.si_pid == 0;
}

/* Kills the child's process group and reaps the child. Where the host has reaped it, its id may be
 * another's by now, and nothing is done. */
static inline void csystem_end_group(pid_t pid) {
  siginfo_t facts;
  if (waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  kill(-pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

#endif
