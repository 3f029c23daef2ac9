/* Augmentations: pipelines and their random streams. */
#define _GNU_SOURCE
#include "augment.h"
#include "plugins/marks.h"

/* ---------------------------------------------------------------- the random stream */

/* Philox 4x32-10 (Salmon et al., 2011, section 3.3). */
static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; round++) {
    uint64_t a = (uint64_t)0xD2511F53 * c[0], b = (uint64_t)0xCD9E8D57 * c[2];
    uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
    memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9, k[1] += 0xBB67AE85;
  }
  memcpy(out, c, sizeof c);
}

static void random_streams(void) {
  /* Known answers of Random123 (kat_vectors). */
  static const uint32_t known[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  uint32_t out[4];
  for (int i = 0; i < 3; i++) {
    philox(known[i], known[i] + 4, out);
    CHECK(!memcmp(out, known[i] + 6, sizeof out));
  }

  /* The library's stream, with the counter of docs/augmentation.md: block, purpose and step, index. The first two
   * numbers decide whether the step is applied. */
  clip_pipeline *p = pipeline("[{\"op\": \"bits\"}, {\"op\": \"bits\"}]");
  uint64_t seeds[] = {0, 1, 0x0123456789abcdef}, indices[] = {0, 7, 0xfedcba9876543210};
  for (int i = 0; i < 3; i++) {
    char *got = text(p, "", seeds[i], indices[i]), want[2 * 8 * 9 + 1] = "", *at = want;
    for (uint32_t step = 1; step <= 2; step++)
      for (uint32_t n = 2; n < 10; n++) {
        uint32_t counter[4] = {n / 4, 1u << 24 | step, (uint32_t)indices[i], (uint32_t)(indices[i] >> 32)};
        uint32_t key[2] = {(uint32_t)seeds[i], (uint32_t)(seeds[i] >> 32)};
        philox(counter, key, out);
        at += sprintf(at, "%08x ", out[n % 4]);
      }
    CHECK(got && !strcmp(got, want));
    free(got);
  }
  clip_pipeline_release(p);

  /* Distributions, with a fixed seed. */
  p = pipeline("[{\"op\": \"moments\"}]");
  char *got = text(p, "", 5, 0);
  double mean = 0, deviation = 0, lowest = 0, highest = 0, chi = 0, third = 0;
  CHECK(got && sscanf(got, "%lf %lf %lf %lf %lf %lf", &mean, &deviation, &lowest, &highest, &chi, &third) == 6);
  CHECK(fabs(mean) < 0.02 && fabs(deviation - 1) < 0.02);                  /* 40,000 normal numbers */
  CHECK(lowest >= 0 && lowest < 0.001 && highest < 1 && highest > 0.999); /* uniform */
  CHECK(chi < 22.5);                                                       /* below(7): 6 degrees, p = 0.001 */
  CHECK(fabs(third - 1.0 / 3) < 0.01);                                     /* below(3 * 2^30): biased without rejection */
  free(got);
  clip_pipeline_release(p);
}

/* ---------------------------------------------------------------- pipelines */

static int is_marks(void *user, const clip_augmentation_info *info) {
  ++*(int *)user;
  CHECK(info->kind == CLIP_KIND_TEXT_AUGMENTATION && info->setting_count == 6 && info->probability == 1);
  CHECK(!strcmp(info->settings[4].name, "numbers"));
  return 0;
}

static int is_flip(void *user, const clip_augmentation_info *info) {
  ++*(int *)user;
  CHECK(info->kind == CLIP_KIND_IMAGE_AUGMENTATION && info->probability == 0.5 && !strcmp(info->op, "random_horizontal_flip"));
  return 0;
}

/* Stops at once where *user is below 0. */
static int count_all(void *user, const clip_augmentation_info *info) {
  (void)info;
  return ++*(int *)user == 0;
}

static void pipelines(void) {
  const char *malformed[] = {"", "{", "null", "{}", "[1]", "[{}]", "[{\"op\": 1}]", "[{\"one_of\": 3}]", "[[]]", "[{\"op\": \"bits\"},]"};
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) CHECK(refused(malformed[i], CLIP_FORMAT, "pipeline"));
  CHECK(refused("[{\"op\": \"bits\"}, {\"op\": \"nope\"}]", CLIP_NOT_FOUND, "pipeline[1]: unknown op \"nope\""));
  CHECK(strstr(clip_last_error(), "random_horizontal_flip") && strstr(clip_last_error(), "marks"));
  CHECK(refused("[{\"op\": \"marks\", \"numbr\": 1}]", CLIP_INVALID_ARGUMENT, "pipeline[0] (marks): unknown setting \"numbr\"; it has number, integer"));
  CHECK(refused("[{\"op\": \"marks\", \"number\": 3}]", CLIP_INVALID_ARGUMENT, "number: expected a number from -1 to 2, found 3"));
  CHECK(refused("[{\"op\": \"marks\", \"number\": \"1\"}]", CLIP_INVALID_ARGUMENT, "number: expected a number"));
  CHECK(refused("[{\"op\": \"marks\", \"integer\": 1.5}]", CLIP_INVALID_ARGUMENT, "integer: expected an integer from 0 to 9"));
  CHECK(refused("[{\"op\": \"marks\", \"integer\": 10}]", CLIP_INVALID_ARGUMENT, "found 10"));
  CHECK(refused("[{\"op\": \"marks\", \"boolean\": 1}]", CLIP_INVALID_ARGUMENT, "boolean: expected true or false"));
  CHECK(refused("[{\"op\": \"marks\", \"choice\": \"c\"}]", CLIP_INVALID_ARGUMENT, "choice: expected one of \"a\", \"b\", found \"c\""));
  CHECK(refused("[{\"op\": \"marks\", \"numbers\": [1]}]", CLIP_INVALID_ARGUMENT, "numbers: expected 2 to 3 numbers from 0 to 1"));
  CHECK(refused("[{\"op\": \"marks\", \"numbers\": [1, 2]}]", CLIP_INVALID_ARGUMENT, "found 2 among them"));
  CHECK(refused("[{\"op\": \"marks\", \"numbers\": [1, null]}]", CLIP_INVALID_ARGUMENT, "found null"));
  CHECK(refused("[{\"op\": \"marks\", \"text\": 5}]", CLIP_INVALID_ARGUMENT, "text: expected a text"));
  CHECK(refused("[{\"op\": \"marks\", \"p\": -0.1}]", CLIP_INVALID_ARGUMENT, "p: expected a number from 0 to 1"));
  CHECK(refused("[{\"one_of\": []}]", CLIP_INVALID_ARGUMENT, "pipeline[0].one_of"));
  CHECK(refused("[{\"one_of\": [{\"op\": \"bits\", \"weight\": 0}]}]", CLIP_INVALID_ARGUMENT, "weight above 0"));
  CHECK(refused("[{\"one_of\": [{\"op\": \"bits\", \"weight\": -1}]}]", CLIP_INVALID_ARGUMENT, "pipeline[0].one_of[0]: weight"));
  CHECK(refused("[{\"one_of\": [{\"op\": \"bits\"}], \"q\": 1}]", CLIP_INVALID_ARGUMENT, "unknown key \"q\""));
  CHECK(refused("[{\"sequence\": [{\"op\": \"nope\"}]}]", CLIP_NOT_FOUND, "pipeline[0].sequence[0]"));
  CHECK(refused("[{\"op\": \"bits\"}, {\"op\": \"random_horizontal_flip\"}]", CLIP_INVALID_ARGUMENT, "another kind"));
  CHECK(refused("[{\"op\": \"refuses\"}]", CLIP_UNSUPPORTED, "pipeline[0] (refuses): not today"));
  CHECK(refused("[{\"op\": \"asks\"}]", CLIP_PLUGIN, "asks for a number \"undeclared\""));
  CHECK(instances == 0);

  /* 2000 steps, and deeply nested steps. */
  char *many = malloc(2000 * 16 + 2);
  strcpy(many, "[");
  for (int i = 0; i < 2000; i++) strcat(many + i * 14, i < 1999 ? "{\"op\":\"bits\"}," : "{\"op\":\"bits\"}]");
  CHECK(refused(many, CLIP_LIMIT, "1024"));
  strcpy(many, "[");
  for (int i = 0; i < 200; i++) strcat(many, "{\"one_of\":[");
  for (int i = 0; i < 200; i++) strcat(many, "]}");
  strcat(many, "]");
  CHECK(refused(many, CLIP_LIMIT, "nested"));
  free(many);

  CHECK(says(clip_pipeline_create(NULL, "[]", NULL), CLIP_INVALID_ARGUMENT, "out"));
  clip_pipeline *p = NULL;
  CHECK(says(clip_pipeline_create(runtime, NULL, &p), CLIP_INVALID_ARGUMENT, "json"));
  CHECK(says(clip_pipeline_create(NULL, "[]", &p), CLIP_INVALID_ARGUMENT, "runtime"));
  clip_pipeline_release(NULL);

  /* Every kind of setting, by default and given. */
  p = pipeline("[{\"op\": \"test.augment.marks\"}]");
  char *got = text(p, "x", 0, 0);
  CHECK(got && !strcmp(got, "x 0.5 3 1 b/1 2:0.25,0.75 none"));
  free(got), clip_pipeline_release(p);
  p = pipeline("[{\"op\": \"marks\", \"number\": -1, \"integer\": 9, \"boolean\": false, \"choice\": \"a\", \"numbers\": [0, 1, 0.5], \"text\": \"\\u00e9\"}]");
  got = text(p, "x", 0, 0);
  CHECK(got && !strcmp(got, "x -1 9 0 a/0 3:0,1,0.5 \xc3\xa9"));
  free(got);
  CHECK(instances == 1);
  clip_pipeline_release(p);
  CHECK(instances == 0);

  int visits = 0;
  CHECK(clip_augmentations_visit(runtime, "marks", is_marks, &visits) == CLIP_OK && visits == 1);
  CHECK(clip_augmentations_visit(runtime, "clipcore.augment.random-horizontal-flip", is_flip, &visits) == CLIP_OK && visits == 2);
  CHECK(says(clip_augmentations_visit(runtime, "nope", is_flip, &visits), CLIP_NOT_FOUND, "marks"));
  CHECK(clip_augmentations_visit(runtime, NULL, count_all, &visits) == CLIP_OK && visits > 10);
  visits = -1;
  CHECK(clip_augmentations_visit(runtime, NULL, count_all, &visits) == CLIP_OK && visits == 0);
  CHECK(says(clip_augmentations_visit(runtime, NULL, NULL, NULL), CLIP_INVALID_ARGUMENT, "visit"));
}

