/* clip_host.h: which plugins are loaded, and what their encoders build. Conventions: clip.h. */
#ifndef CLIPCORE_CLIP_HOST_H
#define CLIPCORE_CLIP_HOST_H

#include "clip.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clip_plugin_kind {
  CLIP_KIND_ENCODER = 1,
  CLIP_KIND_IMAGE_CODEC = 2,
  CLIP_KIND_KERNELS = 3,
  CLIP_KIND_TOKENIZER = 4,
  CLIP_KIND_LOADER = 5,
  CLIP_KIND_OP = 6,
  CLIP_KIND_IMAGE_AUGMENTATION = 7,
  CLIP_KIND_TEXT_AUGMENTATION = 8
} clip_plugin_kind;

/* One thing that a plugin brings. The strings live as long as the runtime, also when the plugin
 * is unloaded before. */
typedef struct clip_plugin_info {
  uint32_t struct_size;
  clip_plugin_kind kind;
  const char *id;          /* "clipcore.encoder.clip-vit" */
  const char *description; /* one line */
  const char *version;     /* the plugin's own */
  const char *license;     /* SPDX expression */
  const char *path;        /* the file it came from; "" when built in */
  uint32_t active;         /* kernels: 1 when these compute; else 1 when usable on this machine */
  const char *plugin;      /* id of the plugin that brings it; "" when built in */
} clip_plugin_info;

/* The number of things loaded plugins bring; 0 for NULL. [any-thread] */
CLIP_API size_t clip_plugin_count(const clip_runtime *runtime);

/* Fills *info for index < clip_plugin_count. The order is that of loading; a reload keeps a
 * plugin's place, an unload moves up what comes after it. Each call tells of the moment it is made
 * in, so while other threads load and unload, an index may mean another item, or be
 * CLIP_INVALID_ARGUMENT, by the next call. [any-thread] */
CLIP_API clip_status clip_plugin_at(const clip_runtime *runtime, size_t index, clip_plugin_info *info);

/* What an encoder makes of a configuration, found without weights. */
typedef struct clip_encoder_info {
  uint32_t struct_size;
  uint32_t tower;           /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT */
  uint32_t features;        /* numbers that come out for one item */
  uint32_t image_width;     /* pixels; 0 for text */
  uint32_t image_height;
  uint32_t context_length;  /* tokens; 0 for images */
  uint32_t vocabulary_size;
  uint32_t end_rule;        /* where a text ends: a clip_end_rule of clip_plugin.h */
  int32_t end_token;        /* of the rules that have one */
  uint32_t reserved;
  uint64_t parameters;      /* numbers in its weights */
  uint64_t multiply_adds;   /* for one picture, or a text of context_length tokens */
} clip_encoder_info;

/* Receives a tensor that an encoder wants: [shape[0], …, shape[rank - 1]]. Valid during the call. */
typedef void (*clip_tensor_fn)(void *user, const char *name, const uint64_t *shape, size_t rank);

/* Builds the graph of the encoder `id` with `config`, a JSON object or NULL for the encoder's own
 * example, and fills *info. `visit`, if not NULL, gets each tensor by the name that the encoder
 * asks for. CLIP_NOT_FOUND: no such encoder; else what the encoder says of the configuration.
 * [any-thread] */
CLIP_API clip_status clip_encoder_describe(const clip_runtime *runtime, const char *id, const char *config,
                                           clip_encoder_info *info, clip_tensor_fn visit, void *user);

enum {
  CLIP_RECOMMEND_MEASURE = 1u /* run each encoder on this machine, with weights of zero: seconds each */
};

/* What a task wants of an encoder. `needs` weighs it: "local-detail:3,low-latency:1", names with a
 * number above 0, or alone for 1. Declared by encoders: local-detail, global-context, texture,
 * multi-scale, small-data. Found by the host: low-latency, few-parameters. */
