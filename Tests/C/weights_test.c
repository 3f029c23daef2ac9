/* Weights in each form that the library reads, and PyTorch files that are malformed or malicious.
 *
 *   weights_test FIXTURES IMAGE FOLDER
 *
 * FIXTURES is Tests/Fixtures/weights, made by Benchmarks/zoo/weights.py; files are written to FOLDER.
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check.h"

enum { WIDTH = 16 };

static clip_runtime *runtime;
static clip_image *image;
static char fixtures[512], scratch[512];

/* The embedding of the image, or the status of what failed. */
static clip_status embed(const char *folder, float *embedding) {
  clip_model *model = NULL;
  clip_status status = clip_model_open(runtime, folder, NULL, &model);
  if (status != CLIP_OK) return status;
  clip_image_view view;
  status = clip_image_get_view(image, &view);
  if (status == CLIP_OK) status = clip_encode_image(model, &view, 1, NULL, embedding, WIDTH);
  clip_model_release(model);
  return status;
}

static void check_same(const char *form, const char *other) {
  char path[600];
  float a[WIDTH] = {0}, b[WIDTH] = {1};
  snprintf(path, sizeof path, "%s/%s", fixtures, form);
  CHECK(embed(path, a) == CLIP_OK);
  snprintf(path, sizeof path, "%s/%s", fixtures, other);
  CHECK(embed(path, b) == CLIP_OK);
  CHECK(memcmp(a, b, sizeof a) == 0);
}

static unsigned char *read_all(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) abort();
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*size);
  if (!bytes || fread(bytes, 1, *size, file) != *size) abort();
  fclose(file);
  return bytes;
}

/* Opens FOLDER with these bytes as its weights. */
static clip_status open_with(const void *bytes, size_t size) {
  char path[600];
  snprintf(path, sizeof path, "%s/pytorch_model.bin", scratch);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
  clip_model *model = NULL;
  clip_status status = clip_model_open(runtime, scratch, NULL, &model);
  if (status == CLIP_OK) clip_model_release(model);
  return status;
}

static void put16(unsigned char *at, unsigned value) { at[0] = value & 255, at[1] = value >> 8 & 255; }
static void put32(unsigned char *at, unsigned value) { put16(at, value & 65535), put16(at + 2, value >> 16); }

typedef struct zip {
  unsigned char bytes[1 << 16], directory[4096];
  size_t size, directory_size;
  unsigned count;
} zip;

/* Adds a stored entry. */
static void zip_add(zip *archive, const char *name, const void *data, size_t size) {
  unsigned length = (unsigned)strlen(name);
  unsigned char *local = archive->bytes + archive->size, *central = archive->directory + archive->directory_size;
  memset(local, 0, 30);
  memset(central, 0, 46);
  put32(local, 0x04034b50), put32(local + 18, (unsigned)size), put32(local + 22, (unsigned)size), put16(local + 26, length);
  put32(central, 0x02014b50), put32(central + 20, (unsigned)size), put32(central + 24, (unsigned)size);
  put16(central + 28, length), put32(central + 42, (unsigned)archive->size);
  memcpy(local + 30, name, length), memcpy(central + 46, name, length);
  memcpy(local + 30 + length, data, size);
  archive->size += 30 + length + size;
  archive->directory_size += 46 + length;
  archive->count++;
}

static void zip_end(zip *archive) {
  memcpy(archive->bytes + archive->size, archive->directory, archive->directory_size);
  unsigned char *end = archive->bytes + archive->size + archive->directory_size;
  memset(end, 0, 22);
  put32(end, 0x06054b50), put16(end + 8, archive->count), put16(end + 10, archive->count);
  put32(end + 12, (unsigned)archive->directory_size), put32(end + 16, (unsigned)archive->size);
  archive->size += archive->directory_size + 22;
}

static clip_status open_pickle(const void *pickle, size_t size) {
  static zip archive;
  memset(&archive, 0, sizeof archive);
  zip_add(&archive, "a/data.pkl", pickle, size);
  zip_add(&archive, "a/data/0", "0123456789abcdef", 16);
  zip_end(&archive);
  return open_with(archive.bytes, archive.size);
}

