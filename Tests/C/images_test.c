/* Images as cameras make them: orientation, every format, decoding at a fraction of the size, damaged files.
 *
 *   images_test MODEL FIXTURES
 *
 * FIXTURES is Tests/Fixtures/photos: Benchmarks/photos.py says how its files were made.
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { WIDTH = 128 }; /* at most */

static clip_runtime *runtime;
static clip_model *model;
static const char *folder;

static clip_image *load(const char *name, clip_image_options options) {
  char path[600];
  clip_image *image = NULL;
  options.struct_size = sizeof options;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  CHECK(clip_image_load(runtime, path, &options, &image) == CLIP_OK);
  return image;
}

static clip_image_view view_of(const clip_image *image) {
  clip_image_view view = {0};
  CHECK(clip_image_get_view(image, &view) == CLIP_OK);
  return view;
}

static void embed(const char *name, clip_image_options options, float *embedding) {
  clip_image *image = load(name, options);
  memset(embedding, 0, WIDTH * sizeof *embedding);
  if (!image) return;
  clip_image_view view = view_of(image);
  CHECK(clip_encode_image(model, &view, 1, NULL, embedding, WIDTH) == CLIP_OK);
  clip_image_release(image);
}

static double cosine(const float *a, const float *b) {
  double sum = 0;
  for (int i = 0; i < WIDTH; i++) sum += (double)a[i] * b[i];
  return sum;
}

static const clip_image_options plain = {.flags = 0};

/* Pixels that are stored in an orientation (EXIF 2.32, 4.6.5.1.7), upright. */
static void embed_turned(const char *name, int orientation, float *embedding) {
  clip_image *image = load(name, (clip_image_options){.flags = CLIP_IMAGE_AS_STORED});
  clip_image_view stored = view_of(image);
  uint32_t channels = stored.format == CLIP_PIXELS_GRAY ? 1 : stored.format == CLIP_PIXELS_RGBA ? 4 : 3;
  uint32_t width = orientation < 5 ? stored.width : stored.height, height = orientation < 5 ? stored.height : stored.width;
  memset(embedding, 0, WIDTH * sizeof *embedding);
  uint8_t *pixels = malloc((size_t)width * height * channels);
  if (!pixels) abort();
  for (uint32_t y = 0; y < height; y++) {
    for (uint32_t x = 0; x < width; x++) {
      uint32_t column = orientation < 5 ? x : y, row = orientation < 5 ? y : x;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) column = stored.width - 1 - column;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) row = stored.height - 1 - row;
      memcpy(pixels + ((size_t)y * width + x) * channels, stored.pixels + row * stored.stride + column * channels, channels);
    }
  }
  clip_image_view view = {.pixels = pixels, .width = width, .height = height, .format = stored.format};
  CHECK(clip_encode_image(model, &view, 1, NULL, embedding, WIDTH) == CLIP_OK);
  free(pixels);
  clip_image_release(image);
}

/* All eight orientations of each format that notes them: the bits of the upright image. */
static void check_orientations(void) {
  static const char *const lossless[] = {"png", "webp", "tiff"};
  float upright[WIDTH], turned[WIDTH], stored[WIDTH], copied[WIDTH];
  embed("upright.png", plain, upright);
  for (int orientation = 1; orientation <= 8; orientation++) {
    char name[64];
    for (int i = 0; i < 3; i++) {
      snprintf(name, sizeof name, "o%d.%s", orientation, lossless[i]);
      embed(name, plain, turned);
      CHECK(memcmp(upright, turned, sizeof upright) == 0);
      embed(name, (clip_image_options){.flags = CLIP_IMAGE_AS_STORED}, stored);
      CHECK((memcmp(upright, stored, sizeof upright) == 0) == (orientation == 1));
      embed_turned(name, orientation, copied);
      CHECK(memcmp(turned, copied, sizeof turned) == 0);
      clip_image *image = load(name, plain);
      CHECK(view_of(image).orientation == (uint32_t)orientation);
      clip_image_release(image);
    }
    snprintf(name, sizeof name, "o%d.jpg", orientation);
    embed(name, plain, turned);
    CHECK(cosine(upright, turned) >= 0.999);
    embed_turned(name, orientation, copied);
    CHECK(memcmp(turned, copied, sizeof turned) == 0);
    /* Its container turns a HEIC. */
    if (orientation > 1) snprintf(name, sizeof name, "o%d.heic", orientation);
    embed(orientation > 1 ? name : "photo.heic", plain, turned);
    if (cosine(upright, turned) < 0.999) printf("%s: %f\n", name, cosine(upright, turned));
    CHECK(cosine(upright, turned) >= 0.999);
  }
  clip_image_view bad = {.pixels = (const uint8_t *)"abc", .width = 1, .height = 1, .format = CLIP_PIXELS_RGB, .orientation = 9};
  CHECK(clip_encode_image(model, &bad, 1, NULL, turned, WIDTH) == CLIP_INVALID_ARGUMENT);
}

