/* The parts of libc that clipcore uses, and functions for what Swift cannot import: macros, variables, thread-local
 * storage. */
#ifndef CLIPCORE_CSYSTEM_H
#define CLIPCORE_CSYSTEM_H

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where the calling thread keeps the buffer of its last error message. The model is initial-exec since the first use of
 * any other thread-local storage of a library that was loaded by dlopen allocates, and ends the process on failure. */
static inline char **csystem_message(void) {
  static _Thread_local char *message __attribute__((tls_model("initial-exec")));
  return &message;
}

/* A new buffer for it, which is freed when the thread ends; NULL on failure. */
enum { csystem_message_capacity = 4096 };
typedef struct csystem_message_key {
  pthread_key_t key;
  int code; /* an errno value */
} csystem_message_key;
static inline csystem_message_key *csystem_key_of_messages(void) {
  static csystem_message_key key;
  return &key;
}
static inline void csystem_make_message_key(void) {
  csystem_message_key *made = csystem_key_of_messages();
  made->code = pthread_key_create(&made->key, free);
}
static inline char *csystem_new_message(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, csystem_make_message_key);
  csystem_message_key *made = csystem_key_of_messages();
  char *message = made->code == 0 ? (char *)calloc(1, csystem_message_capacity) : NULL;
  if (message == NULL || pthread_setspecific(made->key, message) == 0) return message;
  free(message);
  return NULL;
}

static inline int csystem_errno(void) { return errno; }

/* Writes the message of an errno value to `text`, cut to `capacity` bytes with the NUL. */
static inline void csystem_describe(int code, char *text, size_t capacity) {
  const char *message = strerror_r(code, text, capacity); /* the GNU form, which need not write to `text` */
  if (capacity == 0 || message == text) return;
  text[0] = 0;
  strncat(text, message, capacity - 1);
}

/* Copies a string, cut to `capacity` bytes with the NUL. `to` may be NULL. */
static inline void csystem_copy_text(char *to, size_t capacity, const char *from) {
  if (to != NULL && capacity > 0) snprintf(to, capacity, "%s", from);
}

/* A decimal number of JSON's form to nearest, whatever the locale; infinity beyond the range. */
enum { csystem_number_capacity = 1024 };
static inline double csystem_number(const char *text, size_t length) {
  char copy[csystem_number_capacity];
  if (length >= sizeof copy) return NAN;
  memcpy(copy, text, length);
  copy[length] = 0;
  return strtod_l(copy, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0)); /* that locale is static */
}

static inline int csystem_is_file(const struct stat *s) { return S_ISREG(s->st_mode); }
static inline int csystem_is_folder(const struct stat *s) { return S_ISDIR(s->st_mode); }

/* The name of a folder's entry, valid as long as the entry. */
static inline const char *csystem_entry_name(const struct dirent *entry) { return entry->d_name; }

/* Whether an entry of a folder is a folder. A symbolic link is not. -1 with errno set on failure; one that is gone since
 * is none. */
static inline int csystem_entry_is_folder(DIR *folder, const struct dirent *entry) {
  struct stat facts;
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  if (fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : -1;
  return S_ISDIR(facts.st_mode);
}

/* The monotonic clock in nanoseconds. */
static inline long long csystem_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The monotonic clock in seconds. */
static inline double csystem_seconds(void) { return (double)csystem_now() * 1e-9; }

/* Moves a descriptor of 0, 1 or 2 above 2, so that what a process with closed standard streams prints does not go to
 * a file of ours. -1 with errno set on failure, which closes the descriptor. */
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

/* Opens a file to read; does not wait for the other end of a pipe. */
static inline int csystem_open_read(const char *path) { return csystem_open(path, O_RDONLY | O_NONBLOCK); }

/* Creates a file to write, or empties it. */
static inline int csystem_open_write(const char *path) { return csystem_open(path, O_WRONLY | O_CREAT | O_TRUNC); }

/* Creates a file to write; fails with EEXIST if there is anything of its name, a link included. */
static inline int csystem_open_new(const char *path) { return csystem_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW); }

