/* The input is a catalogue of modalities. */
#include <string.h>

#include "common.h"

static int see_gap(void *user, const clip_property_gap *gap) {
  (void)user;
  if (!(gap->gap >= 0 && gap->gap <= 1) || strlen(gap->challenge) == SIZE_MAX) __builtin_trap();
  return 0;
}

static int see_text(void *user, const char *entry, const char *field, const char *value) {
  *(size_t *)user += strlen(entry) + strlen(field) + strlen(value);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const sections[] = {"modalities", "alignment", "gaps"};
  const char *path = fuzz_file("modalities.json", data, size);
  clip_modality_gap_info info = {.struct_size = sizeof info};
  clip_status status = clip_modality_gap(path, "text", "image", &info, see_gap, NULL);
  fuzz_check(status);
  if (status == CLIP_OK && (!(info.score >= 0 && info.score <= 1) || strlen(info.level) > 31)) __builtin_trap();
  size_t bytes = 0;
  for (int i = 0; i < 3; i++) fuzz_check(clip_catalogue_visit(path, sections[i], see_text, &bytes));
  return 0;
}
