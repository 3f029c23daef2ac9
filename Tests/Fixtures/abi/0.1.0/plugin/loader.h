/* plugin/loader.h: loaders, which make plugins of files that are no shared libraries. */
#ifndef CLIPCORE_PLUGIN_LOADER_H
#define CLIPCORE_PLUGIN_LOADER_H

#include "entry.h"

#ifdef __cplusplus
extern "C" {
#endif

CLIP_NULLABILITY_BEGIN

/* Makes a plugin of each file whose name ends in `suffix`. Such files are found, loaded, watched and reloaded as
 * shared libraries are. What the plugin brings is checked like that of any other. */
typedef struct clip_loader clip_loader;
struct clip_loader {
  uint32_t struct_size;
  const char *id;          /* "clipcore.loader.ffi" */
  const char *description; /* one line */
  const char *suffix;      /* ".ffi.json" */
  /* Makes a plugin of the file. *plugin is its table, valid until unload(*instance). The message of an error names
   * the file. */
  clip_status (*CLIP_NONNULL load)(const char *path, const clip_plugin **plugin, void **instance,
                                    clip_plugin_error *error);
  /* Frees the instance. Called once nothing uses the table any more. */
  void (*CLIP_NONNULL unload)(void *instance);
};

CLIP_NULLABILITY_END

#ifdef __cplusplus
}
#endif

#endif
