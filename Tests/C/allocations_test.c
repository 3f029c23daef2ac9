/* allocations_test MODEL IMAGE: a warm encode call allocates nothing on the heap. The functions below replace those of
 * libc and count every allocation of the process. */
#include <clip.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_size_t allocations;

void *malloc(size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_calloc(count, size);
}
void *realloc(void *block, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_realloc(block, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
  atomic_fetch_add(&allocations, 1);
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}

enum { ITEMS = 3 };

typedef struct inputs {
  clip_model *model;
  clip_image_view views[ITEMS];
  const char *texts[ITEMS];
  float *pixels, *embeddings;
  size_t capacity;
  int32_t *tokens;
} inputs;

static clip_status encode_image(inputs *in) {
  return clip_encode_image(in->model, in->views, ITEMS, NULL, in->embeddings, in->capacity);
}
static clip_status encode_pixels(inputs *in) {
  return clip_encode_pixels(in->model, in->pixels, ITEMS, NULL, in->embeddings, in->capacity);
}
static clip_status encode_tokens(inputs *in) {
  return clip_encode_tokens(in->model, in->tokens, ITEMS, NULL, in->embeddings, in->capacity);
}
static clip_status encode_text(inputs *in) {
  return clip_encode_text(in->model, in->texts, ITEMS, NULL, in->embeddings, in->capacity);
}

static void count(const char *what, uint32_t threads, inputs *in, clip_status (*call)(inputs *)) {
  for (int warm = 0; warm < 3; warm++) CHECK(call(in) == CLIP_OK);
  size_t before = atomic_load(&allocations);
  for (int run = 0; run < 5; run++) CHECK(call(in) == CLIP_OK);
  size_t after = atomic_load(&allocations);
  CHECK(after == before);
  if (after != before) printf("%s, %u threads: %zu allocations in 5 warm calls\n", what, threads, after - before);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t start = atomic_load(&allocations);
  for (uint32_t threads = 1; threads <= 4; threads++) {
    clip_runtime_options options = {.struct_size = sizeof options, .threads = threads};
    clip_runtime *runtime = NULL;
    inputs in = {0};
    clip_image *image = NULL;
    clip_model_info info = {.struct_size = sizeof info};
    CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
    CHECK(clip_model_open(runtime, argv[1], NULL, &in.model) == CLIP_OK);
    CHECK(clip_model_describe(in.model, &info) == CLIP_OK);
    CHECK(clip_image_load(runtime, argv[2], NULL, &image) == CLIP_OK);
    for (int i = 0; i < ITEMS; i++) CHECK(clip_image_get_view(image, &in.views[i]) == CLIP_OK);
    in.texts[0] = "a photo of a cat";
    in.texts[1] = "Une photo d'un \xc3\xa9l\xc3\xa9phant, \xe7\x8c\xab and more words than that";
    in.texts[2] = "dog";
    size_t pixels = (size_t)ITEMS * 3 * info.image_width * info.image_height;
    size_t tokens = (size_t)ITEMS * info.context_length;
    in.capacity = (size_t)ITEMS * info.embedding_width;
    in.pixels = malloc(sizeof(float) * pixels);
    in.embeddings = malloc(sizeof(float) * in.capacity);
    in.tokens = malloc(sizeof(int32_t) * tokens);
    CHECK(clip_preprocess(in.model, in.views, ITEMS, NULL, in.pixels, pixels) == CLIP_OK);
    CHECK(clip_tokenize(in.model, in.texts, ITEMS, NULL, in.tokens, tokens, NULL, 0) == CLIP_OK);

    count("clip_encode_image", threads, &in, encode_image);
    count("clip_encode_pixels", threads, &in, encode_pixels);
    count("clip_encode_tokens", threads, &in, encode_tokens);
    count("clip_encode_text", threads, &in, encode_text);

    free(in.pixels);
    free(in.embeddings);
    free(in.tokens);
    clip_image_release(image);
    clip_model_release(in.model);
    clip_runtime_release(runtime);
  }
  CHECK(atomic_load(&allocations) > start);
  return checks_report();
}
