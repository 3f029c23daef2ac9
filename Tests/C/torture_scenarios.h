/* The scenarios of the torture test: for each what is made before, the calls under test, and what is released after.
 * The working folder is the root of the repository. */
#ifndef CLIPCORE_TESTS_TORTURE_SCENARIOS_H
#define CLIPCORE_TESTS_TORTURE_SCENARIOS_H

#include "torture_world.h"

#include <sys/stat.h>

static clip_status nothing(world *w) { return w->runtime ? CLIP_OK : CLIP_INVALID_ARGUMENT; }

static clip_status create_runtime(world *w) {
  clip_runtime *made = NULL;
  TRY(clip_runtime_create(&(clip_runtime_options){.struct_size = sizeof(clip_runtime_options), .threads = 2}, &made));
  if (w->runtime) clip_runtime_release(made);
  else w->runtime = made;
  return CLIP_OK;
}

static int hash_plugin(void *user, const clip_plugin_info *info) {
  add_to_hash(user, info->id, strlen(info->id));
  add_to_hash(user, info->path, strlen(info->path));
  return 0;
}

/* A second one beside that of the world. */
static clip_status create_another(world *w) {
  clip_runtime *made = NULL;
  TRY(clip_runtime_create(&(clip_runtime_options){.struct_size = sizeof(clip_runtime_options), .threads = 2}, &made));
  clip_status status = clip_plugins_visit(made, hash_plugin, w);
  clip_runtime_release(made);
  return status;
}

static clip_status plugin_calls(world *w) {
  const char *path = "build/tests/grey1.so", *id = "clipcore.codec.png";
  const void *table = NULL;
  clip_plugin_unload(w->runtime, path); /* where a call before this one was not finished */
  TRY(clip_plugin_load(w->runtime, path));
  TRY(clip_plugin_reload(w->runtime, path));
  TRY(clip_plugins_visit(w->runtime, hash_plugin, w));
  if (!w->reference) TRY(clip_plugin_table_hold(w->runtime, CLIP_KIND_IMAGE_CODEC, id, &table, &w->reference));
  return clip_plugin_unload(w->runtime, path);
}

static int hash_tensor(void *user, const char *name, const uint64_t *shape, size_t rank) {
  add_to_hash(user, name, strlen(name));
  add_to_hash(user, shape, rank * sizeof *shape);
  return 0;
}
static int hash_recommendation(void *user, const clip_recommendation *found) {
  add_to_hash(user, found->id, strlen(found->id));
  add_to_hash(user, found->reasons, strlen(found->reasons));
  return 0;
}
static clip_status encoder_calls(world *w) {
  clip_encoder_info info = {.struct_size = sizeof info};
  clip_recommend_options options = {.struct_size = sizeof options, .needs = "texture:2,low-latency"};
  TRY(clip_encoder_describe(w->runtime, "clipcore.encoder.resnet50", "{\"image_height\": 64, \"image_width\": 64}", &info, hash_tensor, w));
  return clip_recommend_encoders(w->runtime, &options, hash_recommendation, w);
}

