/* codec_slots.h: image codecs of this program. A codec's functions in C have no argument that says which codec is meant, so
 * each has a slot with functions and tables of its own. A slot is never given back: a runtime may use it to its end. */
#ifndef CLIPCORE_CODEC_SLOTS_H
#define CLIPCORE_CODEC_SLOTS_H

#include <clipcore/plugin/image_codec.h>

enum { CODEC_SLOTS = 8 };

/* Fills a slot; the texts are kept. */
void codec_slot_fill(int slot, const char *plugin, const char *id, const char *description, const char *extensions);
clip_status codec_slot_register(clip_runtime *runtime, int slot);

#endif
