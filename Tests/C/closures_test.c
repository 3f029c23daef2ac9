/* Closures: C functions made at run time.
 *
 *   closures_test MODEL
 *
 * MODEL is for the encoder of plugins/grey.h.
 */
#define _GNU_SOURCE
#include "augment.h"
#include "op_model.h"

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

/* The parallel loop and the log are closures, as in a language whose functions carry no data. */
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

/* Whether a tool delays the release of memory; such a tool finds leaks itself. */
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
  clip_closure_release(a), clip_closure_release(b);

  int factors[2] = {-1, 3};
  a = closure("int8(int8)", (clip_function)narrow, &factors[0]), b = closure("int8(int8)", (clip_function)narrow, &factors[1]);
  CHECK(((int8_t(*)(int8_t))clip_closure_function(a))(100) == -100 && ((int8_t(*)(int8_t))clip_closure_function(b))(5) == 15);
  clip_closure_release(a), clip_closure_release(b);

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
  clip_closure_release(a), clip_closure_release(b);

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
  free(got), clip_pipeline_release(p);
  CHECK(clip_plugin_unload(runtime, "test.closed") == CLIP_OK);
  clip_closure_release(a), clip_closure_release(b);

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
  clip_closure_release(NULL);

  /* Releasing closures leaks nothing. */
  long before = 0;
  for (int i = 0; i < 6000; i++) {
    if (i == 1000) before = resident();
    clip_closure *made = NULL;
    if (clip_closure_create("int8(int8)", (clip_function)narrow, &factors[0], &made) != CLIP_OK) break;
    clip_closure_release(made);
  }
  CHECK(before > 0 && (is_watched() || resident() - before < 256));
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: closures_test MODEL\n"), 2;
  make_runtime();
  closures(argv[1]);
  clip_runtime_release(runtime);
  return checks_report();
}
