#include <stdbool.h>
#include <string.h>
#include <turbojpeg.h>

/* Whether a message of libturbojpeg, which has no code for it, says that memory ran out. */
static inline bool turbojpeg_had_no_memory(const char *message) {
  return strstr(message, "Insufficient memory") || strstr(message, "Memory allocation");
}
