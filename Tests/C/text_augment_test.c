/* Text augmentations: EDA's ops on a WordNet of a few words, noise, graphemes, and translators that end, hang or write
 * invalid output. The real WordNet and Apertium are used if installed. */
#define _GNU_SOURCE
#include <clipcore.h>
#include <pthread.h>
#include <signal.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "wordnet.h"

static clip_runtime *runtime;
static char folder[] = "/tmp/clipcore-text-XXXXXX";

static clip_pipeline *pipeline(const char *json) {
  clip_pipeline *made = NULL;
  CHECK(clip_pipeline_create(runtime, json, &made) == CLIP_OK);
  return made;
}

/* NULL after an error. */
static char *text_of(clip_pipeline *p, const char *given, uint64_t seed, uint64_t index) {
  size_t length = 0, capacity = 2 * strlen(given) + 256;
  for (;;) {
    char *out = malloc(capacity);
    if (clip_augment_text(p, given, seed, index, out, capacity, &length) == CLIP_OK) return out;
    free(out);
    if (length < capacity) return NULL;
    capacity = length + 1;
  }
}

static char *augment(clip_pipeline *p, const char *given, uint64_t index) {
  char *out = text_of(p, given, 3, index);
  CHECK(out != NULL);
  return out ? out : strdup("");
}

/* ---------------------------------------------------------------- WordNet */

static void op_json(char *json, const char *op, const char *more) {
  snprintf(json, 400, "[{\"op\": \"%s\", \"path\": \"%s\"%s}]", op, folder, more);
}

