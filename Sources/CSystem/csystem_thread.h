/* Threads: those that the library starts, the state in which a call finds its thread, and what a forked child finds. */
#ifndef CLIPCORE_CSYSTEM_THREAD_H
#define CLIPCORE_CSYSTEM_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

/* Starts a thread with a stack of its own size, whatever `ulimit -s` says, which takes none of the host's signals; those
 * that a fault raises, and SIGPROF, stay as they are. Returns an errno value, 0 for success. */
enum { csystem_stack_bytes = 1 << 20 };
static inline int csystem_start_thread(pthread_t *thread, void *(*run)(void *), void *context) {
  static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
  pthread_attr_t attributes;
  sigset_t blocked, before;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  sigfillset(&blocked);
  for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++) sigdelset(&blocked, kept[i]);
  pthread_attr_setstacksize(&attributes, csystem_stack_bytes);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  code = pthread_create(thread, &attributes, run, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return code;
}

/* What `csystem_enter` changed of the calling thread. */
typedef struct csystem_thread_state {
  int cancellation;
  unsigned floating_point;
} csystem_thread_state;

/* A call's thread is not cancelled inside, where it holds descriptors and locks, and computes as results are defined:
 * rounding to nearest, with denormals, without traps (MXCSR 0x1f80, FPCR 0). */
#if defined(__x86_64__)
enum { csystem_floating_point = 0x1f80, csystem_floating_point_flags = 0x3f };
static inline unsigned csystem_get_floating_point(void) { return __builtin_ia32_stmxcsr(); }
static inline void csystem_set_floating_point(unsigned state) { __builtin_ia32_ldmxcsr(state); }
#elif defined(__aarch64__)
enum { csystem_floating_point = 0, csystem_floating_point_flags = 0 };
static inline unsigned csystem_get_floating_point(void) { return (unsigned)__builtin_arm_rsr64("fpcr"); }
static inline void csystem_set_floating_point(unsigned state) { __builtin_arm_wsr64("fpcr", state); }
#endif
static inline int csystem_computes_otherwise(csystem_thread_state state) {
  return (state.floating_point & ~(unsigned)csystem_floating_point_flags) != csystem_floating_point;
}

static inline csystem_thread_state csystem_enter(void) {
  csystem_thread_state state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state.cancellation);
  state.floating_point = csystem_get_floating_point();
  if (csystem_computes_otherwise(state)) csystem_set_floating_point(csystem_floating_point);
  return state;
}

static inline void csystem_leave(csystem_thread_state state) {
  if (csystem_computes_otherwise(state)) csystem_set_floating_point(state.floating_point);
  pthread_setcancelstate(state.cancellation, NULL);
}

/* Zeros that are zeros again in a forked child, whatever was written; NULL with errno set on failure. */
static inline void *csystem_map_wiped(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, size, MADV_WIPEONFORK);
  return memory;
}

#endif
