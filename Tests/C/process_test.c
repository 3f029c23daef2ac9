/* The library in the threads and processes of its host: forked children, cancelled threads, floating-point traps and
 * flushing, signals, small stacks.
 *
 *   process_test MODEL IMAGE FOLDER
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <dirent.h>
#include <fenv.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "check.h"

enum { WIDEST = 2048 };
static const char *folder, *image_path, *scratch;
static clip_runtime *runtime;
static clip_model *model;
static clip_image *image;
static clip_image_view view;
static float expected[2 * WIDEST];
static size_t width;

static clip_status embed(clip_model *with, float *embeddings) {
  const char *text = "a cat";
  clip_status status = clip_encode_image(with, &view, 1, NULL, embeddings, WIDEST);
  return status == CLIP_OK ? clip_encode_text(with, &text, 1, NULL, embeddings + width, WIDEST) : status;
}

static int embeds_as_expected(void) {
  float found[2 * WIDEST];
  return embed(model, found) == CLIP_OK && memcmp(found, expected, 2 * width * sizeof *found) == 0;
}

static int descriptors(void) {
  DIR *listing = opendir("/proc/self/fd");
  int count = 0;
  while (listing != NULL && readdir(listing) != NULL) count++;
  if (listing != NULL) closedir(listing);
  return count;
}

static clip_dataset *open_pairs(void) {
  const char *sources[] = {scratch};
  clip_dataset *data = NULL;
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  options.batch_size = 2, options.workers = 2;
  CHECK(clip_dataset_open(runtime, model, sources, 1, &options, &data) == CLIP_OK);
  return data;
}

/* Runs `body` in a forked child, which must end within 20 seconds with all checks passed. */
static void in_child(void (*body)(void *), void *argument) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    checks_passed = checks_failed = 0;
    body(argument);
    fflush(stdout);
    _exit(checks_failed > 0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child has no workers: it computes alone, with the same result, and may release everything. */
static void child_encodes(void *unused) {
  (void)unused;
  CHECK(embeds_as_expected());
  clip_model *opened = NULL;
  CHECK(clip_model_open(runtime, folder, NULL, &opened) == CLIP_OK);
  clip_model_release(opened);
  clip_image_release(image);
  clip_model_release(model);
  clip_runtime_release(runtime);
}

static void child_reads(void *data) {
  clip_batch batch = CLIP_INIT(clip_batch);
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
  uint8_t state[CLIP_DATASET_STATE_BYTES] = {0};
  CHECK(clip_dataset_next(data, &batch) == CLIP_UNSUPPORTED);
  CHECK(clip_dataset_save(data, state, sizeof state) == CLIP_UNSUPPORTED);
  CHECK(clip_dataset_restore(data, state, sizeof state) == CLIP_UNSUPPORTED);
  CHECK(clip_dataset_get_counters(data, &counters) == CLIP_UNSUPPORTED);
  clip_dataset_release(data);
  clip_dataset *own = open_pairs();
  CHECK(clip_dataset_next(own, &batch) == CLIP_OK && batch.count == 2);
  clip_dataset_release(own);
}

static void child_reads_first(void *data) {
  clip_batch batch = CLIP_INIT(clip_batch);
  CHECK(clip_dataset_next(data, &batch) == CLIP_OK && batch.count == 2);
  clip_dataset_release(data);
}

static void forks(void) {
  for (int i = 0; i < 20; i++) {
    CHECK(embeds_as_expected()); /* the workers are still awake when the child is made */
    in_child(child_encodes, NULL);
  }
  clip_dataset *data = open_pairs();
  in_child(child_reads_first, data);
  clip_batch batch = CLIP_INIT(clip_batch);
  for (int i = 0; i < 10; i++) {
    CHECK(clip_dataset_next(data, &batch) == CLIP_OK && batch.count == 2);
    in_child(child_reads, data);
  }
  clip_dataset_release(data);
  CHECK(clip_plugin_watch(runtime, NULL, NULL) == CLIP_OK);
  in_child(child_encodes, NULL);
}

static atomic_int is_ready;
static void *open_and_encode_for_ever(void *unused) {
  is_ready = 1;
  while (1) {
    clip_runtime *made = NULL;
    clip_model *opened = NULL;
    clip_image *loaded = NULL;
    float found[2 * WIDEST];
    int before;
    if (clip_model_open(runtime, folder, NULL, &opened) == CLIP_OK) embed(opened, found);
    clip_image_load(runtime, image_path, NULL, &loaded);
    clip_runtime_create(NULL, &made);
    /* What this thread itself has must not be left when it is cancelled. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    clip_image_release(loaded);
    clip_model_release(opened);
    clip_runtime_release(made);
    pthread_setcancelstate(before, NULL);
    pthread_testcancel();
  }
  return unused;
}

/* A cancelled thread finishes its call: nothing is left open, no lock is kept. */
static void cancellation(void) {
  int before = descriptors();
  for (int i = 0; i < 30; i++) {
    pthread_t thread;
    void *result = NULL;
    is_ready = 0;
    CHECK(pthread_create(&thread, NULL, open_and_encode_for_ever, NULL) == 0);
    while (!is_ready) usleep(100);
    usleep(1000 * (unsigned)(i % 7));
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
  }
  CHECK(descriptors() == before);
  CHECK(embeds_as_expected());
}

/* Traps that the host unmasked do not end it, and how it rounds and flushes does not change a result; after a call all
 * is as the host had it. */
static void floating_point(void) {
  int wanted = FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT;
  if (feenableexcept(wanted) == -1) wanted = 0; /* arm64 need not have traps */
#if defined(__x86_64__)
  CHECK(wanted != 0);
#endif
  int isRight = embeds_as_expected();
  clip_model *opened = NULL;
  clip_runtime *made = NULL;
  clip_trainer *trainer = NULL;
  isRight &= clip_runtime_create(NULL, &made) == CLIP_OK && clip_model_open(made, folder, NULL, &opened) == CLIP_OK;
  isRight &= clip_trainer_create(opened, NULL, &trainer) == CLIP_OK;
  int traps = fegetexcept();
  fedisableexcept(FE_ALL_EXCEPT);
  CHECK(isRight && traps == wanted);
  static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (size_t i = 0; i < 3; i++) {
    fesetround(modes[i]);
    isRight = embeds_as_expected() && fegetround() == modes[i];
    fesetround(FE_TONEAREST);
    CHECK(isRight);
  }
#if defined(__x86_64__)
  unsigned usual = _mm_getcsr();
  _mm_setcsr(usual | 0x8040); /* denormals to zero, as -ffast-math sets it */
  isRight = embeds_as_expected() && (_mm_getcsr() & 0x8040) == 0x8040;
  _mm_setcsr(usual);
  CHECK(isRight);
#elif defined(__aarch64__)
  unsigned long usual, flushing, after;
  __asm__ volatile("mrs %0, fpcr" : "=r"(usual));
  flushing = usual | 1ul << 24; /* denormals to zero, as -ffast-math sets it */
  __asm__ volatile("msr fpcr, %0" : : "r"(flushing));
  isRight = embeds_as_expected();
  __asm__ volatile("mrs %0, fpcr" : "=r"(after));
  __asm__ volatile("msr fpcr, %0" : : "r"(usual));
  CHECK(isRight && after == flushing);
#endif
  clip_trainer_release(trainer);
  clip_model_release(opened);
  clip_runtime_release(made);
}

static _Atomic long ticks, foreign;
static pthread_t main_thread;
static void tick(int number) {
  (void)number;
  ticks++;
  if (!pthread_equal(pthread_self(), main_thread)) foreign++;
}

/* A timer at 1 kHz whose handler interrupts system calls changes nothing, and never runs on a thread of the library. */
static void signals(void) {
  struct sigaction action = {.sa_handler = tick}; /* without SA_RESTART */
  struct itimerval fast = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
  main_thread = pthread_self();
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &fast, NULL);
  int isRight = 1;
  for (int i = 0; i < 20; i++) {
    clip_runtime *made = NULL;
    clip_model *opened = NULL;
    float found[2 * WIDEST];
    isRight &= clip_runtime_create(NULL, &made) == CLIP_OK && clip_model_open(made, folder, NULL, &opened) == CLIP_OK;
    isRight &= embed(opened, found) == CLIP_OK && memcmp(found, expected, 2 * width * sizeof *found) == 0;
    clip_model_release(opened);
    clip_runtime_release(made);
    clip_dataset *data = open_pairs();
    clip_batch batch = CLIP_INIT(clip_batch);
    isRight &= clip_dataset_next(data, &batch) == CLIP_OK && batch.count == 2;
    clip_dataset_release(data);
  }
  setitimer(ITIMER_REAL, &none, NULL);
  CHECK(isRight && ticks > 20 && foreign == 0);
}

static void *all_on_this_stack(void *unused) {
  clip_runtime *made = NULL;
  clip_model *opened = NULL;
  clip_image *loaded = NULL;
  clip_trainer *trainer = NULL;
  clip_dataset *data = open_pairs();
  clip_batch batch = CLIP_INIT(clip_batch);
  clip_train_batch step = CLIP_INIT(clip_train_batch);
  const char *texts[] = {"a cat", "a dog"};
  clip_image_view views[2] = {view, view};
  float *found = malloc(sizeof(float) * 2 * WIDEST);
  CHECK(clip_runtime_create(NULL, &made) == CLIP_OK && clip_model_open(made, folder, NULL, &opened) == CLIP_OK);
  CHECK(clip_image_load(made, image_path, NULL, &loaded) == CLIP_OK);
  for (int i = 0; i < 3; i++) CHECK(embed(opened, found) == CLIP_OK);
  CHECK(clip_trainer_create(opened, NULL, &trainer) == CLIP_OK);
  step.n = 2, step.images = views, step.texts = texts;
  CHECK(clip_train_step(trainer, &step, NULL) == CLIP_OK);
  CHECK(clip_dataset_next(data, &batch) == CLIP_OK);
  free(found);
  clip_dataset_release(data);
  clip_trainer_release(trainer);
  clip_image_release(loaded);
  clip_model_release(opened);
  clip_runtime_release(made);
  return unused;
}

/* The stack that docs/reliability.md asks for is enough. */
static void small_stack(size_t size) {
  pthread_attr_t attributes;
  pthread_t thread;
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, size) == 0);
  CHECK(pthread_create(&thread, &attributes, all_on_this_stack, NULL) == 0 && pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: process_test MODEL IMAGE FOLDER [STACK]\n"), 2;
  folder = argv[1], image_path = argv[2], scratch = argv[3];
  char command[1024];
  snprintf(command, sizeof command, "for i in 1 2 3 4; do cp '%s' '%s'/$i.png; echo caption > '%s'/$i.txt; done", image_path,
           scratch, scratch);
  CHECK(system(command) == 0);
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  clip_model_info info = CLIP_INIT(clip_model_info);
  options.threads = 3;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK && clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  CHECK(clip_image_load(runtime, image_path, NULL, &image) == CLIP_OK && clip_image_get_view(image, &view) == CLIP_OK);
  CHECK(clip_model_describe(model, &info) == CLIP_OK);
  width = info.embedding_width;
  for (int i = 0; i < 3; i++) CHECK(embed(model, expected) == CLIP_OK);
  if (argc > 4) {
    small_stack((size_t)atoi(argv[4]) * 1024);
    return checks_report();
  }
  forks();
  cancellation();
  floating_point();
  signals();
  small_stack(128 * 1024);
  clip_image_release(image);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
