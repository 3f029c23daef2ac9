/* clip_host.h: the plugins of a runtime, what their encoders build, and new towers for an open model. The rules are in
 * clip.h. */
#ifndef CLIPCORE_CLIP_HOST_H
#define CLIPCORE_CLIP_HOST_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- list */

typedef enum clip_plugin_kind {
  CLIP_KIND_ENCODER = 1,
  CLIP_KIND_IMAGE_CODEC = 2,
  CLIP_KIND_KERNELS = 3,
  CLIP_KIND_TOKENIZER = 4,
  CLIP_KIND_LOADER = 5,
  CLIP_KIND_OP = 6,
  CLIP_KIND_IMAGE_AUGMENTATION = 7,
  CLIP_KIND_TEXT_AUGMENTATION = 8,
  CLIP_KIND_WEIGHTS = 9, /* a format of weight files */
  CLIP_KIND_NEIGHBOURS = 10 /* approximate search in an index */
} clip_plugin_kind;

/* One item of a plugin: an encoder, a codec, and so on. A plugin may have several. */
typedef struct clip_plugin_info {
  uint32_t struct_size;
  clip_plugin_kind kind;
  uint32_t active;         /* kernels: 1 for the set in use, else 0; other kinds: 1 */
  const char *id;          /* "clipcore.encoder.clip-vit" */
  const char *description; /* one line */
  const char *version;     /* of the plugin */
  const char *license;     /* an SPDX expression */
  const char *path;        /* the plugin's file; "" for a built-in item */
  const char *plugin;      /* the plugin's id; "" for a built-in item */
} clip_plugin_info;

typedef int (*clip_plugin_fn)(void *user, const clip_plugin_info *info);

/* Lists the items of all loaded plugins as they are at the time of the call, in the order they were loaded; a
 * reloaded plugin keeps its place. [any-thread] */
CLIP_API clip_status clip_plugins_visit(const clip_runtime *runtime, clip_plugin_fn visit, void *user);

/* ---------------------------------------------------------------- load, unload, reload
 * These calls change what is loaded. They run one at a time; calls that use plugins continue with what was loaded
 * when they began. `plugin` is a plugin's id or, where none has that id, the path of its file. On an error nothing
 * has changed. A new plugin counts for models opened or swapped, images decoded and pipelines made from then on.
 * The kernels in use are chosen when the runtime is created. */

/* Loads a plugin file, or each *.so of a folder. A file that is not a plugin, or has an item whose id is loaded
 * already, is an error; in a folder it is skipped with a warning to the log. [any-thread] */
CLIP_API clip_status clip_plugin_load(clip_runtime *runtime, const char *path);

/* Unloads a plugin: its items are no longer found. Models and calls that use it continue, and its code stays in
 * memory until they end. The plugin of the kernels in use is CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_plugin_unload(clip_runtime *runtime, const char *plugin);

/* Loads a plugin's file again, also when it has been rewritten under the same path, and replaces the plugin. Users
 * of the old one keep it as with clip_plugin_unload; an open model takes the new code with clip_model_swap. A
 * plugin that was registered, and that of the kernels in use, are CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_plugin_reload(clip_runtime *runtime, const char *plugin);

/* Adds a plugin that is linked into the program, by its entry function, which may have any name. Its code and
 * table must stay until the runtime and its models are released. Kernels are chosen when the runtime is created: give
 * theirs as clip_runtime_options.plugin_entries. [any-thread] */
CLIP_API clip_status clip_plugin_register(clip_runtime *runtime, clip_plugin_entry_fn entry);

/* A watched plugin file changed. CLIP_OK and "": its new code is loaded. Any other status: the old code stays, and
 * `message` says why. Called on the watcher thread with no lock held; may call the library, such as
 * clip_model_swap to bring a model to the new code. */
typedef void (*clip_plugin_changed_fn)(void *user, const char *plugin, const char *path, clip_status status,
                                       const char *message);

/* Watches the files of all plugins, also of those loaded later, and reloads each that is rewritten or replaced by
 * another file. Starts one thread, which ends with the runtime; releasing the runtime waits for a running
 * `changed`. `changed` may be NULL: the log has the same messages. A second call for a runtime is
 * CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_plugin_watch(clip_runtime *runtime, clip_plugin_changed_fn changed, void *user);

/* ---------------------------------------------------------------- towers of an open model */

