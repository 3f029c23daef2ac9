/* marks.h's augmentations as a plugin file. */
#define _GNU_SOURCE
#include "marks.h"

__attribute__((visibility("default"))) const clip_plugin *clip_plugin_entry(void);
const clip_plugin *clip_plugin_entry(void) { return marks_entry(); }
