/* Augmentations: pipelines, their random streams, functions of other libraries, closures.
 *
 *   augment_test MODEL MANIFESTS
 *
 * MODEL is for the encoder of plugins/grey.h; MANIFESTS is the folder Tests/Fixtures/manifests.
 */
#define _GNU_SOURCE
#include <clip_plugin.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plugins/marks.h"

/* ---------------------------------------------------------------- helpers */

static clip_runtime *runtime;
static char folder[] = "/tmp/clipcore-augment-XXXXXX";

static clip_pipeline *pipeline(const char *json) {
  clip_pipeline *made = NULL;
  CHECK(clip_pipeline_create(runtime, json, &made) == CLIP_OK);
  return made;
}

/* Whether a call fails with this status and says `words`. */
static int says(clip_status got, clip_status want, const char *words) {
  if (got == want && strstr(clip_last_error(), words)) return 1;
  printf("  wanted %s \"%s\", found %s\n", clip_status_name(want), words, clip_status_name(got));
  return 0;
}

static int refused(const char *json, clip_status want, const char *words) {
  clip_pipeline *none = NULL;
  clip_status got = clip_pipeline_create(runtime, json, &none);
  if (none) clip_pipeline_free(none);
  return none == NULL && says(got, want, words);
}

static clip_image_view view_of(clip_pixel_format format, uint32_t width, uint32_t height, const uint8_t *pixels) {
  return (clip_image_view){.struct_size = sizeof(clip_image_view), .format = format, .width = width, .height = height, .pixels = pixels};
}

/* The picture after `json`: width and height are set, the pixels are to be freed. NULL after an error. */
static uint8_t *image(clip_pipeline *p, const clip_image_view *in, uint64_t seed, uint64_t index, clip_image_view *out) {
  clip_image *made = NULL;
  *out = (clip_image_view){.struct_size = sizeof *out};
  if (clip_augment_image(p, in, seed, index, &made) != CLIP_OK || clip_image_get_view(made, out) != CLIP_OK) return NULL;
  size_t size = out->stride * out->height;
  uint8_t *copy = malloc(size);
  memcpy(copy, out->pixels, size);
  clip_image_free(made);
  out->pixels = copy;
  return copy;
}

static char *text(clip_pipeline *p, const char *given, uint64_t seed, uint64_t index) {
  char *out = NULL;
  return clip_augment_text(p, given, seed, index, &out) == CLIP_OK ? out : NULL;
}

/* ---------------------------------------------------------------- the random stream */

/* Philox 4x32-10 as its paper has it (Salmon et al., 2011, section 3.3). */
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
  /* Random123's known answers (kat_vectors). */
  static const uint32_t known[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  uint32_t out[4];
  for (int i = 0; i < 3; i++) {
    philox(known[i], known[i] + 4, out);
    CHECK(!memcmp(out, known[i] + 6, sizeof out));
  }

  /* The library's, as docs/augmentation.md has its counter: block, purpose and step, index. The step's
   * probability takes the first two numbers. */
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
    clip_text_free(got);
  }
  clip_pipeline_free(p);

  /* Distributions, with a fixed seed. */
  p = pipeline("[{\"op\": \"moments\"}]");
  char *got = text(p, "", 5, 0);
  double mean = 0, deviation = 0, lowest = 0, highest = 0, chi = 0, third = 0;
  CHECK(got && sscanf(got, "%lf %lf %lf %lf %lf %lf", &mean, &deviation, &lowest, &highest, &chi, &third) == 6);
  CHECK(fabs(mean) < 0.02 && fabs(deviation - 1) < 0.02);                  /* normal, of 40,000 */
  CHECK(lowest >= 0 && lowest < 0.001 && highest < 1 && highest > 0.999); /* uniform */
  CHECK(chi < 22.5);                                                       /* below(7): 6 degrees, p = 0.001 */
  CHECK(fabs(third - 1.0 / 3) < 0.01);                                     /* below(3 * 2^30): biased without rejection */
  clip_text_free(got);
  clip_pipeline_free(p);
}

/* ---------------------------------------------------------------- pipelines */

