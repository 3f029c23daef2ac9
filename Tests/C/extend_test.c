/* What a library on top of this one uses (clip_extend.h), and loaders of plugins.
 *
 *   extend_test MODEL IMAGE
 */
#define _GNU_SOURCE
#include <clip_plugin.h>
#include <clipcore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static clip_runtime *runtime;
static atomic_int warnings, tasks[300];

static void log_line(void *user, clip_log_level level, const char *message) {
  (void)user;
  if (level == CLIP_LOG_WARNING && strstr(message, "a warning of mine")) warnings++;
}

static void task(void *context, size_t index) { atomic_fetch_add((atomic_int *)context + index, 1); }

static void errors(void) {
  CHECK(clip_set_last_error(CLIP_FORMAT, "words") == CLIP_FORMAT && !strcmp(clip_last_error(), "words"));
  CHECK(clip_set_last_error(CLIP_IO, clip_last_error() + 1) == CLIP_IO && !strcmp(clip_last_error(), "ords"));
  static char longest[10000];
  memset(longest, 'x', sizeof longest - 1);
  CHECK(clip_set_last_error(CLIP_OK, longest) == CLIP_OK && strlen(clip_last_error()) == 4095);
  CHECK(clip_set_last_error(CLIP_IO, NULL) == CLIP_IO && !*clip_last_error());
}

static void runtimes(void) {
  CHECK(clip_runtime_retain(NULL) == NULL && clip_runtime_threads(NULL) == 0);
  CHECK(clip_runtime_retain(runtime) == runtime);
  clip_runtime_release(runtime);
  CHECK(clip_runtime_threads(runtime) == 3);
  clip_runtime_log(runtime, CLIP_LOG_WARNING, "a warning of mine");
  clip_runtime_log(runtime, CLIP_LOG_WARNING, NULL), clip_runtime_log(NULL, CLIP_LOG_WARNING, "a warning of mine");
  CHECK(warnings == 1);
  CHECK(clip_runtime_parallel_for(runtime, 300, task, tasks) == CLIP_OK);
  int wrong = 0;
  for (int i = 0; i < 300; i++) wrong += tasks[i] != 1;
  CHECK(wrong == 0 && clip_runtime_parallel_for(runtime, 0, task, NULL) == CLIP_OK);
  CHECK(clip_runtime_parallel_for(NULL, 1, task, tasks) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_runtime_parallel_for(runtime, 1, NULL, tasks) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_runtime_parallel_for(runtime, SIZE_MAX, task, tasks) == CLIP_INVALID_ARGUMENT);
}

static void pixels(void) {
  clip_image *made = NULL;
  uint8_t *bytes = NULL;
  clip_image_view view;
  CHECK(clip_image_create(runtime, CLIP_PIXELS_BGRA, 3, 2, &made, &bytes) == CLIP_OK);
  for (int i = 0; i < 24; i++) bytes[i] = (uint8_t)(i * 9);
  CHECK(clip_image_get_view(made, &view) == CLIP_OK && view.pixels == bytes && view.stride == 12);
  CHECK(view.width == 3 && view.height == 2 && view.format == CLIP_PIXELS_BGRA);

  uint8_t out[2 * 16 + 9];
  memset(out, 77, sizeof out);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_NEAREST, 3, 2, out, 16 + 9, 16) == CLIP_OK);
  int wrong = 0;
  for (int y = 0; y < 2; y++)
    for (int x = 0; x < 3; x++)
      for (int c = 0; c < 3; c++) wrong += out[y * 16 + x * 3 + c] != bytes[y * 12 + x * 4 + 2 - c];
  for (int i = 0; i < 7; i++) wrong += out[9 + i] != 77 || out[16 + 9 + i] != 77;
  CHECK(wrong == 0);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_LANCZOS, 3, 2, out, 18, 0) == CLIP_OK);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_BICUBIC, 3, 2, out, 17, 0) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_BICUBIC, 3, 2, out, 16 + 8, 16) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_BICUBIC, 3, 2, out, sizeof out, 8) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_BICUBIC, 0, 2, out, sizeof out, 0) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, &view, (clip_resample)4, 3, 2, out, sizeof out, 0) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, NULL, CLIP_RESAMPLE_NEAREST, 3, 2, out, sizeof out, 0) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_resize(runtime, &view, CLIP_RESAMPLE_NEAREST, 3, UINT32_MAX, out, SIZE_MAX, SIZE_MAX / 2) != CLIP_OK);
  clip_image_release(made);

  made = NULL;
  CHECK(clip_image_create(runtime, CLIP_PIXELS_RGB, 0, 2, &made, &bytes) == CLIP_INVALID_ARGUMENT && !made);
  CHECK(clip_image_create(runtime, (clip_pixel_format)9, 1, 2, &made, &bytes) == CLIP_INVALID_ARGUMENT && !made);
  CHECK(clip_image_create(runtime, CLIP_PIXELS_RGB, 2000, 2000, &made, &bytes) == CLIP_LIMIT && !made);
  CHECK(clip_image_create(runtime, CLIP_PIXELS_RGB, UINT32_MAX, UINT32_MAX, &made, &bytes) == CLIP_LIMIT && !made);
  CHECK(clip_image_create(runtime, CLIP_PIXELS_RGB, 1, 1, NULL, &bytes) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_image_create(runtime, CLIP_PIXELS_RGB, 1, 1, &made, NULL) == CLIP_INVALID_ARGUMENT && !made);
}

