/* A plugin of correct and faulty augmentations, registered by augment_test. */
#ifndef CLIPCORE_TESTS_MARKS_H
#define CLIPCORE_TESTS_MARKS_H

#include <clip_plugin.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of instances, whose settings are kept as text. */
static atomic_int instances;

static void *keep(const char *words) {
  instances++;
  return strdup(words);
}

static void drop(void *instance) {
  instances--;
  free(instance);
}

/* "marks": appends its settings. */
static clip_status marks_create(const clip_augmentation *self, const clip_settings *settings, void **instance, clip_plugin_error *error) {
  (void)self, (void)error;
  const double *numbers = NULL;
  size_t count = settings->numbers(settings, "numbers", &numbers);
  char words[200], *at = words;
  at += sprintf(at, " %g %g %g %s/%g %zu:", settings->number(settings, "number"), settings->number(settings, "integer"),
                settings->number(settings, "boolean"), settings->text(settings, "choice"), settings->number(settings, "choice"), count);
  for (size_t i = 0; i < count; i++) at += sprintf(at, i ? ",%g" : "%g", numbers[i]);
  snprintf(at, 60, " %s", settings->text(settings, "text"));
  *instance = keep(words);
  return CLIP_OK;
}

static clip_status marks_apply(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random, clip_plugin_error *error) {
  (void)random, (void)error;
  return out->append(out, text, size) && out->append(out, instance, strlen(instance)) ? CLIP_OK : CLIP_PLUGIN;
}

static const char *const marks_choices[] = {"a", "b"};
static const double marks_numbers[] = {0.25, 0.75};
static const clip_setting_info marks_settings[] = {
    {.name = "number", .description = "n", .type = CLIP_SETTING_NUMBER, .low = -1, .high = 2, .number = 0.5},
    {.name = "integer", .description = "i", .type = CLIP_SETTING_INTEGER, .low = 0, .high = 9, .number = 3},
    {.name = "boolean", .description = "b", .type = CLIP_SETTING_BOOLEAN, .number = 1},
    {.name = "choice", .description = "c", .type = CLIP_SETTING_CHOICE, .choices = marks_choices, .choice_count = 2, .number = 1},
    {.name = "numbers", .description = "l", .type = CLIP_SETTING_NUMBERS, .low = 0, .high = 1, .numbers = marks_numbers,
     .number_count = 2, .count_low = 2, .count_high = 3},
    {.name = "text", .description = "t", .type = CLIP_SETTING_TEXT, .text = "none"},
};
static const clip_augmentation marks = {
    .struct_size = sizeof marks, .id = "test.augment.marks", .op = "marks", .description = "Appends its settings",
    .settings = marks_settings, .setting_count = 6, .create = marks_create, .destroy = drop, .apply_text = marks_apply};

/* "say", "bad" and "image": one text. */
static clip_status text_create(const clip_augmentation *self, const clip_settings *settings, void **instance, clip_plugin_error *error) {
  (void)self, (void)error;
  *instance = keep(settings->text(settings, "text"));
  return CLIP_OK;
}
static const clip_augmentation say = {
    .struct_size = sizeof say, .id = "test.augment.say", .op = "say", .description = "Appends a text",
    .settings = marks_settings + 5, .setting_count = 1, .create = text_create, .destroy = drop, .apply_text = marks_apply};

static clip_status bad_apply(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random, clip_plugin_error *error) {
  (void)random, (void)size;
  const char *mode = instance;
  if (!strcmp(mode, "malformed")) return out->append(out, "ab\xff", 3) ? CLIP_OK : CLIP_PLUGIN;
  if (!strcmp(mode, "nul")) return out->append(out, "a\0b", 3) ? CLIP_OK : CLIP_PLUGIN;
  if (!strcmp(mode, "endless"))
    while (out->append(out, "0123456789abcdef", 16)) {}
  if (!strcmp(mode, "null")) out->append(out, NULL, 4);
  if (!strcmp(mode, "fails")) return snprintf(error->message, error->capacity, "words of its own"), CLIP_NOT_FOUND;
  if (!strcmp(mode, "silent")) return (clip_status)77;
  return text ? CLIP_OK : CLIP_PLUGIN;
}
static const clip_augmentation bad = {
    .struct_size = sizeof bad, .id = "test.augment.bad", .op = "bad", .description = "Fails in each way",
    .settings = marks_settings + 5, .setting_count = 1, .create = text_create, .destroy = drop, .apply_text = bad_apply};