static void pipelines(void) {
  const char *malformed[] = {"", "{", "null", "{}", "[1]", "[{}]", "[{\"op\": 1}]", "[{\"one_of\": 3}]", "[[]]", "[{\"op\": \"bits\"},]"};
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) CHECK(refused(malformed[i], CLIP_FORMAT, "pipeline"));
  CHECK(refused("[{\"op\": \"bits\"}, {\"op\": \"nope\"}]", CLIP_NOT_FOUND, "pipeline[1]: unknown op \"nope\""));
  CHECK(strstr(clip_last_error(), "random_horizontal_flip") && strstr(clip_last_error(), "marks"));
  CHECK(refused("[{\"op\": \"marks\", \"numbr\": 1}]", CLIP_INVALID_ARGUMENT, "pipeline[0] (marks): unknown parameter \"numbr\"; it has number, integer"));
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

  /* 2000 steps, and steps in steps in steps. */
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
  clip_pipeline_free(NULL);
  clip_text_free(NULL);

  /* Every kind of parameter, by default and given. */
  p = pipeline("[{\"op\": \"test.augment.marks\"}]");
  char *got = text(p, "x", 0, 0);
  CHECK(got && !strcmp(got, "x 0.5 3 1 b/1 2:0.25,0.75 none"));
  clip_text_free(got), clip_pipeline_free(p);
  p = pipeline("[{\"op\": \"marks\", \"number\": -1, \"integer\": 9, \"boolean\": false, \"choice\": \"a\", \"numbers\": [0, 1, 0.5], \"text\": \"\\u00e9\"}]");
  got = text(p, "x", 0, 0);
  CHECK(got && !strcmp(got, "x -1 9 0 a/0 3:0,1,0.5 \xc3\xa9"));
  clip_text_free(got);
  CHECK(instances == 1);
  clip_pipeline_free(p);
  CHECK(instances == 0);

  clip_augmentation_info info = {.struct_size = sizeof info};
  CHECK(clip_augmentation_describe(runtime, "marks", &info) == CLIP_OK && info.kind == CLIP_KIND_TEXT_AUGMENTATION);
  CHECK(info.parameter_count == 6 && !strcmp(info.parameters[4].name, "numbers") && info.probability == 1);
  CHECK(clip_augmentation_describe(runtime, "clipcore.augment.random-horizontal-flip", &info) == CLIP_OK);
  CHECK(info.kind == CLIP_KIND_IMAGE_AUGMENTATION && info.probability == 0.5 && !strcmp(info.op, "random_horizontal_flip"));
  CHECK(says(clip_augmentation_describe(runtime, "nope", &info), CLIP_NOT_FOUND, "marks"));
}

/* How often of 4,000 items a text gets this letter. */
static int letters(clip_pipeline *p, char letter) {
  int count = 0;
  for (uint64_t index = 0; index < 4000; index++) {
    char *got = text(p, "", 11, index);
    for (char *at = got; at && *at; at++) count += *at == letter;
    clip_text_free(got);
  }
  return count;
}

static void choices(void) {
  clip_pipeline *p = pipeline("[{\"op\": \"say\", \"text\": \"a\", \"p\": 0.3}]");
  CHECK(abs(letters(p, 'a') - 1200) < 120);
  clip_pipeline_free(p);
  p = pipeline("[{\"one_of\": [{\"op\": \"say\", \"text\": \"a\"}, {\"op\": \"say\", \"text\": \"b\", \"weight\": 3},"
               " {\"sequence\": [{\"op\": \"say\", \"text\": \"c\"}, {\"op\": \"say\", \"text\": \"d\"}], \"weight\": 4},"
               " {\"op\": \"say\", \"text\": \"e\", \"weight\": 0}], \"p\": 0.5}]");
  int c = letters(p, 'c');
  CHECK(abs(letters(p, 'a') - 250) < 60 && abs(letters(p, 'b') - 750) < 100 && abs(c - 1000) < 110);
  CHECK(letters(p, 'd') == c && letters(p, 'e') == 0);
  clip_pipeline_free(p);

  /* A step's numbers do not depend on whether the steps before it were done. */
  clip_pipeline *with = pipeline("[{\"op\": \"say\", \"text\": \"\", \"p\": 1}, {\"op\": \"bits\"}]");
  clip_pipeline *without = pipeline("[{\"op\": \"bits\", \"p\": 0}, {\"op\": \"bits\"}]");
  char *a = text(with, "", 3, 4), *b = text(without, "", 3, 4), *other = text(with, "", 3, 5);
  CHECK(a && b && other && !strcmp(a, b) && strcmp(a, other));
  clip_text_free(a), clip_text_free(b), clip_text_free(other);
  clip_pipeline_free(with), clip_pipeline_free(without);
}

