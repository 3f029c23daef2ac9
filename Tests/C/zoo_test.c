/* Small vision towers as their libraries save them (Benchmarks/zoo/images.py), against the embedding that the library
 * itself gives of one picture: embedding.f32 beside each.
 *
 *   zoo_test FOLDER
 */
#include <clip.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, MOST = 64 };

static void try_folder(clip_runtime *runtime, const char *zoo, const char *name, const float *pixels) {
  char path[512];
  float want[MOST], found[MOST];
  snprintf(path, sizeof path, "%s/%s/embedding.f32", zoo, name);
  FILE *file = fopen(path, "rb");
  if (!file) return; /* towers of another test */
  size_t width = fread(want, sizeof(float), MOST, file);
  fclose(file);

  snprintf(path, sizeof path, "%s/%s", zoo, name);
  clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_IMAGE};
  clip_model *model = NULL;
  clip_model_info info = {.struct_size = sizeof info};
  int opened = clip_model_open(runtime, path, &options, &model) == CLIP_OK;
  if (!opened) printf("%s:\n", name);
  CHECK(opened);
  if (!opened) return;
  CHECK(clip_model_describe(model, &info) == CLIP_OK && info.embedding_width == width);
  int encoded = info.embedding_width == width && clip_encode_pixels(model, pixels, 1, NULL, found, MOST) == CLIP_OK;
  CHECK(encoded);
  double worst = encoded ? 0 : 1;
  for (size_t i = 0; i < width && encoded; i++) worst = fmax(worst, fabs((double)found[i] - want[i]));
  if (!(worst < 2e-6)) printf("%s: off by %g\n", name, worst);
  CHECK(worst < 2e-6);
  clip_model_release(model);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  float pixels[PIXELS];
  for (unsigned i = 0; i < PIXELS; i++) pixels[i] = (float)(i * 2654435761u >> 16 & 1023) / 512 - 1;
  clip_runtime *runtime = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  DIR *zoo = opendir(argv[1]);
  CHECK(zoo != NULL);
  int folders = 0;
  for (struct dirent *entry; zoo && (entry = readdir(zoo));) {
    if (entry->d_name[0] == '.') continue;
    try_folder(runtime, argv[1], entry->d_name, pixels);
    folders++;
  }
  if (zoo) closedir(zoo);
  CHECK(folders > 0);
  clip_runtime_release(runtime);
  return checks_report();
}