static clip_status open_model(world *w) {
  if (!w->model) TRY(clip_model_open(w->runtime, w->folder, NULL, &w->model));
  TRY(clip_model_describe(w->model, &w->info));
  add_to_hash(w, &w->info.embedding_width, 3 * sizeof(uint32_t));
  return CLIP_OK;
}
static clip_status open_half(world *w) {
  clip_model *made = NULL;
  clip_model_options options = {.struct_size = sizeof options, .storage = CLIP_STORAGE_INT8};
  TRY(clip_model_open(w->runtime, w->folder, &options, &made));
  clip_model_release(made);
  return CLIP_OK;
}
static clip_status encode_images(world *w) {
  TRY(add_floats(w, clip_encode_image(w->model, views, ITEMS, NULL, floats, FLOATS), ITEMS * w->info.embedding_width));
  size_t one = 3 * (size_t)w->info.image_width * w->info.image_height;
  TRY(add_floats(w, clip_preprocess(w->model, views, ITEMS, NULL, floats, FLOATS), ITEMS * one));
  float *embeddings = floats + ITEMS * one;
  TRY(clip_encode_pixels(w->model, floats, ITEMS, NULL, embeddings, FLOATS - ITEMS * one));
  add_to_hash(w, embeddings, ITEMS * w->info.embedding_width * sizeof(float));
  return CLIP_OK;
}
static clip_status encode_texts(world *w) {
  static int32_t tokens[ITEMS * 512];
  clip_encode_options options = {.struct_size = sizeof options,
                                 .flags = CLIP_ENCODE_TRUNCATE | CLIP_ENCODE_OPENAI_CLEANING};
  TRY(clip_tokenize(w->model, captions, ITEMS, &options, tokens, ITEMS * 512, NULL, 0));
  add_to_hash(w, tokens, ITEMS * w->info.context_length * sizeof *tokens);
  TRY(add_floats(w, clip_encode_tokens(w->model, tokens, ITEMS, NULL, floats, FLOATS), ITEMS * w->info.embedding_width));
  options.flags = CLIP_ENCODE_TRUNCATE;
  return add_floats(w, clip_encode_text(w->model, captions, ITEMS, &options, floats, FLOATS), ITEMS * w->info.embedding_width);
}
static clip_status swap(world *w) {
  clip_model *snapshot = NULL;
  TRY(clip_model_snapshot(w->model, &snapshot));
  clip_status status = clip_model_swap(w->model, 0, w->folder, NULL);
  clip_model_release(snapshot);
  return status;
}
static clip_status initialize(world *w) {
  unlink(in_work(w, "siglip/model.safetensors"));
  return clip_model_initialize(w->runtime, in_work(w, "siglip"), 3);
}

static clip_status load_image(world *w) {
  clip_image *image = NULL;
  clip_image_view found;
  TRY(clip_image_load(w->runtime, running->argument, NULL, &image));
  clip_status status = clip_image_get_view(image, &found);
  for (uint32_t y = 0; status == CLIP_OK && y < found.height; y++)
    add_to_hash(w, found.pixels + y * found.stride, found.width);
  clip_image_release(image);
  return status;
}

/* Weights in a PyTorch file. */
static clip_status open_file(world *w) {
  static float embedding[512];
  clip_model *model = NULL;
  TRY(clip_model_open(w->runtime, running->argument, NULL, &model));
  clip_model_info info = CLIP_INIT(clip_model_info);
  clip_status status = clip_model_describe(model, &info);
  if (status == CLIP_OK) status = clip_encode_image(model, views, 1, NULL, embedding, 512);
  clip_model_release(model);
  add_to_hash(w, embedding, info.embedding_width * sizeof *embedding);
  return status;
}

static int hash_entry(void *user, const clip_index_entry *entry) {
  add_to_hash(user, entry->key.data, entry->key.size);
  add_to_hash(user, entry->metadata.data, entry->metadata.size);
  add_to_hash(user, &entry->score, sizeof entry->score);
  return 0;
}
static int hash_pair(void *user, const clip_index_entry *a, const clip_index_entry *b) { return hash_entry(user, a), hash_entry(user, b); }
static clip_status index_calls(world *w) {
  static const char *const keys[] = {"one", "two", "three"};
  static const float rows[3][4] = {{1, 2, 3, 4}, {1, 2, 3, 5}, {-1, 0, 1, 0}};
  clip_index_bytes names[3], facts[3];
  for (int i = 0; i < 3; i++) names[i] = facts[i] = (clip_index_bytes){keys[i], strlen(keys[i])};
  clip_index_options options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE, options.fingerprint = "torture", options.embedding_width = 4;
  clip_index_release(w->index), w->index = NULL;
  TRY(clip_index_open(w->runtime, in_work(w, "index"), &options, &w->index));
  TRY(clip_index_put(w->index, names, rows[0], facts, 3));
  TRY(clip_index_search(w->index, rows[0], NULL, hash_entry, w));
  TRY(clip_index_duplicates(w->index, NULL, hash_pair, w));
  TRY(clip_index_visit(w->index, NULL, 0, hash_entry, w));
  TRY(clip_index_get(w->index, "two", 3, floats, FLOATS, hash_entry, w));
  return clip_index_remove(w->index, names, 1, NULL);
}

