/* The items of a runtime's plugins, counted and copied. */
#ifndef CLIPCORE_TESTS_PLUGIN_LIST_H
#define CLIPCORE_TESTS_PLUGIN_LIST_H

#include <clip_host.h>
#include <stdio.h>

typedef struct plugin_facts {
  clip_plugin_kind kind;
  uint32_t active;
  char id[96], description[96], version[32], license[32], path[256], plugin[96];
} plugin_facts;

typedef struct plugin_search {
  size_t index, seen;
  plugin_facts *facts; /* NULL: only count */
} plugin_search;

static inline int plugin_seen(void *user, const clip_plugin_info *info) {
  plugin_search *search = user;
  if (search->seen++ != search->index || !search->facts) return 0;
  plugin_facts *facts = search->facts;
  facts->kind = info->kind, facts->active = info->active;
  snprintf(facts->id, sizeof facts->id, "%s", info->id);
  snprintf(facts->description, sizeof facts->description, "%s", info->description);
  snprintf(facts->version, sizeof facts->version, "%s", info->version);
  snprintf(facts->license, sizeof facts->license, "%s", info->license);
  snprintf(facts->path, sizeof facts->path, "%s", info->path);
  snprintf(facts->plugin, sizeof facts->plugin, "%s", info->plugin);
  return 1;
}

static inline size_t plugin_count(const clip_runtime *runtime) {
  plugin_search search = {0, 0, NULL};
  return clip_plugins_visit(runtime, plugin_seen, &search) == CLIP_OK ? search.seen : 0;
}

/* Whether there is an item of that index, which is copied to *facts. */
static inline int plugin_at(const clip_runtime *runtime, size_t index, plugin_facts *facts) {
  plugin_search search = {index, 0, facts};
  return clip_plugins_visit(runtime, plugin_seen, &search) == CLIP_OK && search.seen == index + 1;
}

#endif
