/* Two augmentations and a tokenizer with one fault, numbered FAULT, which `clip plugins check` must find. 50: no fault. */
#define _GNU_SOURCE
#include "../../Include/clip_plugin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned calls;
static const char *kept;
static volatile unsigned shared;

static clip_status say(clip_plugin_error *error, clip_status status, const char *words) {
  if (error->capacity > 0) snprintf(error->message, error->capacity, "%s", words);
  return status;
}

/* ---------------------------------------------------------------- blends an image with its negative */

static clip_status create(const clip_augmentation *self, const clip_settings *settings, void **instance, clip_plugin_error *error) {
  double *made = malloc(2 * sizeof *made);
  if (made == NULL || self == NULL) return say(error, CLIP_OUT_OF_MEMORY, "no memory");
  made[0] = settings->number(settings, "strength");
  made[1] = 0;
  if (FAULT == 60) settings->number(settings, "amount");
  if (FAULT == 61) settings->text(settings, "strength");
  if (FAULT == 62 && made[0] == 1) made[0] = 100 / (int)(made[0] - 1);
  if (FAULT == 75) kept = settings->text(settings, "word");
  if (FAULT == 63) return free(made), CLIP_INVALID_ARGUMENT;
  *instance = made;
  return CLIP_OK;
}

static void destroy(void *instance) {
  if (FAULT != 59) free(instance);
}

static clip_status apply_image(void *instance, const clip_image_view *in, clip_image_sink *out, clip_random *random,
                               clip_plugin_error *error) {
  double *strength = instance;
  if (FAULT == 75 && kept[0] == 'x') return CLIP_OK; /* no longer valid: create has returned */
  size_t stride = 0, bytes = in->width * (in->format == CLIP_PIXELS_GRAY ? 1u : 3u);
  if (FAULT == 64 && in->height == 1) bytes = bytes / (in->width - 1) * (in->width - 1);
  if (FAULT == 65) return CLIP_PLUGIN;
  if (FAULT == 66) return say(error, CLIP_PLUGIN, "not today");
  if (FAULT == 67) out->allocate(out, 0, in->height, in->format, &stride);
  uint8_t *pixels = out->allocate(out, in->width, in->height, in->format, &stride);
  if (FAULT == 68) out->allocate(out, in->width, in->height, in->format, &stride);
  if (pixels == NULL) return FAULT == 69 ? CLIP_OK : CLIP_PLUGIN;
  double amount = strength[0] * random->uniform(random);
  if (FAULT == 56) amount = (double)(++calls % 5) / 5;
  if (FAULT == 57) amount *= 1 / (1 + strength[1]++ / 8);
  if (FAULT == 58) shared = (unsigned)(amount * 1000), usleep(50), amount = shared / 1000.0;
  for (uint32_t y = 0; y < in->height; y++)
    for (size_t x = 0; x < bytes; x++) {
      int from = in->pixels[y * in->stride + x];
      pixels[y * stride + x] = (uint8_t)(from + amount * (255 - 2 * from) + 0.5);
      if (FAULT == 55 && y == in->height / 2 && x == bytes / 2) pixels[y * stride + x] = pixels[y * stride + x - (x > 0)] + 1, x++;
    }
  if (FAULT == 51 && in->height > 1) pixels[bytes] = 1;
  if (FAULT == 52) pixels[(in->height - 1) * stride + bytes] = 1;
  if (FAULT == 53) pixels[0] = in->pixels[(in->height - 1) * in->stride + bytes];
  if (FAULT == 54) ((uint8_t *)(uintptr_t)in->pixels)[0] ^= 1;
  return CLIP_OK;
}

/* ---------------------------------------------------------------- random case of characters */

static clip_status apply_text(void *instance, const char *text, size_t size, clip_text_sink *out, clip_random *random,
                              clip_plugin_error *error) {
  (void)instance, (void)error;
  if (FAULT == 73) size += 3;
  if (FAULT == 70 && size > 2) size--; /* cuts a character in two */
  for (size_t i = 0; i < size; i++) {
    char letter = text[i], flip = FAULT == 71 ? (char)(++calls % 2) : (char)random->below(random, 2);
    if (flip && ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) letter ^= 32;
    if (!out->append(out, &letter, 1)) return FAULT == 72 ? CLIP_OK : CLIP_LIMIT;
  }
  return CLIP_OK;
}