/* "bits": eight numbers of the stream. "moments": statistics of many. */
static clip_status bits_apply(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random, clip_plugin_error *error) {
  (void)instance, (void)error;
  out->append(out, text, size);
  for (int i = 0; i < 8; i++) {
    char word[16];
    out->append(out, word, (size_t)sprintf(word, "%08x ", random->bits(random)));
  }
  return CLIP_OK;
}
static clip_status moments_apply(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random, clip_plugin_error *error) {
  (void)instance, (void)text, (void)size, (void)error;
  enum { N = 40000 };
  double sum = 0, squares = 0, lowest = 1, highest = 0, chi = 0, third = 0, counts[7] = {0};
  for (int i = 0; i < N; i++) {
    double x = random->normal(random), u = random->uniform(random);
    sum += x, squares += x * x;
    lowest = fmin(lowest, u), highest = fmax(highest, u);
    counts[random->below(random, 7)]++;
    third += random->below(random, 3u << 30) < 1u << 30;
  }
  for (int i = 0; i < 7; i++) chi += pow(counts[i] - N / 7.0, 2) / (N / 7.0);
  if (random->below(random, 0) != 0 || random->below(random, 1) != 0) chi = 1e9;
  char words[200];
  double mean = sum / N;
  out->append(out, words, (size_t)snprintf(words, sizeof words, "%.9g %.9g %.9g %.9g %.9g %.9g", mean, sqrt(squares / N - mean * mean), lowest, highest, chi, third / N));
  return CLIP_OK;
}
static const clip_augmentation bits = {
    .struct_size = sizeof bits, .id = "test.augment.bits", .op = "bits", .description = "Random bits", .apply_text = bits_apply};
static const clip_augmentation moments = {
    .struct_size = sizeof moments, .id = "test.augment.moments", .op = "moments", .description = "Moments", .apply_text = moments_apply};

static clip_status refuses_create(const clip_augmentation *self, const clip_settings *settings, void **instance, clip_plugin_error *error) {
  (void)self, (void)settings, (void)instance;
  snprintf(error->message, error->capacity, "not today");
  return CLIP_UNSUPPORTED;
}
static clip_status asks_create(const clip_augmentation *self, const clip_settings *settings, void **instance, clip_plugin_error *error) {
  (void)self, (void)error;
  *instance = keep(settings->number(settings, "undeclared") == 0 ? "" : "?");
  return CLIP_OK;
}
static const clip_augmentation refuses = {
    .struct_size = sizeof refuses, .id = "test.augment.refuses", .op = "refuses", .description = "Is never made",
    .create = refuses_create, .apply_text = bits_apply};
static const clip_augmentation asks = {
    .struct_size = sizeof asks, .id = "test.augment.asks", .op = "asks", .description = "Asks for what it did not declare",
    .create = asks_create, .destroy = drop, .apply_text = bits_apply};

/* "image": a copy, noise, or a rejected result. RGB only. */
static clip_status image_apply(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random, clip_plugin_error *error) {
  (void)error;
  const char *mode = instance;
  size_t stride = 0;
  if (!strcmp(mode, "nothing")) return CLIP_OK;
  if (!strcmp(mode, "zero")) return out->allocate(out, 0, 5, CLIP_PIXELS_RGB, &stride) ? CLIP_OK : CLIP_INVALID_ARGUMENT;
  if (!strcmp(mode, "huge")) return out->allocate(out, 1 << 16, 1 << 16, CLIP_PIXELS_RGB, &stride) ? CLIP_OK : CLIP_INVALID_ARGUMENT;
  if (!strcmp(mode, "format")) return out->allocate(out, 1, 1, (clip_pixel_format)9, &stride) ? CLIP_OK : CLIP_INVALID_ARGUMENT;
  uint8_t *pixels = out->allocate(out, in->width, in->height, in->format, &stride);
  if (!pixels || in->format != CLIP_PIXELS_RGB) return CLIP_PLUGIN;
  for (uint32_t y = 0; y < in->height; y++)
    for (uint32_t x = 0; x < in->width * 3; x++)
      pixels[y * stride + x] = in->pixels[y * in->stride + x] ^ (strcmp(mode, "noise") ? 0 : (uint8_t)random->bits(random));
  if (!strcmp(mode, "twice")) out->allocate(out, 1, 1, CLIP_PIXELS_RGB, &stride);
  return CLIP_OK;
}
static const clip_augmentation image_op = {
    .struct_size = sizeof image_op, .formats = 1u << CLIP_PIXELS_RGB, .id = "test.augment.image", .op = "image", .description = "Images",
    .settings = marks_settings + 5, .setting_count = 1, .create = text_create, .destroy = drop, .apply_image = image_apply};

static const clip_plugin_item marks_items[] = {
    {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &marks}, {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &say},
    {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &bad}, {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &bits},
    {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &moments}, {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &refuses},
    {.kind = CLIP_KIND_TEXT_AUGMENTATION, .table = &asks}, {.kind = CLIP_KIND_IMAGE_AUGMENTATION, .table = &image_op},
};
static const clip_plugin marks_plugin = {
    .struct_size = sizeof marks_plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.marks", .version = "1.0.0",
    .license = "Apache-2.0", .items = marks_items, .item_count = sizeof marks_items / sizeof *marks_items};
static const clip_plugin *marks_entry(void) { return &marks_plugin; }

#endif
