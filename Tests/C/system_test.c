/* The library in a process with little: standard streams closed, few descriptors, a limit of file sizes, links that
 * lead to nothing, an environment that does not count.
 *
 *   system_test MODEL IMAGE
 *
 * Each case runs in a child of its own, since most of them change the process.
 */
#define _GNU_SOURCE
#include <clipcore.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const char *folder, *image_path;
static char scratch[] = "/tmp/clipcore-system-XXXXXX";

/* The checks of `body` in a child, whose failures are printed to `log` since it may have no standard streams. */
static void in_child(const char *name, void (*body)(void)) {
  int ends[2];
  if (pipe(ends) != 0) abort();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    int log = fcntl(ends[1], F_DUPFD, 100);
    checks_passed = checks_failed = 0;
    body();
    int counts[2] = {checks_passed, checks_failed};
    if (write(log, counts, sizeof counts) != sizeof counts) _exit(3);
    fflush(stdout);
    _exit(0);
  }
  close(ends[1]);
  int counts[2] = {0, 1}, status = 0;
  ssize_t got = read(ends[0], counts, sizeof counts);
  waitpid(child, &status, 0);
  close(ends[0]);
  if (got != sizeof counts || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    printf("FAILED %s: the child ended with status %x\n", name, status);
    checks_failed++;
    return;
  }
  if (counts[1] > 0) printf("in %s\n", name);
  checks_passed += counts[0];
  checks_failed += counts[1];
}

static int count_kinds(void *user, const clip_plugin_info *info) {
  (void)info;
  return (*(int *)user)++, 0;
}

static int plugin_items(const clip_runtime *runtime) {
  int count = 0;
  return clip_plugins_visit(runtime, count_kinds, &count) == CLIP_OK ? count : -1;
}

/* The image's embedding, or the status that kept it away. */
static clip_status embed(clip_runtime *runtime, const char *from, float *embedding, size_t capacity) {
  clip_model *model = NULL;
  clip_image *image = NULL;
  clip_image_view view;
  clip_status status = clip_model_open(runtime, from, NULL, &model);
  if (status == CLIP_OK) status = clip_image_load(runtime, image_path, NULL, &image);
  if (status == CLIP_OK) status = clip_image_get_view(image, &view);
  if (status == CLIP_OK) status = clip_encode_image(model, &view, 1, NULL, embedding, capacity);
  clip_image_release(image);
  clip_model_release(model);
  return status;
}