/* ---------------------------------------------------------------- one token for each byte; the file is "toy" and a byte, the number of tokens */

typedef struct toy { uint32_t tokens, context; } toy;

static clip_status open_model(const clip_tokenizer_model *model, void **tokenizer, clip_plugin_error *error) {
  const uint8_t *data;
  size_t size;
  clip_status status = model->file(model, "model.toy", &data, &size, error);
  if (status != CLIP_OK) return say(error, status, "expected model.toy");
  if (FAULT == 85 && data[size] == 0) return say(error, CLIP_FORMAT, "ends with 0");
  if (FAULT == 86 && (size < 4 || memcmp(data, "toy", 3))) return CLIP_FORMAT;
  if (size < 4 || memcmp(data, "toy", 3) || data[3] == 0) return say(error, CLIP_FORMAT, "expected a toy");
  if (data[3] > model->vocabulary_size) return say(error, CLIP_MISMATCH, "too many tokens");
  toy *made = malloc(FAULT == 88 ? 100000 : sizeof *made);
  if (made == NULL) return say(error, CLIP_OUT_OF_MEMORY, "no memory");
  if (FAULT == 88) memset(made, 1, 100000);
  *made = (toy){data[3], model->context_length};
  *tokenizer = made;
  return CLIP_OK;
}

static clip_status encode(const void *tokenizer, const char *text, size_t size, uint32_t flags, int32_t *row, size_t *count,
                          clip_plugin_error *error) {
  toy t = *(const toy *)tokenizer;
  unsigned shift = 0;
  if (FAULT == 87 && size > 0) shared = (uint8_t)text[0], usleep(50), shift = shared - (uint8_t)text[0];
  if (FAULT != 84 && size > t.context && !(flags & CLIP_TEXT_TRUNCATE)) return say(error, CLIP_LIMIT, "too long");
  for (size_t i = 0; i < t.context || (FAULT == 82 && i < size); i++)
    row[i] = i >= size ? 0 : (int32_t)(((uint8_t)text[i] + shift) % t.tokens) + (FAULT == 81 ? 1 : 0) + (FAULT == 89 ? (int32_t)(++calls % 2) - (int32_t)t.tokens : 0);
  *count = FAULT != 83 && size > t.context ? t.context : size;
  return CLIP_OK;
}

static void close_model(void *tokenizer) {
  if (FAULT != 88) free(tokenizer);
}

static const clip_setting_info settings[] = {
  {.name = "strength", .description = "the most", .type = CLIP_SETTING_NUMBER, .low = 0, .high = 1, .number = 0.5},
  {.name = "word", .description = "of no use", .type = CLIP_SETTING_TEXT, .text = "word"}};
static const clip_augmentation image = {
  .struct_size = sizeof image, .formats = 1u << CLIP_PIXELS_RGB | 1u << CLIP_PIXELS_GRAY, .id = "test.augment.image",
  .op = "test_image", .description = "towards the negative", .settings = settings, .setting_count = 2,
  .create = create, .destroy = destroy, .apply_image = apply_image};
static const clip_augmentation text = {
  .struct_size = sizeof text, .id = "test.augment.text", .op = "test_text", .description = "random case",
  .apply_text = FAULT == 74 ? NULL : apply_text};
static const clip_tokenizer tokenizer = {
  .struct_size = sizeof tokenizer, .id = "test.tokenizer.toy", .description = "bytes", .open = open_model,
  .encode = encode, .close = FAULT == 80 ? NULL : close_model};
static const clip_plugin_item items[] = {
  {CLIP_KIND_IMAGE_AUGMENTATION, &image}, {CLIP_KIND_TEXT_AUGMENTATION, &text}, {CLIP_KIND_TOKENIZER, &tokenizer}};
static const clip_plugin plugin = {
  .struct_size = sizeof plugin, .abi_version = CLIP_PLUGIN_ABI_VERSION, .id = "test.faulty-data", .version = "1.0.0",
  .license = "Apache-2.0", .items = items, .item_count = 3};

const clip_plugin *clip_plugin_entry(void) { return &plugin; }