typedef struct clip_task {
  uint32_t struct_size;
  uint32_t tower;            /* CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT; 0: CLIP_TOWER_IMAGE */
  const char *needs;
  uint64_t max_parameters;   /* 0: any */
  double max_milliseconds;   /* for one item, with CLIP_RECOMMEND_MEASURE; 0: any */
  uint32_t flags;            /* CLIP_RECOMMEND_* */
  uint32_t reserved;
} clip_task;

typedef struct clip_recommendation {
  uint32_t struct_size;
  float score;               /* 0 to 1: how far the needs are met */
  const char *id;
  const char *reasons;       /* one need after the other: "local-detail 3 of 3, declared; …" */
  uint64_t parameters;
  uint64_t multiply_adds;
  double milliseconds;       /* for one item; 0 where it was not measured */
} clip_recommendation;

/* Receives a recommendation, valid during the call. */
typedef void (*clip_recommendation_fn)(void *user, const clip_recommendation *recommendation);

/* Scores the loaded encoders of a modality for a task, by their example configurations, and gives
 * them to `visit`, the best first. One that cannot be built or goes over a limit is left out.
 * CLIP_INVALID_ARGUMENT: a need that is not known. [any-thread] */
CLIP_API clip_status clip_recommend_encoders(const clip_runtime *runtime, const clip_task *task,
                                             clip_recommendation_fn visit, void *user);
/* The calls below change what is loaded, one at a time; calls that use plugins go on meanwhile
 * with what was there when they began. Where `plugin` is asked for, it is the plugin's id or, if
 * none has that, the path it was loaded from, as in clip_plugin_info. On an error nothing has
 * changed. What is loaded later counts for what is opened, decoded or swapped from then on; the
 * kernels that compute are chosen when the runtime is created and stay.
 *
 * clip_plugin_load loads one plugin file, or each *.so of a folder. A file that is broken, or
 * brings an id that is there already, is an error with the reason; in a folder it is skipped with
 * a warning to the log. [any-thread] */
CLIP_API clip_status clip_plugin_load(clip_runtime *runtime, const char *path);

/* Takes a plugin away: what it brought is not found any more. Models and calls that use it go on,
 * and its code stays in memory until the last of them is closed or returns. The plugin whose
 * kernels compute cannot be taken away: CLIP_INVALID_ARGUMENT. [any-thread] */
CLIP_API clip_status clip_plugin_unload(clip_runtime *runtime, const char *plugin);

/* Loads a plugin's file again, also when it is the same path written anew, and puts it in the
 * place of the old one, which is kept on any error and in memory for its users as with unload.
 * Open models keep the old code until clip_model_swap. Not for a plugin that was registered, nor
 * for the one whose kernels compute. [any-thread] */
CLIP_API clip_status clip_plugin_reload(clip_runtime *runtime, const char *plugin);

/* The function that a plugin exports as clip_plugin_entry; clip_plugin.h has the table. */
typedef struct clip_plugin clip_plugin;
typedef const clip_plugin *(*clip_plugin_entry_fn)(void);

/* Adds a plugin that is linked into the program, by its entry function, which may have any name.
 * Its code and table must stay until the runtime and its models are gone. [any-thread] */
CLIP_API clip_status clip_plugin_register(clip_runtime *runtime, clip_plugin_entry_fn entry);

/* Told of a watched file that changed: CLIP_OK and "" when its new code was loaded; else the old
 * one is in place, and `message` says why. The strings are valid during the call. It comes on the
 * watching thread, with no lock held, and may call the library: clip_model_swap brings a model to
 * the new code. */
typedef void (*clip_plugin_changed_fn)(void *user, const char *plugin, const char *path, clip_status status,
                                       const char *message);

/* Watches the files of all plugins, also of those loaded later, and reloads one, as
 * clip_plugin_reload does, when it has been written and closed or another file was moved to its
 * place. Folders are watched, so one that is removed is watched no more. Starts one thread, which
 * sleeps in between and ends with the runtime: its release waits for a `changed` that runs.
 * `changed` may be NULL: the log tells too. Once for a runtime. [any-thread] */
CLIP_API clip_status clip_plugin_watch(clip_runtime *runtime, clip_plugin_changed_fn changed, void *user);

#ifdef __cplusplus
}
#endif

#endif
