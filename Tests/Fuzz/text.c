/* The input is a text, up to its first NUL. */
#include <stdlib.h>
#include <string.h>

#include "common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static clip_model *model;
  static clip_model_info info = {.struct_size = sizeof info};
  if (!model) {
    clip_model_options options = {.struct_size = sizeof options, .towers = CLIP_TOWER_TEXT};
    if (clip_model_open(fuzz_runtime(), fuzz_path("open_clip"), &options, &model) != CLIP_OK) exit(3);
    fuzz_check(clip_model_describe(model, &info));
  }
  char *text = malloc(size + 1);
  int32_t *tokens = malloc(info.context_length * sizeof(int32_t));
  if (!text || !tokens) exit(3);
  memcpy(text, data, size);
  text[size] = 0;
  const char *const texts[] = {text};
  static const uint32_t flags[] = {0, CLIP_ENCODE_TRUNCATE, CLIP_ENCODE_OPENAI_CLEANING, CLIP_ENCODE_TRUNCATE | CLIP_ENCODE_OPENAI_CLEANING};
  for (int i = 0; i < 4; i++) {
    clip_encode_options options = {.struct_size = sizeof options, .flags = flags[i]};
    uint32_t length = 0;
    clip_status status = clip_tokenize(model, texts, 1, &options, tokens, info.context_length, &length, 1);
    fuzz_check(status);
    if (status != CLIP_OK) continue;
    if (length < 2 || length > info.context_length) abort();
    for (uint32_t k = 0; k < info.context_length; k++)
      if (tokens[k] < 0 || (uint32_t)tokens[k] >= info.vocabulary_size) abort();
  }
  free(text), free(tokens);
  return 0;
}