/* The number of items, of 4,000, whose text gets this letter. */
static int letters(clip_pipeline *p, char letter) {
  int count = 0;
  for (uint64_t index = 0; index < 4000; index++) {
    char *got = text(p, "", 11, index);
    for (char *at = got; at && *at; at++) count += *at == letter;
    free(got);
  }
  return count;
}

static void choices(void) {
  clip_pipeline *p = pipeline("[{\"op\": \"say\", \"text\": \"a\", \"p\": 0.3}]");
  CHECK(abs(letters(p, 'a') - 1200) < 120);
  clip_pipeline_release(p);
  p = pipeline("[{\"one_of\": [{\"op\": \"say\", \"text\": \"a\"}, {\"op\": \"say\", \"text\": \"b\", \"weight\": 3},"
               " {\"sequence\": [{\"op\": \"say\", \"text\": \"c\"}, {\"op\": \"say\", \"text\": \"d\"}], \"weight\": 4},"
               " {\"op\": \"say\", \"text\": \"e\", \"weight\": 0}], \"p\": 0.5}]");
  int c = letters(p, 'c');
  CHECK(abs(letters(p, 'a') - 250) < 60 && abs(letters(p, 'b') - 750) < 100 && abs(c - 1000) < 110);
  CHECK(letters(p, 'd') == c && letters(p, 'e') == 0);
  clip_pipeline_release(p);

  /* A step's random numbers do not depend on whether the steps before it were applied. */
  clip_pipeline *with = pipeline("[{\"op\": \"say\", \"text\": \"\", \"p\": 1}, {\"op\": \"bits\"}]");
  clip_pipeline *without = pipeline("[{\"op\": \"bits\", \"p\": 0}, {\"op\": \"bits\"}]");
  char *a = text(with, "", 3, 4), *b = text(without, "", 3, 4), *other = text(with, "", 3, 5);
  CHECK(a && b && other && !strcmp(a, b) && strcmp(a, other));
  free(a), free(b), free(other);
  clip_pipeline_release(with), clip_pipeline_release(without);
}

