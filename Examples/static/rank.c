/* rank: which of some captions fits an image, in one program file that needs no library of clipcore at run time.
 *
 *   make static
 *   cc -O2 rank.c -o rank -Ibuild/include -Ibuild/static -Wl,--gc-sections build/static/libclipcore.a -lturbojpeg -lspng -lutf8proc -lm
 *   ./rank MODEL IMAGE CAPTION...
 *
 * The plugins that it names below are linked in; a model that needs another is CLIP_NOT_FOUND. */
#include <clipcore/clip.h>
#include <clipcore_plugins.h>
#include <stdio.h>
#include <stdlib.h>

static const clip_plugin_entry_fn plugins[] = {
    clip_plugin_kernels_x86_64,    clip_plugin_kernels_x86_64_v3, clip_plugin_kernels_x86_64_v4,
    clip_plugin_encoder_clip_vit,  clip_plugin_encoder_clip_text, clip_plugin_tokenizer_subword,
    clip_plugin_codec_jpeg,        clip_plugin_codec_png,
};

/* Ends the program with the library's message if a call failed. */
static void need(clip_status status) {
  if (status == CLIP_OK) return;
  fprintf(stderr, "rank: %s: %s\n", clip_status_name(status), clip_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: rank MODEL IMAGE CAPTION...\n"), 2;
  const char *const *captions = (const char *const *)(argv + 3);
  size_t count = (size_t)argc - 3;

  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.plugin_entries = plugins;
  options.plugin_entry_count = sizeof plugins / sizeof plugins[0];
  clip_runtime *runtime;
  clip_model *model;
  clip_image *image;
  clip_image_view view;
  need(clip_runtime_create(&options, &runtime));
  need(clip_model_open(runtime, argv[1], NULL, &model));
  need(clip_image_load(runtime, argv[2], NULL, &image));
  need(clip_image_get_view(image, &view));
  clip_model_info info = CLIP_INIT(clip_model_info);
  need(clip_model_describe(model, &info));

  size_t width = info.embedding_width;
  float *embeddings = malloc((count + 1) * width * sizeof *embeddings), *probabilities = malloc(count * sizeof *probabilities);
  if (embeddings == NULL || probabilities == NULL) return fprintf(stderr, "rank: out of memory\n"), 1;
  need(clip_encode_image(model, &view, 1, NULL, embeddings, width));
  need(clip_encode_text(model, captions, count, NULL, embeddings + width, count * width));
  need(clip_classify(model, embeddings, 1, embeddings + width, count, probabilities, count));
  for (size_t i = 0; i < count; i++) printf("%5.1f %%  %s\n", 100 * probabilities[i], captions[i]);

  free(probabilities);
  free(embeddings);
  clip_image_release(image);
  clip_model_release(model);
  clip_runtime_release(runtime);
}
