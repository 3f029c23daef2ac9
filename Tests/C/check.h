/* Counts checks: prints those that fail, and at the end "N passed, N failed". */
#ifndef CLIPCORE_TESTS_CHECK_H
#define CLIPCORE_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks_passed, checks_failed;

#define CHECK(condition) \
  do { \
    if (condition) { \
      checks_passed++; \
    } else { \
      checks_failed++; \
      printf("FAILED %s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, clip_last_error()); \
    } \
  } while (0)

/* Whether valgrind runs the program: 20 to 100 times slower, and with memory of its own. */
static inline int under_valgrind(void) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "vgpreload");
}

static inline int checks_report(void) {
  printf("%d passed, %d failed\n", checks_passed, checks_failed);
  fflush(stdout); /* a leak checker may end the program without flushing */
  return checks_failed != 0;
}

#endif