static void results(void) {
  /* Texts. */
  clip_pipeline *p = pipeline("[]");
  char *got = text(p, "caf\xc3\xa9", 0, 0), out[8] = "before";
  size_t length = 0;
  CHECK(got && !strcmp(got, "caf\xc3\xa9"));
  free(got);
  /* Room for all but the NUL is too little. */
  CHECK(says(clip_augment_text(p, "12345678", 0, 0, out, 8, &length), CLIP_INVALID_ARGUMENT, "9 bytes") && length == 8);
  CHECK(says(clip_augment_text(p, "12345", 0, 0, NULL, 0, &length), CLIP_INVALID_ARGUMENT, "6 bytes") && length == 5);
  CHECK(!strcmp(out, "before"));
  CHECK(says(clip_augment_text(p, "\xff", 0, 0, out, sizeof out, &length), CLIP_INVALID_ARGUMENT, "expected UTF-8"));
  CHECK(says(clip_augment_text(p, "a\xc3", 0, 0, out, sizeof out, &length), CLIP_INVALID_ARGUMENT, "offset 1"));
  CHECK(says(clip_augment_text(p, NULL, 0, 0, out, sizeof out, &length), CLIP_INVALID_ARGUMENT, "text"));
  CHECK(says(clip_augment_text(NULL, "", 0, 0, out, sizeof out, &length), CLIP_INVALID_ARGUMENT, "pipeline"));
  CHECK(says(clip_augment_text(p, "", 0, 0, out, sizeof out, NULL), CLIP_INVALID_ARGUMENT, "length"));
  clip_pipeline_release(p);
  struct { const char *mode, *words; clip_status status; } bad[] = {
      {"malformed", "pipeline[1] (bad): its result: expected UTF-8 without NUL, found byte 255 at offset 2", CLIP_PLUGIN},
      {"nul", "found byte 0 at offset 1", CLIP_PLUGIN},
      {"endless", "pipeline[1] (bad): a text of more than", CLIP_LIMIT},
      {"null", "null pointer", CLIP_PLUGIN},
      {"fails", "pipeline[1] (bad): words of its own", CLIP_NOT_FOUND},
      {"silent", "test.augment.bad failed with status 77", CLIP_PLUGIN},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char json[200];
    snprintf(json, sizeof json, "[{\"op\": \"say\", \"text\": \"\"}, {\"op\": \"bad\", \"text\": \"%s\"}]", bad[i].mode);
    p = pipeline(json);
    CHECK(says(clip_augment_text(p, "a", 0, 0, out, sizeof out, &length), bad[i].status, bad[i].words) && !strcmp(out, "before"));
    clip_pipeline_release(p);
  }
  p = pipeline("[{\"op\": \"bad\", \"text\": \"empty\"}]");
  got = text(p, "a", 0, 0);
  CHECK(got && !*got);
  free(got);
  uint8_t pixels[12] = {0};
  clip_image_view in = view_of(CLIP_PIXELS_RGB, 2, 2, pixels), view;
  clip_image *made = NULL;
  CHECK(says(clip_augment_image(p, &in, 0, 0, &made), CLIP_INVALID_ARGUMENT, "expected one for images"));
  clip_pipeline_release(p);

  /* Images: each format is converted back, and gaps between rows are not touched. */
  static const uint32_t channels[] = {0, 3, 4, 3, 4, 1};
  for (int format = CLIP_PIXELS_RGB; format <= CLIP_PIXELS_GRAY; format++) {
    uint8_t bytes[2 * 16];
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(i * 7 + 1);
    in = view_of((clip_pixel_format)format, 3, 2, bytes);
    in.stride = 16;
    const char *steps[] = {"[]", "[{\"op\": \"random_horizontal_flip\", \"p\": 1}]", "[{\"op\": \"image\", \"text\": \"copy\"}]"};
    for (int step = 0; step < 3; step++) {
      p = pipeline(steps[step]);
      uint8_t *got_pixels = image(p, &in, 1, 1, &view);
      CHECK(got_pixels && (int)view.format == format && view.width == 3 && view.height == 2);
      int wrong = 0;
      uint32_t size = channels[format];
      for (uint32_t y = 0; got_pixels && y < 2; y++)
        for (uint32_t x = 0; x < 3; x++)
          for (uint32_t channel = 0; channel < size; channel++) {
            uint8_t want = bytes[y * 16 + (step == 1 ? 2 - x : x) * size + channel];
            if (step == 2 && channel == 3) want = 255; /* this step takes RGB only */
            wrong += got_pixels[y * view.stride + x * size + channel] != want;
          }
      CHECK(wrong == 0);
      free(got_pixels);
      clip_pipeline_release(p);
    }
  }
  in = view_of(CLIP_PIXELS_RGB, 2, 2, pixels);
  struct { const char *mode, *words; clip_status status; } broken[] = {
      {"twice", "pipeline[0] (image): it asked for memory a second time", CLIP_PLUGIN},
      {"zero", "at least 1 x 1 pixels, found 0 x 5", CLIP_PLUGIN},
      {"huge", "(max_image_pixels)", CLIP_LIMIT},
      {"format", "of format 9", CLIP_PLUGIN},
  };
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    char json[100];
    snprintf(json, sizeof json, "[{\"op\": \"image\", \"text\": \"%s\"}]", broken[i].mode);
    p = pipeline(json);
    CHECK(says(clip_augment_image(p, &in, 0, 0, &made), broken[i].status, broken[i].words) && made == NULL);
    clip_pipeline_release(p);
  }
  p = pipeline("[{\"op\": \"image\", \"text\": \"nothing\"}]");
  uint8_t *same = image(p, &in, 0, 0, &view);
  CHECK(same && view.width == 2 && !memcmp(same, pixels, 12));
  free(same);
  in.width = 0;
  CHECK(says(clip_augment_image(p, &in, 0, 0, &made), CLIP_INVALID_ARGUMENT, "at least 1 x 1"));
  CHECK(says(clip_augment_image(p, NULL, 0, 0, &made), CLIP_INVALID_ARGUMENT, "image"));
  clip_pipeline_release(p);
}

