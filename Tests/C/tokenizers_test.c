/* tokenizer.json as `tokenizers` reads it: tokenizers of every kind against its ids, what lies beside the file, open_clip's
 * cleanings, malformed files. SentencePiece's models, and folders without tokenizer.json, against their own libraries.
 *
 *   tokenizers_test PARTS MODELS FOLDER
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { CONTEXT = 512, BYTES = 1 << 21 };

static clip_runtime *runtime;
static const char *folder;

static char *path(const char *file) {
  static char buffer[4096];
  snprintf(buffer, sizeof buffer, "%s/%s", folder, file);
  return buffer;
}

static void write_text(const char *file, const char *format, ...) {
  FILE *out = fopen(path(file), "w");
  va_list arguments;
  va_start(arguments, format);
  if (!out || vfprintf(out, format, arguments) < 0) abort();
  va_end(arguments);
  fclose(out);
}

static char *read_file(const char *file) {
  char *text = calloc(1, BYTES);
  FILE *in = fopen(file, "r");
  if (!in || !text || fread(text, 1, BYTES - 1, in) == 0) abort();
  fclose(in);
  return text;
}

static void copy(const char *from, const char *file) {
  char *text = read_file(from);
  write_text(file, "%s", text);
  free(text);
}

/* The first `sixteenths` of a file's bytes. */
static void copy_part(const char *from, const char *file, int sixteenths) {
  static char bytes[BYTES];
  FILE *in = fopen(from, "rb"), *out = fopen(path(file), "wb");
  if (!in || !out) abort();
  size_t size = fread(bytes, 1, BYTES, in) * (size_t)sixteenths / 16;
  if (fwrite(bytes, 1, size, out) != size) abort();
  fclose(in), fclose(out);
}

static void copy_bytes(const char *from, const char *file) { copy_part(from, file, 16); }

/* "vocab" and "merges" of a tokenizer.json with merges as pairs of strings, as vocab.json and merges.txt. */
static void split_json(const char *from) {
  char *text = read_file(from);
  char *vocab = strstr(text, "\"vocab\":"), *merges = strstr(text, "\"merges\":");
  if (!vocab || !merges) abort();
  vocab = strchr(vocab, '{');
  char *end = merges;
  while (*end != '}') end--;
  write_text("vocab.json", "%.*s", (int)(end + 1 - vocab), vocab);
  FILE *out = fopen(path("merges.txt"), "w");
  if (!out) abort();
  fputs("#version: 0.2\n", out);
  int names = 0;
  for (char *at = strchr(merges, '[') + 1; *at && *at != '}'; at++) {
    if (*at != '"') continue;
    for (at++; *at != '"'; at++) {
      if (*at == '\\') at++;
      fputc(*at, out);
    }
    fputs(++names % 2 ? " " : "\n", out);
  }
  fclose(out);
  free(text);
}

static clip_model *open_folder(void) {
  clip_model_options options = CLIP_INIT(clip_model_options);
  options.towers = CLIP_TOWER_TEXT;
  options.flags = CLIP_OPEN_WITHOUT_WEIGHTS;
  clip_model *model = NULL;
  return clip_model_open(runtime, folder, &options, &model) == CLIP_OK ? model : NULL;
}

/* A folder of a text tower in clipcore's layout, without a tokenizer. */
static void make_folder(int context) {
  for (int i = 0; i < 6; i++) {
    static const char *const files[] = {"tokenizer.json", "tokenizer_config.json", "added_tokens.json", "vocab.json",
                                        "merges.txt", "open_clip_config.json"};
    unlink(path(files[i]));
  }
  unlink(path("model.safetensors"));
  write_text("clipcore.json",
             "{\"version\": 1, \"embed_dim\": 8, \"text\": {\"encoder\": \"clipcore.encoder.clip-text\", \"config\": "
             "{\"vocab_size\": 2000, \"context_length\": %d, \"width\": 8, \"heads\": 1, \"layers\": 1, \"mlp_width\": 8, "
             "\"embed_dim\": 8, \"activation\": \"gelu\", \"epsilon\": 1e-5, \"end_token\": -1}, \"tokenizer\": \"folder\"}}",
             context);
  CHECK(clip_model_initialize(runtime, folder, 1) == CLIP_OK);
}