/* What a process prints after it closed its standard streams must not land in the library's files. */
static void closed_streams(void) {
  float embedding[2048];
  clip_runtime *runtime = NULL;
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  close(0), close(1), close(2);
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(embed(runtime, folder, embedding, 2048) == CLIP_OK);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  CHECK(clip_plugin_watch(runtime, NULL, NULL) == CLIP_OK);
  CHECK(clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  CHECK(clip_trainer_save(trainer, scratch, 1, NULL) == CLIP_OK);
  for (int descriptor = 0; descriptor < 3; descriptor++) CHECK(fcntl(descriptor, F_GETFD) == -1 && errno == EBADF);
  clip_trainer_release(trainer);
  clip_model_release(model);
  clip_runtime_release(runtime);
}

/* A runtime is whole, or it is an error: never one without its codecs, or with slower kernels. */
static void few_descriptors(void) {
  clip_runtime *runtime = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  int whole = plugin_items(runtime);
  clip_runtime_release(runtime);
  int refused = 0;
  for (rlim_t limit = 4; limit < 80; limit++) {
    struct rlimit few = {limit, 1024};
    setrlimit(RLIMIT_NOFILE, &few);
    runtime = NULL;
    clip_status status = clip_runtime_create(NULL, &runtime);
    if (status == CLIP_OK) {
      CHECK(plugin_items(runtime) == whole);
    } else {
      CHECK((status == CLIP_IO || status == CLIP_PLUGIN) && runtime == NULL);
      refused++;
    }
    clip_runtime_release(runtime);
  }
  CHECK(refused > 3);
}

/* `ulimit -f`: neither SIGXFSZ nor a runtime without its plugins. */
static void limited_files(void) {
  float embedding[2048];
  struct rlimit small = {50 * 1024, 50 * 1024};
  setrlimit(RLIMIT_FSIZE, &small);
  clip_runtime *runtime = NULL;
  clip_model *model = NULL;
  clip_trainer *trainer = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(embed(runtime, folder, embedding, 2048) == CLIP_OK);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  CHECK(clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  CHECK(clip_trainer_save(trainer, scratch, 1, NULL) == CLIP_IO);
  sigset_t pending;
  CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
  clip_trainer_release(trainer);
  clip_model_release(model);
  clip_runtime_release(runtime);
}

static char *path(const char *name) {
  static char text[2][512];
  static int turn;
  turn = !turn;
  snprintf(text[turn], sizeof text[turn], "%s/%s", scratch, name);
  return text[turn];
}

/* A file of the model folder that is a link to nothing is a failure, not a folder without that file. */
static void broken_links(void) {
  static const char *files[] = {"open_clip_config.json", "open_clip_model.safetensors", "vocab.json", "merges.txt",
                                "tokenizer_config.json"};
  float embedding[2048], linked[2048];
  clip_runtime *runtime = NULL;
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(embed(runtime, folder, embedding, 2048) == CLIP_OK);
  char whole[512], target[1024];
  if (realpath(folder, whole) == NULL) abort();
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(target, sizeof target, "%s/%s", whole, files[i]);
    CHECK(symlink(target, path(files[i])) == 0);
  }
  CHECK(embed(runtime, scratch, linked, 2048) == CLIP_OK);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    for (int loops = 0; loops < 2; loops++) {
      unlink(path(files[i]));
      CHECK(symlink(loops ? files[i] : "nothing", path(files[i])) == 0);
      clip_model *model = NULL;
      CHECK(clip_model_open(runtime, scratch, NULL, &model) == CLIP_IO && strstr(clip_last_error(), files[i]) != NULL);
    }
    snprintf(target, sizeof target, "%s/%s", whole, files[i]);
    unlink(path(files[i]));
    CHECK(symlink(target, path(files[i])) == 0);
  }
  CHECK(embed(runtime, scratch, linked, 2048) == CLIP_OK);
  clip_runtime_release(runtime);
}

static int warnings_of_path;
static void count_warnings(void *user, clip_log_level level, const char *message) {
  (void)user;
  if (level == CLIP_LOG_WARNING && strstr(message, "CLIP_PLUGIN_PATH") != NULL) warnings_of_path++;
}

/* Entries of CLIP_PLUGIN_PATH that anybody could have filled are left out with a warning. */
static void plugin_path(void) {
  char entries[1024];
  CHECK(mkdir(path("open"), 0777) == 0 && chmod(path("open"), 0777) == 0);
  CHECK(mkdir(path("closed"), 0755) == 0);
  snprintf(entries, sizeof entries, "relative:%s/open:%s/closed", scratch, scratch);
  setenv("CLIP_PLUGIN_PATH", entries, 1);
  clip_runtime *runtime = NULL;
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.log = count_warnings;
  CHECK(clip_runtime_create(&options, &runtime) == CLIP_OK);
  CHECK(warnings_of_path == 2);
  clip_runtime_release(runtime);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: system_test MODEL IMAGE\n"), 2;
  folder = argv[1], image_path = argv[2];
  if (mkdtemp(scratch) == NULL) return perror(scratch), 1;
  in_child("closed streams", closed_streams);
  in_child("few descriptors", few_descriptors);
  in_child("limited files", limited_files);
  in_child("broken links", broken_links);
  in_child("CLIP_PLUGIN_PATH", plugin_path);
  char command[600];
  snprintf(command, sizeof command, "rm -rf '%s'", scratch);
  CHECK(system(command) == 0);
  return checks_report();
}
