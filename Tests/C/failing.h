/* The allocations of the whole process, counted, and made to fail on demand: malloc and its kin, mmap, threads. Included
 * by one source file of a program, whose functions then stand before libc's, for all libraries. */
#ifndef CLIPCORE_TESTS_FAILING_H
#define CLIPCORE_TESTS_FAILING_H

#ifndef _GNU_SOURCE
#error "failing.h needs _GNU_SOURCE before the first header"
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

typedef enum failing_mode {
  FAIL_NEVER, /* count alone */
  FAIL_ONCE,  /* the nth allocation */
  FAIL_FROM,  /* the nth and all that follow */
  FAIL_LARGE  /* of those of 64 KB and more, the nth and all that follow */
} failing_mode;

static const char *const failing_names[] = {"never", "once", "from", "large"};

static struct {
  atomic_int mode;
  atomic_long seen; /* allocations that counted since failing_arm */
  atomic_long live; /* blocks of malloc and mappings that are there */
  long nth;
} failing;

/* From now on allocations count from 1 and fail as `mode` says. */
static inline void failing_arm(failing_mode mode, long nth) {
  failing.nth = nth;
  atomic_store(&failing.seen, 0);
  atomic_store(&failing.mode, (int)mode);
}

/* From now on none fails. Returns how many counted. */
static inline long failing_disarm(void) {
  atomic_store(&failing.mode, -1);
  return atomic_load(&failing.seen);
}

static inline int failing_now(size_t size) {
  int mode = atomic_load_explicit(&failing.mode, memory_order_relaxed);
  if (mode < 0 || (mode == FAIL_LARGE && size < 65536)) return 0;
  long number = atomic_fetch_add(&failing.seen, 1) + 1;
  int fails = mode == FAIL_ONCE ? number == failing.nth : mode != FAIL_NEVER && number >= failing.nth;
  if (fails) errno = ENOMEM;
  return fails;
}

static inline void *failing_counted(void *block) {
  if (block != NULL) atomic_fetch_add(&failing.live, 1);
  return block;
}

void *malloc(size_t size) { return failing_now(size) ? NULL : failing_counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) {
  return failing_now(count * size) ? NULL : failing_counted(__libc_calloc(count, size));
}
void *realloc(void *block, size_t size) {
  if (failing_now(size)) return NULL;
  if (block == NULL) return failing_counted(__libc_realloc(block, size));
  void *moved = __libc_realloc(block, size);
  if (size == 0 && moved == NULL) atomic_fetch_sub(&failing.live, 1);
  return moved;
}
void *memalign(size_t alignment, size_t size) {
  return failing_now(size) ? NULL : failing_counted(__libc_memalign(alignment, size));
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  int code = errno;
  void *found = memalign(alignment, size);
  errno = code;
  if (found == NULL) return ENOMEM;
  *block = found;
  return 0;
}
void free(void *block) {
  if (block == NULL) return;
  atomic_fetch_sub(&failing.live, 1);
  __libc_free(block);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if (failing_now(size)) return MAP_FAILED;
  void *mapping = (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
  if (mapping != MAP_FAILED) atomic_fetch_add(&failing.live, 1);
  return mapping;
}
void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  return mmap(address, size, protection, flags, file, offset);
}
int munmap(void *address, size_t size) {
  atomic_fetch_sub(&failing.live, 1);
  return (int)syscall(SYS_munmap, address, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return failing_now(0) ? EAGAIN : real(thread, attributes, start, argument);
}

#endif