static void results(void) {
  /* Texts. */
  clip_pipeline *p = pipeline("[]");
  char *got = text(p, "caf\xc3\xa9", 0, 0), *out = NULL;
  CHECK(got && !strcmp(got, "caf\xc3\xa9"));
  clip_text_free(got);
  CHECK(says(clip_augment_text(p, "\xff", 0, 0, &out), CLIP_INVALID_ARGUMENT, "expected UTF-8"));
  CHECK(says(clip_augment_text(p, "a\xc3", 0, 0, &out), CLIP_INVALID_ARGUMENT, "offset 1"));
  CHECK(says(clip_augment_text(p, NULL, 0, 0, &out), CLIP_INVALID_ARGUMENT, "text"));
  CHECK(says(clip_augment_text(NULL, "", 0, 0, &out), CLIP_INVALID_ARGUMENT, "pipeline"));
  CHECK(says(clip_augment_text(p, "", 0, 0, NULL), CLIP_INVALID_ARGUMENT, "out"));
  clip_pipeline_free(p);
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
    CHECK(says(clip_augment_text(p, "a", 0, 0, &out), bad[i].status, bad[i].words) && out == NULL);
    clip_pipeline_free(p);
  }
  p = pipeline("[{\"op\": \"bad\", \"text\": \"empty\"}]");
  got = text(p, "a", 0, 0);
  CHECK(got && !*got);
  clip_text_free(got);
  uint8_t pixels[12] = {0};
  clip_image_view in = view_of(CLIP_PIXELS_RGB, 2, 2, pixels), view;
  clip_image *made = NULL;
  CHECK(says(clip_augment_image(p, &in, 0, 0, &made), CLIP_INVALID_ARGUMENT, "expected one for pictures"));
  clip_pipeline_free(p);

  /* Pictures: each format comes back as it was, gaps between rows are left alone. */
  static const uint32_t channels[] = {0, 3, 4, 3, 4, 1};
  for (int format = CLIP_PIXELS_RGB; format <= CLIP_PIXELS_GRAY; format++) {
    uint8_t bytes[2 * 16];
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(i * 7 + 1);
    in = view_of((clip_pixel_format)format, 3, 2, bytes);
    in.stride = 16;
    const char *steps[] = {"[]", "[{\"op\": \"random_horizontal_flip\", \"p\": 1}]", "[{\"op\": \"picture\", \"text\": \"copy\"}]"};
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
            if (step == 2 && channel == 3) want = 255; /* that one takes RGB alone */
            wrong += got_pixels[y * view.stride + x * size + channel] != want;
          }
      CHECK(wrong == 0);
      free(got_pixels);
      clip_pipeline_free(p);
    }
  }
  in = view_of(CLIP_PIXELS_RGB, 2, 2, pixels);
  struct { const char *mode, *words; clip_status status; } broken[] = {
      {"twice", "pipeline[0] (picture): it asked for memory a second time", CLIP_PLUGIN},
      {"zero", "at least 1 x 1 pixels, found 0 x 5", CLIP_PLUGIN},
      {"huge", "(max_image_pixels)", CLIP_LIMIT},
      {"format", "of format 9", CLIP_PLUGIN},
  };
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    char json[100];
    snprintf(json, sizeof json, "[{\"op\": \"picture\", \"text\": \"%s\"}]", broken[i].mode);
    p = pipeline(json);
    CHECK(says(clip_augment_image(p, &in, 0, 0, &made), broken[i].status, broken[i].words) && made == NULL);
    clip_pipeline_free(p);
  }
  p = pipeline("[{\"op\": \"picture\", \"text\": \"nothing\"}]");
  uint8_t *same = image(p, &in, 0, 0, &view);
  CHECK(same && view.width == 2 && !memcmp(same, pixels, 12));
  free(same);
  in.width = 0;
  CHECK(says(clip_augment_image(p, &in, 0, 0, &made), CLIP_INVALID_ARGUMENT, "at least 1 x 1"));
  CHECK(says(clip_augment_image(p, NULL, 0, 0, &made), CLIP_INVALID_ARGUMENT, "image"));
  clip_pipeline_free(p);
}

/* A pipeline keeps what it uses when that is taken away. */
static void unloading(void) {
  clip_pipeline *p = pipeline("[{\"op\": \"random_horizontal_flip\", \"p\": 1}]");
  CHECK(clip_plugin_unload(runtime, "clipcore.augment-image") == CLIP_OK);
  CHECK(refused("[{\"op\": \"random_horizontal_flip\"}]", CLIP_NOT_FOUND, "unknown op"));
  uint8_t pixels[2] = {1, 2};
  clip_image_view in = view_of(CLIP_PIXELS_GRAY, 2, 1, pixels), view;
  uint8_t *got = image(p, &in, 0, 0, &view);
  CHECK(got && got[0] == 2 && got[1] == 1);
  free(got);
  clip_pipeline_free(p);
}

/* ---------------------------------------------------------------- threads */

enum { ITEMS = 64 };
static clip_pipeline *shared_image, *shared_text;
static uint8_t shared_pixels[31 * 17 * 3];
static uint64_t want_image[ITEMS], want_text[ITEMS];

static uint64_t hash(const void *bytes, size_t size) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
  return sum;
}

static uint64_t image_hash(uint64_t index) {
  clip_image_view in = view_of(CLIP_PIXELS_RGB, 31, 17, shared_pixels), view;
  uint8_t *got = image(shared_image, &in, 9, index, &view);
  uint64_t sum = got ? hash(got, view.stride * view.height) : 0;
  free(got);
  return sum;
}

static uint64_t text_hash(uint64_t index) {
  char *got = text(shared_text, "a text", 9, index);
  uint64_t sum = got ? hash(got, strlen(got)) : 0;
  clip_text_free(got);
  return sum;
}

static void *worker(void *argument) {
  size_t first = (size_t)argument, bad = 0;
  for (size_t i = 0; i < ITEMS; i++) {
    size_t index = (i * 13 + first) % ITEMS;
    bad += image_hash(index) != want_image[index] || text_hash(index) != want_text[index];
  }
  return (void *)bad;
}

