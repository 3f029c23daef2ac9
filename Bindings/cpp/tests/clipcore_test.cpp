// Tests of clipcore.hpp: clipcore_test ROOT FOLDER, the repository and an empty folder. Ends with "N passed, N failed".
#include <algorithm>
#include <atomic>
#include <clipcore/clipcore.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

static int passed = 0, failed = 0;
static void need(bool good, const char *what, int line) {
  if (good) passed++; else { failed++; std::printf("FAILED line %d: %s\n", line, what); }
}
#define NEED(condition) need(condition, #condition, __LINE__)

struct Thrown {};

// The status that a call fails with; CLIP_OK for none.
template <typename Call>
static clip_status fails(Call call) {
  try { call(); } catch (const clip::Error &error) { return error.status(); }
  return CLIP_OK;
}
// Whether a call throws what its callback threw, and the next one works.
template <typename Call>
static bool throws(Call call, const clip::Model &model) {
  try { call(); } catch (const Thrown &) { return model.encode_texts({"works"}).count == 1; }
  return false;
}

int main(int argc, char **argv) try {
  if (argc != 3) return 2;
  const clip::Path root = argv[1], folder = argv[2];
  const std::string emoji = root / "Models/emoji", cat = root / "Examples/images/cat.png";
  std::atomic<int> messages = 0;
  clip::Runtime runtime(2, [&](clip_log_level, std::string_view) { messages++; throw Thrown(); });
  runtime.log(CLIP_LOG_INFO, "heard");
  NEED(messages > 0);
  NEED(runtime.threads() == 2 && runtime.image_endings().find("png") != std::string::npos);
  NEED(clip::version() == std::string(clip_version()) && clip::abi_version() == CLIP_ABI_VERSION);

  const clip::Model model(runtime, emoji);
  const clip::Image image(runtime, cat);
  const std::size_t width = model.info().embedding_width;
  const auto row = model.encode_images({image.view()});
  NEED(row.count == 1 && row.width == width && row[0].size() == width);

  // Images and texts in other forms.
  std::ifstream file(cat, std::ios::binary);
  const std::vector<char> data{std::istreambuf_iterator<char>(file), {}};
  const clip::Image decoded(runtime, std::as_bytes(std::span(data)));
  NEED(model.encode_images({decoded.view()}).values == row.values);
  const std::vector<clip_image_view> twice{image.view(), image.view()};
  std::vector<float> out(2 * width);
  model.encode_images(twice, out);
  NEED(std::equal(out.begin(), out.begin() + static_cast<long>(width), row.values.begin()));
  NEED(fails([&] { model.encode_images(twice, std::span(out).first(width)); }) == CLIP_INVALID_ARGUMENT);
  auto pixels = model.preprocess({twice});
  NEED(pixels.count == 2 && model.encode_pixels(pixels).values == out);
  NEED(model.normalize_bytes(model.preprocess_bytes(twice)).values == pixels.values);
  const std::vector<std::string> captions{"a cat", "a slice of pizza"};
  const auto texts = model.encode_texts(captions);
  NEED(texts.values == model.encode_texts({"a cat", "a slice of pizza"}).values);
  const auto [tokens, lengths] = model.tokenize(captions);
  NEED(model.encode_tokens(tokens).values == texts.values && lengths.size() == 2);
  NEED(model.classify(row, texts)[0][0] > 0.9f && model.similarity(row, texts).width == 2);
  NEED(fails([&] { model.similarity(row, std::span(texts.values).first(3)); }) == CLIP_INVALID_ARGUMENT);
  NEED(fails([&] { model.encode_texts({std::string_view("a\0b", 3)}); }) == CLIP_INVALID_ARGUMENT);
  NEED(model.encoder(CLIP_TOWER_IMAGE) == "clipcore.encoder.clip-vit");
  NEED(model.snapshot().encode_texts(captions).values == texts.values);

  // Views are checked.
  const std::vector<std::uint8_t> gray(12);
  NEED(clip::view_of(gray, 4, 3, CLIP_PIXELS_GRAY).width == 4);
  NEED(fails([&] { clip::view_of(gray, 4, 4, CLIP_PIXELS_GRAY); }) == CLIP_INVALID_ARGUMENT);
  NEED(fails([&] { clip::view_of(gray, 4, 3, CLIP_PIXELS_RGB); }) == CLIP_INVALID_ARGUMENT);
  NEED(fails([&] { clip::view_of(gray, 4, 2, CLIP_PIXELS_GRAY, 3); }) == CLIP_INVALID_ARGUMENT);
  auto [made, memory] = clip::Image::create(runtime, CLIP_PIXELS_RGB, 2, 2);
  std::ranges::fill(memory, std::uint8_t{9});
  NEED(memory.size() == 12 && clip::resized(runtime, made.view(), CLIP_RESAMPLE_BICUBIC, 1, 1) == std::vector<std::uint8_t>(3, 9));

  // Errors.
  try {
    clip::Model missing(runtime, "nowhere");
    NEED(false);
  } catch (const clip::Error &error) {
    NEED(error.status() == CLIP_NOT_FOUND && std::string(error.what()).find("nowhere") != std::string::npos);
    NEED(error.name() == std::string("CLIP_NOT_FOUND"));
  }

  // Exceptions in callbacks.
  const auto raise = [](auto &&...) -> bool { throw Thrown(); };
  clip::Progress raising(raise), cancelling([](auto...) { return false; });
  auto options = CLIP_INIT(clip_encode_options);
  options.progress = raising;
  NEED(throws([&] { model.encode_texts({"a"}, &options); }, model));
  options.progress = cancelling;
  NEED(fails([&] { model.encode_texts({"a"}, &options); }) == CLIP_CANCELLED);
  NEED(throws([&] { runtime.plugins(raise); }, model));
  NEED(throws([&] { runtime.augmentations(nullptr, raise); }, model));
  NEED(throws([&] { runtime.plugin_tables(CLIP_KIND_ENCODER, raise); }, model));
  NEED(throws([&] { runtime.describe_encoder("clipcore.encoder.clip-vit", nullptr, raise); }, model));
  NEED(throws([&] { clip::visit_catalogue("modalities", raise); }, model));
  NEED(throws([&] { clip::modality_gap("text", "image", raise); }, model));
  NEED(throws([&] { clip::visit_archive(root / "Examples/emoji-pairs.tar", raise); }, model));
  NEED(throws([&] { runtime.parallel_for(100, [](std::size_t i) { if (i == 50) throw Thrown(); }); }, model));
  std::atomic<std::size_t> sum = 0;
  runtime.parallel_for(100, [&](std::size_t i) { sum += i; });
  NEED(sum == 4950);
  const clip_image_file files[] = {{cat.c_str(), 0, 0}, {"nowhere", 0, 0}};
  NEED(throws([&] { model.encode_files(files, raise); }, model));
  int good = 0, bad = 0;
  model.encode_files(files, [&](std::size_t, std::span<const float> embedding, const clip::Error *error) {
    if (error) bad += error->status() == CLIP_NOT_FOUND; else good += std::ranges::equal(embedding, row.values);
  });
  NEED(good == 1 && bad == 1);
  auto recommend = CLIP_INIT(clip_recommend_options);
  recommend.needs = "local-detail:3";
  int found = 0;
  runtime.recommend_encoders(recommend, [&](const clip_recommendation &) { return ++found < 2; });
  NEED(found == 2);

  // Data, training.
  const char *caption = "en";
  auto data_options = CLIP_INIT(clip_dataset_options);
  data_options.flags = CLIP_DATASET_ORDERED;
  data_options.epochs = 1;
  data_options.batch_size = 64;
  data_options.caption_fields = &caption;
  data_options.caption_field_count = 1;
  const clip::Path pairs[] = {root / "Examples/emoji-pairs.tar"};
  clip::Dataset dataset(runtime, &model, pairs, &data_options);
  auto batch = dataset.next();
  NEED(batch && batch->count == 64);
  const auto state = dataset.save();
  const std::string key = dataset.next()->keys[0];
  dataset.restore(state);
  NEED(dataset.next()->keys[0] == key);
  std::size_t rest = 0;
  while ((batch = dataset.next())) rest += batch->count;
  NEED(rest == 128 && dataset.counters().samples == 256);
  const clip::Pipeline flip(runtime, R"([{"op": "random_horizontal_flip", "p": 1}])"), noise(runtime, R"([{"op": "typo_noise"}])");
  const auto flipped = flip.image(image.view(), 1, 2);
  NEED(model.encode_images({flip.image(flipped.view(), 1, 2).view()}).values == row.values);
  NEED(noise.text("some words", 1, 2) == noise.text("some words", 1, 2) && noise.failures() == 0);

  auto trainer_options = CLIP_INIT(clip_trainer_options);
  trainer_options.learning_rate = 1e-5f;
  clip::Trainer trainer(model, &trainer_options);
  auto step = CLIP_INIT(clip_train_batch);
  const clip::Texts names{"a cat", "a dog"};
  step.n = 2;
  step.images = twice.data();
  step.texts = names.data();
  const auto before = trainer.evaluate(step);
  trainer.set_learning_rate(1e-4);
  NEED(trainer.step(step).loss == before.loss && trainer.step(step).step == 2);
  trainer.save(folder / "saved", 0, "note");
  NEED(trainer.resume(folder / "saved") == "note");
  std::size_t elements = 0;
  trainer.tensors([&](std::string_view name, std::uint64_t count, double) { if (name == "logit_scale") elements = count; });
  float scale = 0;
  trainer.read(CLIP_TENSOR_WEIGHT, "logit_scale", std::span(&scale, 1));
  NEED(elements == 1 && scale > 1);
  NEED(throws([&] { trainer.tensors(raise); }, model));
  const auto copy = model.snapshot();
  trainer.update_model(copy);
  NEED(copy.encode_texts(captions).values != texts.values);
  trainer.export_to(folder / "trained");
  NEED(clip::Model(runtime, folder / "trained").encode_texts(captions).values == copy.encode_texts(captions).values);
  copy.swap();
  NEED(copy.encode_texts(captions).values == texts.values);
  // Without sizes a call takes pixels of the size that the model was opened with.
  auto larger = CLIP_INIT(clip_model_options);
  larger.image_width = larger.image_height = 2 * copy.info().image_width;
  copy.swap(CLIP_TOWER_IMAGE, {}, &larger);
  NEED(fails([&] { copy.encode_pixels(pixels); }) == CLIP_MISMATCH);
  auto sizes = CLIP_INIT(clip_encode_options);
  sizes.image_width = larger.image_width; // the height is that of when it was opened
  NEED(fails([&] { copy.encode_pixels(pixels, &sizes); }) == CLIP_MISMATCH);
  sizes.image_height = larger.image_height;
  NEED(copy.encode_pixels(copy.preprocess(twice, &sizes), &sizes).count == 2 && copy.snapshot().preprocess(twice).width == 4 * pixels.width);

  // The index.
  auto index_options = CLIP_INIT(clip_index_options);
  const auto made_with = clip::Index::fingerprint_of(emoji);
  index_options.flags = CLIP_INDEX_CREATE;
  index_options.fingerprint = made_with.c_str();
  index_options.embedding_width = static_cast<std::uint32_t>(width);
  clip::Index index(runtime, folder / "x.index", &index_options);
  const clip_index_bytes keys[] = {clip::bytes_of("cat"), clip::bytes_of("pizza")};
  index.put(keys, texts);
  NEED(index.fingerprint() == made_with && index.info().entries == 2);
  auto search = CLIP_INIT(clip_index_search_options);
  auto accepts = [](const clip_index_entry &entry) { return clip::text_of(entry.key) != "cat"; };
  std::string best;
  index.search(row, [&](const clip_index_entry &entry) { best = clip::text_of(entry.key); return false; });
  NEED(best == "cat");
  clip::Index::set_filter(search, accepts);
  index.search(row, [&](const clip_index_entry &entry) { best = clip::text_of(entry.key); }, &search);
  NEED(best == "pizza");
  clip::Index::set_filter(search, raise);
  NEED(throws([&] { index.search(row, [](const clip_index_entry &) {}, &search); }, model));
  NEED(throws([&] { index.visit("", raise); }, model));
  int alike = 0;
  auto near = CLIP_INIT(clip_index_duplicates_options);
  near.threshold = 0.01f;
  index.duplicates([&](const clip_index_entry &a, const clip_index_entry &b) { alike += clip::text_of(a.key) < clip::text_of(b.key); }, &near);
  NEED(alike == 1);
  auto joining = CLIP_INIT(clip_index_groups_options);
  joining.threshold = 0.01f;
  int members = 0;
  index.groups([&](std::uint64_t group, const clip_index_entry &) { members += group == 0; }, &joining);
  NEED(members == 2);
  index.get("pizza", out, [&](const clip_index_entry &entry) { best = clip::text_of(entry.metadata); });
  NEED(best.empty());
  index.rename(std::span(keys).first(1), std::vector{clip::bytes_of("dog")});
  NEED(index.remove(std::vector{clip::bytes_of("dog"), clip::bytes_of("cat")}) == 1);
  NEED(fails([&] { index.put(keys, row); }) == CLIP_INVALID_ARGUMENT);
  const auto [analysis, each] = clip::analyze(runtime, out, out, width);
  NEED(analysis.matched_mean > 0.99 && each.size() == 2);

  // Plugins: a held table, a closure.
  const clip::HeldTable<void *> table(runtime, CLIP_KIND_ENCODER, "clipcore.encoder.clip-vit");
  NEED(table.operator->() != nullptr);
  int hits = 0;
  const clip::Closure closure("int(int)", reinterpret_cast<clip_function>(+[](int *hits, int value) { ++*hits; return value + 1; }), &hits);
  NEED(reinterpret_cast<int (*)(int)>(closure.get())(41) == 42 && hits == 1);
  NEED(fails([&] { runtime.load_plugin("nowhere.so"); }) == CLIP_NOT_FOUND || fails([&] { runtime.load_plugin("nowhere.so"); }) == CLIP_IO);
  NEED(fails([&] { runtime.unload_plugin("nothing"); }) == CLIP_NOT_FOUND && fails([&] { runtime.reload_plugin("nothing"); }) == CLIP_NOT_FOUND);
  runtime.watch_plugins([](auto &&...) { throw Thrown(); });
  NEED(fails([&] { runtime.watch_plugins(); }) == CLIP_INVALID_ARGUMENT);

  // Ten thousand calls, with errors and exceptions among them, on four threads; the sanitizer looks for leaks.
  std::atomic<int> calls = 0, wrong = 0;
  {
    auto use = [&] {
      for (int i = 0; i < 2500; i++, calls++) {
        switch (i % 5) {
          case 0: wrong += model.tokenize(captions).second != lengths; break;
          case 1: wrong += fails([&] { clip::Image(runtime, "nowhere"); }) != CLIP_NOT_FOUND; break;
          case 2: { int seen = 0; try { runtime.plugins([&](auto &&) { if (++seen == 3) throw Thrown(); }); wrong++; } catch (const Thrown &) {} break; }
          case 3: wrong += model.similarity(texts, texts).values.size() != 4; break;
          default: wrong += i % 100 == 4 && model.encode_texts({"a cat"}).values != std::vector(texts[0].begin(), texts[0].end());
        }
      }
    };
    std::jthread a(use), b(use), c(use), d(use);
  }
  NEED(calls == 10000 && wrong == 0);

  // In any order: what is left keeps what it needs.
  auto lone = [&] { return clip::Model(clip::Runtime(1), emoji); }();
  NEED(lone.encode_texts(captions).values == texts.values);
  clip::Model moved = std::move(lone);
  NEED(moved.encode_texts(captions).values == texts.values);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
} catch (const std::exception &error) {
  std::printf("FAILED: %s\n%d passed, %d failed\n", error.what(), passed, failed + 1);
  return 1;
}