/* The halves of clip_preprocess, and a snapshot that outlives its model. */
static void models(const char *folder, const char *image_path) {
  clip_model *model = NULL, *snapshot = NULL;
  clip_image *image = NULL;
  clip_image_view view = {0};
  clip_model_info info = {.struct_size = sizeof info};
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK && clip_model_describe(model, &info) == CLIP_OK);
  CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK);
  size_t count = (size_t)info.image_width * info.image_height * 3;
  clip_image_view both[2] = {view, view};
  both[1].width /= 2;
  float *whole = malloc(8 * count), *halves = malloc(8 * count);
  uint8_t *bytes = malloc(2 * count);
  CHECK(clip_preprocess(model, both, 2, NULL, whole, 2 * count) == CLIP_OK);
  CHECK(clip_preprocess_bytes(model, both, 2, NULL, bytes, 2 * count) == CLIP_OK);
  CHECK(clip_normalize_bytes(model, bytes, 2, NULL, halves, 2 * count) == CLIP_OK);
  CHECK(!memcmp(whole, halves, 8 * count));
  CHECK(clip_preprocess_bytes(model, both, 2, NULL, bytes, 2 * count - 1) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_normalize_bytes(model, bytes, 2, NULL, halves, 2 * count - 1) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_preprocess_bytes(model, NULL, 1, NULL, bytes, count) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_normalize_bytes(NULL, bytes, 1, NULL, halves, count) == CLIP_INVALID_ARGUMENT);

  float *before = malloc(4 * info.embedding_width), *after = malloc(4 * info.embedding_width);
  CHECK(clip_encode_image(model, &view, 1, NULL, before, info.embedding_width) == CLIP_OK);
  CHECK(clip_model_snapshot(model, &snapshot) == CLIP_OK && clip_model_snapshot(NULL, &snapshot) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_model_snapshot(model, NULL) == CLIP_INVALID_ARGUMENT);
  clip_model_release(model);
  CHECK(clip_encode_image(snapshot, &view, 1, NULL, after, info.embedding_width) == CLIP_OK);
  CHECK(!memcmp(before, after, 4 * info.embedding_width));
  clip_model_release(snapshot), clip_image_release(image);
  free(whole), free(halves), free(bytes), free(before), free(after);
}

/* ---------------------------------------------------------------- tables and loaders */

/* A plugin of a file: an op whose id is the file's first line. */
typedef struct {
  char id[100];
  clip_op op;
  clip_plugin_item item;
  clip_plugin plugin;
} made_plugin;

static atomic_int living;

static clip_status shape(const clip_op_use *use, clip_shape *output, const char **message) {
  (void)message;
  *output = use->inputs[0];
  return CLIP_OK;
}
static void forward(const clip_op_run *run) { (void)run; }

static clip_status load(const char *path, const clip_plugin **plugin, void **instance, clip_plugin_error *error) {
  FILE *file = fopen(path, "r");
  made_plugin *made = calloc(1, sizeof *made);
  if (!file || !made || fscanf(file, "%99s", made->id) != 1) {
    if (file) fclose(file);
    free(made);
    snprintf(error->message, error->capacity, "%s: expected an id, found none", path);
    return CLIP_FORMAT;
  }
  fclose(file);
  made->op = (clip_op){.struct_size = sizeof made->op, .id = made->id, .description = "of a file", .input_count = 1,
                       .shape = shape, .forward = forward};
  made->item = (clip_plugin_item){.kind = CLIP_KIND_OP, .table = &made->op};
  made->plugin = (clip_plugin){.struct_size = sizeof made->plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.made",
                               .version = "1.0.0", .license = "MIT", .items = &made->item, .item_count = 1};
  *plugin = &made->plugin, *instance = made;
  living++;
  return CLIP_OK;
}
static void unload(void *instance) {
  living--;
  free(instance);
}