static void threads(void) {
  for (size_t i = 0; i < sizeof shared_pixels; i++) shared_pixels[i] = (uint8_t)(i * 31);
  shared_image = pipeline("[{\"op\": \"random_horizontal_flip\"}, {\"op\": \"picture\", \"text\": \"noise\"},"
                          " {\"one_of\": [{\"op\": \"yuv_mirror\"}, {\"op\": \"yuv_gray_rows\", \"rows\": 9}]}]");
  shared_text = pipeline("[{\"op\": \"bits\", \"p\": 0.5}, {\"op\": \"marks\"}]");
  size_t different = 0;
  for (size_t i = 0; i < ITEMS; i++) {
    want_image[i] = image_hash(i), want_text[i] = text_hash(i);
    different += i > 0 && want_image[i] != want_image[0];
  }
  CHECK(different > ITEMS / 2 && want_image[0] != 0);
  pthread_t callers[4];
  for (size_t i = 0; i < 4; i++) pthread_create(&callers[i], NULL, worker, (void *)i);
  for (size_t i = 0; i < 4; i++) {
    void *bad = NULL;
    pthread_join(callers[i], &bad);
    CHECK(bad == NULL);
  }
  clip_pipeline_free(shared_image), clip_pipeline_free(shared_text);
}

/* ---------------------------------------------------------------- functions of other libraries */

static void libyuv(void) {
  enum { W = 5, H = 3 };
  uint8_t rgba[W * H * 4], *got;
  for (int i = 0; i < W * H * 4; i++) rgba[i] = (uint8_t)(i * 11 + 3);
  clip_image_view in = view_of(CLIP_PIXELS_RGBA, W, H, rgba), view;
  int wrong = 0;

  clip_pipeline *p = pipeline("[{\"op\": \"yuv_mirror\"}]");
  got = image(p, &in, 0, 0, &view);
  CHECK(got && view.format == CLIP_PIXELS_RGBA && view.width == W && view.height == H);
  for (int i = 0; got && i < W * H; i++) wrong += memcmp(got + i * 4, rgba + (i / W * W + W - 1 - i % W) * 4, 4) != 0;
  free(got), clip_pipeline_free(p);

  p = pipeline("[{\"op\": \"yuv_rotate_90\"}]");
  got = image(p, &in, 0, 0, &view);
  CHECK(got && view.width == H && view.height == W);
  for (int y = 0; got && y < W; y++)
    for (int x = 0; x < H; x++) wrong += memcmp(got + (y * H + x) * 4, rgba + ((H - 1 - x) * W + y) * 4, 4) != 0;
  free(got), clip_pipeline_free(p);

  p = pipeline("[{\"op\": \"yuv_scale\", \"width\": 10, \"height\": 6, \"filter\": \"none\"}]");
  got = image(p, &in, 0, 0, &view);
  CHECK(got && view.width == 2 * W && view.height == 2 * H);
  for (int y = 0; got && y < 2 * H; y++)
    for (int x = 0; x < 2 * W; x++) wrong += memcmp(got + (y * 2 * W + x) * 4, rgba + (y / 2 * W + x / 2) * 4, 4) != 0;
  free(got), clip_pipeline_free(p);

  /* Red and blue change places; half of each: 64ths, blue first. */
  p = pipeline("[{\"op\": \"yuv_color_matrix\", \"matrix\": [0, 0, 32, 0, 0, 32, 0, 0, 32, 0, 0, 0, 0, 0, 0, 64]}]");
  got = image(p, &in, 0, 0, &view);
  for (int i = 0; got && i < W * H; i++)
    for (int channel = 0; channel < 3; channel++) wrong += got[i * 4 + channel] != rgba[i * 4 + 2 - channel] * 32 / 64;
  CHECK(got != NULL);
  free(got), clip_pipeline_free(p);

  /* In place: the first rows get one number for all three colours, the others stay; the caller's pixels too. */
  uint8_t before[sizeof rgba];
  memcpy(before, rgba, sizeof rgba);
  p = pipeline("[{\"op\": \"yuv_gray_rows\", \"rows\": 2, \"p\": 1}]");
  int rows_seen = 0;
  for (uint64_t index = 0; index < 20; index++) {
    got = image(p, &in, 4, index, &view);
    CHECK(got != NULL);
    int rows = 0;
    for (int y = 0; got && y < H; y++) {
      const uint8_t *row = got + y * W * 4;
      if (!memcmp(row, rgba + y * W * 4, W * 4)) continue;
      rows = y + 1;
      for (int x = 0; x < W; x++) wrong += row[x * 4] != row[x * 4 + 1] || row[x * 4] != row[x * 4 + 2] || row[x * 4 + 3] != rgba[(y * W + x) * 4 + 3];
    }
    CHECK(rows == 1 || rows == 2);
    rows_seen |= rows;
    free(got);
  }
  CHECK(rows_seen == 3 && !memcmp(before, rgba, sizeof rgba));
  clip_pipeline_free(p);
  CHECK(wrong == 0);
  CHECK(refused("[{\"op\": \"yuv_scale\", \"width\": 0}]", CLIP_INVALID_ARGUMENT, "from 1 to 4096"));
  p = pipeline("[{\"op\": \"yuv_gray_rows\", \"rows\": 16, \"p\": 1}]");
  CHECK(p != NULL);
  clip_pipeline_free(p);
}

