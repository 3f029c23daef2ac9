/* Every allocation of every call fails: once, from then on, and of large blocks alone.
 *
 *   torture POINTS FOLDER [NAME [MODEL]]
 *
 * POINTS: how many allocations of each scenario and mode fail, evenly spread; 0: each. FOLDER: an empty one. NAME: a
 * scenario's, or a part of it. Each scenario runs in a child process, since a point may kill or hang it; the next child
 * goes on behind that point. A call must return CLIP_OK with the results of a run in which nothing failed, or
 * CLIP_OUT_OF_MEMORY; then the same call must work. Nothing may be left: no block, mapping, descriptor or thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "failing.h"
#include <clip_index.h>
#include "torture_scenarios.h"

#include <dirent.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/wait.h>

enum { SHOWN = 4 }; /* failures of a kind that are printed for each scenario and mode */

/* What a child found, in memory that it shares with its parent. */
typedef struct tally {
  long point, points, right, refused;
  long status, result, unusable, leaked, killed, hung;
} tally;

static tally *found;
static world the_world;

static int entries(const char *folder) {
  DIR *listing = opendir(folder);
  int count = 0;
  while (listing && readdir(listing)) count++;
  if (listing) closedir(listing);
  return count;
}

static void complain(long count, const char *what, failing_mode mode, clip_status status) {
  if (count > SHOWN) return;
  printf("  %s %s, %s %ld: %s (status %s, last error: %s)\n", running->name, the_world.folder ? the_world.folder : "",
         failing_names[mode], found->point, what, clip_status_name(status), clip_last_error());
  fflush(stdout);
}

/* One failure of one run; 0 when the call made fewer allocations. */
static int run_point(failing_mode mode, long nth, uint64_t expected, long *live) {
  world *w = &the_world;
  if (running->prepare(w) != CLIP_OK) return complain(1, "cannot prepare", mode, CLIP_OK), 0;
  w->hash = 0;
  failing_arm(mode, nth);
  clip_status status = running->call(w);
  long seen = failing_disarm();
  if (seen >= nth) {
    found->points++;
    if (status == CLIP_OK && w->hash == expected) found->right++;
    else if (status == CLIP_OK) complain(++found->result, "another result", mode, status);
    else if (status == CLIP_OUT_OF_MEMORY) found->refused++;
    else complain(++found->status, "another status", mode, status);
    if (status != CLIP_OK) {
      w->hash = 0;
      status = running->call(w);
      if (status != CLIP_OK || w->hash != expected) complain(++found->unusable, "fails again, with memory", mode, status);
    }
  }
  finish(w);
  long left = atomic_load(&failing.live) - *live;
  if (left != 0) {
    *live += left;
    char what[64];
    snprintf(what, sizeof what, "%ld blocks left", left);
    complain(++found->leaked, what, mode, status);
  }
  return seen >= nth;
}

/* Says where the process ends. */
static void show_place(int signal_number) {
  void *frames[12];
  failing_disarm();
  if (found->killed < SHOWN) backtrace_symbols_fd(frames, backtrace(frames, 12), STDOUT_FILENO);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* In a child: the points of `running` from `first` on. */
static void run_points(failing_mode mode, long first, long points) {
  world *w = &the_world;
  long live = 0, seen = 0;
  void *frame;
  backtrace(&frame, 1); /* loads what it needs */
  static const int fatal[] = {SIGSEGV, SIGILL, SIGABRT, SIGBUS, SIGFPE};
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], show_place);
  uint64_t expected = 0;
  /* The first runs fill what is kept for good. */
  for (int warm = 0; warm < 3; warm++) {
    alarm(120);
    if (warm == 0 && create_runtime(w) != CLIP_OK) _exit(1);
    clip_runtime_create(NULL, NULL); /* its message stays with the thread */
    w->hash = 0;
    if (running->prepare(w) != CLIP_OK) complain(1, "cannot prepare", mode, CLIP_OK), _exit(1);
    w->hash = 0;
    failing_arm(mode == FAIL_LARGE ? FAIL_LARGE : FAIL_NEVER, 1L << 60);
    clip_status status = running->call(w);
    seen = failing_disarm();
    if (status != CLIP_OK) complain(1, "fails with memory", mode, status), _exit(1);
    expected = w->hash;
    finish(w);
    live = atomic_load(&failing.live);
  }
  int descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  double stride = points == 0 || seen < points ? 1 : (double)seen / (double)points;
  for (double at = 1; first > (long)at || (found->point = (long)at) > 0; at += stride) {
    if ((long)at < first) continue;
    alarm(60);
    if (!run_point(mode, (long)at, expected, &live)) break;
  }
  if (entries("/proc/self/fd") != descriptors) complain(++found->leaked, "descriptors left", mode, CLIP_OK);
  if (entries("/proc/self/task") != threads) complain(++found->leaked, "threads left", mode, CLIP_OK);
  clip_runtime_release(w->runtime);
  _exit(0);
}

