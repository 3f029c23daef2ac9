/* Plugins loaded, unloaded and reloaded while a runtime is used; a registered one; watched files.
 *
 *   plugins_test MODEL GREY GREY2 IMAGE
 *
 * MODEL is for the encoder of plugins/grey.h; GREY and GREY2 are two builds of it, whose results differ.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREY_PLUGIN "test.grey-linked"
#include "plugins/grey.h"

#include "check.h"
#include "plugin_list.h"

enum { WIDTH = 8, ROUNDS = 100 };

static const char *folder, *grey[2], *image_path;
static char path[] = "/tmp/clipcore-plugins-XXXXXX", file[64];
static clip_image_view view;

static int count_of(const char *directory) {
  DIR *listing = opendir(directory);
  int count = 0;
  while (listing && readdir(listing)) count++;
  if (listing) closedir(listing);
  return count;
}

/* The number of plugins in this process: each has one executable mapping. */
static int mapped(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  int count = 0;
  while (maps && fgets(line, sizeof line, maps)) count += strstr(line, "clipcore-plugin") && strstr(line, "r-xp");
  if (maps) fclose(maps);
  return count;
}

/* Writes the loaded file: a copy of `source`, in place or by a rename. */
static void put(const char *source, int moved) {
  static char bytes[1 << 20];
  char aside[80];
  snprintf(aside, sizeof aside, moved ? "%s.new" : "%s", file);
  FILE *in = fopen(source, "rb"), *out = fopen(aside, "wb");
  size_t size = in ? fread(bytes, 1, sizeof bytes, in) : 0;
  CHECK(out && size > 0 && fwrite(bytes, 1, size, out) == size);
  if (in) fclose(in);
  if (out) fclose(out);
  if (moved) CHECK(rename(aside, file) == 0);
}

static void put_text(const char *text) {
  FILE *out = fopen(file, "wb");
  CHECK(out && fputs(text, out) >= 0);
  if (out) fclose(out);
}

static clip_runtime *new_runtime(uint32_t threads) {
  clip_runtime *runtime = NULL;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = threads};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  return runtime;
}

static int encodes(clip_model *model, const float *want) {
  float row[WIDTH];
  return clip_encode_image(model, &view, 1, NULL, row, WIDTH) == CLIP_OK && !memcmp(row, want, sizeof row);
}

/* The results of both builds; the registered plugin computes as the first. */
static float want[2][WIDTH];

/* One call, with the result of either build. */
static int encodes_either(clip_model *model) {
  float row[WIDTH];
  return clip_encode_image(model, &view, 1, NULL, row, WIDTH) == CLIP_OK &&
         (!memcmp(row, want[0], sizeof row) || !memcmp(row, want[1], sizeof row));
}

static void linked(void) {
  clip_runtime *runtime = new_runtime(1);
  clip_model *model = NULL;
  size_t before = plugin_count(runtime);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_NOT_FOUND && strstr(clip_last_error(), "test.encoder.grey"));
  clip_plugin_entry_fn entry = NULL;
  CHECK(clip_plugin_register(runtime, entry) == CLIP_INVALID_ARGUMENT);
  extern const clip_plugin *grey_entry(void);
  clip_plugin_entry_fn entries[] = {grey_entry};
  clip_runtime *with_entries = NULL;
  CHECK(clip_runtime_create(&(clip_runtime_options){.struct_size = sizeof(clip_runtime_options), .plugin_entries = entries,
                              .plugin_entry_count = 1}, &with_entries) == CLIP_OK);
  plugin_facts first; /* after the reference kernels */
  CHECK(plugin_count(with_entries) == before + 1 && plugin_at(with_entries, 1, &first) && !strcmp(first.plugin, "test.grey-linked"));
  clip_runtime_release(with_entries);
  CHECK(clip_plugin_register(runtime, grey_entry) == CLIP_OK);
  CHECK(plugin_count(runtime) == before + 1);
  plugin_facts info;
  CHECK(plugin_at(runtime, before, &info));
  CHECK(!strcmp(info.plugin, "test.grey-linked") && !strcmp(info.id, "test.encoder.grey") && info.path[0] == 0 && info.active);
  CHECK(clip_plugin_register(runtime, grey_entry) == CLIP_PLUGIN && strstr(clip_last_error(), "already loaded"));
  CHECK(clip_plugin_load(runtime, grey[0]) == CLIP_PLUGIN && strstr(clip_last_error(), "already loaded from test.grey-linked"));
  CHECK(clip_plugin_reload(runtime, "test.grey-linked") == CLIP_UNSUPPORTED);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  CHECK(clip_encode_image(model, &view, 1, NULL, want[0], WIDTH) == CLIP_OK);
  CHECK(clip_plugin_unload(runtime, "test.grey-linked") == CLIP_OK && plugin_count(runtime) == before);
  CHECK(encodes(model, want[0]));
  clip_model_release(model);
  CHECK(clip_plugin_register(runtime, grey_entry) == CLIP_OK);
  clip_runtime_release(runtime);
}