/* The encoder of the model under test: pixels through one op. */
static const char *op_id;
static double op_setting;
static size_t op_settings;

static clip_value build(clip_builder *b) {
  clip_value pixels = b->pixels(b, (uint32_t)b->need_int(b, "image_height", 1, 1024), (uint32_t)b->need_int(b, "image_width", 1, 1024));
  clip_value y = b->custom(b, op_id, "op", &pixels, 1, &op_setting, op_settings);
  return b->linear(b, b->mean_rows(b, y), "head", (uint32_t)b->need_int(b, "width", 1, 1024), 0);
}

static clip_status plain_shape(const clip_op_use *use, clip_shape *output, const char **message) {
  (void)message;
  *output = use->inputs[0];
  return CLIP_OK;
}

#define PLAIN(name, id_text, expression) \
  static void name(const clip_op_run *run) { \
    for (size_t i = 0; i < run->output.rows * run->output.width; i++) { \
      float x = run->inputs[0].data[i]; \
      run->output.data[i] = expression; \
    } \
  } \
  static const clip_op name##_op = {.struct_size = sizeof(clip_op), .id = id_text, .description = "a plain loop", \
                                    .input_count = 1, .shape = plain_shape, .forward = name};
PLAIN(tanh_plain, "test.op.tanh", tanhf(x))
PLAIN(erf_plain, "test.op.erf", (float)erf(x))
PLAIN(square_plain, "test.op.square", powf(x, 2))
PLAIN(scale_plain, "test.op.scale", ldexpf(x, -3))

static const clip_encoder encoder = {
    .struct_size = sizeof encoder, .tower = CLIP_TOWER_IMAGE, .id = "test.encoder.grey", .description = "an op", .build = build};
static const clip_plugin_item op_items[] = {{.kind = CLIP_KIND_ENCODER, .table = &encoder}, {.kind = CLIP_KIND_OP, .table = &tanh_plain_op},
                                            {.kind = CLIP_KIND_OP, .table = &erf_plain_op}, {.kind = CLIP_KIND_OP, .table = &square_plain_op},
                                            {.kind = CLIP_KIND_OP, .table = &scale_plain_op}};
static const clip_plugin op_plugin = {.struct_size = sizeof op_plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.ops",
                                      .version = "1.0.0", .license = "Apache-2.0", .items = op_items, .item_count = 5};
static const clip_plugin *op_entry(void) { return &op_plugin; }

/* The model's features of one picture, or for each of `n` the same, with this op; 0 after an error. */
enum { MOST = 64 };
static int features_of(const char *model_folder, const char *id, double setting, size_t settings, size_t n, float *rows) {
  uint8_t pixels[16 * 16 * 3];
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 + i / 256);
  clip_image_view in[MOST];
  for (size_t i = 0; i < n; i++) in[i] = view_of(CLIP_PIXELS_RGB, 16, 16, pixels);
  clip_encode_options raw = {.struct_size = sizeof raw, .flags = CLIP_RAW_FEATURES};
  clip_model *model = NULL;
  op_id = id, op_setting = setting, op_settings = settings;
  int good = clip_model_open(runtime, model_folder, NULL, &model) == CLIP_OK && clip_encode_image(model, in, n, &raw, rows) == CLIP_OK;
  clip_model_close(model);
  return good;
}

static int features(const char *model_folder, const char *id, double setting, size_t settings, float row[8]) {
  return features_of(model_folder, id, setting, settings, 1, row);
}

static void maps(const char *model_folder) {
  CHECK(clip_plugin_register(runtime, op_entry) == CLIP_OK);
  struct { const char *foreign, *plain; double setting; size_t settings; } pairs[] = {
      {"libm.op.tanh", "test.op.tanh", 0, 0},
      {"libm.op.erf", "test.op.erf", 0, 0},
      {"libm.op.square", "test.op.square", 0, 0},
      {"libm.op.scale", "test.op.scale", -3, 1},
  };
  float last = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    float foreign[8] = {0}, plain[8] = {1};
    CHECK(features(model_folder, pairs[i].foreign, pairs[i].setting, pairs[i].settings, foreign));
    CHECK(features(model_folder, pairs[i].plain, 0, 0, plain));
    CHECK(!memcmp(foreign, plain, sizeof plain) && plain[0] != last);
    last = plain[0];
  }
  float row[8];
  CHECK(!features(model_folder, "libm.op.scale", 9, 1, row) && strstr(clip_last_error(), "power: expected a number from -8 to 8"));
  CHECK(!features(model_folder, "libm.op.scale", 0.5, 1, row));
}