static clip_status make_pipeline(world *w) {
  if (!w->pipeline) TRY(clip_pipeline_create(w->runtime, running->argument, &w->pipeline));
  return CLIP_OK;
}
static clip_status augment_image(world *w) {
  TRY(make_pipeline(w));
  for (uint64_t index = 0; index < 3; index++) {
    clip_image *image = NULL;
    clip_image_view found;
    TRY(clip_augment_image(w->pipeline, &views[0], 5, index, &image));
    clip_status status = clip_image_get_view(image, &found);
    for (uint32_t y = 0; status == CLIP_OK && y < found.height; y++)
      add_to_hash(w, found.pixels + y * found.stride, found.width * 3);
    clip_image_release(image);
    TRY(status);
  }
  return CLIP_OK;
}
static clip_status augment_text(world *w) {
  TRY(make_pipeline(w));
  for (uint64_t index = 0; index < 4; index++) {
    char text[1024];
    size_t length = 0;
    TRY(clip_augment_text(w->pipeline, "A small child is running to the red house.", 5, index, text, sizeof text, &length));
    add_to_hash(w, text, length);
  }
  return CLIP_OK;
}

/* What was told of an image that failed. */
typedef struct {
  world *w;
  clip_status status;
} told;

static int hash_embedding(void *user, size_t index, const float *embedding, clip_status status, const char *message) {
  told *all = user;
  all->status = status;
  if (!embedding) return message[0] != 0;
  add_to_hash(all->w, &index, sizeof index);
  add_to_hash(all->w, embedding, all->w->info.embedding_width * sizeof *embedding);
  return 0;
}

/* Images of files in batches, while another thread decodes. How many buffers two would keep depends on their timing. */
static clip_status encode_files(world *w) {
  static const char *const paths[] = {"palette-alpha.png", "progressive.jpg", "lossy-alpha.webp", "gray8.png", "420.jpg"};
  char names[5][256];
  clip_image_file files[5];
  clip_encode_files_options options = {.struct_size = sizeof options, .batch_size = 2, .workers = 1};
  told all = {w, CLIP_OK};
  for (int i = 0; i < 5; i++) {
    snprintf(names[i], sizeof names[i], "Tests/Fixtures/codecs/%s", paths[i]);
    files[i] = (clip_image_file){.path = names[i]};
  }
  clip_status status = clip_encode_files(w->runtime, w->model, files, 5, &options, hash_embedding, &all);
  return status == CLIP_CANCELLED ? all.status : status;
}

/* All batches of two epochs; what was opened and failed is opened again. */
static clip_status read_data(world *w) {
  char path[512];
  snprintf(path, sizeof path, "%s/data/%s", w->work, running->argument);
  const char *sources[] = {path};
  clip_dataset_options options = {.struct_size = sizeof options, .flags = CLIP_DATASET_IMAGES | CLIP_DATASET_ALL_CAPTIONS,
                                  .batch_size = 4, .epochs = 2, .workers = 2, .max_bad_share = 0.01};
  clip_dataset_counters counters = {.struct_size = sizeof counters};
  clip_batch batch = {.struct_size = sizeof batch};
  if (w->dataset) clip_dataset_release(w->dataset), w->dataset = NULL;
  TRY(clip_dataset_open(w->runtime, w->model, sources, 1, &options, &w->dataset));
  do {
    TRY(clip_dataset_next(w->dataset, &batch));
    for (uint32_t i = 0; i < batch.count; i++) {
      add_to_hash(w, batch.keys[i], strlen(batch.keys[i]));
      add_to_hash(w, batch.captions[i], strlen(batch.captions[i]));
    }
    add_to_hash(w, batch.pixels, batch.count * 3 * (size_t)w->info.image_width * w->info.image_height * sizeof(float));
    add_to_hash(w, batch.tokens, batch.count * (size_t)w->info.context_length * sizeof(int32_t));
  } while (batch.count > 0);
  TRY(clip_dataset_get_counters(w->dataset, &counters));
  return counters.samples == 2 * PAIRS ? CLIP_OK : CLIP_FORMAT;
}