static void synonyms(void) {
  char json[400];
  op_json(json, "synonym_replacement", ", \"alpha\": 1");
  clip_pipeline *p = pipeline(json);
  static const char *cases[][2] = {
      {"Dogs", "Hounds"}, {"CHILDREN", "KIDS"}, {"kids", "children"}, {"bought", "purchased"}, {"purchased", "bought"},
      {"buying", "purchasing"}, {"consuming", "eating"}, {"consumes", "eats"},
      {"consumed", "consumed"} /* ambiguous: ate, eaten */, {"ate", "consumed"}, {"Stopped!", "Halted!"}, {"halting", "stopping"},
      {"sprints", "runs along"}, {"sprinting", "running along"}, {"bigger", "bigger"} /* "larger" is not in the list */,
      {"happier", "gladder"}, {"LARGE", "BIG"}, {"big", "large"}, {"physalia", "man of war"}, {"quickly", "fast"},
      {"the dog, the Dog and DOGS", "the hound, the Hound and HOUNDS"}, {"zebra", "zebra"}, {"", ""}, {" ", " "},
      {"\xe7\x8b\x97", "\xe7\x8b\x97"}, {"don't", "don't"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *got = augment(p, cases[i][0], 0);
    CHECK(!strcmp(got, cases[i][1]));
    if (strcmp(got, cases[i][1])) printf("  %s gave %s\n", cases[i][0], got);
    free(got);
  }
  clip_pipeline_release(p);

  op_json(json, "random_insertion", "");
  p = pipeline(json);
  int places[3] = {0};
  for (int i = 0; i < 200; i++) {
    char *got = augment(p, "the dog", i);
    places[0] += !strcmp(got, "hound the dog"), places[1] += !strcmp(got, "the hound dog");
    free(got);
  }
  CHECK(places[0] + places[1] == 200 && places[0] > 60 && places[1] > 60);
  clip_pipeline_release(p);
}

/* Every damaged file is an error with its name, or harmless. */
static void malformed(void) {
  char json[400], path[200], text[4000];
  op_json(json, "synonym_replacement", ", \"alpha\": 1");
  static const struct { const char *name, *from, *to; } faults[] = {
      {"index.noun", "00000017", "00000018"}, {"index.noun", "00000017", "99999999"}, {"index.noun", " n ", " v "},
      {"index.noun", " 1 1 @", " 2 1 @"}, {"index.noun", " 1 1 @", " x 1 @"}, {"index.noun", "@ 1 1", "@ 1 5"},
      {"index.noun", "dog n", "zog n"}, {"index.noun", "dog n 1 1 @ 1 1", "dog n 1 99999999 @ 1 1"},
      {"data.noun", "00000017", "00000016"}, {"data.noun", " 02 child", " ff child"}, {"data.noun", " 02 child", " 00 child"},
      {"data.noun", " n 02", " v 02"}, {"data.verb", "buy 0", "buy q"}, {"verb.exc", "ate eat", "ate"},
      {"verb.exc", "bought", "abought"}, {"adj.exc", NULL, ""}, {"adv.exc", NULL, "best well"}, {"index.adv", NULL, "\n"}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    write_dictionary(folder);
    snprintf(path, sizeof path, "%s/%s", folder, faults[i].name);
    FILE *file = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file), file = fopen(path, "w");
    char *at = faults[i].from ? strstr(text, faults[i].from) : NULL;
    CHECK(!faults[i].from || at != NULL);
    if (at) fwrite(text, 1, (size_t)(at - text), file);
    fputs(faults[i].to, file);
    if (at) fputs(at + strlen(faults[i].from), file);
    fclose(file);
    clip_pipeline *none = NULL;
    CHECK(clip_pipeline_create(runtime, json, &none) == CLIP_FORMAT && strstr(clip_last_error(), folder));
    clip_pipeline_release(none);
  }
  unsigned drawn = 1;
  for (int i = 0; i < 400; i++) {
    static const char *names[] = {"index.noun", "data.noun", "noun.exc", "index.verb", "data.verb", "verb.exc", "index.adj", "data.adj"};
    write_dictionary(folder);
    snprintf(path, sizeof path, "%s/%s", folder, names[i % 8]);
    FILE *file = fopen(path, "r+");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    for (int times = 0; times < 1 + i % 3; times++) {
      drawn = drawn * 1664525u + 1013904223u;
      fseek(file, (long)(drawn >> 8) % size, SEEK_SET);
      fputc(i % 5 == 0 ? ' ' : i % 5 == 1 ? '\n' : (int)(drawn >> 4 & 255), file);
    }
    fclose(file);
    clip_pipeline *p = NULL;
    clip_status status = clip_pipeline_create(runtime, json, &p);
    if (status == CLIP_OK) {
      char out[500];
      size_t length = 0;
      status = clip_augment_text(p, "children dogs bought eating bigger stopped sprints", 1, 1, out, sizeof out, &length);
      CHECK(status == CLIP_OK || status == CLIP_FORMAT || status == CLIP_PLUGIN);
      clip_pipeline_release(p);
    } else {
      CHECK(status == CLIP_FORMAT);
    }
  }
  write_dictionary(folder);
  clip_pipeline *none = NULL;
  CHECK(clip_pipeline_create(runtime, "[{\"op\": \"random_insertion\", \"path\": \"/nowhere\"}]", &none) == CLIP_NOT_FOUND);
  CHECK(strstr(clip_last_error(), "wordnet-base") != NULL);
}

/* ---------------------------------------------------------------- words and graphemes */

/* Grapheme clusters of many kinds; none is a prefix of another. */
static const char *clusters[] = {
    "\xe7\x8c\xab", "\xe5\x9d\x90", "\xe5\x9c\xa8", "e\xcc\x81", "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
    "\xf0\x9f\x87\xa8\xf0\x9f\x87\xb3", "\xf0\x9f\x87\xaa\xf0\x9f\x87\xb8", "\xe2\x9d\xa4\xef\xb8\x8f", "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd",
    "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xe0\xb8\x81\xe0\xb8\xb3", "\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7\xe0\xa4\xbf", "a", "b", "Z", "7", "-", "'", ",", " ",
    "\xe3\x80\x82", "\xef\xbc\x8c"};