/* The ids of a text, separated by spaces; "error" where there are none. */
static const char *ids(clip_model *model, const char *text, uint32_t flags) {
  static char line[1 << 14];
  int32_t tokens[CONTEXT];
  uint32_t length = 0;
  clip_model_info info = CLIP_INIT(clip_model_info);
  clip_encode_options options = CLIP_INIT(clip_encode_options);
  options.flags = flags;
  line[0] = 0;
  if (!model || clip_model_describe(model, &info) ||
      clip_tokenize(model, &text, 1, &options, tokens, info.context_length, &length, 1))
    return "error";
  for (uint32_t i = 0; i < length; i++)
    snprintf(line + strlen(line), sizeof line - strlen(line), i ? " %d" : "%d", (int)tokens[i]);
  return line;
}

static int gives(const char *text, const char *expected) {
  clip_model *model = open_folder();
  const char *found = ids(model, text, 0);
  int is_equal = strcmp(found, expected) == 0;
  if (!is_equal) printf("\"%s\": expected %s, found %s\n", text, expected, found);
  clip_model_release(model);
  return is_equal;
}

/* Whether the open folder gives the ids of `folder`/`name`.ids for the hexadecimal texts. */
static int gives_all(const char *texts, const char *from, const char *name, int length) {
  char file[4096];
  snprintf(file, sizeof file, "%s/%.*s.ids", from, length, name);
  char *expected = read_file(file), *rest = expected;
  clip_model *model = open_folder();
  int differing = 0, count = 0;
  for (const char *at = texts; *at; at += strcspn(at, "\n") + 1, count++) {
    char text[4096];
    size_t size = strcspn(at, "\n") / 2;
    for (size_t i = 0; i < size; i++) {
      unsigned byte;
      sscanf(at + 2 * i, "%2x", &byte);
      text[i] = (char)byte;
    }
    text[size] = 0;
    const char *line = strsep(&rest, "\n");
    const char *found = ids(model, text, 0);
    if (strcmp(found, line ? line : "?") != 0 && differing++ == 0)
      printf("%s: \"%s\"\n  expected %s\n  found    %s\n", name, text, line, found);
  }
  int is_open = model != NULL;
  clip_model_release(model);
  free(expected);
  return is_open && count > 50 && differing == 0;
}

static void every_kind(const char *parts) {
  char file[4096];
  snprintf(file, sizeof file, "%s/texts", parts);
  char *texts = read_file(file);
  DIR *files = opendir(parts);
  int kinds = 0;
  for (struct dirent *entry; files && (entry = readdir(files));) {
    char *dot = strstr(entry->d_name, ".json");
    if (!dot) continue;
    kinds++;
    snprintf(file, sizeof file, "%s/%s", parts, entry->d_name);
    copy(file, "tokenizer.json");
    CHECK(gives_all(texts, parts, entry->d_name, (int)(dot - entry->d_name)));
  }
  CHECK(kinds == 30);
  closedir(files);
  free(texts);
}

