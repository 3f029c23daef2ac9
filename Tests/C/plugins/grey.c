/* The small encoder as a plugin of its own. */
#include "grey.h"

__attribute__((visibility("default"))) const clip_plugin *clip_plugin_entry(void) { return &grey_plugin; }