enum { cluster_count = sizeof clusters / sizeof *clusters };

static int is_made_of_clusters(const char *text) {
  while (*text) {
    size_t longest = 0;
    for (int i = 0; i < cluster_count; i++) {
      size_t size = strlen(clusters[i]);
      if (size > longest && !strncmp(text, clusters[i], size)) longest = size;
    }
    if (longest == 0) return 0;
    text += longest;
  }
  return 1;
}

static void graphemes(void) {
  static const char *ops[] = {
      "[{\"op\": \"random_swap\", \"alpha\": 1}]", "[{\"op\": \"random_deletion\", \"alpha\": 0.5}]",
      "[{\"op\": \"random_deletion\", \"alpha\": 1}]", "[{\"op\": \"punctuation_noise\", \"change\": \"delete\", \"alpha\": 0.5}]"};
  unsigned drawn = 7;
  for (int op = 0; op < 4; op++) {
    clip_pipeline *p = pipeline(ops[op]);
    int whole = 1, filled = 1, same = 1;
    for (int i = 0; i < 1000; i++) {
      char given[400] = "";
      for (int n = 0; n < 1 + i % 20; n++) {
        drawn = drawn * 1664525u + 1013904223u;
        strcat(given, clusters[(drawn >> 16) % cluster_count]);
      }
      char *got = augment(p, given, i), *again = augment(p, given, i);
      whole &= is_made_of_clusters(got), filled &= *got != 0, same &= !strcmp(got, again);
      if (op == 0) filled &= strlen(got) == strlen(given);
      free(got), free(again);
    }
    CHECK(whole && filled && same);
    clip_pipeline_release(p);
  }
}

static void probabilities(void) {
  clip_pipeline *p = pipeline("[{\"op\": \"random_deletion\", \"alpha\": 0.3}]");
  int left = 0, tidy = 1;
  for (int i = 0; i < 2000; i++) {
    char *got = augment(p, "a b c d e f g h i j", i);
    for (char *at = got; *at; at++) left += *at != ' ';
    tidy &= !strstr(got, "  ") && got[0] != ' ' && got[strlen(got) - 1] != ' ';
    free(got);
  }
  CHECK(left > 13700 && left < 14300); /* 14,000 of 20,000 expected; standard deviation 65 */
  CHECK(tidy);
  clip_pipeline_release(p);
  static const char *ops[] = {"random_swap", "random_deletion", "case_noise", "punctuation_noise", "typo_noise"};
  for (int i = 0; i < 5; i++) {
    char json[100];
    snprintf(json, sizeof json, "[{\"op\": \"%s\", \"alpha\": 0}]", ops[i]);
    p = pipeline(json);
    char *got = augment(p, "Hello, world.  It's  fine ", 1);
    CHECK(!strcmp(got, "Hello, world.  It's  fine "));
    free(got), clip_pipeline_release(p);
  }
  static const char *fixed[][3] = {
      {"[{\"op\": \"case_noise\", \"alpha\": 1, \"change\": \"upper\"}]", "\xc3\xa9t\xc3\xa9 it's", "\xc3\x89T\xc3\x89 IT'S"},
      {"[{\"op\": \"case_noise\", \"alpha\": 1, \"change\": \"title\"}]", "two DOGS", "Two Dogs"},
      {"[{\"op\": \"case_noise\", \"alpha\": 1, \"change\": \"swap\"}]", "two DOGs", "TWO dogS"},
      {"[{\"op\": \"punctuation_noise\", \"alpha\": 1, \"change\": \"delete\"}]", "a, b. (c)", "a b c"},
      {"[{\"op\": \"random_swap\"}]", "one, two.", "two, one."}, {"[{\"op\": \"random_swap\"}]", "one", "one"},
      {"[{\"op\": \"random_deletion\", \"alpha\": 1}]", "one", "one"}};
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    p = pipeline(fixed[i][0]);
    char *got = augment(p, fixed[i][1], 0);
    CHECK(!strcmp(got, fixed[i][2]));
    free(got), clip_pipeline_release(p);
  }
}