/* Replaces towers of a model while other threads use it. `towers`: CLIP_TOWER_* of open towers, 0 for all. They
 * are opened from `folder` or, if it is NULL, each from the folder it came from; with the plugins that are loaded
 * now. After clip_plugin_reload that brings the same weights under the new code. `options`: storage, flags and
 * progress; NULL for those the tower was opened with. Weights are packed before the call returns.
 *
 * The new towers are built aside and replace the old ones at once. Calls that are running finish with the towers
 * they began with. On any error the model is unchanged; CLIP_MISMATCH if the new embeddings have another width.
 *
 * The tokenizer and context length belong to the text tower, preprocessing to the image tower. Logit scale, bias
 * and layout stay unless all towers are replaced from `folder`. Where a swap changes image_width, image_height or
 * context_length, calls with the caller's pixels and tokens (clip_preprocess, clip_encode_pixels, clip_tokenize,
 * clip_encode_tokens) are CLIP_MISMATCH until clip_encode_options has the new sizes. Encode tokens with the tower
 * whose tokenizer made them. [any-thread] */
CLIP_API clip_status clip_model_swap(clip_model *model, uint32_t towers, const char *folder,
                                     const clip_model_options *options);

/* ---------------------------------------------------------------- encoders */

/* What an encoder builds from a configuration. */
typedef struct clip_encoder_info {
  uint32_t struct_size;
  uint32_t tower;           /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  uint32_t features;        /* elements of its output for one item */
  uint32_t image_width;     /* pixels; 0 for a text encoder */
  uint32_t image_height;
  uint32_t context_length;  /* tokens; 0 for an image encoder */
  uint32_t vocabulary_size;
  uint32_t end_rule;        /* where a text ends: a clip_end_rule of clip_plugin.h */
  int32_t end_token;        /* of the rules that have one */
  uint64_t parameters;      /* elements of its weights */
  uint64_t multiply_adds;   /* of one image, or of a text of context_length tokens */
} clip_encoder_info;

/* A tensor of an encoder: [shape[0], ..., shape[rank - 1]]. */
typedef int (*clip_tensor_fn)(void *user, const char *name, const uint64_t *shape, size_t rank);

/* Builds the encoder `id` from `config`, a JSON object, without weights, fills *info and lists the tensors it
 * needs, under the encoder's names. `config` NULL: the encoder's example configuration. `visit` may be NULL.
 * CLIP_NOT_FOUND: no such encoder; other errors are about the configuration. [any-thread] */
CLIP_API clip_status clip_encoder_describe(const clip_runtime *runtime, const char *id, const char *config,
                                           clip_encoder_info *info, clip_tensor_fn visit, void *user);

enum {
  CLIP_RECOMMEND_MEASURE = 1u /* run each encoder on this machine, with weights of zero: seconds each */
};

typedef struct clip_recommend_options {
  uint32_t struct_size;
  uint32_t tower;          /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT; 0: CLIP_TOWER_IMAGE */
  uint32_t flags;          /* CLIP_RECOMMEND_* */
  const char *needs;       /* needs with weights above 0: "local-detail:3,low-latency"; a weight left out is 1.
                              Declared by encoders: local-detail, global-context, texture, multi-scale, small-data.
                              Computed: low-latency, few-parameters */
  uint64_t max_parameters; /* 0: no limit */
  double max_milliseconds; /* for one item, with CLIP_RECOMMEND_MEASURE; 0: no limit */
} clip_recommend_options;

typedef struct clip_recommendation {
  uint32_t struct_size;
  float score;         /* 0 to 1: how well the needs are met */
  const char *id;
  const char *reasons; /* of each need: "local-detail 3 of 3, declared; ..." */
  uint64_t parameters;
  uint64_t multiply_adds;
  double milliseconds; /* for one item; 0 if not measured */
} clip_recommendation;

typedef int (*clip_recommendation_fn)(void *user, const clip_recommendation *recommendation);

/* Ranks the loaded encoders of a tower, in their example configurations, by how well they meet `needs`, and lists
 * them, best first. Encoders over a limit, and those that cannot be built, are left out. An unknown need is
 * CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_recommend_encoders(const clip_runtime *runtime, const clip_recommend_options *options,
                                             clip_recommendation_fn visit, void *user);

#ifdef __cplusplus
}
#endif

#endif
