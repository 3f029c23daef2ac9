/* Counts checks: prints those that fail, and at the end "N passed, N failed". */
#ifndef CLIPCORE_TESTS_CHECK_H
#define CLIPCORE_TESTS_CHECK_H

#include <stdio.h>

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

static inline int checks_report(void) {
  printf("%d passed, %d failed\n", checks_passed, checks_failed);
  fflush(stdout); /* a leak checker may end the program without flushing */
  return checks_failed != 0;
}

#endif
