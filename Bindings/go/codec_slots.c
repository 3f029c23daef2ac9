#include "codec_slots.h"

#include "_cgo_export.h"

#define SLOT(n) \
  static int recognises##n(const uint8_t *data, size_t size) { return clipcoreRecognises(n, (void *)data, size); } \
  static clip_status header##n(const uint8_t *data, size_t size, clip_codec_header *header, clip_plugin_error *error) { \
    return clipcoreHeader(n, (void *)data, size, header, error); \
  } \
  static clip_status decode##n(const uint8_t *data, size_t size, const clip_codec_header *header, uint8_t *pixels, \
                               size_t stride, clip_plugin_error *error) { \
    return clipcoreDecode(n, (void *)data, size, (clip_codec_header *)header, pixels, stride, error); \
  } \
  static const clip_plugin *entry##n(void) { return &plugins[n]; }

static clip_image_codec codecs[CODEC_SLOTS];
static clip_plugin_item items[CODEC_SLOTS];
static clip_plugin plugins[CODEC_SLOTS];

SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7)

#define EACH(name) {name##0, name##1, name##2, name##3, name##4, name##5, name##6, name##7}

void codec_slot_fill(int slot, const char *plugin, const char *id, const char *description, const char *extensions) {
  static int (*const recognises[])(const uint8_t *, size_t) = EACH(recognises);
  static clip_status (*const headers[])(const uint8_t *, size_t, clip_codec_header *, clip_plugin_error *) = EACH(header);
  static clip_status (*const decodes[])(const uint8_t *, size_t, const clip_codec_header *, uint8_t *, size_t,
                                        clip_plugin_error *) = EACH(decode);
  codecs[slot] = (clip_image_codec){sizeof(clip_image_codec), id, description, extensions, recognises[slot], headers[slot], decodes[slot]};
  items[slot] = (clip_plugin_item){CLIP_KIND_IMAGE_CODEC, &codecs[slot]};
  plugins[slot] = (clip_plugin){sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, plugin, "1.0.0", "NOASSERTION", &items[slot], 1};
}

clip_status codec_slot_register(clip_runtime *runtime, int slot) {
  static const clip_plugin_entry_fn entries[] = EACH(entry);
  return clip_plugin_register(runtime, entries[slot]);
}