/* A pipeline keeps its plugin after the plugin is unloaded. */
static void unloading(void) {
  clip_pipeline *p = pipeline("[{\"op\": \"random_horizontal_flip\", \"p\": 1}]");
  CHECK(clip_plugin_unload(runtime, "clipcore.augment-image") == CLIP_OK);
  CHECK(refused("[{\"op\": \"random_horizontal_flip\"}]", CLIP_NOT_FOUND, "unknown op"));
  uint8_t pixels[2] = {1, 2};
  clip_image_view in = view_of(CLIP_PIXELS_GRAY, 2, 1, pixels), view;
  uint8_t *got = image(p, &in, 0, 0, &view);
  CHECK(got && got[0] == 2 && got[1] == 1);
  free(got);
  clip_pipeline_release(p);
}

int main(void) {
  make_runtime();
  CHECK(clip_plugin_register(runtime, marks_entry) == CLIP_OK);
  random_streams();
  pipelines();
  choices();
  results();
  same_on_threads("[{\"op\": \"random_horizontal_flip\"}, {\"op\": \"image\", \"text\": \"noise\"}]",
                  "[{\"op\": \"bits\", \"p\": 0.5}, {\"op\": \"marks\"}]");
  unloading();
  clip_runtime_release(runtime);
  return checks_report();
}