/* Failures of a scenario in a mode. */
static long torture(failing_mode mode, long points) {
  memset(found, 0, sizeof *found);
  for (long first = 1; first > 0;) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) run_points(mode, first, points);
    int status = 0;
    waitpid(child, &status, 0);
    first = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    found->points++;
    if (found->point == 0) {
      printf("  %s: cannot run, status %d\n", running->name, status);
      found->killed++;
      break;
    }
    int hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    if ((hung ? ++found->hung : ++found->killed) <= SHOWN)
      printf("  %s, %s %ld: %s\n", running->name, failing_names[mode], found->point,
             WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
    first = found->point + 1;
  }
  const char *model = the_world.folder ? strrchr(the_world.folder, '/') + 1 : "";
  printf("%-14s %-9s %-5s %7ld %7ld %7ld %6ld %6ld %6ld %6ld %6ld %6ld\n", running->name, model, failing_names[mode],
         found->points, found->right, found->refused, found->status, found->result, found->unusable, found->leaked,
         found->killed, found->hung);
  return found->status + found->result + found->unusable + found->leaked + found->killed + found->hung;
}

static void write_file(world *w, const char *name, const void *bytes, size_t size) {
  FILE *file = fopen(in_work(w, name), "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) perror(name), exit(2);
}
static void write_text(world *w, const char *name, const char *text) { write_file(w, name, text, strlen(text)); }
static void copy(world *w, const char *from, const char *name) {
  static char bytes[1 << 20];
  FILE *file = fopen(from, "rb");
  size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (size == 0) perror(from), exit(2);
  fclose(file);
  write_file(w, name, bytes, size);
}
static void make_folder(world *w, const char *name) {
  if (mkdir(in_work(w, name), 0777) != 0) perror(name), exit(2);
}

/* A SigLIP with a SentencePiece model, and a BERT with a vocabulary of letters. */
static void make_models(world *w) {
  make_folder(w, "siglip"), make_folder(w, "bert");
  write_text(w, "siglip/clipcore.json",
             "{\"version\": 1, \"embed_dim\": 16, \"logit_scale\": \"logit_scale\", \"logit_bias\": \"logit_bias\","
             " \"image\": {\"encoder\": \"clipcore.encoder.siglip-vit\", \"scope\": \"vision_model\", \"config\": {\"activation\":"
             " \"gelu_tanh\", \"heads\": 2, \"layers\": 2, \"mlp_width\": 32, \"patch_size\": 8, \"width\": 16}, \"preprocess\":"
             " {\"mean\": 0.5, \"std\": 0.5, \"resize_mode\": \"squash\", \"size\": 16}},"
             " \"text\": {\"encoder\": \"clipcore.encoder.siglip-text\", \"scope\": \"text_model\", \"tokenizer\": \"siglip\","
             " \"config\": {\"activation\": \"gelu_tanh\", \"context_length\": 16, \"embed_dim\": 16, \"heads\": 2, \"layers\": 1,"
             " \"mlp_width\": 32, \"vocab_size\": 2000, \"width\": 16}}}");
  copy(w, "Tests/Fixtures/tokenizer/unigram/spiece.model", "siglip/spiece.model");
  write_text(w, "bert/clipcore.json",
             "{\"version\": 1, \"embed_dim\": 16, \"text\": {\"encoder\": \"clipcore.encoder.bert\", \"tokenizer\": \"wordpiece\","
             " \"config\": {\"context_length\": 24, \"heads\": 2, \"layers\": 2, \"mlp_width\": 32, \"positions\": 40,"
             " \"vocab_size\": 57, \"width\": 16}}}");
  char words[1024] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char letter = 'a'; letter <= 'z'; letter++)
    snprintf(words + strlen(words), sizeof words - strlen(words), "%c\n##%c\n", letter, letter);
  write_text(w, "bert/vocab.txt", words);
  static const char *const made[] = {"siglip", "bert"};
  if (create_runtime(w) != CLIP_OK) exit(2);
  for (int i = 0; i < 2; i++)
    if (clip_model_initialize(w->runtime, in_work(w, made[i]), 7) != CLIP_OK) puts(clip_last_error()), exit(2);
  clip_runtime_release(w->runtime), w->runtime = NULL;
}

