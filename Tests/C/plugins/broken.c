/* The encoder of grey.h with the fault that BROKEN_* names. */
#include "grey.h"

#define EXPORT __attribute__((visibility("default")))

#if defined(BROKEN_VERSION) /* of the interface before this one */
static const clip_plugin plugin = {sizeof(clip_plugin), 1u << 16 | 7, GREY_PLUGIN, "1", "MIT", grey_items, 1};
#elif defined(BROKEN_TABLE_SIZE)
static const clip_plugin plugin = {sizeof(clip_plugin) - 8, CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", grey_items, 1};
#elif defined(BROKEN_NO_SIZE)
static const clip_plugin plugin = {0, CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", grey_items, 1};
#elif defined(BROKEN_NO_ID)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, NULL, "1", "MIT", grey_items, 1};
#elif defined(BROKEN_NO_LICENSE)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", NULL, grey_items, 1};
#elif defined(BROKEN_ID)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, "Test Grey!", "1", "MIT", grey_items, 1};
#elif defined(BROKEN_NULL_ITEMS)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", NULL, 1};
#elif defined(BROKEN_NO_ITEMS)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", grey_items, 0};
#elif defined(BROKEN_MANY_ITEMS)
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", grey_items, (size_t)-1};
#elif defined(BROKEN_ITEM) /* 1: too short, 2: no id, 3: a malformed id, 4: no description, 5: no function, 6: an unknown kind */
static const clip_encoder encoder = {
    BROKEN_ITEM == 1 ? 8 : sizeof encoder,
    CLIP_TOWER_IMAGE,
    BROKEN_ITEM == 2 ? NULL : BROKEN_ITEM == 3 ? "test encoder" : GREY_ITEM,
    BROKEN_ITEM == 4 ? NULL : "broken",
    BROKEN_ITEM == 5 ? NULL : grey_build,
};
static const clip_plugin_item items[] = {{BROKEN_ITEM == 6 ? 4095 : CLIP_KIND_ENCODER, &encoder}};
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", items, 1};
#elif defined(BROKEN_NULL_ITEM)
static const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, NULL}};
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", items, 1};
#elif defined(BROKEN_CODEC)
static const clip_image_codec codec = {.struct_size = sizeof codec, .id = "test.codec.none", .description = "no functions"};
static const clip_plugin_item items[] = {{CLIP_KIND_IMAGE_CODEC, &codec}};
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", items, 1};
#elif defined(BROKEN_KERNELS)
static const clip_kernels kernels = {.struct_size = sizeof kernels, .id = "test.kernels.none", .description = "no functions"};
static const clip_plugin_item items[] = {{CLIP_KIND_KERNELS, &kernels}};
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", items, 1};
#elif defined(BROKEN_TWICE) /* a valid item, and a second one with its id */
static const clip_plugin_item items[] = {{CLIP_KIND_ENCODER, &grey_encoder}, {CLIP_KIND_ENCODER, &grey_encoder}};
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", items, 2};
#else
static const clip_plugin plugin = {sizeof(clip_plugin), CLIP_PLUGIN_ABI_VERSION, GREY_PLUGIN, "1", "MIT", grey_items, 1};
#endif

#if defined(BROKEN_NO_ENTRY)
EXPORT const clip_plugin *another_entry(void) { return &plugin; }
#elif defined(BROKEN_NULL_TABLE)
EXPORT const clip_plugin *clip_plugin_entry(void) { return NULL; }
#elif defined(BROKEN_SYMBOL)
extern int this_symbol_is_nowhere(void);
EXPORT const clip_plugin *clip_plugin_entry(void) { return this_symbol_is_nowhere() ? &plugin : NULL; }
#else
EXPORT const clip_plugin *clip_plugin_entry(void) { return &plugin; }
#endif
