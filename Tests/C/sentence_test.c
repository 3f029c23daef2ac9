/* A folder of sentence-transformers (Benchmarks/zoo/fixtures.py): a transformer one folder down, dense layers and norms
 * after it, and prompts. texts.f32 has two embeddings of one text: with the default prompt, and without one.
 *
 *   sentence_test FOLDER
 */
#include <clip.h>
#include <math.h>
#include <string.h>

#include "check.h"

enum { WIDTH = 10 };

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  char path[512];
  float want[2 * WIDTH];
  snprintf(path, sizeof path, "%s/texts.f32", argv[1]);
  FILE *file = fopen(path, "rb");
  CHECK(file && fread(want, sizeof(float), 2 * WIDTH, file) == 2 * WIDTH);
  if (file) fclose(file);

  clip_runtime *runtime = NULL;
  clip_model *model = NULL;
  clip_model_info info = {.struct_size = sizeof info};
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, argv[1], NULL, &model) == CLIP_OK);
  if (!model) printf("%s\n", clip_last_error());
  CHECK(model && clip_model_describe(model, &info) == CLIP_OK && info.embedding_width == WIDTH);
  if (info.embedding_width == WIDTH) {
    const char *text = "c d e", *prompted = "a b c d e";
    const struct { const char *text, *prompt; int row; } cases[] = {
        {text, NULL, 0}, {text, "query", 0}, {prompted, "", 0}, {prompted, "plain", 0}, {text, "", 1}, {text, "plain", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      float found[WIDTH];
      clip_encode_options options = {.struct_size = sizeof options, .prompt = cases[i].prompt};
      CHECK(clip_encode_text(model, &cases[i].text, 1, &options, found, WIDTH) == CLIP_OK);
      double worst = 0;
      for (int k = 0; k < WIDTH; k++) worst = fmax(worst, fabs((double)found[k] - want[cases[i].row * WIDTH + k]));
      if (!(worst < 2e-6)) printf("case %zu: off by %g\n", i, worst);
      CHECK(worst < 2e-6);
    }
    float unused[WIDTH];
    clip_encode_options options = {.struct_size = sizeof options, .prompt = "nobody"};
    CHECK(clip_encode_text(model, &text, 1, &options, unused, WIDTH) == CLIP_NOT_FOUND);
    CHECK(strstr(clip_last_error(), "\"query\", \"plain\"") != NULL);
  }
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