#define HEAD "{\"id\": \"t.bad\", \"version\": \"1\", \"license\": \"MIT\", \"library\": "
#define LIBM HEAD "\"libm.so.6\", \"functions\": ["
#define MAP "{\"kind\": \"map\", \"id\": \"t.op\", \"description\": \"d\", "
#define IMAGE "{\"kind\": \"image_augmentation\", \"id\": \"t.a\", \"op\": \"t\", \"description\": \"d\", "
#define X "{\"type\": \"float\", \"bind\": \"x\"}"
#define PIXELS "{\"type\": \"pointer\", \"bind\": \"pixels\"}"

static void manifests(const char *given) {
  char path[300];
  struct { const char *json, *words; } bad[] = {
      {"", "expected JSON"},
      {"[]", "expected an object"},
      {"{\"id\": 1}", "library"},
      {HEAD "\"libm.so.6\"}", "functions: expected a list"},
      {HEAD "\"libm.so.6\", \"functions\": [], \"x\": 1}", "x: expected only id, version, license, library, functions"},
      {HEAD "\"libnowhere.so.3\", \"functions\": []}", "libnowhere.so.3: cannot open shared object file"},
      {HEAD "\"./no.so\", \"functions\": []}", "No such file"},
      {HEAD "\"./bad.ffi.json\", \"functions\": []}", "expected a shared library (ELF)"},
      {LIBM MAP "\"symbol\": \"nosuchf\", \"result\": \"float\", \"arguments\": [" X "]}]}", "undefined symbol: nosuchf"},
      {LIBM "{\"kind\": \"filter\"}]}", "functions[0].kind: expected image_augmentation or map, found \"filter\""},
      {LIBM MAP "\"symbl\": \"tanhf\"}]}", "functions[0].symbl: expected only"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"half\", \"bind\": \"x\"}]}]}", "arguments[0].type: expected one of void, int8"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"void\", \"bind\": \"x\"}]}]}", "arguments[0].type"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"float\"}]}]}", "arguments[0].bind: expected one of x, input, output, count, parameter or constant, found nothing"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"float\", \"bind\": \"pixels\"}]}]}", "bind: expected one of x"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"pointer\", \"bind\": \"x\"}]}]}", "type: expected a type of numbers for x, found \"pointer\""},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"int\", \"bind\": \"x\"}]}]}", "float or double for x"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": []}]}", "one argument bound to x"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X ", " X "]}]}", "one argument bound to x"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" X "]}]}", "result: expected float or double"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"quad\", \"arguments\": [" X "]}]}", "result: expected status, truth, or one of"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"float\", \"bind\": \"constant\"}]}]}", "value: expected the constant"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"uint8\", \"bind\": \"constant\", \"value\": 256}]}]}", "a number that fits the type, found 256"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"int\", \"bind\": \"constant\", \"value\": 1.5}]}]}", "a number that fits the type"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"float\", \"bind\": \"parameter\", \"parameter\": \"k\"}]}]}", "a parameter that is declared (none), found \"k\""},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"parameters\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 1, \"low\": 0, \"high\": 2}]}]}", "k is bound to nothing"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"uint8\", \"bind\": \"parameter\", \"parameter\": \"k\"}], \"parameters\": [{\"name\": \"k\", \"type\": \"integer\", \"default\": 1, \"low\": 0, \"high\": 256}]}]}", "a type for what k may be, integers from 0 to 256"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"int\", \"bind\": \"parameter\", \"parameter\": \"k\"}], \"parameters\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 1, \"low\": 0, \"high\": 2}]}]}", "numbers from 0 to 2"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"parameters\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 3, \"low\": 0, \"high\": 2}]}]}", "parameters[0].default: expected a number in the range, found 3"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"parameters\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 3}]}]}", "low: expected"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"parameters\": [{\"name\": \"p\", \"type\": \"boolean\", \"default\": true}]}]}", "parameters[0].name"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"parameters\": [{\"name\": \"k\", \"type\": \"boolean\", \"default\": true}, {\"name\": \"k\", \"type\": \"boolean\", \"default\": true}]}]}", "parameters[1].name: expected a name that no other parameter has"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "]}, " MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "]}]}", "functions[1].id: expected a name that no other function has"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": []}]}", "one argument bound to pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [{\"type\": \"int\", \"bind\": \"pixels\"}]}]}", "type: expected pointer for pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"pointer\", \"bind\": \"width\"}]}]}", "a type of numbers for width"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"pixels\": \"hsv\", \"arguments\": [" PIXELS "]}]}", "pixels: expected rgb, rgba, bgr, bgra or gray, found \"hsv\""},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"output\": {\"width\": 3}, \"arguments\": [" PIXELS "]}]}", "bound to out_pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"int\", \"bind\": \"random\", \"low\": 0}]}]}", "high: expected a number or a parameter"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"uint8\", \"bind\": \"random\", \"low\": 0, \"high\": 300}]}]}", "high: expected a number that fits the type"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"pointer\", \"bind\": \"constant\", \"value\": [1]}]}]}", "element: expected the type of the numbers"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"probability\": 2, \"arguments\": [" PIXELS "]}]}", "probability: expected a number from 0"},
  };
  snprintf(path, sizeof path, "%s/bad.ffi.json", folder);
  size_t count = clip_plugin_count(runtime);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(bad[i].json, file) >= 0);
    if (file) fclose(file);
    clip_status status = clip_plugin_load(runtime, path);
    if (!strstr(clip_last_error(), bad[i].words)) printf("  wanted \"%s\" of %s\n", bad[i].words, bad[i].json);
    CHECK(status != CLIP_OK && strstr(clip_last_error(), bad[i].words) && strstr(clip_last_error(), "bad.ffi.json"));
  }
  CHECK(clip_plugin_count(runtime) == count);
  remove(path);

  /* The folder as a whole, and a reload of one. */
  CHECK(clip_plugin_load(runtime, given) == CLIP_OK && clip_plugin_count(runtime) == count + 9);
  clip_plugin_info info = {.struct_size = sizeof info};
  CHECK(clip_plugin_at(runtime, count, &info) == CLIP_OK && strstr(info.path, "libm.ffi.json") && info.kind == CLIP_KIND_OP);
  CHECK(!strcmp(info.license, "LGPL-2.1-or-later"));
  CHECK(clip_plugin_reload(runtime, "test.libm") == CLIP_OK && clip_plugin_count(runtime) == count + 9);
}