/* ---------------------------------------------------------------- translators */

static clip_pipeline *translator(const char *command, double seconds) {
  char json[600];
  snprintf(json, sizeof json, "[{\"op\": \"back_translation\", \"timeout\": %g, \"command\": \"%s\"}]", seconds, command);
  return pipeline(json);
}

static int open_files(void) {
  int count = 0;
  DIR *list = opendir("/proc/self/fd");
  while (list && readdir(list)) count++;
  if (list) closedir(list);
  return count;
}

static void translators(void) {
  int files = open_files();
  signal(SIGPIPE, SIG_DFL);
  pid_t own = fork();
  if (own == 0) _exit(7);
  const char *given = " A [red] dog. Two 5/6 cats! \\o/\n\nThe end ";
  clip_pipeline *p = translator("exec cat", 60);
  char *got = augment(p, given, 0);
  CHECK(!strcmp(got, given) && clip_pipeline_failures(p) == 0);
  free(got), clip_pipeline_release(p);
  p = translator("exec sed -u -z s/dog/$1/", 60);
  got = augment(p, "A dog. A dog", 0);
  CHECK(!strcmp(got, "A eng-spa. A eng-spa") && clip_pipeline_failures(p) == 0);
  free(got), clip_pipeline_release(p);

  static const struct { const char *command; double seconds; } bad[] = {
      {"exit 3", 60}, {"/no-such-program", 60}, {"exec sleep 1000", 0.2}, {"sleep 1000 | sleep 1000", 0.2},
      {"exec yes", 60}, {"exec 0<&-; exec sleep 1000", 0.2}, {"head -c 3; exit 1", 60}, {"printf '\\\\377\\\\0'; exec cat >/dev/null", 60},
      {"printf 'a\\\\0b\\\\0'; exec cat > /dev/null", 60}, {"printf '\\\\0'; exec cat > /dev/null", 60}, {"kill -9 $$", 60},
      {"trap '' TERM; kill -STOP $$", 0.2}, {"exec cat /dev/zero", 60}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    p = translator(bad[i].command, bad[i].seconds);
    for (uint64_t times = 1; times <= 2; times++) {
      got = augment(p, given, times);
      CHECK(!strcmp(got, given) && clip_pipeline_failures(p) == times);
      free(got);
    }
    clip_pipeline_release(p);
  }
  /* Larger than a pipe's buffer. */
  char *large = malloc(300001);
  memset(large, 'a', 300000), large[300000] = 0;
  p = translator("exec cat", 60);
  got = augment(p, large, 0);
  CHECK(!strcmp(got, large) && clip_pipeline_failures(p) == 0);
  free(got), clip_pipeline_release(p);
  p = translator("exec sleep 1000", 0.2);
  got = augment(p, large, 0);
  CHECK(!strcmp(got, large) && clip_pipeline_failures(p) == 1);
  free(got), clip_pipeline_release(p), free(large);
  /* A translator that ends after each answer is restarted. */
  p = translator("exec sed -z -e s/dog/cat/ -e q", 60);
  int good = 0;
  for (int i = 0; i < 200 && good < 3; i++) {
    got = augment(p, "A dog", i);
    good += !strcmp(got, "A cat");
    free(got);
    usleep(20000);
  }
  CHECK(good == 3);
  clip_pipeline_release(p);
  CHECK(clip_pipeline_failures(NULL) == 0);

  int status = 0;
  CHECK(waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 7);
  CHECK(waitpid(-1, &status, WNOHANG) == -1); /* no child process is left */
  CHECK(open_files() == files);
}

/* ---------------------------------------------------------------- threads */

typedef struct { clip_pipeline *p; char *expected[64]; int wrong; } job;

