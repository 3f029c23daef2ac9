/* Buffers that detect access outside their bounds, and reproducible random numbers to fill them. */
#ifndef CLIPCORE_TESTS_GUARDED_H
#define CLIPCORE_TESTS_GUARDED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int passed, failed;
static const char *set_id;

static void check(int ok, const char *what, const char *detail) {
  if (ok) {
    passed++;
    return;
  }
  if (failed++ < 50) printf("FAILED %s: %s %s\n", set_id, what, detail);
}

/* xorshift64* (Vigna, 2016) */
static uint64_t state = 88172645463325252u;
static uint32_t next(void) {
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717u) >> 32);
}
static size_t pick(size_t low, size_t high) { return low + next() % (high - low + 1); }
static float uniform(void) { return (float)next() / 2147483648.0f - 1; }

/* A buffer ends at an inaccessible page, so that reads after its end fault too. A guard pattern precedes it. */
enum { GUARD = 64 };
typedef struct buffer {
  void *memory;
  size_t bytes;
  float *data;
  size_t count;
} buffer;

static buffer make(size_t count) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  buffer b = {.bytes = ((count + GUARD) * sizeof(float) + 2 * page - 1) / page * page, .count = count};
  b.memory = mmap(NULL, b.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b.memory == MAP_FAILED || mprotect((char *)b.memory + b.bytes - page, page, PROT_NONE)) exit(2);
  memset(b.memory, 0xa5, b.bytes - page);
  b.data = (float *)(void *)((char *)b.memory + b.bytes - page) - count;
  return b;
}
static buffer make_random(size_t count, float size) {
  buffer b = make(count);
  for (size_t i = 0; i < count; i++) b.data[i] = uniform() * size;
  return b;
}
static int intact(buffer b) {
  uint32_t pattern = 0xa5a5a5a5u;
  for (int i = 1; i <= GUARD; i++)
    if (memcmp(b.data - i, &pattern, 4)) return 0;
  return 1;
}
static void drop(buffer b) { munmap(b.memory, b.bytes); }
static void outside(int number) {
  static const char text[] = "FAILED: something outside of a buffer was read or written\n";
  (void)number;
  if (write(1, text, sizeof text - 1)) _exit(1);
  _exit(1);
}

#endif