/* ---------------------------------------------------------------- closures */

typedef struct {
  int calls;
  double sum;
} tally;

static double mixed(void *user, int8_t a, uint16_t b, float c, double d, const char *e, int64_t f) {
  tally *t = user;
  t->calls++;
  return t->sum += a + b + c + d + (double)strlen(e) + (double)f;
}

static int8_t narrow(void *user, int8_t x) { return (int8_t)(x * *(int *)user); }

static void note(void *user, clip_log_level level, const char *message) {
  tally *t = user;
  t->calls += level == CLIP_LOG_WARNING && strstr(message, "/no-such.so") != NULL;
}

/* As a language would whose functions carry no data: the thread loop and the log by closures. */
static void loop(void *user, void *ignored, size_t count, clip_task_fn task, void *context) {
  (void)ignored;
  ((tally *)user)->calls++;
  for (size_t i = 0; i < count; i++) task(context, i);
}
static void log_line(void *user, void *ignored, clip_log_level level, const char *message) {
  (void)ignored;
  note(user, level, message);
}

static clip_status append(void *user, void *instance, const char *given, size_t size, clip_text_sink *out, clip_random *random,
                          clip_plugin_error *error) {
  (void)instance, (void)random, (void)error;
  return out->append(out, given, size) && out->append(out, user, strlen(user)) ? CLIP_OK : CLIP_PLUGIN;
}

static clip_augmentation closed[2] = {
    {.struct_size = sizeof(clip_augmentation), .id = "test.augment.one", .op = "one", .description = "appends"},
    {.struct_size = sizeof(clip_augmentation), .id = "test.augment.two", .op = "two", .description = "appends"}};
static const clip_plugin_item closed_items[] = {{.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &closed[0]},
                                                {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &closed[1]}};
static const clip_plugin closed_plugin = {.struct_size = sizeof closed_plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.closed",
                                          .version = "1.0.0", .license = "Apache-2.0", .items = closed_items, .item_count = 2};
static const clip_plugin *closed_entry(void) { return &closed_plugin; }

static clip_closure *closure(const char *signature, clip_function callback, void *user) {
  clip_closure *made = NULL;
  CHECK(clip_closure_create(signature, callback, user, &made) == CLIP_OK && clip_closure_function(made) != NULL);
  return made;
}

/* Whether a tool keeps freed memory for a while; it finds leaks itself. */
static int is_watched(void) {
#ifdef SANITIZED
  return 1;
#else
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "valgrind") != NULL;
#endif
}

static long resident(void) {
  long total = 0, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2) pages = 0;
  if (file) fclose(file);
  return pages;
}