/* Each other format; bounds are what its compression loses. */
static void check_formats(void) {
  static const struct {
    const char *name;
    double bound;
  } formats[] = {{"rgb.bmp", 1},      {"rgba.bmp", 1},    {"palette.bmp", 0.99}, {"runs.bmp", 0.99}, {"rgb565.bmp", 0.999},
                 {"palette.gif", 0.99}, {"rgba.tiff", 1}, {"jpeg.tiff", 0.999}, {"cmyk.tiff", 0.999}, {"photo.avif", 0.999},
                 {"photo.heic", 0.999}, {"photo.jxl", 0.999}};
  float upright[WIDTH], other[WIDTH];
  embed("upright.png", plain, upright);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    embed(formats[i].name, plain, other);
    if (cosine(upright, other) < formats[i].bound - 1e-6) printf("%s: %f\n", formats[i].name, cosine(upright, other));
    CHECK(cosine(upright, other) >= formats[i].bound - 1e-6);
  }
  float palette[WIDTH];
  embed("palette.bmp", plain, palette);
  embed("runs.bmp", plain, other);
  CHECK(memcmp(palette, other, sizeof other) == 0);
  embed("palette.gif", plain, other);
  CHECK(memcmp(palette, other, sizeof other) == 0);
  char endings[512];
  size_t length = clip_image_endings(runtime, endings, sizeof endings);
  CHECK(length == strlen(endings) && strstr(endings, "jpg") && strstr(endings, "heic") && strstr(endings, "jxl"));
  CHECK(clip_image_endings(runtime, NULL, 0) == length);
}

static void check_shrinking(void) {
  static const char *const names[] = {"large.jpg", "large.webp"};
  for (int i = 0; i < 2; i++) {
    float full[WIDTH], small[WIDTH];
    embed(names[i], plain, full);
    embed(names[i], (clip_image_options){.smaller_side = 192}, small);
    if (cosine(full, small) < 0.9995) printf("%s: %f\n", names[i], cosine(full, small));
    CHECK(cosine(full, small) >= 0.9995);
    clip_image *exact = load(names[i], plain), *image = load(names[i], (clip_image_options){.smaller_side = 192});
    clip_image_view view = view_of(image), whole = view_of(exact);
    CHECK(view.width == (whole.width + 1) / 2 && view.height == (whole.height + 1) / 2);
    clip_image_release(image);
    image = load(names[i], (clip_image_options){.smaller_side = whole.height + 1});
    CHECK(view_of(image).width == whole.width);
    clip_image_release(image);
    clip_image_release(exact);
  }
}

