/* A host that set its locale: numbers in JSON, lower case and results are as in the C locale.
 *
 *   locale_test MODEL IMAGE LOCALE
 */
#include <clipcore.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static int embed(const char *folder, const char *image_path, float *embeddings) {
  clip_runtime *runtime = NULL;
  clip_model *model = NULL;
  clip_image *image = NULL;
  clip_pipeline *pipeline = NULL;
  clip_image_view view;
  const char *text = "TITLE INDEX ISTANBUL 1.5";
  int good = clip_runtime_create(NULL, &runtime) == CLIP_OK && clip_model_open(runtime, folder, NULL, &model) == CLIP_OK &&
             clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK &&
             clip_encode_image(model, &view, 1, NULL, embeddings, 1024) == CLIP_OK &&
             clip_encode_text(model, &text, 1, NULL, embeddings + 1024, 1024) == CLIP_OK &&
             clip_pipeline_create(runtime, "[{\"op\": \"color_jitter\", \"brightness\": 0.25, \"p\": 0.5}]", &pipeline) == CLIP_OK;
  clip_pipeline_release(pipeline);
  clip_image_release(image);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return good;
}

int main(int argc, char **argv) {
  static float plain[2048], other[2048];
  if (argc != 4) return fprintf(stderr, "usage: locale_test MODEL IMAGE LOCALE\n"), 2;
  CHECK(embed(argv[1], argv[2], plain));
  if (setlocale(LC_ALL, argv[3]) == NULL) return printf("%s is not installed\n", argv[3]), 3;
  CHECK(embed(argv[1], argv[2], other));
  CHECK(memcmp(plain, other, sizeof plain) == 0);
  return checks_report();
}