/* The same pairs as a folder, tables and an archive (POSIX ustar). */
static void make_data(world *w) {
  make_folder(w, "data"), make_folder(w, "data/pairs");
  char table[4096] = "filepath,caption\n", lines[4096] = "";
  for (int i = 0; i < PAIRS; i++) {
    char name[64], caption[64];
    snprintf(name, sizeof name, "data/pairs/%d.png", i);
    copy(w, i % 2 ? "Tests/Fixtures/codecs/palette.png" : "Tests/Fixtures/codecs/gray8.png", name);
    snprintf(name, sizeof name, "data/pairs/%d.txt", i);
    snprintf(caption, sizeof caption, "image number %d", i);
    write_text(w, name, caption);
    snprintf(table + strlen(table), sizeof table - strlen(table), "pairs/%d.png,\"%s, \"\"quoted\"\"\"\n", i, caption);
    snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "{\"image\": \"pairs/%d.png\", \"caption\": \"%s\"}\n", i, caption);
  }
  write_text(w, "data/pairs.csv", table);
  write_text(w, "data/pairs.jsonl", lines);
  char command[1200];
  snprintf(command, sizeof command, "tar --format=ustar -C '%s/data/pairs' -cf '%s/data/pairs.tar' $(ls '%s/data/pairs')", w->work, w->work, w->work);
  if (system(command) != 0) exit(2);
}

/* Libraries that end the process or leave blocks without memory. */
typedef struct foreign {
  const char *scenario, *library;
  enum { ALL, LEAKS, KILLS } excused;
} foreign;

static const foreign *foreign_in(const char *scenario) {
  static const foreign list[] = {
    {"jpeg", "libjpeg-turbo", LEAKS}, {"cmyk", "libjpeg-turbo", LEAKS}, {"augment-image", "libjpeg-turbo", LEAKS},
    /* Its thread-local variable, for which glibc gets memory with the first call on a thread, or ends the process. */
    {"files", "libjpeg-turbo", KILLS},
    {"webp", "libwebp", ALL}, {"lossless", "libwebp", ALL}, {"tiff", "libtiff", ALL}, {"tiff-jpeg", "libtiff", ALL},
    {"heic", "libheif", ALL}, {"avif", "libheif", ALL}, {"jxl", "libjxl", ALL},
    {"runtime", "glibc's loader", LEAKS}, {"plugins", "glibc's loader", LEAKS}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (!strcmp(list[i].scenario, scenario)) return &list[i];
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: torture POINTS FOLDER [NAME [MODEL]]\n"), 2;
  long points = strtol(argv[1], NULL, 10), failures = 0, runs = 0;
  failing_disarm();
  found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  the_world = (world){.work = argv[2], .info = {.struct_size = sizeof the_world.info}};
  for (size_t i = 0; i < sizeof pixels_of_picture; i++) pixels_of_picture[i] = (uint8_t)(i * 37 + i / 96 * 11);
  for (int i = 0; i < ITEMS; i++)
    views[i] = (clip_image_view){.pixels = pixels_of_picture, .width = SIDE, .height = SIDE - 7u * (unsigned)i, .format = CLIP_PIXELS_RGB};
  pid_t maker = fork(); /* so that the parent starts no thread */
  if (maker == 0) make_models(&the_world), make_data(&the_world), _exit(0);
  int status = 1;
  waitpid(maker, &status, 0);
  if (status != 0) return 2;
  char siglip[512], bert[512];
  snprintf(siglip, sizeof siglip, "%s/siglip", argv[2]), snprintf(bert, sizeof bert, "%s/bert", argv[2]);
  const struct {
    const char *folder;
    int towers;
  } models[] = {{"build/models/small-32", 3}, {"build/models/rn-tiny", 3}, {siglip, 3}, {bert, CLIP_TOWER_TEXT}};

  long others = 0, right = 0, refused = 0;
  printf("%-14s %-9s %-5s %7s %7s %7s %6s %6s %6s %6s %6s %6s\n", "scenario", "model", "mode", "points", "right", "refused", "status",
         "result", "unusab", "leaked", "killed", "hung");
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    running = &scenarios[i];
    if (argc > 3 && !strstr(running->name, argv[3])) continue;
    for (size_t k = 0; k < (running->needs ? sizeof models / sizeof *models : 1); k++) {
      if ((models[k].towers & running->needs) != running->needs) continue;
      if (argc > 4 && !strstr(models[k].folder, argv[4])) continue;
      the_world.folder = models[k].folder;
      for (failing_mode mode = FAIL_ONCE; mode <= FAIL_LARGE; mode++) {
        long failed = torture(mode, points);
        const foreign *library = foreign_in(running->name);
        long excused = library == NULL ? 0 : library->excused == LEAKS ? found->leaked : library->excused == KILLS ? found->killed : failed;
        if (excused > 0) printf("  %ld of them are %s's\n", excused, library->library);
        others += excused;
        right += found->right, refused += found->refused;
        failures += failed - excused;
        runs += found->points;
      }
    }
  }
  printf("%ld points: %ld right results, %ld CLIP_OUT_OF_MEMORY, %ld failures of other libraries\n", runs, right, refused, others);
  printf("%ld passed, %ld failed\n", runs - failures > 0 ? runs - failures : 0, failures);
  return failures != 0;
}
