/* Makes system calls fail: those of this program and of the libraries it is linked to, by functions of the same names.
 * Calls inside glibc, such as dlopen's, are not seen. */
#ifndef CLIPCORE_TESTS_FAULTS_H
#define CLIPCORE_TESTS_FAULTS_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE first"
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault_call {
  FAULT_OPEN, FAULT_READ, FAULT_PREAD, FAULT_WRITE, FAULT_STAT, FAULT_LSTAT, FAULT_FSTAT, FAULT_MMAP, FAULT_RENAME,
  FAULT_FSYNC, FAULT_CLOSE, FAULT_MKDIR, FAULT_READDIR, FAULT_FDOPENDIR, FAULT_REALPATH, FAULT_SYSCALL, FAULT_THREAD,
  FAULT_FCNTL, FAULT_CALLS
};
static const char *const fault_names[FAULT_CALLS] = {
  "open", "read", "pread", "write", "stat", "lstat", "fstat", "mmap", "rename",
  "fsync", "close", "mkdir", "readdir", "fdopendir", "realpath", "syscall", "pthread_create", "fcntl"};

/* FAULT_ONCE: the Nth call fails. FAULT_FROM: it and all later ones. FAULT_STORM: every other call fails, which must be
 * with EINTR. FAULT_SHORT: no call transfers more than one byte, or half of many. */
enum fault_mode { FAULT_NONE, FAULT_ONCE, FAULT_FROM, FAULT_STORM, FAULT_SHORT };

static struct {
  _Atomic int mode, call, code;
  _Atomic long nth;
  _Atomic long seen[FAULT_CALLS];
} faults;

static void faults_arm(enum fault_mode mode, enum fault_call call, int code, long nth) {
  for (int i = 0; i < FAULT_CALLS; i++) faults.seen[i] = 0;
  faults.call = (int)call;
  faults.code = code;
  faults.nth = nth;
  faults.mode = (int)mode;
}
static void faults_disarm(void) { faults.mode = FAULT_NONE; }

/* Whether this call fails; sets errno then. */
static int fault_here(enum fault_call call) {
  long number = ++faults.seen[call];
  int mode = faults.mode;
  if (mode == FAULT_NONE || faults.call != (int)call) return 0;
  int fails = mode == FAULT_ONCE ? number == faults.nth : mode == FAULT_FROM ? number >= faults.nth
            : mode == FAULT_STORM ? number % 2 == 1 : 0;
  if (fails) errno = faults.code;
  return fails;
}

static size_t fault_size(enum fault_call call, size_t size) {
  if (faults.mode != FAULT_SHORT || faults.call != (int)call || size < 2) return size;
  return size < 64 ? 1 : size / 2;
}

#define FAULT_REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, name)

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  return fault_here(FAULT_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
ssize_t read(int descriptor, void *bytes, size_t size) {
  return fault_here(FAULT_READ) ? -1 : syscall(SYS_read, descriptor, bytes, fault_size(FAULT_READ, size));
}
ssize_t pread(int descriptor, void *bytes, size_t size, off_t at) {
  return fault_here(FAULT_PREAD) ? -1 : syscall(SYS_pread64, descriptor, bytes, fault_size(FAULT_PREAD, size), at);
}
/* Programs of large files, such as SQLite, call these. */
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  return open(path, flags, mode);
}
ssize_t pread64(int descriptor, void *bytes, size_t size, off_t at) { return pread(descriptor, bytes, size, at); }
ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off_t at) {
  return fault_here(FAULT_WRITE) ? -1 : syscall(SYS_pwrite64, descriptor, bytes, fault_size(FAULT_WRITE, size), at);
}
ssize_t write(int descriptor, const void *bytes, size_t size) {
  return fault_here(FAULT_WRITE) ? -1 : syscall(SYS_write, descriptor, bytes, fault_size(FAULT_WRITE, size));
}
int stat(const char *restrict path, struct stat *restrict facts) {
  return fault_here(FAULT_STAT) ? -1 : fstatat(AT_FDCWD, path, facts, 0);
}
int lstat(const char *restrict path, struct stat *restrict facts) {
  return fault_here(FAULT_LSTAT) ? -1 : fstatat(AT_FDCWD, path, facts, AT_SYMLINK_NOFOLLOW);
}
int fstat(int descriptor, struct stat *facts) {
  return fault_here(FAULT_FSTAT) ? -1 : fstatat(descriptor, "", facts, AT_EMPTY_PATH);
}
int stat64(const char *restrict path, struct stat64 *restrict facts) {
  return fault_here(FAULT_STAT) ? -1 : fstatat64(AT_FDCWD, path, facts, 0);
}
int fstat64(int descriptor, struct stat64 *facts) {
  return fault_here(FAULT_FSTAT) ? -1 : fstatat64(descriptor, "", facts, AT_EMPTY_PATH);
}
void *mmap(void *at, size_t size, int protection, int flags, int descriptor, off_t offset) {
  if (fault_here(FAULT_MMAP)) return MAP_FAILED;
  FAULT_REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
  return real(at, size, protection, flags, descriptor, offset);
}
int rename(const char *from, const char *to) {
  return fault_here(FAULT_RENAME) ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}
int fsync(int descriptor) { return fault_here(FAULT_FSYNC) ? -1 : (int)syscall(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return fault_here(FAULT_FSYNC) ? -1 : (int)syscall(SYS_fdatasync, descriptor); }
int close(int descriptor) { /* the descriptor is closed in any case, as Linux does */
  int status = (int)syscall(SYS_close, descriptor);
  return fault_here(FAULT_CLOSE) ? -1 : status;
}
int mkdir(const char *path, mode_t mode) { return fault_here(FAULT_MKDIR) ? -1 : mkdirat(AT_FDCWD, path, mode); }
DIR *fdopendir(int descriptor) {
  FAULT_REAL(DIR *, "fdopendir", int);
  return fault_here(FAULT_FDOPENDIR) ? NULL : real(descriptor);
}
struct dirent *readdir(DIR *folder) {
  FAULT_REAL(struct dirent *, "readdir", DIR *);
  return fault_here(FAULT_READDIR) ? NULL : real(folder);
}
char *realpath(const char *restrict path, char *restrict real_path) {
  FAULT_REAL(char *, "realpath", const char *, char *);
  return fault_here(FAULT_REALPATH) ? NULL : real(path, real_path);
}
int fcntl(int descriptor, int command, ...) {
  va_list more;
  va_start(more, command);
  long argument = va_arg(more, long);
  va_end(more);
  return fault_here(FAULT_FCNTL) ? -1 : (int)syscall(SYS_fcntl, descriptor, command, argument);
}
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict context) {
  FAULT_REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (fault_here(FAULT_THREAD)) return errno;
  return real(thread, attributes, run, context);
}
/* memfd_create and renameat2, which the library calls by number; all of the above end here too. */
long syscall(long number, ...) {
  va_list more;
  va_start(more, number);
  long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long), d = va_arg(more, long);
  va_end(more);
  if ((number == SYS_memfd_create || number == SYS_renameat2) && fault_here(FAULT_SYSCALL)) return -1;
  FAULT_REAL(long, "syscall", long, long, long, long, long);
  return real(number, a, b, c, d);
}

#endif