#define OPEN_PICKLE(literal) open_pickle(literal, sizeof(literal) - 1)
#define STORAGE "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" "0X\x03\0\0\0cpuK\x04tQ"
#define TENSOR(offset, shape, strides) \
  "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE offset shape strides "\x89" "ccollections\nOrderedDict\n)RtR"
#define DICT(value) "\x80\x02}X\x01\0\0\0w" value "s."

/* A tensor "w" alone fits no ViT: it is CLIP_MISMATCH once the file itself is read. */
static void check_tensors(void) {
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "K\x04\x85", "K\x01\x85"))) == CLIP_MISMATCH);
  CHECK(strstr(clip_last_error(), "w") != NULL);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x02", "K\x02\x85", "K\x01\x85"))) == CLIP_MISMATCH);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", ")", ")"))) == CLIP_MISMATCH);
  /* One element too many, by offset, shape and stride; products that overflow; negative sides. */
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x03", "K\x02\x85", "K\x01\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "K\x05\x85", "K\x01\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "K\x02\x85", "K\x04\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "K\x02\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\x01\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE(DICT(TENSOR("K\x00", "K\x02\x85", ")"))) == CLIP_FORMAT);
  CHECK(OPEN_PICKLE("\x80\x02}.") == CLIP_FORMAT);
}

/* Globals that are not on the list, called or not; the message names them. */
static void check_globals(void) {
  static const char *const names[] = {"os\nsystem\n", "posix\nsystem\n", "builtins\neval\n", "builtins\ngetattr\n", "__builtin__\nexec\n",
    "subprocess\nPopen\n", "torch\nload\n", "torch.hub\nload\n", "torch._utils\n_rebuild_tensor_v2x\n", "torch\nFloatStorage2\n",
    "torch._utils.\n_rebuild_tensor_v2\n", "numpy.core.multiarray\nscalar\n", "__torch__x\nN\n", "\n\n"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char pickle[256];
    int size = snprintf(pickle, sizeof pickle, "\x80\x02" "c%s(X%c", names[i], 4);
    memcpy(pickle + size, "\0\0\0true" "tR.", 10);
    CHECK(open_pickle(pickle, (size_t)size + 10) == CLIP_FORMAT);
    char name[64];
    snprintf(name, sizeof name, "%.*s.", (int)strcspn(names[i], "\n"), names[i]);
    CHECK(strstr(clip_last_error(), name) != NULL);
  }
  CHECK(OPEN_PICKLE("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.") == CLIP_FORMAT);
  CHECK(strstr(clip_last_error(), "os.system") != NULL);
}

/* Each opcode with nothing before it and with values before it; sizes beyond the end; depth; sharing without end. */
static void check_machine(void) {
  for (int opcode = 0; opcode < 256; opcode++) {
    char alone[] = {(char)0x80, 2, (char)opcode, '.'};
    CHECK(open_pickle(alone, sizeof alone) != CLIP_OK);
    char among[] = {(char)0x80, 2, '}', 'K', 1, '(', 'N', ']', ')', 'K', 0, (char)opcode, 0, 0, 0, 0, 0, 0, 0, 0, '.'};
    CHECK(open_pickle(among, sizeof among) != CLIP_OK);
    char long_field[] = {(char)0x80, 2, '}', (char)opcode, (char)0xff, (char)0xff, (char)0xff, (char)0xff, (char)0xff,
                         (char)0xff, (char)0xff, (char)0xff, '.'};
    CHECK(open_pickle(long_field, sizeof long_field) != CLIP_OK);
  }
  static char deep[40000];
  memset(deep, ']', sizeof deep); /* lists in lists, by appending each to the one before */
  memset(deep + 20000, 'a', 19999);
  deep[sizeof deep - 1] = '.';
  CHECK(open_pickle(deep, sizeof deep) == CLIP_FORMAT);
  memset(deep, ']', 20000);
  memset(deep + 20000, '\x85', 19999); /* tuples of tuples */
  CHECK(open_pickle(deep, sizeof deep) == CLIP_FORMAT);
  /* Each dictionary holds the one before twice: 2^40 paths. */
  char shared[1200] = "\x80\x02}q";
  size_t size = 4;
  shared[size++] = 0;
  for (int level = 1; level < 40; level++) {
    shared[size++] = '}';
    for (int key = 0; key < 2; key++) {
      memcpy(shared + size, "X\x01\0\0\0k", 6), size += 6;
      shared[size++] = 'h', shared[size++] = (char)(level - 1), shared[size++] = 's';
    }
    shared[size++] = 'q', shared[size++] = (char)level;
  }
  shared[size++] = '.';
  CHECK(open_pickle(shared, size) == CLIP_LIMIT);
  /* A dictionary that holds itself. */
  CHECK(OPEN_PICKLE("\x80\x02}q\x01X\x01\0\0\0kh\x01s.") == CLIP_LIMIT);
}

