/* System calls that fail, are interrupted or transfer less than asked, one at a time, under every path that uses the
 * system: a call ends well with the right result or badly with the right status, keeps no descriptor, and goes on
 * working.
 *
 *   faults_test MODEL IMAGE FOLDER [all|disk]
 *
 * Without `all`, every 11th place of a call that is made often. `disk`: FOLDER is on a disk that is too small.
 */
#define _GNU_SOURCE
#include <clip_index.h>
#include <clipcore.h>

#include "check.h"
#include "faults.h"

static const char *folder, *image_path, *scratch;
static clip_runtime *runtime;
static clip_model *model;
static long every = 11;

/* A sum of what a scenario gave, in which order and size count. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
  return sum;
}

static char *path_of(const char *name) {
  static char paths[4][512];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(paths[turn], sizeof paths[turn], "%s/%s", scratch, name);
  return paths[turn];
}

/* Names in a folder, and descriptors and threads of this process: what must be the same after a failure. */
static int entries(const char *path) {
  DIR *listing = opendir(path);
  int count = 0;
  while (listing != NULL && readdir(listing) != NULL) count++;
  if (listing != NULL) closedir(listing);
  return count;
}

static int add_item(void *sum, const clip_plugin_info *info) {
  *(uint64_t *)sum = mix(*(uint64_t *)sum, info->id, strlen(info->id));
  *(uint64_t *)sum += info->active;
  return 0;
}

static clip_status create_runtime(uint64_t *sum) {
  clip_runtime *made = NULL;
  clip_runtime_options options = CLIP_INIT(clip_runtime_options);
  options.threads = 2;
  clip_status status = clip_runtime_create(&options, &made);
  if (status == CLIP_OK) status = clip_plugins_visit(made, add_item, sum);
  clip_runtime_release(made);
  return status;
}

static clip_status watch_plugins(uint64_t *sum) {
  clip_runtime *made = NULL;
  clip_status status = clip_runtime_create(NULL, &made);
  if (status == CLIP_OK) status = clip_plugin_watch(made, NULL, NULL);
  if (status == CLIP_OK) status = clip_plugins_visit(made, add_item, sum);
  clip_runtime_release(made);
  return status;
}

static clip_status encode(clip_model *with, uint64_t *sum) {
  static float embeddings[4096];
  clip_image *image = NULL;
  clip_image_view view;
  clip_model_info info = CLIP_INIT(clip_model_info);
  const char *texts[] = {"a cat", "a dog"};
  clip_status status = clip_model_describe(with, &info);
  if (status == CLIP_OK) status = clip_image_load(runtime, image_path, NULL, &image);
  if (status == CLIP_OK) status = clip_image_get_view(image, &view);
  if (status == CLIP_OK) status = clip_encode_image(with, &view, 1, NULL, embeddings, 4096);
  if (status == CLIP_OK) *sum = mix(*sum, embeddings, info.embedding_width * sizeof(float));
  if (status == CLIP_OK) status = clip_encode_text(with, texts, 2, NULL, embeddings, 4096);
  if (status == CLIP_OK) *sum = mix(*sum, embeddings, 2 * info.embedding_width * sizeof(float));
  clip_image_release(image);
  return status;
}

static clip_status open_and_encode(uint64_t *sum) {
  clip_model *opened = NULL;
  clip_status status = clip_model_open(runtime, folder, NULL, &opened);
  /* The first call reads the weights, the second packs them; after a failure both must still work. */
  for (int i = 0; i < 2 && status == CLIP_OK; i++) {
    status = encode(opened, sum);
    if (status == CLIP_OK) continue;
    int mode = faults.mode;
    uint64_t again = 0;
    faults_disarm();
    CHECK(encode(opened, &again) == CLIP_OK);
    faults.mode = mode;
  }
  clip_model_release(opened);
  return status;
}

static clip_status swap_tower(uint64_t *sum) {
  clip_status status = clip_model_swap(model, CLIP_TOWER_TEXT, NULL, NULL);
  int mode = faults.mode;
  faults_disarm();
  CHECK(encode(model, sum) == CLIP_OK); /* the old towers or the new */
  faults.mode = mode;
  return status;
}