static clip_trainer_options training(void) {
  static const char *const patterns[] = {"*attn*"};
  static const clip_tensor_group groups[] = {{"*bias", 0.5f}};
  clip_trainer_options options = {.struct_size = sizeof options, .average_decay = 0.9f, .groups = groups, .group_count = 1,
                                  .gradient_clip = 1, .chunk = 1};
  if (running->argument) options.low_rank = 2, options.low_rank_patterns = patterns, options.low_rank_pattern_count = 1;
  return options;
}
static clip_status make_trainer(world *w) {
  clip_trainer_options options = training();
  if (!w->trainer) TRY(clip_trainer_create(w->model, &options, &w->trainer));
  return CLIP_OK;
}
static clip_status step(world *w) {
  clip_train_metrics metrics = {.struct_size = sizeof metrics};
  clip_train_batch batch = {.struct_size = sizeof batch, .n = ITEMS, .images = views, .texts = captions};
  clip_encode_options options = {.struct_size = sizeof options, .flags = CLIP_ENCODE_TRUNCATE};
  batch.options = &options;
  TRY(clip_train_step(w->trainer, &batch, &metrics));
  add_to_hash(w, &metrics, sizeof metrics);
  return CLIP_OK;
}
static clip_status prepare_trainer(world *w) {
  TRY(open_model(w));
  return make_trainer(w);
}
static clip_status train(world *w) {
  TRY(make_trainer(w));
  return step(w);
}
static clip_status prepare_trained(world *w) {
  TRY(prepare_trainer(w));
  return step(w);
}
static clip_status save(world *w) {
  char path[512], note[64];
  snprintf(path, sizeof path, "%s", in_work(w, "checkpoints"));
  TRY(clip_trainer_save(w->trainer, path, 1, "a note"));
  TRY(clip_trainer_resume(w->trainer, path));
  add_to_hash(w, note, clip_trainer_note(w->trainer, note, sizeof note));
  clip_train_metrics metrics = {.struct_size = sizeof metrics};
  clip_encode_options options = {.struct_size = sizeof options, .flags = CLIP_ENCODE_TRUNCATE};
  clip_train_batch batch = {.struct_size = sizeof batch, .n = ITEMS, .images = views, .texts = captions, .options = &options};
  TRY(clip_trainer_evaluate(w->trainer, &batch, &metrics));
  add_to_hash(w, &metrics, sizeof metrics);
  return CLIP_OK;
}
static clip_status export_model(world *w) {
  TRY(clip_trainer_export(w->trainer, in_work(w, "exported"), NULL));
  return clip_trainer_update_model(w->trainer, w->model, 0);
}

static int hash_gap(void *user, const clip_property_gap *gap) {
  add_to_hash(user, gap->challenge, strlen(gap->challenge));
  return 0;
}
static clip_status analyse(world *w) {
  enum { N = 20, D = 8 };
  clip_analysis facts = {.struct_size = sizeof facts};
  clip_pair_analysis pairs[N];
  float images[N * D], sentences[N * D];
  for (int i = 0; i < N * D; i++) images[i] = (float)((i * 7919) % 101 - 50), sentences[i] = (float)((i * 104729) % 97 - 40);
  TRY(clip_analyze(w->runtime, images, sentences, N, D, NULL, &facts, pairs, N));
  add_to_hash(w, &facts.gap, sizeof facts - offsetof(clip_analysis, gap));
  clip_modality_gap_info gap = {.struct_size = sizeof gap};
  return clip_modality_gap("share/modalities.json", "text", "image", &gap, hash_gap, w);
}

static double twice(void *user, double x) { return user ? 2 * x : x; }
static clip_status closure(world *w) {
  if (!w->closure) TRY(clip_closure_create("double(double)", (clip_function)twice, w, &w->closure));
  return CLIP_OK;
}