static clip_loader loader = {.struct_size = sizeof loader, .id = "test.loader.line", .description = "ops of lines",
                             .suffix = ".line.txt", .load = load, .unload = unload};
static const clip_plugin_item loader_item = {.kind = CLIP_KIND_LOADER, .table = &loader};
static const clip_plugin loader_plugin = {.struct_size = sizeof loader_plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION,
                                          .id = "test.loader", .version = "1.0.0", .license = "MIT", .items = &loader_item,
                                          .item_count = 1};
static const clip_plugin *loader_entry(void) { return &loader_plugin; }

static void line(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  CHECK(file && fputs(text, file) >= 0);
  if (file) fclose(file);
}

static int see(void *user, const char *id, const void *table) {
  if (!strcmp(id, "test.op.second")) *(const void **)user = table;
  return 0;
}
static int stop(void *user, const char *id, const void *table) {
  (void)id, (void)table;
  return ++*(int *)user;
}

static void loaders(void) {
  loader.suffix = "line";
  CHECK(clip_plugin_register(runtime, loader_entry) == CLIP_PLUGIN && strstr(clip_last_error(), "suffix"));
  loader.suffix = ".line.txt", loader.load = NULL;
  CHECK(clip_plugin_register(runtime, loader_entry) == CLIP_PLUGIN && strstr(clip_last_error(), "found no load"));
  loader.load = load;

  char folder[] = "/tmp/clipcore-loader-XXXXXX", path[100];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/a.line.txt", folder);
  line(path, "test.op.first");
  CHECK(clip_plugin_load(runtime, path) != CLIP_OK);
  CHECK(clip_plugin_register(runtime, loader_entry) == CLIP_OK);
  CHECK(clip_plugin_load(runtime, folder) == CLIP_OK && living == 1);
  line(path, "");
  CHECK(clip_plugin_reload(runtime, "test.made") == CLIP_FORMAT && strstr(clip_last_error(), "a.line.txt: expected an id"));
  line(path, "Not An Id");
  CHECK(clip_plugin_reload(runtime, path) == CLIP_PLUGIN && strstr(clip_last_error(), "found \"Not\"") && living == 1);
  line(path, "test.op.second");
  CHECK(clip_plugin_reload(runtime, "test.made") == CLIP_OK && living == 1);

  const void *table = NULL, *held = NULL;
  clip_plugin_reference *reference = NULL;
  int visits = 0;
  CHECK(clip_plugin_tables_visit(runtime, CLIP_KIND_OP, see, &table) == CLIP_OK && table);
  CHECK(clip_plugin_tables_visit(runtime, CLIP_KIND_KERNELS, stop, &visits) == CLIP_OK && visits == 1);
  CHECK(clip_plugin_tables_visit(runtime, CLIP_KIND_OP, NULL, NULL) == CLIP_INVALID_ARGUMENT);
  CHECK(clip_plugin_table_hold(runtime, CLIP_KIND_OP, "test.op.first", &held, &reference) == CLIP_NOT_FOUND && !reference);
  CHECK(strstr(clip_last_error(), "test.op.second"));
  CHECK(clip_plugin_table_hold(runtime, CLIP_KIND_OP, "test.op.second", &held, &reference) == CLIP_OK && held == table);
  CHECK(clip_plugin_unload(runtime, "test.made") == CLIP_OK && clip_plugin_unload(runtime, "test.loader") == CLIP_OK);
  CHECK(living == 1 && !strcmp(((const clip_op *)held)->id, "test.op.second"));
  clip_plugin_reference_release(reference), clip_plugin_reference_release(NULL);
  CHECK(living == 0);
  /* What is built in is held too. */
  CHECK(clip_plugin_table_hold(runtime, CLIP_KIND_KERNELS, "clipcore.kernels.reference", &held, &reference) == CLIP_OK && held);
  clip_plugin_reference_release(reference);
  remove(path), remove(folder);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: extend_test MODEL IMAGE\n"), 2;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 3, .log = log_line, .max_image_pixels = 1 << 20};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  errors();
  runtimes();
  pixels();
  models(argv[1], argv[2]);
  loaders();
  clip_runtime_release(runtime);
  return checks_report();
}
