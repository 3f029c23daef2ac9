/* An index that several processes use, and one whose writer is killed.
 *
 *   index_processes_test FOLDER     FOLDER is empty */
#include "index_check.h"

static void test_kill(void) {
  int kills = is_slow() ? 4 : 50;
  int before = 0;
  for (int trial = 0; trial < kills; trial++) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
      /* A runtime of its own: that of the parent has no threads here. */
      clip_runtime *own = NULL;
      clip_index_options options = CLIP_INIT(clip_index_options);
      options.flags = CLIP_INDEX_CREATE, options.fingerprint = "kill", options.embedding_width = 32, options.storage = CLIP_STORAGE_F16;
      clip_index *index = NULL;
      if (clip_runtime_create(NULL, &own) || clip_index_open(own, path_of("kill"), &options, &index)) leave(3);
      if (write(ready[1], "", 1) != 1) leave(5);
      for (int batch = before; batch < 100000; batch++)
        if (put_batch(index, batch)) leave(4);
      leave(0);
    }
    /* The first ones may be killed while they make the file. */
    char byte;
    close(ready[1]);
    if (10 * trial >= kills) CHECK(read(ready[0], &byte, 1) == 1);
    usleep(next() % 30000);
    close(ready[0]);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    clip_index *index = NULL;
    clip_status opened = reopen("kill", 0, &index);
    /* Killed before there was anything. */
    if (10 * trial < kills && before == 0 && (opened == CLIP_NOT_FOUND || opened == CLIP_FORMAT)) continue;
    CHECK(opened == CLIP_OK);
    if (opened != CLIP_OK) return;
    uint64_t count = entries_of(index);
    CHECK(count % 10 == 0 && count >= 10 * (uint64_t)before);
    before = (int)(count / 10);
    if (before > 0) {
      float x[32];
      batch_of(before - 1, x);
      CHECK(search(index, x, NULL) == CLIP_OK && found.count == 10 && fabs(found.at[0].score - 1) < 1e-3);
    }
    clip_index_release(index);
  }
  clip_index *index = NULL;
  CHECK(reopen("kill", 0, &index) == CLIP_OK && put_batch(index, before) == CLIP_OK && entries_of(index) == 10 * (uint64_t)before + 10);
  int bad = 0;
  for (int batch = 0; batch <= before; batch++) {
    float x[32], got[32];
    char name[32];
    batch_of(batch, x);
    snprintf(name, 32, "b%04d/%d", batch, batch % 10);
    bad += clip_index_get(index, name, strlen(name), got, 32, NULL, NULL) != CLIP_OK || cosine(x, got, 32) < 0.99999;
  }
  CHECK(bad == 0);
  clip_index_release(index);
}

static void test_processes(void) {
  clip_index *index = open_index("processes", 32, CLIP_STORAGE_F16);
  /* A child has no part in its parent's handle. */
  pid_t child = fork();
  if (child == 0) {
    clip_index_info info = CLIP_INIT(clip_index_info);
    int good = clip_index_describe(index, &info) == CLIP_UNSUPPORTED;
    clip_index_release(index);
    leave(good ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0 && put_batch(index, 5000) == CLIP_OK);
  /* Two writers and this reader. */
  pid_t writers[2];
  for (int writer = 0; writer < 2; writer++) {
    writers[writer] = fork();
    if (writers[writer] == 0) {
      clip_runtime *own = NULL;
      clip_index *mine = NULL;
      if (clip_runtime_create(NULL, &own) || clip_index_open(own, path_of("processes"), NULL, &mine)) leave(3);
      for (int batch = 0; batch < 60; batch++)
        if (put_batch(mine, 2 * batch + writer)) printf("%s\n", clip_last_error()), fflush(stdout), leave(4);
      clip_index_release(mine);
      clip_runtime_release(own);
      leave(0);
    }
  }
  int running = 2, bad = 0;
  float x[32];
  batch_of(5000, x);
  uint64_t last = 0;
  while (running > 0) {
    while (running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
      running--, bad += status != 0;
      if (status) printf("a writer ended with %x\n", (unsigned)status);
    }
    uint64_t count = entries_of(index);
    bad += count % 10 != 0 || count < last;
    last = count;
    bad += search(index, x, NULL) != CLIP_OK || found.count != 10 || strncmp(found.at[0].key, "b5000/", 6) != 0;
  }
  CHECK(bad == 0 && entries_of(index) == 1210);
  batch_of(77, x);
  CHECK(search(index, x, NULL) == CLIP_OK && strcmp(found.at[0].key, "b0077/0") == 0);
  /* A writer that does not end in time. */
  int ready[2], done[2];
  CHECK(pipe(ready) == 0 && pipe(done) == 0);
  child = fork();
  if (child == 0) {
    int descriptor = open(path_of("processes"), O_RDWR);
    (void)descriptor;
    char command[1200];
    close(ready[0]), close(done[1]), dup2(done[0], 0), dup2(ready[1], 1);
    snprintf(command, sizeof command, "(echo 'BEGIN IMMEDIATE; SELECT 1;'; cat) | sqlite3 -batch '%s'", path_of("processes"));
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    leave(1);
  }
  close(ready[1]), close(done[0]);
  char byte;
  if (read(ready[0], &byte, 1) == 1) { /* without the program sqlite3 it ends */
    clip_index_options options = CLIP_INIT(clip_index_options);
    options.wait_milliseconds = 50;
    clip_index *second = NULL;
    CHECK(clip_index_open(runtime, path_of("processes"), &options, &second) == CLIP_OK);
    CHECK(put_batch(second, 6000) == CLIP_IO && strstr(clip_last_error(), "locked") != NULL && search(second, x, NULL) == CLIP_OK);
    close(done[1]);
    waitpid(child, &status, 0);
    CHECK(put_batch(second, 6000) == CLIP_OK);
    clip_index_release(second);
  } else {
    close(done[1]);
    waitpid(child, &status, 0);
  }
  close(ready[0]);
  clip_index_release(index);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  begin(argv[1]);
  test_processes();
  test_kill();
  return end();
}
