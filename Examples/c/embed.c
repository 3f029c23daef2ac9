/* embed: which of some captions fits which image?
 *
 *   cc embed.c -o embed $(pkg-config --cflags --libs clipcore)
 *   ./embed MODEL IMAGE IMAGE CAPTION...
 */
#include <clipcore/clip.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the library's message if a call failed. */
static void need(clip_status status) {
  if (status == CLIP_OK) return;
  fprintf(stderr, "embed: %s: %s\n", clip_status_name(status), clip_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: embed MODEL IMAGE IMAGE CAPTION...\n"), 2;
  enum { IMAGES = 2 };
  char **names = argv + 2;
  const char *const *captions = (const char *const *)(argv + 4);
  size_t caption_count = (size_t)argc - 4;

  clip_runtime *runtime;
  clip_model *model;
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 2;
  need(clip_runtime_create(&options, &runtime));
  need(clip_model_open(runtime, argv[1], NULL, &model));
  clip_model_info info = CLIP_INIT(clip_model_info);
  need(clip_model_describe(model, &info));

  clip_image *images[IMAGES];
  clip_image_view views[IMAGES];
  for (int i = 0; i < IMAGES; i++) {
    need(clip_image_load(runtime, names[i], NULL, &images[i]));
    need(clip_image_get_view(images[i], &views[i]));
  }

  size_t image_size = IMAGES * info.embedding_width;
  size_t text_size = caption_count * info.embedding_width;
  size_t chance_size = IMAGES * caption_count;
  float *image_embeddings = malloc(image_size * sizeof(float));
  float *texts = malloc(text_size * sizeof(float));
  float *chances = malloc(chance_size * sizeof(float));
  if (!image_embeddings || !texts || !chances) return 1;
  need(clip_encode_image(model, views, IMAGES, NULL, image_embeddings, image_size));
  need(clip_encode_text(model, captions, caption_count, NULL, texts, text_size));
  need(clip_classify(model, image_embeddings, IMAGES, texts, caption_count, chances, chance_size));

  for (int i = 0; i < IMAGES; i++) {
    printf("%s\n", names[i]);
    for (size_t j = 0; j < caption_count; j++)
      printf("  %5.1f %%  %s\n", 100 * chances[i * caption_count + j], captions[j]);
  }

  for (int i = 0; i < IMAGES; i++) clip_image_release(images[i]);
  free(image_embeddings), free(texts), free(chances);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return 0;
}