const clip_plugin *grey_entry(void) { return &grey_plugin; }

static void life(void) {
  clip_runtime *runtime = new_runtime(1);
  clip_model *model = NULL, *other = NULL;
  int shipped = mapped();
  put(grey[0], 0);
  CHECK(clip_plugin_load(runtime, file) == CLIP_OK && mapped() == shipped + 1);
  plugin_facts info;
  CHECK(plugin_at(runtime, plugin_count(runtime) - 1, &info));
  CHECK(!strcmp(info.plugin, "test.grey") && !strcmp(info.description, "version 1") && !strcmp(info.path, file));
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK && encodes(model, want[0]));

  /* The file is rewritten and reloaded. An open model keeps the old code until its tower is swapped. */
  put(grey[1], 0);
  CHECK(encodes(model, want[0]));
  CHECK(clip_plugin_reload(runtime, file) == CLIP_OK && mapped() == shipped + 2);
  CHECK(clip_model_open(runtime, folder, NULL, &other) == CLIP_OK);
  CHECK(clip_encode_image(other, &view, 1, NULL, want[1], WIDTH) == CLIP_OK && memcmp(want[0], want[1], sizeof want[0]));
  CHECK(encodes(model, want[0]));
  CHECK(clip_model_swap(model, CLIP_TOWER_IMAGE, NULL, NULL) == CLIP_OK && encodes(model, want[1]));
  CHECK(mapped() == shipped + 1); /* the old code is unmapped */

  /* Unloaded: new models do not find it, the open one keeps working, and its last user unmaps it. */
  CHECK(clip_plugin_unload(runtime, "test.grey") == CLIP_OK && mapped() == shipped + 1);
  CHECK(clip_plugin_unload(runtime, "test.grey") == CLIP_NOT_FOUND);
  CHECK(encodes(model, want[1]) && encodes(other, want[1]));
  clip_model *third = NULL;
  CHECK(clip_model_open(runtime, folder, NULL, &third) == CLIP_NOT_FOUND);
  CHECK(clip_model_swap(model, CLIP_TOWER_IMAGE, NULL, NULL) == CLIP_NOT_FOUND && encodes(model, want[1]));
  clip_model_release(other);
  CHECK(mapped() == shipped + 1);
  CHECK(clip_plugin_load(runtime, grey[0]) == CLIP_OK);
  CHECK(clip_model_swap(model, 0, NULL, NULL) == CLIP_OK && encodes(model, want[0]));
  clip_model_release(model);
  CHECK(mapped() == shipped + 1);
  CHECK(clip_plugin_unload(runtime, grey[0]) == CLIP_OK && mapped() == shipped);

  /* Kernels in use cannot be unloaded. */
  for (size_t i = 0; i < plugin_count(runtime); i++) {
    CHECK(plugin_at(runtime, i, &info));
    if (info.kind != CLIP_KIND_KERNELS || !info.active || !info.path[0]) continue;
    CHECK(clip_plugin_unload(runtime, info.plugin) == CLIP_INVALID_ARGUMENT && strstr(clip_last_error(), "its kernels compute"));
    CHECK(clip_plugin_reload(runtime, info.path) == CLIP_INVALID_ARGUMENT);
  }
  clip_runtime_release(runtime);
  CHECK(mapped() == 0);
}