static const char image_steps[] =
    "[{\"op\": \"random_resized_crop\", \"size\": 24}, {\"op\": \"color_jitter\", \"hue\": 0.1},"
    "{\"op\": \"random_rotation\", \"degrees\": 20}, {\"op\": \"gaussian_blur\"}, {\"op\": \"rand_augment\"}, {\"op\": \"elastic_transform\"},"
    "{\"one_of\": [{\"op\": \"random_perspective\"}, {\"op\": \"random_erasing\"}]}, {\"op\": \"jpeg\"}]";
static const char text_steps[] = "[{\"op\": \"typo_noise\"}, {\"op\": \"case_noise\"}, {\"op\": \"random_deletion\"}, {\"op\": \"random_swap\"}]";

static const scenario scenarios[] = {
    {"runtime", nothing, create_another, 0, NULL},
    {"plugins", nothing, plugin_calls, 0, NULL},
    {"encoders", nothing, encoder_calls, 0, NULL},
    {"initialize", nothing, initialize, 0, NULL},
    {"open", nothing, open_model, CLIP_TOWER_TEXT, NULL},
    {"open-int8", nothing, open_half, CLIP_TOWER_TEXT, NULL},
    {"images", open_model, encode_images, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"files", open_model, encode_files, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"texts", open_model, encode_texts, CLIP_TOWER_TEXT, NULL},
    {"swap", open_model, swap, CLIP_TOWER_TEXT, NULL},
    {"png", nothing, load_image, 0, "Tests/Fixtures/codecs/palette-alpha.png"},
    {"interlaced", nothing, load_image, 0, "Tests/Fixtures/codecs/rgb16-interlaced.png"},
    {"jpeg", nothing, load_image, 0, "Tests/Fixtures/codecs/progressive.jpg"},
    {"cmyk", nothing, load_image, 0, "Tests/Fixtures/codecs/cmyk.jpg"},
    {"webp", nothing, load_image, 0, "Tests/Fixtures/codecs/lossy-alpha.webp"},
    {"lossless", nothing, load_image, 0, "Tests/Fixtures/codecs/lossless.webp"},
    {"gif", nothing, load_image, 0, "Tests/Fixtures/photos/palette.gif"},
    {"tiff", nothing, load_image, 0, "Tests/Fixtures/photos/rgba.tiff"},
    {"tiff-jpeg", nothing, load_image, 0, "Tests/Fixtures/photos/jpeg.tiff"},
    {"heic", nothing, load_image, 0, "Tests/Fixtures/photos/photo.heic"},
    {"avif", nothing, load_image, 0, "Tests/Fixtures/photos/photo.avif"},
    {"jxl", nothing, load_image, 0, "Tests/Fixtures/photos/photo.jxl"},
    {"pytorch", nothing, open_file, 0, "Tests/Fixtures/weights/zip"},
    {"pytorch-old", nothing, open_file, 0, "Tests/Fixtures/weights/legacy"},
    {"index", nothing, index_calls, 0, NULL},
    {"augment-image", nothing, augment_image, 0, image_steps},
    {"augment-text", nothing, augment_text, 0, text_steps},
    {"data-folder", open_model, read_data, 0, "pairs"},
    {"data-table", open_model, read_data, 0, "pairs.csv"},
    {"data-json", open_model, read_data, 0, "pairs.jsonl"},
    {"data-archive", open_model, read_data, 0, "pairs.tar"},
    {"trainer", open_model, make_trainer, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"step", prepare_trainer, step, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"low-rank", open_model, train, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, "low-rank"},
    {"save", prepare_trained, save, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"export", prepare_trained, export_model, CLIP_TOWER_IMAGE | CLIP_TOWER_TEXT, NULL},
    {"analyse", nothing, analyse, 0, NULL},
    {"closure", nothing, closure, 0, NULL},
};

/* Releases what `prepare` and `call` made, all but the runtime. */
static void finish(world *w) {
  clip_dataset_release(w->dataset);
  clip_trainer_release(w->trainer);
  clip_pipeline_release(w->pipeline);
  clip_image_release(w->image);
  clip_closure_release(w->closure);
  clip_plugin_reference_release(w->reference);
  clip_index_release(w->index);
  clip_model_release(w->model);
  *w = (world){.work = w->work, .folder = w->folder, .runtime = w->runtime, .info = {.struct_size = sizeof w->info}};
}

#endif