/* All keys and captions of a data set. A call that fails is made again, and must go on with the same sample. */
static clip_status read_samples(const char *source, uint64_t *sum) {
  clip_dataset *data = NULL;
  clip_dataset_options options = CLIP_INIT(clip_dataset_options);
  options.flags = CLIP_DATASET_IMAGES;
  options.epochs = 1, options.batch_size = 3, options.workers = 2, options.seed = 5, options.max_bad_share = 1;
  clip_status status = clip_dataset_open(runtime, model, &source, 1, &options, &data), failed = CLIP_OK;
  if (status != CLIP_OK) return status;
  for (int tries = 0; tries < 200; tries++) {
    clip_batch batch = CLIP_INIT(clip_batch);
    status = clip_dataset_next(data, &batch);
    if (status != CLIP_OK) {
      failed = status;
      faults_disarm();
      continue;
    }
    if (batch.count == 0) break;
    for (uint32_t i = 0; i < batch.count; i++) {
      *sum = mix(*sum, batch.keys[i], strlen(batch.keys[i]));
      *sum = mix(*sum, batch.captions[i], strlen(batch.captions[i]));
      *sum = mix(*sum, batch.images[i].pixels, batch.images[i].width);
    }
  }
  clip_dataset_counters counters = CLIP_INIT(clip_dataset_counters);
  CHECK(clip_dataset_get_counters(data, &counters) == CLIP_OK && counters.samples == 6 && counters.bad_images == 1 &&
        counters.without_image == 0 && counters.bad_texts == 0 && counters.damaged_shards == 0);
  clip_dataset_release(data);
  if (failed != CLIP_OK && status == CLIP_OK) { /* what was read after the failure is all of it */
    static uint64_t whole[8];
    uint64_t *expected = &whole[source[strlen(source) - 1] & 7];
    if (*expected == 0) {
      *expected = 1;
      uint64_t once = 0xcbf29ce484222325u;
      if (read_samples(source, &once) == CLIP_OK) *expected = once;
    }
    CHECK(*sum == *expected);
  }
  return failed;
}

static clip_status read_folder(uint64_t *sum) { return read_samples(path_of("pairs"), sum); }
static clip_status read_table(uint64_t *sum) { return read_samples(path_of("pairs/table.csv"), sum); }
static clip_status read_archive(uint64_t *sum) { return read_samples(path_of("pairs.tar"), sum); }

static clip_trainer *trainer;

/* A checkpoint is the new one or the old one, whole. */
static clip_status save_checkpoint(uint64_t *sum) {
  clip_status status = clip_trainer_save(trainer, path_of("checkpoints"), 1, "note");
  int mode = faults.mode;
  faults_disarm();
  CHECK(clip_trainer_resume(trainer, path_of("checkpoints")) == CLIP_OK);
  CHECK(entries(path_of("checkpoints")) == 3);
  faults.mode = mode;
  *sum = 1;
  return status;
}

static clip_status resume(uint64_t *sum) {
  char note[16] = "";
  clip_status status = clip_trainer_resume(trainer, path_of("checkpoints"));
  if (status == CLIP_OK) clip_trainer_note(trainer, note, sizeof note);
  *sum = mix(*sum, note, strlen(note));
  return status;
}

static clip_status create_trainer(uint64_t *sum) {
  clip_trainer *made = NULL;
  static float values[1 << 16];
  clip_status status = clip_trainer_create(model, NULL, &made);
  if (status == CLIP_OK) status = clip_trainer_read(made, CLIP_TENSOR_WEIGHT, "logit_scale", values, 1 << 16);
  *sum = mix(*sum, values, sizeof *values);
  clip_trainer_release(made);
  return status;
}

