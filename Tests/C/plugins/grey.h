/* A small image encoder: the mean and maximum of the pixels through one linear layer, "head". Tests load, rewrite and
 * break this plugin, and register it from their own program. */
#ifndef CLIPCORE_TESTS_GREY_H
#define CLIPCORE_TESTS_GREY_H

#include <clip_plugin.h>

#ifndef GREY_VERSION
#define GREY_VERSION 1 /* another version computes other embeddings */
#endif
#ifndef GREY_PLUGIN
#define GREY_PLUGIN "test.grey"
#endif
#ifndef GREY_ITEM
#define GREY_ITEM "test.encoder.grey"
#endif
#define GREY_TEXT_OF(x) #x
#define GREY_TEXT(x) GREY_TEXT_OF(x)

static clip_value grey_build(clip_builder *b) {
  clip_value pixels = clip_op_pixels(b, (uint32_t)b->need_int(b, "image_height", 1, 1024), (uint32_t)b->need_int(b, "image_width", 1, 1024));
  clip_value pooled = GREY_VERSION == 1 ? clip_op_mean_rows(b, pixels) : clip_op_max_rows(b, pixels);
  return clip_op_linear(b, pooled, "head", (uint32_t)b->need_int(b, "width", 1, 1024), 0);
}

static const clip_encoder grey_encoder = {
    .struct_size = sizeof(clip_encoder),
    .tower = CLIP_TOWER_IMAGE,
    .id = GREY_ITEM,
    .description = "version " GREY_TEXT(GREY_VERSION),
    .build = grey_build,
};
static const clip_plugin_item grey_items[] = {{.kind = CLIP_KIND_ENCODER, .table = &grey_encoder}};
static const clip_plugin grey_plugin = {
    .struct_size = sizeof(clip_plugin),
    .abi_version = CLIP_PLUGIN_ABI_VERSION,
    .id = GREY_PLUGIN,
    .version = GREY_TEXT(GREY_VERSION),
    .license = "Apache-2.0",
    .items = grey_items,
    .item_count = 1,
};

#endif