/* Opens a folder to list; NULL with errno set on failure. */
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

/* The next entry, valid until the next call. NULL at the end, with errno 0, and on failure. */
static inline struct dirent *csystem_next_entry(DIR *folder) {
  errno = 0;
  return readdir(folder);
}

/* read(2), repeated after EINTR. */
static inline ssize_t csystem_read(int descriptor, void *bytes, size_t size) {
  ssize_t count;
  do count = read(descriptor, bytes, size);
  while (count < 0 && errno == EINTR);
  return count;
}

/* Around what writes to files: beyond the limit of `ulimit -f` that fails with EFBIG, and raises no SIGXFSZ, which would
 * end the process. */
typedef struct csystem_file_limit {
  sigset_t mask;
  int was_pending;
} csystem_file_limit;
static inline csystem_file_limit csystem_hold_file_limit(void) {
  csystem_file_limit before;
  sigset_t limit, pending;
  sigemptyset(&limit), sigaddset(&limit, SIGXFSZ), sigemptyset(&pending);
  pthread_sigmask(SIG_BLOCK, &limit, &before.mask);
  sigpending(&pending);
  before.was_pending = sigismember(&pending, SIGXFSZ);
  return before;
}
static inline void csystem_drop_file_limit(csystem_file_limit before) {
  const struct timespec none = {0, 0};
  sigset_t limit, pending;
  sigemptyset(&limit), sigaddset(&limit, SIGXFSZ), sigemptyset(&pending);
  sigpending(&pending);
  if (sigismember(&pending, SIGXFSZ) && !before.was_pending)
    while (sigtimedwait(&limit, NULL, &none) < 0 && errno == EINTR) {
    }
  pthread_sigmask(SIG_SETMASK, &before.mask, NULL);
}

/* write(2), repeated after EINTR. */
static inline ssize_t csystem_write(int descriptor, const void *bytes, size_t size) {
  csystem_file_limit before = csystem_hold_file_limit();
  ssize_t count;
  do count = write(descriptor, bytes, size);
  while (count < 0 && errno == EINTR);
  int code = errno;
  csystem_drop_file_limit(before);
  errno = code;
  return count;
}

/* fsync(2), repeated after EINTR. */
static inline int csystem_sync(int descriptor) {
  int status;
  do status = fsync(descriptor);
  while (status != 0 && errno == EINTR);
  return status;
}

/* close(2); after EINTR the descriptor is closed, and what was synced is written. */
static inline int csystem_close(int descriptor) {
  int status = close(descriptor);
  return status != 0 && errno == EINTR ? 0 : status;
}

/* An environment variable; NULL in a program with more rights than its user (AT_SECURE). */
static inline const char *csystem_environment(const char *name) { return secure_getenv(name); }

/* Whether all users may write to a file. */
static inline int csystem_is_open_to_others(const struct stat *s) { return (s->st_mode & S_IWOTH) != 0; }

/* Exchanges two files or folders atomically; -1 with errno set on failure. */
static inline int csystem_exchange(const char *one, const char *other) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2u /* RENAME_EXCHANGE */);
}

/* An anonymous file in memory (memfd_create(2)); -1 with errno set on failure. */
static inline int csystem_memory_file(const char *name) {
  return csystem_above_standard((int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */));
}

/* Advises the system to use huge pages for a block of memory. */
static inline void csystem_ask_for_huge_pages(void *memory, size_t size) {
#if defined(MADV_HUGEPAGE)
  madvise(memory, size, MADV_HUGEPAGE);
#else
  (void)memory, (void)size;
#endif
}

/* The path of the shared library that `inside` points into; NULL if it is unknown. */
static inline const char *csystem_library_path(const void *inside) {
  Dl_info info;
  return dladdr(inside, &info) != 0 ? info.dli_fname : NULL;
}

/* Static storage for the tables of a plugin; each shared library that calls it has its own. */
enum { csystem_plugin_storage_bytes = 32768 };
static inline void *csystem_plugin_storage(void) {
  static _Alignas(16) unsigned char storage[csystem_plugin_storage_bytes];
  return storage;
}

#endif