/* A model folder is the new one or the old one, whole, with nothing beside it. */
static clip_status exported(clip_status status, uint64_t *sum) {
  int mode = faults.mode;
  clip_model *opened = NULL;
  faults_disarm();
  CHECK(clip_model_open(runtime, path_of("exported"), NULL, &opened) == CLIP_OK && encode(opened, sum) == CLIP_OK);
  clip_model_release(opened);
  faults.mode = mode;
  return status;
}
/* Weights of PyTorch, and an image of each kind. */
static clip_status open_others(uint64_t *sum) {
  static const char *const names[] = {"o1.jpg", "o1.webp", "jpeg.tiff", "palette.gif", "rgb.bmp"};
  clip_model *opened = NULL;
  float embedding[512];
  static const uint8_t pixels[12] = {1, 2, 3, 40, 50, 60};
  const clip_image_view view = {.pixels = pixels, .width = 2, .height = 2, .format = CLIP_PIXELS_RGB};
  clip_status status = clip_model_open(runtime, path_of("weights"), NULL, &opened);
  if (status == CLIP_OK) status = clip_encode_image(opened, &view, 1, NULL, embedding, 512);
  if (status == CLIP_OK) *sum = mix(*sum, embedding, 16 * sizeof *embedding);
  clip_model_release(opened);
  for (size_t i = 0; status == CLIP_OK && i < sizeof names / sizeof *names; i++) {
    clip_image *image = NULL;
    clip_image_view found;
    status = clip_image_load(runtime, path_of(names[i]), NULL, &image);
    if (status == CLIP_OK) status = clip_image_get_view(image, &found);
    if (status == CLIP_OK) *sum = mix(*sum, found.pixels, found.width);
    clip_image_release(image);
  }
  return status;
}

static int mix_entry(void *user, const clip_index_entry *entry) {
  *(uint64_t *)user = mix(*(uint64_t *)user, entry->key.data, entry->key.size);
  return 0;
}

