/* plugin/image_codec.h: image codecs. */
#ifndef CLIPCORE_PLUGIN_IMAGE_CODEC_H
#define CLIPCORE_PLUGIN_IMAGE_CODEC_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

enum { CLIP_CODEC_LENIENT = 1u /* keep what can be decoded of a damaged file */ };

typedef struct clip_codec_header {
  uint32_t struct_size;
  uint32_t width;  /* size in pixels of what decode will write, as stored */
  uint32_t height;
  clip_pixel_format format; /* what decode will write: RGB, RGBA or GRAY */
  uint32_t orientation;     /* EXIF's Orientation, 1 to 8; 0 is 1 */
  uint32_t shrink; /* In: how many times smaller each side may be decoded: 1, 2, 4 or 8; 0 is 1. Out: how many times width
                      and height are smaller, rounded up: that or fewer. A codec that cannot leaves 1 or 0. */
  uint32_t flags;  /* In: CLIP_CODEC_* */
} clip_codec_header;

/* Decoding takes two steps, so that the host can refuse a size before memory is allocated, and choose `shrink`.
 * read_header reads only the header. decode writes every pixel of `header`'s size to `pixels`, rows `stride` bytes
 * apart. A truncated file is CLIP_FORMAT, unless CLIP_CODEC_LENIENT is set. */
typedef struct clip_image_codec {
  uint32_t struct_size;
  const char *id;
  const char *description;
  const char *extensions; /* lower case, comma-separated: "jpg,jpeg" */
  int (*CLIP_NONNULL recognises)(const uint8_t *data, size_t size); /* 1 if the first bytes are of this format */
  clip_status (*CLIP_NONNULL read_header)(const uint8_t *data, size_t size, clip_codec_header *header,
                                           clip_plugin_error *error);
  clip_status (*CLIP_NONNULL decode)(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels,
                                      size_t stride, clip_plugin_error *error);
} clip_image_codec;

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