static void closures(const char *model_folder) {
  tally one = {0, 0}, two = {0, 0};
  clip_closure *a = closure("double(int8, uint16, float, double, pointer, int64)", (clip_function)mixed, &one);
  clip_closure *b = closure("double(int8,uint16,float,double,pointer,int64)", (clip_function)mixed, &two);
  double (*first)(int8_t, uint16_t, float, double, const char *, int64_t) =
      (double (*)(int8_t, uint16_t, float, double, const char *, int64_t))clip_closure_function(a);
  double (*second)(int8_t, uint16_t, float, double, const char *, int64_t) =
      (double (*)(int8_t, uint16_t, float, double, const char *, int64_t))clip_closure_function(b);
  CHECK(first(-1, 60000, 0.5f, 0.25, "abc", -(1ll << 40)) == 59999 + 0.75 + 3 - (double)(1ll << 40));
  CHECK(second(1, 2, 3, 4, "", 5) == 15 && second(0, 0, 0, 0, "a", 0) == 16);
  CHECK(one.calls == 1 && two.calls == 2);
  clip_closure_free(a), clip_closure_free(b);

  int factors[2] = {-1, 3};
  a = closure("int8(int8)", (clip_function)narrow, &factors[0]), b = closure("int8(int8)", (clip_function)narrow, &factors[1]);
  CHECK(((int8_t(*)(int8_t))clip_closure_function(a))(100) == -100 && ((int8_t(*)(int8_t))clip_closure_function(b))(5) == 15);
  clip_closure_free(a), clip_closure_free(b);

  /* The callbacks of clip.h. */
  one = two = (tally){0, 0};
  a = closure("void(pointer,int,pointer)", (clip_function)log_line, &one);
  b = closure("void(pointer,size_t,pointer,pointer)", (clip_function)loop, &two);
  const char *paths[] = {"/no-such.so"};
  clip_runtime_options options = {.struct_size = sizeof options, .threads = 2, .plugin_paths = paths, .plugin_path_count = 1};
  options.log = (clip_log_fn)clip_closure_function(a);
  options.parallel_for = (clip_parallel_for_fn)clip_closure_function(b);
  clip_runtime *own = NULL, *kept = runtime;
  CHECK(clip_runtime_create(&options, &own) == CLIP_OK && one.calls == 1);
  runtime = own;
  float rows[MOST * 8];
  CHECK(clip_plugin_register(runtime, op_entry) == CLIP_OK && features_of(model_folder, "test.op.tanh", 0, 0, MOST, rows));
  CHECK(two.calls > 0);
  clip_runtime_release(own);
  runtime = kept;
  clip_closure_free(a), clip_closure_free(b);

  /* A plugin's functions. */
  a = closure("int(pointer,pointer,size_t,pointer,pointer,pointer)", (clip_function)append, "-one");
  b = closure("int(pointer,pointer,size_t,pointer,pointer,pointer)", (clip_function)append, "-two");
  for (int i = 0; i < 2; i++)
    closed[i].apply_text = (clip_status(*)(void *, const char *, size_t, clip_text_sink *, clip_random *, clip_plugin_error *))
        clip_closure_function(i ? b : a);
  CHECK(clip_plugin_register(runtime, closed_entry) == CLIP_OK);
  clip_pipeline *p = pipeline("[{\"op\": \"one\"}, {\"op\": \"two\"}, {\"op\": \"one\"}]");
  char *got = text(p, "zero", 0, 0);
  CHECK(got && !strcmp(got, "zero-one-two-one"));
  clip_text_free(got), clip_pipeline_free(p);
  CHECK(clip_plugin_unload(runtime, "test.closed") == CLIP_OK);
  clip_closure_free(a), clip_closure_free(b);

  clip_closure *none = NULL;
  const char *wrong[] = {"", "int", "int(", "int)", "integer(int)", "int(void*)", "int(int,)", "int(int,void)", "int()x"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK(says(clip_closure_create(wrong[i], (clip_function)narrow, NULL, &none), CLIP_INVALID_ARGUMENT, "signature"));
  char many[300] = "void(int";
  for (int i = 1; i < 32; i++) strcat(many, ",int");
  strcat(many, ")");
  CHECK(says(clip_closure_create(many, (clip_function)narrow, NULL, &none), CLIP_INVALID_ARGUMENT, "32 arguments"));
  CHECK(says(clip_closure_create("void()", NULL, NULL, &none), CLIP_INVALID_ARGUMENT, "callback"));
  CHECK(says(clip_closure_create(NULL, (clip_function)narrow, NULL, &none), CLIP_INVALID_ARGUMENT, "signature"));
  CHECK(says(clip_closure_create("void()", (clip_function)narrow, NULL, NULL), CLIP_INVALID_ARGUMENT, "out"));
  CHECK(none == NULL && clip_closure_function(NULL) == NULL);
  clip_closure_free(NULL);

  /* Freed ones leave nothing. */
  long before = 0;
  for (int i = 0; i < 6000; i++) {
    if (i == 1000) before = resident();
    clip_closure *made = NULL;
    if (clip_closure_create("int8(int8)", (clip_function)narrow, &factors[0], &made) != CLIP_OK) break;
    clip_closure_free(made);
  }
  CHECK(before > 0 && (is_watched() || resident() - before < 256));
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: augment_test MODEL MANIFESTS\n"), 2;
  CHECK(mkdtemp(folder) != NULL);
  clip_runtime_options options = {.struct_size = sizeof options, .max_image_pixels = 1 << 20};
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(clip_plugin_register(runtime, marks_entry) == CLIP_OK);
  random_streams();
  pipelines();
  choices();
  results();
  manifests(argv[2]);
  libyuv();
  maps(argv[1]);
  threads();
  closures(argv[1]);
  unloading();
  clip_runtime_release(runtime);
  remove(folder);
  return checks_report();
}