/* What was put into an index is there as a whole or not at all. */
static clip_status fill_index(uint64_t *sum) {
  static const float rows[3][4] = {{1, 2, 3, 4}, {4, 3, 2, 1}, {0, 1, 0, 1}};
  static const clip_index_bytes keys[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
  clip_index_options options = CLIP_INIT(clip_index_options);
  clip_index_info info = CLIP_INIT(clip_index_info);
  clip_index *index = NULL;
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "test", options.embedding_width = 4;
  clip_status status = clip_index_open(runtime, path_of("index"), &options, &index);
  if (status == CLIP_OK) status = clip_index_put(index, keys, rows[0], NULL, 3);
  if (status == CLIP_OK) status = clip_index_search(index, rows[0], NULL, mix_entry, sum);
  if (status == CLIP_OK) status = clip_index_visit(index, NULL, 0, mix_entry, sum);
  clip_index_release(index);
  int mode = faults.mode;
  faults_disarm();
  CHECK(clip_index_open(runtime, path_of("index"), &options, &index) == CLIP_OK);
  CHECK(clip_index_describe(index, &info) == CLIP_OK && (info.entries == 3 || (status != CLIP_OK && info.entries == 0)));
  clip_index_release(index);
  static const char *const files[] = {"index", "index-wal", "index-shm", "index-journal"};
  for (int i = 0; i < 4; i++) unlink(path_of(files[i]));
  faults.mode = mode;
  return status;
}

static clip_status export_trained(uint64_t *sum) { return exported(clip_trainer_export(trainer, path_of("exported"), NULL), sum); }
static clip_status export_model(uint64_t *sum) { return exported(clip_model_export(model, NULL, path_of("exported"), NULL), sum); }

static const struct {
  const char *name;
  clip_status (*run)(uint64_t *sum);
} scenarios[] = {
  {"create a runtime", create_runtime}, {"watch plugins", watch_plugins}, {"open and encode", open_and_encode},
  {"swap", swap_tower}, {"read a folder", read_folder}, {"read a table", read_table}, {"read an archive", read_archive},
  {"create a trainer", create_trainer}, {"save", save_checkpoint}, {"resume", resume}, {"export a trainer", export_trained},
  {"export a model", export_model}, {"open other files", open_others}, {"fill an index", fill_index},
};

/* What each call may plausibly fail with, but ENOENT: then there is no file, which is no failure. */
static const struct {
  enum fault_call call;
  int codes[8];
} plausible[] = {
  {FAULT_OPEN, {EMFILE, ENFILE, ENOMEM, EIO, EACCES, ETIMEDOUT}}, {FAULT_READ, {EIO, ENOMEM}},
  {FAULT_PREAD, {EIO, ENOMEM, ESTALE}}, {FAULT_WRITE, {ENOSPC, EIO, EDQUOT, ENOMEM}}, {FAULT_STAT, {EIO, ENOMEM, EACCES}},
  {FAULT_LSTAT, {EIO, ENOMEM}}, {FAULT_FSTAT, {EIO, ENOMEM}}, {FAULT_MMAP, {ENOMEM, EAGAIN, ENODEV}},
  {FAULT_RENAME, {EIO, ENOSPC, EACCES}}, {FAULT_FSYNC, {EIO, ENOSPC}}, {FAULT_CLOSE, {EIO}},
  {FAULT_MKDIR, {ENOSPC, EIO, EACCES}}, {FAULT_READDIR, {EIO, ENOMEM}}, {FAULT_FDOPENDIR, {ENOMEM}},
  {FAULT_REALPATH, {EIO, ENOMEM}}, {FAULT_SYSCALL, {ENOMEM, EMFILE}}, {FAULT_THREAD, {EAGAIN}}, {FAULT_FCNTL, {EMFILE}},
};

static long points;

/* One run with a fault: `sum` is what a run without one gives. */
static void try_fault(size_t scenario, enum fault_mode mode, enum fault_call call, int code, long nth, uint64_t sum) {
  int descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task"), files = entries(scratch);
  uint64_t found = 0xcbf29ce484222325u;
  points++;
  faults_arm(mode, call, code, nth);
  clip_status status = scenarios[scenario].run(&found);
  faults_disarm();
  int isTransparent = mode == FAULT_STORM || mode == FAULT_SHORT;
  int isRight = status == CLIP_OK ? found == sum
              : !isTransparent && (code == ENOMEM ? status == CLIP_OUT_OF_MEMORY
                                   : status == CLIP_IO || status == CLIP_PLUGIN || (status == CLIP_OUT_OF_MEMORY && code == EAGAIN));
  /* A thread that has ended is gone from /proc a moment after it is joined. */
  for (int i = 0; i < 100 && entries("/proc/self/task") != threads; i++) usleep(1000);
  /* What cannot be listed cannot be emptied. */
  int mayLeaveFiles = mode == FAULT_FROM && call == FAULT_READDIR;
  int isClean = entries("/proc/self/fd") == descriptors && entries("/proc/self/task") == threads &&
                (mayLeaveFiles || entries(scratch) == files);
  if (!isRight || !isClean)
    printf("%s: %s %ld, mode %d, %s: %s (%s)%s%s\n", scenarios[scenario].name, fault_names[call], nth, (int)mode, strerror(code),
           clip_status_name(status), status == CLIP_OK ? "" : clip_last_error(), isRight ? "" : ": wrong",
           isClean ? "" : ": a descriptor, thread or file is left");
  CHECK(isRight && isClean);
}

static void try_scenario(size_t scenario) {
  uint64_t sum = 0xcbf29ce484222325u, again = 0xcbf29ce484222325u;
  long seen[FAULT_CALLS];
  CHECK(scenarios[scenario].run(&sum) == CLIP_OK);
  faults_arm(FAULT_NONE, 0, 0, 0);
  CHECK(scenarios[scenario].run(&again) == CLIP_OK && again == sum);
  for (int i = 0; i < FAULT_CALLS; i++) seen[i] = faults.seen[i];
  for (size_t i = 0; i < sizeof plausible / sizeof *plausible; i++) {
    enum fault_call call = plausible[i].call;
    long step = seen[call] > 2 * every ? every : 1;
    for (const int *code = plausible[i].codes; *code != 0; code++) {
      for (long nth = 1; nth <= seen[call]; nth += step) try_fault(scenario, FAULT_ONCE, call, *code, nth, sum);
      if (seen[call] > 1) try_fault(scenario, FAULT_FROM, call, *code, seen[call] / 2, sum);
    }
  }
  static const enum fault_call interrupted[] = {FAULT_OPEN, FAULT_READ, FAULT_PREAD, FAULT_WRITE, FAULT_FSYNC, FAULT_CLOSE};
  static const enum fault_call shortened[] = {FAULT_READ, FAULT_PREAD, FAULT_WRITE};
  for (size_t i = 0; i < sizeof interrupted / sizeof *interrupted; i++)
    if (seen[interrupted[i]] > 0) try_fault(scenario, FAULT_STORM, interrupted[i], EINTR, 0, sum);
  for (size_t i = 0; i < sizeof shortened / sizeof *shortened; i++)
    if (seen[shortened[i]] > 0) try_fault(scenario, FAULT_SHORT, shortened[i], EINTR, 0, sum);
  again = 0xcbf29ce484222325u;
  CHECK(scenarios[scenario].run(&again) == CLIP_OK && again == sum);
}

/* Six pairs and one of which the image is damaged: in a folder with a table, and in an archive. */
static void make_pairs(void) {
  char command[2048];
  snprintf(command, sizeof command,
           "mkdir -p '%s/pairs/deeper' && cd '%s/pairs' && for i in 1 2 3 4; do cp '%s' $i.png; echo \"caption $i\" > $i.txt; done && "
           "for i in 5 6; do cp '%s' deeper/$i.png; echo \"caption $i\" > deeper/$i.txt; done && "
           "echo damaged > 7.png && echo none > 7.txt && "
           "tar --sort=name -cf ../pairs.tar 1.png 1.txt 2.png 2.txt 3.png 3.txt 4.png 4.txt deeper 7.png 7.txt && "
           "(echo file_name,caption; for i in 1 2 3 4 deeper/5 deeper/6 7; do echo $i.png,caption $i; done) > table.csv",
           scratch, scratch, image_path, image_path);
  CHECK(system(command) == 0);
  snprintf(command, sizeof command,
           "cp -r Tests/Fixtures/weights/zip '%s/weights' && cd Tests/Fixtures/photos && cp o1.jpg o1.webp jpeg.tiff palette.gif rgb.bmp '%s'",
           scratch, scratch);
  CHECK(system(command) == 0);
}

/* Saves and exports until the disk is full: what is there then is whole, and what failed says so. */
static void fill_disk(void) {
  int full = 0;
  for (int i = 0; i < 40; i++) {
    char name[32];
    clip_model *opened = NULL;
    uint64_t sum = 0;
    snprintf(name, sizeof name, "checkpoints-%d", i);
    clip_status status = clip_trainer_save(trainer, path_of(name), 0, NULL);
    CHECK(status == CLIP_OK ? clip_trainer_resume(trainer, path_of(name)) == CLIP_OK : status == CLIP_IO);
    full += status != CLIP_OK;
    snprintf(name, sizeof name, "model-%d", i);
    status = clip_trainer_export(trainer, path_of(name), NULL);
    CHECK(status == CLIP_OK ? clip_model_open(runtime, path_of(name), NULL, &opened) == CLIP_OK && encode(opened, &sum) == CLIP_OK
                            : status == CLIP_IO && access(path_of(name), F_OK) != 0);
    full += status != CLIP_OK;
    clip_model_release(opened);
  }
  CHECK(full > 0);
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: faults_test MODEL IMAGE FOLDER [all]\n"), 2;
  folder = realpath(argv[1], NULL), image_path = realpath(argv[2], NULL), scratch = realpath(argv[3], NULL);
  int onDisk = argc > 4 && strcmp(argv[4], "disk") == 0;
  if (argc > 4) every = 1;
  if (!onDisk) make_pairs();
  CHECK(clip_runtime_create(NULL, &runtime) == CLIP_OK);
  CHECK(clip_model_open(runtime, folder, NULL, &model) == CLIP_OK);
  CHECK(clip_trainer_create(model, NULL, &trainer) == CLIP_OK);
  if (onDisk) fill_disk();
  for (size_t i = 0; !onDisk && i < sizeof scenarios / sizeof *scenarios; i++) {
    long before = points;
    try_scenario(i);
    printf("%s: %ld faults\n", scenarios[i].name, points - before);
    fflush(stdout);
  }
  clip_trainer_release(trainer);
  clip_model_release(model);
  clip_runtime_release(runtime);
  return checks_report();
}