/* Folders with a model file, or vocab.json and merges.txt, alone. */
static void without_tokenizer_json(const char *parts, const char *models) {
  static const struct {
    const char *name, *file, *config;
  } all[] = {
      {"unigram", "spiece.model", NULL}, {"unigram-bytes", "spiece.model", NULL}, {"unigram-user", "spiece.model", NULL},
      {"unigram-raw", "spiece.model", NULL}, {"unigram-suffix", "spiece.model", NULL}, {"unigram-joined", "spiece.model", NULL},
      {"bpe", "spiece.model", NULL}, {"bpe-bytes", "spiece.model", NULL}, {"char", "spiece.model", NULL}, {"word", "spiece.model", NULL},
      {"t5", "spiece.model", "\"tokenizer_class\": \"T5Tokenizer\""},
      {"xlmr", "sentencepiece.bpe.model", "\"tokenizer_class\": \"XLMRobertaTokenizerFast\""},
      {"albert", "spiece.model", "\"tokenizer_class\": \"AlbertTokenizer\""},
      {"deberta", "spm.model", "\"tokenizer_class\": \"DebertaV2Tokenizer\""},
      {"deberta-lower", "spm.model", "\"tokenizer_class\": \"DebertaV2Tokenizer\", \"do_lower_case\": true, \"split_by_punct\": true"},
      {"nllb", "sentencepiece.bpe.model", "\"tokenizer_class\": \"NllbTokenizer\", \"src_lang\": \"fra_Latn\", "
                                          "\"additional_special_tokens\": [\"eng_Latn\", \"fra_Latn\"]"}};
  char file[4096];
  snprintf(file, sizeof file, "%s/texts", parts);
  char *texts = read_file(file);
  unlink(path("tokenizer.json"));
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    snprintf(file, sizeof file, "%s/%s.model", models, all[i].name);
    copy_bytes(file, all[i].file);
    write_text("tokenizer_config.json", "{%s}", all[i].config ? all[i].config : "\"unk_token\": \"<unk>\"");
    CHECK(gives_all(texts, models, all[i].name, (int)strlen(all[i].name)));
    /* Cut short anywhere, the file is refused or read, and nothing else. */
    for (int cut = 1; cut < 16; cut++) {
      copy_part(file, all[i].file, cut);
      clip_model_release(open_folder());
    }
    unlink(path(all[i].file));
  }
  /* RoBERTa's two files. The class, or else the type of the model, says how they are read. */
  snprintf(file, sizeof file, "%s/roberta.json", parts);
  split_json(file);
  write_text("tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizer\"}");
  CHECK(gives_all(texts, models, "roberta", 7));
  unlink(path("tokenizer_config.json"));
  write_text("config.json", "{\"model_type\": \"roberta\"}");
  CHECK(gives_all(texts, models, "roberta", 7));
  unlink(path("config.json"));
  unlink(path("vocab.json"));
  unlink(path("merges.txt"));
  free(texts);
}

#define LEVEL(more) \
  "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"[UNK]\": 0, \"a\": 1, \"b\": 2, \"c\": 3, \"<s>\": 4, \"</s>\": 5}, " \
  "\"unk_token\": \"[UNK]\"}, \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}" more "}"

/* What counts beside tokenizer.json, and sides. */
static void beside(void) {
  make_folder(4);
  write_text("tokenizer.json", "%s", LEVEL(""));
  CHECK(gives("a b", "1 2"));
  clip_model *model = open_folder();
  CHECK(strcmp(ids(model, "a b c a b", CLIP_ENCODE_TRUNCATE), "1 2 3 1") == 0);
  CHECK(strcmp(ids(model, "a b c a b", 0), "error") == 0);
  clip_model_release(model);
  /* "No limit" as transformers writes it; a side; tokens of a list that the vocabulary does not have. */
  write_text("tokenizer_config.json",
             "{\"model_max_length\": 1000000000000000019884624838656, \"truncation_side\": \"left\", "
             "\"added_tokens_decoder\": {\"9\": {\"content\": \"<x>\", \"special\": true, \"normalized\": false, \"lstrip\": true}}}");
  model = open_folder();
  CHECK(strcmp(ids(model, "a b c a b", CLIP_ENCODE_TRUNCATE), "2 3 1 2") == 0);
  CHECK(strcmp(ids(model, "a  <x>b", 0), "1 9 2") == 0);
  clip_model_release(model);
  write_text("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_bos_token\": false, "
                                      "\"add_eos_token\": true}");
  CHECK(gives("a</s>b", "1 5 2 5"));
  unlink(path("tokenizer_config.json"));
  write_text("added_tokens.json", "{\"<y>\": 7}");
  CHECK(gives("a<y>b", "1 7 2"));
  write_text("added_tokens.json", "{\"<y>\": 1}");
  CHECK(open_folder() == NULL);
  unlink(path("added_tokens.json"));
  /* It counts beside vocab.json and merges.txt, and says so when it is malformed. */
  write_text("vocab.json", "{\"a\": 0}");
  write_text("merges.txt", "#version: 0.2\n");
  CHECK(gives("a b", "1 2"));
  write_text("tokenizer.json", "{");
  CHECK(open_folder() == NULL && strstr(clip_last_error(), "tokenizer.json"));
  unlink(path("vocab.json"));
  unlink(path("merges.txt"));
  /* A token that has no row in the embedding. */
  write_text("tokenizer.json", "%s", LEVEL(", \"added_tokens\": [{\"id\": 2000, \"content\": \"<z>\"}]"));
  CHECK(gives("a", "1"));
  CHECK(gives("a<z>", "error") && strstr(clip_last_error(), "2000"));
}