/* Loading leaks no file descriptor and no mapping, whether it succeeds or not. */
static void leaves_nothing(void) {
  clip_runtime *runtime = new_runtime(1);
  int maps = mapped(), descriptors = count_of("/proc/self/fd");
  for (int round = 0; round < ROUNDS; round++) {
    put(grey[round % 2], round % 3 == 0);
    CHECK(clip_plugin_load(runtime, file) == CLIP_OK && clip_plugin_reload(runtime, "test.grey") == CLIP_OK);
    CHECK(clip_plugin_load(runtime, file) == CLIP_PLUGIN);
    put_text(round % 2 ? "\177ELF and no more" : "text");
    CHECK(clip_plugin_reload(runtime, "test.grey") == CLIP_PLUGIN);
    CHECK(clip_plugin_unload(runtime, "test.grey") == CLIP_OK);
    CHECK(clip_plugin_load(runtime, file) == CLIP_PLUGIN && clip_plugin_load(runtime, "/nowhere.so") == CLIP_NOT_FOUND);
  }
  CHECK(mapped() == maps && count_of("/proc/self/fd") == descriptors);
  clip_runtime_release(runtime);
}

/* ---- many threads */

static clip_runtime *shared;
static clip_model *busy;
static atomic_int stop;

static void *user(void *argument) {
  size_t index = (size_t)argument, bad = 0;
  while (!atomic_load(&stop)) {
    if (index == 0) {
      clip_image *image = NULL;
      bad += clip_image_load(shared, image_path, NULL, &image) != CLIP_OK;
      clip_image_release(image);
    } else if (index == 1) {
      for (size_t i = 0; i < plugin_count(shared); i++) {
        plugin_facts info; /* the list may have become shorter meanwhile */
        if (plugin_at(shared, i, &info)) bad += strlen(info.id) + strlen(info.description) + strlen(info.path) == 0;
      }
    } else if (index == 2) {
      clip_model *model = NULL;
      clip_status status = clip_model_open(shared, folder, NULL, &model);
      if (status == CLIP_OK) bad += !encodes_either(model);
      else bad += status != CLIP_NOT_FOUND; /* between an unload and a load */
      clip_model_release(model);
    } else {
      bad += !encodes_either(busy);
      clip_status status = clip_model_swap(busy, 0, NULL, NULL);
      bad += status != CLIP_OK && status != CLIP_NOT_FOUND;
    }
  }
  return (void *)bad;
}

static void many_threads(void) {
  shared = new_runtime(2);
  CHECK(clip_plugin_load(shared, grey[0]) == CLIP_OK && clip_model_open(shared, folder, NULL, &busy) == CLIP_OK);
  pthread_t users[5];
  for (size_t i = 0; i < 5; i++) pthread_create(&users[i], NULL, user, (void *)i);
  int failed = 0;
  for (int round = 0; round < ROUNDS; round++) {
    failed += clip_plugin_unload(shared, "test.grey") != CLIP_OK;
    failed += clip_plugin_load(shared, grey[round % 2]) != CLIP_OK;
    failed += clip_plugin_reload(shared, "test.grey") != CLIP_OK;
    failed += clip_plugin_register(shared, grey_entry) != CLIP_PLUGIN; /* its encoder id exists already */
    failed += clip_plugin_load(shared, "/nowhere.so") != CLIP_NOT_FOUND;
  }
  atomic_store(&stop, 1);
  CHECK(failed == 0);
  for (size_t i = 0; i < 5; i++) {
    void *bad = NULL;
    pthread_join(users[i], &bad);
    CHECK(bad == NULL);
  }
  clip_model_release(busy);
  clip_runtime_release(shared);
}

/* ---- watching */

typedef struct change {
  pthread_mutex_t lock;
  pthread_cond_t told;
  int good, bad;
  clip_status status;
  char path[80], message[512];
  clip_model *model;  /* swapped to the new code */
  clip_runtime *last; /* released on the watcher thread */
} change;

static void changed(void *user, const char *plugin, const char *where, clip_status status, const char *message) {
  change *c = user;
  pthread_mutex_lock(&c->lock);
  if (status == CLIP_OK && c->model) status = clip_model_swap(c->model, 0, NULL, NULL);
  if (c->last) clip_runtime_release(c->last), c->last = NULL;
  if (strcmp(plugin, "test.grey") != 0) status = CLIP_PLUGIN;
  if (status == CLIP_OK) c->good++;
  else c->bad++;
  c->status = status;
  snprintf(c->path, sizeof c->path, "%s", where);
  snprintf(c->message, sizeof c->message, "%s", message);
  pthread_cond_broadcast(&c->told);
  pthread_mutex_unlock(&c->lock);
}

