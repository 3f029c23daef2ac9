/* The encoder of grey.h as a plugin file. */
#include "grey.h"

__attribute__((visibility("default"))) const clip_plugin *clip_plugin_entry(void) { return &grey_plugin; }
