/* Manifests, which make ops of functions of other libraries.
 *
 *   foreign_test MODEL MANIFESTS
 *
 * MODEL is for the encoder of plugins/grey.h; MANIFESTS is the folder Tests/Fixtures/manifests.
 */
#define _GNU_SOURCE
#include "augment.h"
#include "op_model.h"

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
  free(got), clip_pipeline_release(p);

  p = pipeline("[{\"op\": \"yuv_rotate_90\"}]");
  got = image(p, &in, 0, 0, &view);
  CHECK(got && view.width == H && view.height == W);
  for (int y = 0; got && y < W; y++)
    for (int x = 0; x < H; x++) wrong += memcmp(got + (y * H + x) * 4, rgba + ((H - 1 - x) * W + y) * 4, 4) != 0;
  free(got), clip_pipeline_release(p);

  p = pipeline("[{\"op\": \"yuv_scale\", \"width\": 10, \"height\": 6, \"filter\": \"none\"}]");
  got = image(p, &in, 0, 0, &view);
  CHECK(got && view.width == 2 * W && view.height == 2 * H);
  for (int y = 0; got && y < 2 * H; y++)
    for (int x = 0; x < 2 * W; x++) wrong += memcmp(got + (y * 2 * W + x) * 4, rgba + (y / 2 * W + x / 2) * 4, 4) != 0;
  free(got), clip_pipeline_release(p);

  /* Red and blue are exchanged, then halved: in 64ths, blue first. */
  p = pipeline("[{\"op\": \"yuv_color_matrix\", \"matrix\": [0, 0, 32, 0, 0, 32, 0, 0, 32, 0, 0, 0, 0, 0, 0, 64]}]");
  got = image(p, &in, 0, 0, &view);
  for (int i = 0; got && i < W * H; i++)
    for (int channel = 0; channel < 3; channel++) wrong += got[i * 4 + channel] != rgba[i * 4 + 2 - channel] * 32 / 64;
  CHECK(got != NULL);
  free(got), clip_pipeline_release(p);

  /* In place: in the first rows all three channels become equal; other rows and the caller's pixels are unchanged. */
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
  clip_pipeline_release(p);
  CHECK(wrong == 0);
  CHECK(refused("[{\"op\": \"yuv_scale\", \"width\": 0}]", CLIP_INVALID_ARGUMENT, "from 1 to 4096"));
  p = pipeline("[{\"op\": \"yuv_gray_rows\", \"rows\": 16, \"p\": 1}]");
  CHECK(p != NULL);
  clip_pipeline_release(p);
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

/* How many items there are, and facts of one of them. */
typedef struct {
  size_t count, wanted;
  char path[300], license[100];
  clip_plugin_kind kind;
} listing;

static int list(void *user, const clip_plugin_info *info) {
  listing *l = user;
  if (l->count++ != l->wanted) return 0;
  snprintf(l->path, sizeof l->path, "%s", info->path), snprintf(l->license, sizeof l->license, "%s", info->license);
  l->kind = info->kind;
  return 0;
}

static size_t item_count(void) {
  listing l = {.wanted = SIZE_MAX};
  CHECK(clip_plugins_visit(runtime, list, &l) == CLIP_OK);
  return l.count;
}

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
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [{\"type\": \"float\"}]}]}", "arguments[0].bind: expected one of x, input, output, count, setting or constant, found nothing"},
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
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"float\", \"bind\": \"setting\", \"setting\": \"k\"}]}]}", "a setting that is declared (none), found \"k\""},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"settings\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 1, \"low\": 0, \"high\": 2}]}]}", "k is bound to nothing"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"uint8\", \"bind\": \"setting\", \"setting\": \"k\"}], \"settings\": [{\"name\": \"k\", \"type\": \"integer\", \"default\": 1, \"low\": 0, \"high\": 256}]}]}", "a type for what k may be, integers from 0 to 256"},
      {LIBM MAP "\"symbol\": \"powf\", \"result\": \"float\", \"arguments\": [" X ", {\"type\": \"int\", \"bind\": \"setting\", \"setting\": \"k\"}], \"settings\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 1, \"low\": 0, \"high\": 2}]}]}", "numbers from 0 to 2"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"settings\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 3, \"low\": 0, \"high\": 2}]}]}", "settings[0].default: expected a number in the range, found 3"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"settings\": [{\"name\": \"k\", \"type\": \"number\", \"default\": 3}]}]}", "low: expected"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"settings\": [{\"name\": \"p\", \"type\": \"boolean\", \"default\": true}]}]}", "settings[0].name"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "], \"settings\": [{\"name\": \"k\", \"type\": \"boolean\", \"default\": true}, {\"name\": \"k\", \"type\": \"boolean\", \"default\": true}]}]}", "settings[1].name: expected a name that no other setting has"},
      {LIBM MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "]}, " MAP "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": [" X "]}]}", "functions[1].id: expected a name that no other function has"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"float\", \"arguments\": []}]}", "one argument bound to pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [{\"type\": \"int\", \"bind\": \"pixels\"}]}]}", "type: expected pointer for pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"pointer\", \"bind\": \"width\"}]}]}", "a type of numbers for width"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"pixels\": \"hsv\", \"arguments\": [" PIXELS "]}]}", "pixels: expected rgb, rgba, bgr, bgra or gray, found \"hsv\""},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"output\": {\"width\": 3}, \"arguments\": [" PIXELS "]}]}", "bound to out_pixels"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"int\", \"bind\": \"random\", \"low\": 0}]}]}", "high: expected a number or a setting"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"uint8\", \"bind\": \"random\", \"low\": 0, \"high\": 300}]}]}", "high: expected a number that fits the type"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"arguments\": [" PIXELS ", {\"type\": \"pointer\", \"bind\": \"constant\", \"value\": [1]}]}]}", "element: expected the type of the numbers"},
      {LIBM IMAGE "\"symbol\": \"tanhf\", \"result\": \"void\", \"probability\": 2, \"arguments\": [" PIXELS "]}]}", "probability: expected a number from 0"},
  };
  char folder[] = "/tmp/clipcore-foreign-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/bad.ffi.json", folder);
  size_t count = item_count();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(bad[i].json, file) >= 0);
    if (file) fclose(file);
    clip_status status = clip_plugin_load(runtime, path);
    if (!strstr(clip_last_error(), bad[i].words)) printf("  wanted \"%s\" of %s\n", bad[i].words, bad[i].json);
    CHECK(status != CLIP_OK && strstr(clip_last_error(), bad[i].words) && strstr(clip_last_error(), "bad.ffi.json"));
  }
  CHECK(item_count() == count);
  remove(path), remove(folder);

  /* The whole folder, and a reload of one manifest. */
  CHECK(clip_plugin_load(runtime, given) == CLIP_OK && item_count() == count + 9);
  listing found = {.wanted = count};
  CHECK(clip_plugins_visit(runtime, list, &found) == CLIP_OK && strstr(found.path, "libm.ffi.json") && found.kind == CLIP_KIND_OP);
  CHECK(!strcmp(found.license, "LGPL-2.1-or-later"));
  CHECK(clip_plugin_reload(runtime, "test.libm") == CLIP_OK && item_count() == count + 9);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: foreign_test MODEL MANIFESTS\n"), 2;
  make_runtime();
  manifests(argv[2]);
  libyuv();
  maps(argv[1]);
  same_on_threads("[{\"one_of\": [{\"op\": \"yuv_mirror\"}, {\"op\": \"yuv_gray_rows\", \"rows\": 9}]}]", "[]");
  clip_runtime_release(runtime);
  return checks_report();
}
