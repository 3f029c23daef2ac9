/* embed: which of some captions fits which picture?
 *
 *   cc embed.c -o embed $(pkg-config --cflags --libs clipcore)
 *   ./embed MODEL PICTURE PICTURE CAPTION...
 */
#include <clipcore/clip.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the library's words when a call failed. */
static void need(clip_status status) {
  if (status == CLIP_OK) return;
  fprintf(stderr, "embed: %s: %s\n", clip_status_name(status), clip_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: embed MODEL PICTURE PICTURE CAPTION...\n");
    return 2;
  }
  enum { PICTURES = 2 };
  char **names = argv + 2;
  const char *const *captions = (const char *const *)(argv + 4);
  size_t caption_count = (size_t)argc - 4;

  clip_runtime *runtime;
  clip_model *model;
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  need(clip_runtime_create(&options, &runtime));
  need(clip_model_open(runtime, argv[1], NULL, &model));
  clip_model_info info = {.struct_size = sizeof info};
  need(clip_model_describe(model, &info));

  clip_image *images[PICTURES];
  clip_image_view views[PICTURES];
  for (int i = 0; i < PICTURES; i++) {
    views[i].struct_size = sizeof views[i];
    need(clip_image_load(runtime, names[i], &images[i]));
    need(clip_image_get_view(images[i], &views[i]));
  }

  float *pictures = malloc(PICTURES * info.embedding_width * sizeof(float));
  float *texts = malloc(caption_count * info.embedding_width * sizeof(float));
  float *chances = malloc(PICTURES * caption_count * sizeof(float));
  if (!pictures || !texts || !chances) return 1;
  need(clip_encode_image(model, views, PICTURES, NULL, pictures));
  need(clip_encode_text(model, captions, caption_count, NULL, texts));
  need(clip_classify(model, pictures, PICTURES, texts, caption_count, chances));

  for (int i = 0; i < PICTURES; i++) {
    printf("%s\n", names[i]);
    for (size_t j = 0; j < caption_count; j++)
      printf("  %5.1f %%  %s\n", 100 * chances[i * caption_count + j], captions[j]);
  }

  for (int i = 0; i < PICTURES; i++) clip_image_free(images[i]);
  free(pictures), free(texts), free(chances);
  clip_model_close(model);
  clip_runtime_release(runtime);
  return 0;
}