static void refused(void) {
  static const char *const bad[] = {
      "", "[]", "{}", "{\"model\": 3}", "{\"model\": {\"type\": \"Other\"}}", "{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}",
      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}",
      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}}",
      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"unk_token\": \"b\"}}",
      "{\"model\": {\"type\": \"Unigram\", \"vocab\": [], \"unk_id\": 0}}",
      "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": null}}",
      "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 1}}",
      "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\"]], \"unk_id\": 0}}",
      "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}",
      LEVEL(", \"normalizer\": {\"type\": \"Other\"}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\"}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"(a\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"a*\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"(?<=a)b\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"[a\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"[b-a]\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"(a\\\\1)\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"\", \"pattern\": {\"Regex\": \"(((a{999}){999}){999})\"}}"),
      LEVEL(", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}"),
      LEVEL(", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"!\"}"),
      LEVEL(", \"normalizer\": {\"type\": \"Sequence\"}"),
      LEVEL(", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}"),
      LEVEL(", \"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"a\", 3], \"sep\": [\"b\", 2]}"),
      LEVEL(", \"added_tokens\": [{\"id\": 3, \"content\": \"a\"}]"), LEVEL(", \"added_tokens\": [{\"content\": \"x\"}]"),
      LEVEL(", \"truncation\": {\"direction\": \"up\"}"), LEVEL(", \"padding\": {\"pad_id\": -1}"),
      LEVEL(", \"padding\": {\"pad_id\": 2000}"),
  };
  make_folder(16);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    write_text("tokenizer.json", "%s", bad[i]);
    clip_model *model = open_folder();
    CHECK(model == NULL && strstr(clip_last_error(), "tokenizer"));
    if (model) printf("opened: %s\n", bad[i]);
    clip_model_release(model);
  }
}

/* Expressions that backtrack are cut off, and no text takes long. */
static void time_is_bounded(void) {
  static const char *const patterns[] = {"(a|a)+(a|a)+(a|a)+b", "(?:a+)+b", "a+a+a+b", "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+",
                                         "(?>a+)b|a"};
  char *text = malloc(1 << 20);
  if (!text) abort();
  make_folder(16);
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    write_text("tokenizer.json",
               LEVEL(", \"normalizer\": {\"type\": \"Replace\", \"content\": \"x\", \"pattern\": {\"Regex\": \"%s\"}}"),
               patterns[i]);
    clip_model *model = open_folder();
    CHECK(model != NULL);
    for (const char *fill = "a \n"; *fill; fill++) {
      memset(text, *fill, (1 << 20) - 1);
      text[(1 << 20) - 1] = 0;
      struct timespec start, end;
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
      ids(model, text, CLIP_ENCODE_TRUNCATE);
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
      CHECK(end.tv_sec - start.tv_sec < 20);
    }
    clip_model_release(model);
  }
  free(text);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  folder = arguments[3];
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  make_folder(CONTEXT);
  every_kind(arguments[1]);
  without_tokenizer_json(arguments[1], arguments[2]);
  beside();
  refused();
  time_is_bounded();
  clip_runtime_release(runtime);
  return checks_report();
}
