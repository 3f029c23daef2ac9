/* Small towers as their libraries save them (Benchmarks/zoo/images.py, Benchmarks/zoo/fixtures.py), against the embeddings
 * that the library itself gives: embedding.f32 beside each, of one image, or of the texts whose ids tokens.i32 has.
 *
 *   zoo_test FOLDER
 */
#include <clip.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, MOST = 512 };
static float pixels[PIXELS];

/* Reads up to MOST elements of 4 bytes; -1 without a file. */
static long read_elements(const char *zoo, const char *name, const char *kind, void *elements) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s/%s", zoo, name, kind);
  FILE *file = fopen(path, "rb");
  if (!file) return -1;
  size_t count = fread(elements, 4, MOST, file);
  fclose(file);
  return (long)count;
}

static void try_folder(clip_runtime *runtime, const char *zoo, const char *name) {
  char path[512];
  float want[MOST], found[MOST];
  int32_t tokens[MOST];
  long count = read_elements(zoo, name, "embedding.f32", want), ids = read_elements(zoo, name, "tokens.i32", tokens);
  if (count < 0) return; /* towers of another test */

  snprintf(path, sizeof path, "%s/%s", zoo, name);
  clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_TEXT};
  if (ids < 0) options.towers = CLIP_TOWER_IMAGE, options.image_width = options.image_height = SIDE;
  clip_model *model = NULL;
  clip_model_info info = {.struct_size = sizeof info};
  int opened = clip_model_open(runtime, path, &options, &model) == CLIP_OK;
  if (!opened) printf("%s: %s\n", name, clip_last_error());
  CHECK(opened);
  if (!opened) return;
  int described = clip_model_describe(model, &info) == CLIP_OK;
  size_t items = ids < 0 ? 1 : info.context_length ? (size_t)ids / info.context_length : 0;
  described = described && items > 0 && info.embedding_width * items == (size_t)count;
  if (!described) printf("%s: %u elements of %zu items in rows of %u, expected %ld\n", name, info.embedding_width, items, info.context_length, count);
  CHECK(described);
  if (!described) return;
  clip_status status = ids < 0 ? clip_encode_pixels(model, pixels, 1, NULL, found, MOST)
                               : clip_encode_tokens(model, tokens, items, NULL, found, MOST);
  if (status != CLIP_OK) printf("%s: %s\n", name, clip_last_error());
  CHECK(status == CLIP_OK);
  double worst = status == CLIP_OK ? 0 : 1;
  for (long i = 0; i < count && status == CLIP_OK; i++) worst = fmax(worst, fabs((double)found[i] - want[i]));
  printf("parity zoo/%s %.1e\n", name, worst); /* a row of docs/models.md: Benchmarks/zoo/table.py */
  CHECK(worst < 2e-6);
  clip_model_release(model);
}

/* Sizes that a tower cannot have. */
static void check_sizes(clip_runtime *runtime, const char *zoo) {
  char path[512];
  clip_model *model = NULL;
  clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_IMAGE, .image_width = SIDE};
  snprintf(path, sizeof path, "%s/open-clip-other-size", zoo);
  CHECK(clip_model_open(runtime, path, &options, &model) == CLIP_INVALID_ARGUMENT);
  options.image_width = UINT32_MAX, options.image_height = SIDE;
  CHECK(clip_model_open(runtime, path, &options, &model) == CLIP_INVALID_ARGUMENT);
  options.image_width = options.image_height = 3; /* less than a patch */
  CHECK(clip_model_open(runtime, path, &options, &model) != CLIP_OK);
  snprintf(path, sizeof path, "%s/t5", zoo);
  options.towers = 0;
  CHECK(clip_model_open(runtime, path, &options, &model) == CLIP_UNSUPPORTED);
  CHECK(model == NULL);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  for (unsigned i = 0; i < PIXELS; i++) pixels[i] = (float)(i * 2654435761u >> 16 & 1023) / 512 - 1;
  clip_runtime *runtime = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  DIR *zoo = opendir(argv[1]);
  CHECK(zoo != NULL);
  check_sizes(runtime, argv[1]);
  int folders = 0;
  for (struct dirent *entry; zoo && (entry = readdir(zoo));) {
    if (entry->d_name[0] == '.') continue;
    try_folder(runtime, argv[1], entry->d_name);
    folders++;
  }
  if (zoo) closedir(zoo);
  CHECK(folders > 0);
  clip_runtime_release(runtime);
  return checks_report();
}
