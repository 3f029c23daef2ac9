/* The memory reserve of a library or plugin: Sources/ClipReserve, which defines these functions and explains them. Swift
 * calls them as C, since it would compile a copy of each Swift function, with a reserve of its own, into each module. */
#ifndef CLIPCORE_CSYSTEM_RESERVE_H
#define CLIPCORE_CSYSTEM_RESERVE_H

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/random.h>

/* Whether less than half of the reserve is free: a call that begins should be refused, a long one end. [any-thread] */
int clip_reserve_is_low(void);

/* A block of the system's memory, to be freed as any; NULL where the system has none, whatever is in reserve. */
void *_Nullable clip_reserve_system_block(size_t size, size_t alignment);

/* Sets a block of the system's memory aside; NULL where the system has none. Until it is dropped, an allocation of the
 * calling thread that fails and fits is given it: so an array of known size can be made of what was asked for before. */
void *_Nullable clip_reserve_hold(size_t size);
void clip_reserve_drop(void *_Nullable block);

/* Its storage. Only ClipReserve calls what follows. Pages that are never written take no memory. */
enum { csystem_reserve_bytes = 1 << 20 };

typedef struct csystem_held_block {
  void *_Nullable block;
  size_t size;
  pthread_t thread;
} csystem_held_block;
enum { csystem_held_blocks = 64 };

typedef struct csystem_reserve_state {
  int lock;
  int is_ready;   /* the free list was made */
  ptrdiff_t live; /* bytes taken; atomic */
  ptrdiff_t free; /* offset of the first free block, -1 for none */
  unsigned char *_Nonnull bytes;
} csystem_reserve_state;

static inline csystem_reserve_state *_Nonnull csystem_reserve(void) {
  static _Alignas(64) unsigned char bytes[csystem_reserve_bytes];
  static csystem_reserve_state state = {.bytes = bytes};
  return &state;
}

static inline csystem_held_block *_Nonnull csystem_reserve_held(void) {
  static csystem_held_block held[csystem_held_blocks];
  return held;
}

static inline void csystem_reserve_lock(csystem_reserve_state *_Nonnull state) {
  while (__atomic_exchange_n(&state->lock, 1, __ATOMIC_ACQUIRE) != 0) sched_yield();
}
static inline void csystem_reserve_unlock(csystem_reserve_state *_Nonnull state) {
  __atomic_store_n(&state->lock, 0, __ATOMIC_RELEASE);
}

/* Atomic, so that the compiler reads it anew after each allocation, which to the compiler writes nothing. */
static inline ptrdiff_t csystem_reserve_live(const csystem_reserve_state *_Nonnull state) {
  return __atomic_load_n(&state->live, __ATOMIC_RELAXED);
}
static inline void csystem_reserve_count(csystem_reserve_state *_Nonnull state, ptrdiff_t more) {
  __atomic_fetch_add(&state->live, more, __ATOMIC_RELAXED);
}

/* Random bytes, which Swift takes the seed of hash tables from. glibc has this function since 2.36; ours is for older ones
 * too, and is not exported. */
void arc4random_buf(void *_Nonnull buffer, size_t size);

/* The system's functions, as the linker's --wrap names them. */
extern int __real_posix_memalign(void *_Nullable *_Nonnull block, size_t alignment, size_t size);
extern void __real_free(void *_Nullable block);

#endif