/* Cut at each tenth: an error, unless lenient; what is kept are the first rows of the whole image. */
static void check_damage(void) {
  static const char *const names[] = {"upright.png", "o1.jpg", "o1.webp", "rgb.bmp", "palette.gif"};
  for (int i = 0; i < 5; i++) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    FILE *file = fopen(path, "rb");
    if (!file) abort();
    static unsigned char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    clip_image *whole = load(names[i], plain), *image = NULL;
    clip_image_view expected = view_of(whole);
    for (int tenth = 5; tenth < 10; tenth++) {
      size_t cut = size * (size_t)tenth / 10;
      CHECK(clip_image_decode(runtime, bytes, cut, NULL, &image) == CLIP_FORMAT);
      clip_image_options lenient = {.struct_size = sizeof lenient, .flags = CLIP_IMAGE_LENIENT};
      clip_status status = clip_image_decode(runtime, bytes, cut, &lenient, &image);
      CHECK(status == CLIP_OK);
      if (status != CLIP_OK) continue;
      clip_image_view view = view_of(image);
      CHECK(view.width == expected.width && view.height == expected.height);
      const uint8_t *row = view.pixels, *same = expected.pixels;
      if (i == 3) row += (view.height - 1) * view.stride, same += (view.height - 1) * view.stride; /* from the bottom */
      CHECK(memcmp(row, same, view.width) == 0);
      clip_image_release(image);
    }
    clip_image_release(whole);
  }
  clip_image *image = NULL;
  /* Formats that keep their directory at the end, or that are read as a whole. */
  static const char *const others[] = {"o1.tiff", "o2.tiff", "o3.tiff", "o4.tiff", "jpeg.tiff", "rgba.tiff", "photo.heic",
                                       "photo.avif", "photo.jxl", "runs.bmp"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char path[600];
    static unsigned char bytes[1 << 20];
    snprintf(path, sizeof path, "%s/%s", folder, others[i]);
    FILE *file = fopen(path, "rb");
    if (!file) abort();
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    clip_image *exact = load(others[i], plain);
    for (int tenth = 0; tenth < 10; tenth++) {
      /* In memory of its own, so that a read behind the end is seen. */
      size_t cut = size * (size_t)tenth / 10 + 16;
      unsigned char *copy = malloc(cut);
      if (!copy) abort();
      memcpy(copy, bytes, cut);
      clip_status status = clip_image_decode(runtime, copy, cut, NULL, &image);
      if (status == CLIP_OK) { /* what is missing belongs to no pixel */
        clip_image_view whole = view_of(exact), view = view_of(image);
        bool same = memcmp(whole.pixels, view.pixels, view.stride * view.height) == 0;
        if (!same) printf("%s at %zu of %zu\n", others[i], cut, size);
        CHECK(same);
        clip_image_release(image);
      } else {
        CHECK(status == CLIP_FORMAT || (tenth == 0 && status == CLIP_UNSUPPORTED));
      }
      free(copy);
    }
    clip_image_release(exact);
  }
  clip_image_options unknown = {.struct_size = sizeof unknown, .flags = 4};
  CHECK(clip_image_decode(runtime, "x", 1, &unknown, &image) != CLIP_OK);
}

/* Files that say one size and hold another: an error, without the memory or the time of the other. */
static void check_bombs(void) {
  static unsigned char bytes[1 << 16];
  char path[600];
  clip_image *image = NULL;
  /* A HEIC's grid of 30000 x 30000 pixels in an image of 66 x 44 (its idat: version, flags, rows, columns, sides). */
  snprintf(path, sizeof path, "%s/photo.heic", folder);
  FILE *file = fopen(path, "rb");
  if (!file) abort();
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  unsigned char *grid = memmem(bytes, size, "idat", 4);
  CHECK(grid && memcmp(grid + 8, "\0\102\0\054", 4) == 0);
  if (grid) memcpy(grid + 8, "\165\060\165\060", 4);
  CHECK(clip_image_decode(runtime, bytes, size, NULL, &image) != CLIP_OK);
  /* A GIF's frame of 65535 x 65535 on a canvas of 66 x 44. */
  snprintf(path, sizeof path, "%s/palette.gif", folder);
  file = fopen(path, "rb");
  if (!file) abort();
  size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  unsigned char *frame = bytes + 13 + 3 * (2u << (bytes[10] & 7));
  CHECK(*frame == ',');
  memset(frame + 5, 0xff, 4);
  CHECK(clip_image_decode(runtime, bytes, size, NULL, &image) == CLIP_LIMIT);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  folder = arguments[2];
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, arguments[1], NULL, &model) == CLIP_OK);
  check_orientations();
  check_formats();
  check_shrinking();
  check_damage();
  check_bombs();
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
