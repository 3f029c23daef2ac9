/* A codec for PPM images of 8 bits (P6): "P6 width height 255", one byte of space, RGB bytes.
 * `make` builds sample.so; `clip plugins check sample.so` gives it bytes that are no image. */
#include <clipcore/clip_plugin.h>
#include <stdio.h>
#include <string.h>

static clip_status refuse(clip_plugin_error *error, const char *words) {
  if (error && error->capacity > 0) snprintf(error->message, error->capacity, "PPM: %s", words);
  return CLIP_FORMAT;
}

/* The number at *at, after white space; -1 where there is none or it is too large. */
static long number(const uint8_t *data, size_t size, size_t *at) {
  long value = -1;
  while (*at < size && (data[*at] == ' ' || data[*at] == '\n')) ++*at;
  for (; *at < size && data[*at] >= '0' && data[*at] <= '9'; ++*at) {
    value = (value < 0 ? 0 : value) * 10 + (data[*at] - '0');
    if (value > 1000000) return -1;
  }
  return value;
}

/* Where the pixels begin; 0 for what is no PPM. */
static size_t parse(const uint8_t *data, size_t size, long *width, long *height) {
  size_t at = 2;
  if (size < 2 || memcmp(data, "P6", 2) != 0) return 0;
  *width = number(data, size, &at), *height = number(data, size, &at);
  if (number(data, size, &at) != 255 || *width < 1 || *height < 1) return 0;
  return at < size ? at + 1 : 0;
}

static int recognises(const uint8_t *data, size_t size) { return size >= 3 && memcmp(data, "P6\n", 3) == 0; }

static clip_status read_header(const uint8_t *data, size_t size, clip_codec_header *header, clip_plugin_error *error) {
  long width, height;
  if (!parse(data, size, &width, &height)) return refuse(error, "expected P6, a width, a height and 255");
  header->width = (uint32_t)width, header->height = (uint32_t)height, header->format = CLIP_PIXELS_RGB;
  return CLIP_OK;
}

static clip_status decode(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels,
                          size_t stride, clip_plugin_error *error) {
  long width, height;
  size_t at = parse(data, size, &width, &height), row = 3 * (size_t)header->width;
  if (!at || (uint32_t)width != header->width || (uint32_t)height != header->height) return refuse(error, "another header");
  if ((size - at) / row < header->height) return refuse(error, "the file is cut short");
  for (uint32_t y = 0; y < header->height; y++) memcpy(pixels + y * stride, data + at + y * row, row);
  return CLIP_OK;
}

static const clip_image_codec codec = {
  .struct_size = sizeof codec,
  .id = "example.codec.sample",
  .description = "PPM images of 8 bits",
  .extensions = "ppm",
  .recognises = recognises,
  .read_header = read_header,
  .decode = decode,
};

static const clip_plugin_item items[] = {{CLIP_KIND_IMAGE_CODEC, &codec}};

CLIP_PLUGIN("example.sample", "1.0.0", "Apache-2.0", items)
