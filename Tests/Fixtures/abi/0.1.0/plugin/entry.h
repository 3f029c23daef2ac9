/* plugin/entry.h: what every plugin has.
 *
 * A plugin is a shared library with one exported function, clip_plugin_entry. It returns a
 * table that lists what the plugin brings: encoders, ops, image codecs, tokenizers, kernels, augmentations.
 * A plugin links nothing of clipcore: the host hands it tables of functions.
 *
 * Rules
 * -----
 * Scanning.    clip_plugin_entry and the table it returns make no host call, start nothing and
 *              allocate nothing that unloading would leak. The host may call it more than once;
 *              the same pointer comes back. The table and its strings live until unload.
 * Structs.     Every struct starts with struct_size, set by whoever owns the memory. Both sides
 *              grow structs at the end, and read a field only if struct_size covers it.
 * Versions.    abi_version is (major << 16) | minor. A plugin of another major than the host's is refused:
 *              its tables have another layout. Fields of a later minor are absent, never different.
 * Ids.         "<vendor>.<kind>.<name>" in [a-z0-9.-], as clipcore's "clipcore.encoder.clip-vit".
 * Threads.     Functions of a table may be called from any thread, also at the same time;
 *              the memory a call gets is that call's own.
 * Trust.       A plugin runs with the host's rights: load only what you would link. The bytes
 *              that it is handed (images, configs) are not trusted, and must not crash it.
 */
#ifndef CLIPCORE_PLUGIN_ENTRY_H
#define CLIPCORE_PLUGIN_ENTRY_H

#include "../clip_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A function marked CLIP_NONNULL is never NULL: the host refuses a plugin's table without it. Between
 * CLIP_NONNULL_BEGIN and CLIP_NONNULL_END that holds for every pointer that does not say CLIP_NULLABLE. Compilers other
 * than clang read them as nothing. */
#if defined(__clang__)
#define CLIP_NULLABILITY_BEGIN                                                                     \
  _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wnullability-extension\"") \
      _Pragma("clang diagnostic ignored \"-Wnullability-completeness\"")
#define CLIP_NULLABILITY_END _Pragma("clang diagnostic pop")
#define CLIP_NONNULL_BEGIN CLIP_NULLABILITY_BEGIN _Pragma("clang assume_nonnull begin")
#define CLIP_NONNULL_END _Pragma("clang assume_nonnull end") CLIP_NULLABILITY_END
#define CLIP_NONNULL _Nonnull
#define CLIP_NULLABLE _Nullable
#else
#define CLIP_NULLABILITY_BEGIN
#define CLIP_NULLABILITY_END
#define CLIP_NONNULL_BEGIN
#define CLIP_NONNULL_END
#define CLIP_NONNULL
#define CLIP_NULLABLE
#endif

#define CLIP_PLUGIN_ABI_VERSION ((uint32_t)((2u << 16) | 0u))

/* One thing a plugin brings. `table` is a clip_encoder, clip_op, clip_image_codec, clip_kernels, clip_tokenizer,
 * clip_augmentation or clip_loader, as `kind` says; a kind that the host does not know is skipped. */
typedef struct clip_plugin_item {
  uint32_t kind; /* clip_plugin_kind */
  const void *table;
} clip_plugin_item;

/* clip_plugin and the type of the one function that a plugin exports, clip_plugin_entry_fn, are
 * named in clip.h. */
struct clip_plugin {
  uint32_t struct_size;
  uint32_t abi_version; /* CLIP_PLUGIN_ABI_VERSION of the header the plugin was built with */
  const char *id;       /* of the plugin: no other that is loaded has it */
  const char *version;  /* the plugin's own, "1.0.0" */
  const char *license;  /* SPDX expression, "Apache-2.0" */
  const clip_plugin_item *items;
  size_t item_count;
};

/* Defines clip_plugin_entry for a plugin whose `items` is an array of clip_plugin_item. At the end of one source file,
 * outside any namespace, without a semicolon:
 *   CLIP_PLUGIN("mine.mean-color", "1.0.0", "Apache-2.0", items) */
#define CLIP_PLUGIN(id, version, license, items) \
  CLIP_PLUGIN_EXPORT const clip_plugin *clip_plugin_entry(void); \
  CLIP_PLUGIN_EXPORT const clip_plugin *clip_plugin_entry(void) { \
    static const clip_plugin plugin = { \
        sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, id, version, license, items, sizeof(items) / sizeof(items)[0]}; \
    return &plugin; \
  }

#if defined(__GNUC__)
#define CLIP_PLUGIN_VISIBLE __attribute__((visibility("default")))
#else
#define CLIP_PLUGIN_VISIBLE
#endif
#ifdef __cplusplus
#define CLIP_PLUGIN_EXPORT extern "C" CLIP_PLUGIN_VISIBLE
#else
#define CLIP_PLUGIN_EXPORT CLIP_PLUGIN_VISIBLE
#endif

/* Where a plugin's function writes the message of a failure: at most `capacity` bytes with the NUL. */
typedef struct clip_plugin_error {
  char *message;
  size_t capacity;
} clip_plugin_error;

#ifdef __cplusplus
}
#endif

#endif
