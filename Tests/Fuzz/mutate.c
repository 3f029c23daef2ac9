/* Mutations that know the structure of an input, beside libFuzzer's own: JSON values become others of interest, members
 * and rows are copied and left out; then what counts the bytes is made right again, the header's length of a
 * safetensors file and the checksums of a tar archive, so that what lies behind them is reached. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

static const char *const values[] = {
  "0", "1", "-1", "2147483647", "2147483648", "9223372036854775807", "18446744073709551615", "1e400", "-0.0", "1e-320", "NaN",
  "null", "true", "{}", "[]", "[0]", "[[[[]]]]", "\"\"", "\"\\u0000\"", "\"\\ud800\"", "\"../../x\"", "\"F64\"", "\"I8\"", "4096", "65536"};

static unsigned draw(unsigned *state, size_t below) {
  *state = *state * 1664525u + 1013904223u;
  return below == 0 ? 0 : (*state >> 8) % (unsigned)below;
}

/* Puts `count` bytes in the place of [begin, end); the size stays where there is no room. */
static size_t replace(uint8_t *data, size_t size, size_t capacity, size_t begin, size_t end, const void *bytes, size_t count) {
  if (size - (end - begin) + count > capacity) return size;
  memmove(data + begin + count, data + end, size - end);
  memcpy(data + begin, bytes, count);
  return size - (end - begin) + count;
}

/* The end of the value, member or row that begins at `at`: the next separator outside strings and brackets. */
static size_t end_of(const uint8_t *data, size_t size, size_t at) {
  int depth = 0, quoted = 0;
  for (; at < size; at++) {
    uint8_t byte = data[at];
    if (quoted) {
      if (byte == '\\') at++;
      else if (byte == '"') quoted = 0;
    } else if (byte == '"') {
      quoted = 1;
    } else if (byte == '{' || byte == '[') {
      depth++;
    } else if (byte == '}' || byte == ']') {
      if (depth-- == 0) return at;
    } else if (depth == 0 && (byte == ',' || byte == '\n')) {
      return at;
    }
  }
  return size;
}

/* Text: a value replaced, or what stands between two separators copied or left out. */
static size_t mutate_text(uint8_t *data, size_t size, size_t from, size_t to, size_t capacity, unsigned *state) {
  static const char separators[] = ":,[{\n";
  size_t at = from + draw(state, to - from);
  while (at < to && strchr(separators, data[at] ? data[at] : 'x') == NULL) at++;
  if (at >= to) return size;
  size_t begin = at + 1, end = end_of(data, to, begin);
  uint8_t copy[512] = {','};
  switch (draw(state, data[at] == ':' ? 1 : 3)) {
  case 0: {
    const char *value = values[draw(state, sizeof values / sizeof *values)];
    return replace(data, size, capacity, begin, end, value, strlen(value));
  }
  case 1: return replace(data, size, capacity, begin, end < size ? end + 1 : end, "", 0);
  default:
    if (end - begin > sizeof copy - 1) return size;
    memcpy(copy + 1, data + begin, end - begin);
    return replace(data, size, capacity, end, end, copy, end - begin + 1);
  }
}

/* The length of a safetensors header, which is JSON; 0 where there is none. */
static size_t header_length(const uint8_t *data, size_t size) {
  uint64_t length = 0;
  if (size < 10 || data[8] != '{') return 0;
  memcpy(&length, data, 8);
  return length <= size - 8 ? (size_t)length : 0;
}

static void repair_tar(uint8_t *data, size_t size) {
  for (size_t at = 0; at + 512 <= size; at += 512) {
    if (memcmp(data + at + 257, "ustar", 5) != 0) continue;
    char text[8];
    unsigned sum = 0;
    memset(data + at + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) sum += data[at + i];
    snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(data + at + 148, text, 7);
  }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
  unsigned state = seed;
  size_t header = header_length(data, size);
  if (header > 0 && draw(&state, 4) > 0) {
    size_t changed = mutate_text(data, size, 8, 8 + header, capacity, &state);
    uint64_t length = header + changed - size;
    memcpy(data, &length, 8);
    return changed;
  }
  size = size > 0 && draw(&state, 2) ? mutate_text(data, size, 0, size, capacity, &state) : LLVMFuzzerMutate(data, size, capacity);
  if (draw(&state, 8) > 0) repair_tar(data, size);
  return size;
}