/* Waits until that many changes of a kind were reported; fails after a minute. */
static int told(change *c, const int *count, int wanted) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 60;
  pthread_mutex_lock(&c->lock);
  int waited = 0;
  while (*count < wanted && waited == 0) waited = pthread_cond_timedwait(&c->told, &c->lock, &end);
  int good = *count >= wanted;
  pthread_mutex_unlock(&c->lock);
  return good;
}

static int tally(change *c, const int *count) {
  pthread_mutex_lock(&c->lock);
  int found = *count;
  pthread_mutex_unlock(&c->lock);
  return found;
}

/* Whether the last reported change is of the file, with this status and message. */
static int last_was(change *c, clip_status status, const char *words) {
  pthread_mutex_lock(&c->lock);
  int found = c->status == status && !strcmp(c->path, file) && strstr(c->message, words) != NULL;
  pthread_mutex_unlock(&c->lock);
  return found;
}

static int threads(void) { return count_of("/proc/self/task"); }

static void watching(void) {
  int alone = threads(), descriptors = count_of("/proc/self/fd");
  clip_runtime *runtime = new_runtime(1);
  change c = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
  CHECK(clip_plugin_watch(NULL, changed, &c) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_plugin_watch(runtime, changed, &c) == CLIP_OK && threads() == alone + 1);
  CHECK(clip_plugin_watch(runtime, changed, &c) == CLIP_INVALID_ARGUMENT && threads() == alone + 1);
  put(grey[0], 0);
  CHECK(clip_plugin_load(runtime, file) == CLIP_OK); /* loaded after the watch began */
  clip_model *model = NULL;
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK && encodes(model, want[0]));
  pthread_mutex_lock(&c.lock); /* read by the watcher thread */
  c.model = model;
  pthread_mutex_unlock(&c.lock);

  put(grey[1], 0); /* written in place, which may be reported more than once */
  CHECK(told(&c, &c.good, 1) && encodes(c.model, want[1]) && last_was(&c, CLIP_OK, ""));
  int good = tally(&c, &c.good);
  put(grey[0], 1); /* replaced by another file */
  CHECK(told(&c, &c.good, good + 1) && encodes(c.model, want[0]));
  int bad = tally(&c, &c.bad);
  put_text("no library"); /* broken: the old plugin stays loaded */
  CHECK(told(&c, &c.bad, bad + 1) && last_was(&c, CLIP_PLUGIN, "grey.so: expected a shared library (ELF)"));
  CHECK(encodes(c.model, want[0]) && clip_model_swap(c.model, 0, NULL, NULL) == CLIP_OK && encodes(c.model, want[0]));
  good = tally(&c, &c.good);
  put(grey[1], 1);
  CHECK(told(&c, &c.good, good + 1) && encodes(c.model, want[1]));
  clip_model_release(c.model);
  clip_runtime_release(runtime);
  CHECK(threads() == alone && count_of("/proc/self/fd") == descriptors);

  /* Plugins loaded before the watch are watched too, and the callback may release the runtime. */
  runtime = new_runtime(1);
  CHECK(clip_plugin_load(runtime, file) == CLIP_OK);
  change last = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER, .last = runtime};
  CHECK(clip_plugin_watch(runtime, changed, &last) == CLIP_OK);
  put(grey[0], 1);
  CHECK(told(&last, &last.good, 1));
  for (int i = 0; i < 600 && threads() != alone; i++) usleep(100000);
  CHECK(threads() == alone && count_of("/proc/self/fd") == descriptors);

  /* Without a callback, changes go to the log; the log may be NULL too. */
  runtime = new_runtime(1);
  CHECK(clip_plugin_watch(runtime, NULL, NULL) == CLIP_OK);
  clip_runtime_release(runtime);
  CHECK(threads() == alone);
}

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "usage: plugins_test MODEL GREY GREY2 IMAGE\n"), 2;
  folder = argv[1], grey[0] = argv[2], grey[1] = argv[3], image_path = argv[4];
  CHECK(mkdtemp(path) != NULL);
  snprintf(file, sizeof file, "%s/grey.so", path);
  clip_runtime *runtime = new_runtime(1);
  clip_image *image = NULL;
  CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK);
  clip_runtime_release(runtime);
  linked();
  life();
  leaves_nothing();
  many_threads();
  watching();
  clip_image_release(image);
  unlink(file);
  rmdir(path);
  return checks_report();
}