/* The archive around it: cut anywhere, every byte of the directory changed, names twice. */
static void check_archives(void) {
  char path[600];
  snprintf(path, sizeof path, "%s/zip/pytorch_model.bin", fixtures);
  size_t size;
  unsigned char *bytes = read_all(path, &size);
  CHECK(open_with(bytes, size) == CLIP_OK);
  for (size_t cut = 1; cut < size; cut += size / 97 + 1) CHECK(open_with(bytes, size - cut) != CLIP_OK);
  size_t from = size - 4000 > size ? 0 : size - 4000;
  int opened = 0;
  for (size_t at = from; at < size; at += 3) {
    unsigned char old = bytes[at];
    bytes[at] ^= 0x81;
    clip_status status = open_with(bytes, size);
    opened += status == CLIP_OK;
    CHECK(status >= CLIP_OK && status <= CLIP_PLUGIN);
    bytes[at] = old;
  }
  CHECK(opened > 0); /* dates and checksums do not count */
  free(bytes);

  static zip archive;
  memset(&archive, 0, sizeof archive);
  static const char pickle[] = DICT(TENSOR("K\x00", "K\x04\x85", "K\x01\x85"));
  zip_add(&archive, "a/data.pkl", pickle, sizeof pickle - 1);
  zip_add(&archive, "a/data/0", "0123456789abcdef", 16);
  zip_add(&archive, "a/data/0", "fedcba9876543210", 16);
  zip_end(&archive);
  CHECK(open_with(archive.bytes, archive.size) == CLIP_FORMAT);
  memset(&archive, 0, sizeof archive);
  zip_add(&archive, "a/data.pkl", pickle, sizeof pickle - 1);
  zip_add(&archive, "b/data.pkl", pickle, sizeof pickle - 1);
  zip_end(&archive);
  CHECK(open_with(archive.bytes, archive.size) == CLIP_FORMAT);
  memset(&archive, 0, sizeof archive);
  zip_add(&archive, "a/data.pkl", pickle, sizeof pickle - 1);
  zip_end(&archive);
  CHECK(open_with(archive.bytes, archive.size) == CLIP_FORMAT); /* no elements */
  CHECK(open_with("PK\3\4", 4) == CLIP_FORMAT);
  CHECK(open_with("not weights", 11) == CLIP_UNSUPPORTED);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  snprintf(fixtures, sizeof fixtures, "%s", arguments[1]);
  snprintf(scratch, sizeof scratch, "%s", arguments[3]);
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(clip_image_load(runtime, arguments[2], NULL, &image) == CLIP_OK);

  static const char *const forms[] = {"zip", "legacy", "script", "strided", "parameters", "checkpoint", "prefixed", "sharded"};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) check_same(forms[i], "safetensors");
  check_same("e4m3", "e4m3-wide");
  check_same("e5m2", "e5m2-wide");
  check_same("e4m3fnuz", "e4m3fnuz-wide");
  check_same("e5m2fnuz", "e5m2fnuz-wide");

  char command[1400];
  snprintf(command, sizeof command, "cp '%s'/zip/*.json '%s'", fixtures, scratch);
  CHECK(system(command) == 0);
  check_tensors();
  check_globals();
  check_machine();
  check_archives();
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#if !defined(SANITIZED)
  CHECK(usage.ru_maxrss < 200 << 10); /* KiB */
#endif
  clip_image_release(image);
  clip_runtime_release(runtime);
  return checks_report();
}