static void *run(void *user) {
  job *work = user;
  for (int i = 0; i < 64; i++) {
    char *out = text_of(work->p, "Two dogs bought a bigger child, quickly. The end", 3, (uint64_t)i);
    if (!out || strcmp(out, work->expected[i])) work->wrong++;
    free(out);
  }
  return NULL;
}

static void threads(void) {
  char json[1200];
  snprintf(json, sizeof json,
           "[{\"op\": \"synonym_replacement\", \"path\": \"%s\"}, {\"op\": \"random_insertion\", \"path\": \"%s\"}, {\"op\": \"random_swap\"}, "
           "{\"op\": \"random_deletion\"}, {\"op\": \"case_noise\"}, {\"op\": \"punctuation_noise\"}, {\"op\": \"typo_noise\"}, "
           "{\"op\": \"back_translation\", \"timeout\": 600, \"command\": \"exec cat\"}]", folder, folder);
  job jobs[4] = {{.p = pipeline(json)}};
  for (int i = 0; i < 64; i++) jobs[0].expected[i] = augment(jobs[0].p, "Two dogs bought a bigger child, quickly. The end", i);
  pthread_t started[4];
  for (int t = 1; t < 4; t++) jobs[t] = jobs[0];
  for (int t = 0; t < 4; t++) pthread_create(&started[t], NULL, run, &jobs[t]);
  for (int t = 0; t < 4; t++) pthread_join(started[t], NULL);
  for (int t = 0; t < 4; t++) CHECK(jobs[t].wrong == 0);
  CHECK(clip_pipeline_failures(jobs[0].p) == 0);
  for (int i = 0; i < 64; i++) free(jobs[0].expected[i]);
  clip_pipeline_release(jobs[0].p);
}

/* ---------------------------------------------------------------- Debian's WordNet and Apertium */

static void real_data(void) {
  if (access("/usr/share/wordnet/index.noun", R_OK) != 0) {
    puts("WordNet is left out: there is no /usr/share/wordnet");
  } else {
    clip_pipeline *p = pipeline("[{\"op\": \"synonym_replacement\", \"alpha\": 1, \"senses\": 1}]");
    char *got = augment(p, "Automobiles", 0);
    CHECK(!strcmp(got, "Cars") || !strcmp(got, "Autos") || !strcmp(got, "Machines") || !strcmp(got, "Motorcars"));
    free(got);
    got = augment(p, "purchased", 0);
    CHECK(!strcmp(got, "bought"));
    free(got), clip_pipeline_release(p);
  }
  static const char *languages[] = {"spa", "cat"};
  for (int i = 0; i < 2; i++) {
    char path[100], json[200];
    snprintf(path, sizeof path, "/usr/share/apertium/modes/eng-%s.mode", languages[i]);
    if (access(path, R_OK) != 0) {
      printf("Apertium is left out: there is no %s\n", path);
      continue;
    }
    snprintf(json, sizeof json, "[{\"op\": \"back_translation\", \"through\": \"%s\", \"timeout\": 120}]", languages[i]);
    clip_pipeline *p = pipeline(json);
    for (int times = 0; times < 2; times++) {
      char *got = augment(p, "The red house is very big.", times);
      CHECK(strstr(got, "very big") && clip_pipeline_failures(p) == 0);
      free(got);
    }
    clip_pipeline_release(p);
  }
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  write_dictionary(folder);
  synonyms();
  malformed();
  graphemes();
  probabilities();
  translators();
  threads();
  real_data();
  clip_runtime_release(runtime);
  for (int part = 0; part < 4; part++)
    for (int kind = 0; kind < 3; kind++) {
      char path[200];
      snprintf(path, sizeof path, kind == 2 ? "%s/%s%s.exc" : "%s/%s.%s", folder, kind == 2 ? "" : kind ? "data" : "index", words[part].part);
      remove(path);
    }
  CHECK(remove(folder) == 0);
  return checks_report();
}
