// clipcore.hpp: clipcore for C++20. Handles are values that release themselves, failures are exceptions, arrays are spans,
// callbacks are callables that may throw. Options are the structs of the C headers, made with CLIP_INIT; their rules, and
// those of each call, are there. Link with -lclipindex -lcliptools -lclipcore, as far as they are used.
//
//   clip::Runtime runtime(2);
//   clip::Model model(runtime, "Models/emoji");
//   clip::Image cat(runtime, "cat.png");
//   auto image = model.encode_images({cat.view()});
//   auto texts = model.encode_texts({"a cat", "a slice of pizza"});
//   auto probabilities = model.classify(image, texts);  // probabilities[0][1]: of the second text for the first image
#ifndef CLIPCORE_CLIPCORE_HPP
#define CLIPCORE_CLIPCORE_HPP

#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "clipcore.h"

namespace clip {

using Path = std::filesystem::path;

/* ---------------------------------------------------------------- errors and callbacks */

/* A call that failed; what() is the library's message. */
class Error : public std::runtime_error {
 public:
  Error(clip_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  clip_status status() const noexcept { return status_; }
  const char *name() const noexcept { return clip_status_name(status_); }

 private:
  clip_status status_;
};

namespace detail {

/* What a callback of the running call threw: callbacks run on the thread of their call. */
inline thread_local std::exception_ptr thrown;

/* Runs a callback of C: `failed` after an exception, which check() throws again. */
template <typename Result, typename Body>
Result guarded(Result failed, Body &&body) noexcept {
  if (thrown) return failed;
  try {
    return body();
  } catch (...) {
    thrown = std::current_exception();
    return failed;
  }
}

/* Whether a visitor stops: it returns nothing, or false to stop. */
template <typename Body, typename... Arguments>
int stops(Body &body, Arguments &&...arguments) {
  if constexpr (std::is_void_v<std::invoke_result_t<Body &, Arguments...>>) {
    body(std::forward<Arguments>(arguments)...);
    return 0;
  } else {
    return body(std::forward<Arguments>(arguments)...) ? 0 : 1;
  }
}

template <typename Body>
void *user(Body &body) { return const_cast<void *>(static_cast<const void *>(std::addressof(body))); }

/* A visitor of C for a body of the type that `user` points to. */
template <typename Body, typename... Arguments>
int visitor(void *user, Arguments... arguments) noexcept {
  return guarded(1, [&] { return stops(*static_cast<Body *>(user), arguments...); });
}

}  // namespace detail

/* Throws what a callback threw, else the library's message unless `status` is CLIP_OK. */
inline void check(clip_status status) {
  if (auto thrown = std::exchange(detail::thrown, nullptr)) std::rethrow_exception(thrown);
  if (status != CLIP_OK) throw Error(status, clip_last_error());
}

/* For a callback that fails a call of its own. */
inline clip_status set_last_error(clip_status status, const std::string &message) {
  return clip_set_last_error(status, message.c_str());
}

inline const char *version() { return clip_version(); }
inline std::uint32_t abi_version() { return clip_abi_version(); }

/* The progress of a call: `options.progress = progress;` while this exists. `body(done, total)` returns nothing, or false
 * to cancel. */
class Progress {
 public:
  explicit Progress(std::function<bool(std::uint64_t, std::uint64_t)> body) : body_(std::move(body)) {}
  Progress(const Progress &) = delete;
  operator clip_progress() { return {detail::visitor<decltype(body_), std::uint64_t, std::uint64_t>, &body_}; }

 private:
  std::function<bool(std::uint64_t, std::uint64_t)> body_;
};

namespace detail {

inline std::string checked_text(std::string_view value) {
  if (value.find('\0') != value.npos) throw Error(CLIP_INVALID_ARGUMENT, "expected text without a NUL character, found one");
  return std::string(value);
}

/* A text that a call writes to a buffer and whose whole length it returns. */
template <typename Call>
std::string written(Call call) {
  std::string text(256, '\0');
  std::size_t length = call(text.data(), text.size());
  if (length >= text.size()) {
    text.resize(length + 1);
    length = call(text.data(), text.size());
  }
  text.resize(length);
  return text;
}

template <auto release>
struct Releaser {
  template <typename T>
  void operator()(T *handle) const { release(handle); }
};
template <typename T, auto release>
using Owner = std::unique_ptr<T, Releaser<release>>;

/* The handle that a call writes to its last parameter. */
template <typename T, typename Call, typename... Arguments>
T *made(Call call, Arguments... arguments) {
  T *handle = nullptr;
  check(call(arguments..., &handle));
  return handle;
}

inline std::size_t rows(std::size_t elements, std::size_t width, const char *what) {
  if (width == 0 || elements % width != 0)
    throw Error(CLIP_INVALID_ARGUMENT, std::string(what) + ": expected rows of " + std::to_string(width) + " elements, found " +
                                           std::to_string(elements) + " elements");
  return elements / width;
}

}  // namespace detail

/* Texts for C: of anything that is a std::string_view. */
class Texts {
 public:
  Texts(std::initializer_list<std::string_view> texts) { add(texts); }
  template <std::ranges::input_range Range>
    requires(std::convertible_to<std::ranges::range_reference_t<Range>, std::string_view> &&
             !std::convertible_to<Range, std::string_view> && !std::same_as<std::remove_cvref_t<Range>, Texts>)
  Texts(Range &&texts) { add(texts); }
  const char *const *data() const { return pointers_.data(); }
  std::size_t size() const { return pointers_.size(); }

 private:
  template <typename Range>
  void add(Range &&texts) {
    for (std::string_view text : texts) texts_.push_back(detail::checked_text(text));
    for (const auto &text : texts_) pointers_.push_back(text.c_str());
  }
  std::vector<std::string> texts_;
  std::vector<const char *> pointers_;
};

/* Rows of `width` elements. */
template <typename Element>
struct Rows {
  std::size_t count = 0, width = 0;
  std::vector<Element> values;

  Rows() = default;
  Rows(std::size_t count, std::size_t width) : count(count), width(width), values(count * width) {}
  std::span<const Element> operator[](std::size_t row) const { return std::span(values).subspan(row * width, width); }
  operator std::span<const Element>() const { return values; }
};
using Matrix = Rows<float>;

/* ---------------------------------------------------------------- runtime */

using Log = std::function<void(clip_log_level, std::string_view)>;
using Changed = std::function<void(std::string_view plugin, const Path &, const Error *)>;

/* What models share. Copies are the same runtime, and models keep it. */
class Runtime {
 public:
  explicit Runtime(std::uint32_t threads = 1, Log log = nullptr) : Runtime(with_threads(threads), std::move(log)) {}

  /* `log` is called on any thread, must not call the library, and what it throws is dropped. */
  explicit Runtime(clip_runtime_options options, Log log = nullptr) : state_(std::make_shared<State>()) {
    state_->log = std::move(log);
    if (state_->log) {
      options.log_user = state_.get();
      options.log = [](void *user, clip_log_level level, const char *message) {
        try { static_cast<State *>(user)->log(level, message); } catch (...) {}
      };
    }
    state_->handle = detail::made<clip_runtime>(clip_runtime_create, &options);
  }

  clip_runtime *get() const { return state_->handle; }
  std::uint32_t threads() const { return clip_runtime_threads(get()); }
  void log(clip_log_level level, const std::string &message) const { clip_runtime_log(get(), level, message.c_str()); }

  /* Runs body(i) for each i in [0, count) on the runtime's threads; the first exception is thrown once all have ended. */
  template <typename Body>
  void parallel_for(std::size_t count, Body &&body) const {
    struct Work { std::remove_reference_t<Body> &body; std::mutex mutex; std::exception_ptr error; } work{body, {}, nullptr};
    auto task = [](void *context, std::size_t index) {
      auto &work = *static_cast<Work *>(context);
      try { work.body(index); } catch (...) {
        std::lock_guard lock(work.mutex);
        if (!work.error) work.error = std::current_exception();
      }
    };
    check(clip_runtime_parallel_for(get(), count, task, &work));
    if (work.error) std::rethrow_exception(work.error);
  }

  /* Calls visit(const clip_plugin_info &), as all visitors until it returns false. */
  template <typename Visit>
  void plugins(Visit &&visit) const {
    auto body = [&](const clip_plugin_info *info) { return detail::stops(visit, *info) == 0; };
    check(clip_plugins_visit(get(), detail::visitor<decltype(body), const clip_plugin_info *>, &body));
  }
  void load_plugin(const Path &path) const { check(clip_plugin_load(get(), path.c_str())); }
  void unload_plugin(const std::string &plugin) const { check(clip_plugin_unload(get(), plugin.c_str())); }
  void reload_plugin(const std::string &plugin) const { check(clip_plugin_reload(get(), plugin.c_str())); }

  /* A plugin of the program: its tables are those of clip_plugin.h, and stay. */
  void register_plugin(clip_plugin_entry_fn entry) const { check(clip_plugin_register(get(), entry)); }

  /* Reloads plugins whose files change. `changed` is called on a thread of its own; what it throws is dropped. */
  void watch_plugins(Changed changed = nullptr) const {
    auto owned = std::make_unique<Changed>(std::move(changed));
    clip_plugin_changed_fn call = nullptr;
    if (*owned) call = [](void *user, const char *plugin, const char *path, clip_status status, const char *message) {
      try {
        const Error error(status, message);
        (*static_cast<Changed *>(user))(plugin, path, status == CLIP_OK ? nullptr : &error);
      } catch (...) {}
    };
    check(clip_plugin_watch(get(), call, owned.get()));
    state_->changed = std::move(owned);
  }

  /* Builds an encoder without weights; visit(name, std::span<const std::uint64_t> shape) gets the tensors that it needs. */
  template <typename Visit>
  clip_encoder_info describe_encoder(const std::string &id, const char *config, Visit &&visit) const {
    auto info = CLIP_INIT(clip_encoder_info);
    auto body = [&](const char *name, const std::uint64_t *shape, std::size_t rank) {
      return detail::stops(visit, std::string_view(name), std::span(shape, rank)) == 0;
    };
    check(clip_encoder_describe(get(), id.c_str(), config, &info,
                                detail::visitor<decltype(body), const char *, const std::uint64_t *, std::size_t>, &body));
    return info;
  }
  clip_encoder_info describe_encoder(const std::string &id, const char *config = nullptr) const {
    return describe_encoder(id, config, [](std::string_view, std::span<const std::uint64_t>) {});
  }

  template <typename Visit>
  void recommend_encoders(const clip_recommend_options &options, Visit &&visit) const {
    auto body = [&](const clip_recommendation *found) { return detail::stops(visit, *found) == 0; };
    check(clip_recommend_encoders(get(), &options, detail::visitor<decltype(body), const clip_recommendation *>, &body));
  }

  /* visit(const clip_augmentation_info &); `op` NULL: of all. */
  template <typename Visit>
  void augmentations(const char *op, Visit &&visit) const {
    auto body = [&](const clip_augmentation_info *info) { return detail::stops(visit, *info) == 0; };
    check(clip_augmentations_visit(get(), op, detail::visitor<decltype(body), const clip_augmentation_info *>, &body));
  }

  /* visit(id, const void *table) */
  template <typename Visit>
  void plugin_tables(clip_plugin_kind kind, Visit &&visit) const {
    auto body = [&](const char *id, const void *table) { return detail::stops(visit, std::string_view(id), table) == 0; };
    check(clip_plugin_tables_visit(get(), kind, detail::visitor<decltype(body), const char *, const void *>, &body));
  }

  std::string image_endings() const {
    return detail::written([&](char *text, std::size_t size) { return clip_image_endings(get(), text, size); });
  }
  void initialize_model(const Path &folder, std::uint64_t seed) const {
    check(clip_model_initialize(get(), folder.c_str(), seed));
  }

 private:
  struct State {
    clip_runtime *handle = nullptr;
    Log log;
    std::unique_ptr<Changed> changed;
    State() = default;
    State(const State &) = delete;
    ~State() { clip_runtime_release(handle); } /* waits for a running `changed` */
  };
  static clip_runtime_options with_threads(std::uint32_t threads) {
    auto options = CLIP_INIT(clip_runtime_options);
    options.threads = threads;
    return options;
  }
  std::shared_ptr<State> state_;
};

/* A table of a plugin, whose code stays loaded meanwhile. */
template <typename Table>
class HeldTable {
 public:
  HeldTable(const Runtime &runtime, clip_plugin_kind kind, const std::string &id) {
    const void *table = nullptr;
    reference_.reset(detail::made<clip_plugin_reference>(clip_plugin_table_hold, runtime.get(), kind, id.c_str(), &table));
    table_ = static_cast<const Table *>(table);
  }
  const Table *operator->() const { return table_; }
  const Table &operator*() const { return *table_; }

 private:
  detail::Owner<clip_plugin_reference, clip_plugin_reference_release> reference_;
  const Table *table_ = nullptr;
};

/* A C function made at run time (clip_ffi.h). */
class Closure {
 public:
  Closure(const std::string &signature, clip_function callback, void *user)
      : owner_(detail::made<clip_closure>(clip_closure_create, signature.c_str(), callback, user)) {}
  clip_function get() const { return clip_closure_function(owner_.get()); }

 private:
  detail::Owner<clip_closure, clip_closure_release> owner_;
};

/* ---------------------------------------------------------------- images */

/* A view of someone's 8-bit pixels, checked to be as large as it says. */
inline clip_image_view view_of(std::span<const std::uint8_t> pixels, std::uint32_t width, std::uint32_t height,
                               clip_pixel_format format, std::size_t stride = 0) {
  const std::size_t channels = format == CLIP_PIXELS_GRAY ? 1 : format == CLIP_PIXELS_RGBA || format == CLIP_PIXELS_BGRA ? 4 : 3;
  const std::size_t row = width * channels, step = stride ? stride : row;
  if (width == 0 || height == 0 || step < row || pixels.size() < row || (pixels.size() - row) / step < height - 1u)
    throw Error(CLIP_INVALID_ARGUMENT, "pixels: expected as many as width, height and stride say, found " +
                                           std::to_string(pixels.size()) + " bytes");
  clip_image_view view{};
  view.pixels = pixels.data();
  view.width = width;
  view.height = height;
  view.stride = stride;
  view.format = format;
  return view;
}

/* A decoded image. */
class Image {
 public:
  Image(const Runtime &runtime, const Path &path, const clip_image_options *options = nullptr)
      : Image(runtime, detail::made<clip_image>(clip_image_load, runtime.get(), path.c_str(), options)) {}
  Image(const Runtime &runtime, std::span<const std::byte> file, const clip_image_options *options = nullptr)
      : Image(runtime, detail::made<clip_image>(clip_image_decode, runtime.get(), static_cast<const void *>(file.data()), file.size(), options)) {}

  /* Takes a handle. */
  Image(Runtime runtime, clip_image *handle) : runtime_(std::move(runtime)), owner_(handle) {}

  /* An image, and its pixels to be written before any other call uses it. */
  static std::pair<Image, std::span<std::uint8_t>> create(const Runtime &runtime, clip_pixel_format format, std::uint32_t width,
                                                          std::uint32_t height) {
    clip_image *handle = nullptr;
    std::uint8_t *pixels = nullptr;
    check(clip_image_create(runtime.get(), format, width, height, &handle, &pixels));
    Image image(runtime, handle);
    return {std::move(image), std::span(pixels, std::size_t{width} * height * (format == CLIP_PIXELS_GRAY ? 1u : format == CLIP_PIXELS_RGBA || format == CLIP_PIXELS_BGRA ? 4u : 3u))};
  }

  /* Valid as long as this. */
  clip_image_view view() const {
    clip_image_view view{};
    check(clip_image_get_view(owner_.get(), &view));
    return view;
  }

 private:
  Runtime runtime_;
  detail::Owner<clip_image, clip_image_release> owner_;
};

/* Red, green and blue of a view in another size: [height, width, 3]. */
inline std::vector<std::uint8_t> resized(const Runtime &runtime, const clip_image_view &view, clip_resample resample,
                                         std::uint32_t width, std::uint32_t height) {
  std::vector<std::uint8_t> pixels(std::size_t{3} * width * height);
  check(clip_image_resize(runtime.get(), &view, resample, width, height, pixels.data(), pixels.size(), 0));
  return pixels;
}

/* ---------------------------------------------------------------- models */

/* A CLIP model. Any number of threads may use it at once. */
class Model {
 public:
  Model(const Runtime &runtime, const Path &folder, const clip_model_options *options = nullptr)
      : Model(runtime, detail::made<clip_model>(clip_model_open, runtime.get(), folder.c_str(), options)) {}

  clip_model *get() const { return owner_.get(); }
  const Runtime &runtime() const { return runtime_; }
  clip_model_info info() const {
    auto info = CLIP_INIT(clip_model_info);
    check(clip_model_describe(get(), &info));
    return info;
  }
  /* The id of the encoder of CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT. */
  std::string encoder(std::uint32_t tower) const {
    return detail::written([&](char *text, std::size_t size) { return clip_model_encoder(get(), tower, text, size); });
  }
  Model snapshot() const { return Model(runtime_, detail::made<clip_model>(clip_model_snapshot, get())); }

  /* Embeddings, each of unit length; those with `out` write to the caller's memory [n, embedding_width]. */
  Matrix encode_images(std::span<const clip_image_view> images, const clip_encode_options *options = nullptr) const {
    return filled(images.size(), [&](std::span<float> out) { encode_images(images, out, options); });
  }
  void encode_images(std::span<const clip_image_view> images, std::span<float> out, const clip_encode_options *options = nullptr) const {
    check(clip_encode_image(get(), images.data(), images.size(), options, out.data(), out.size()));
  }
  Matrix encode_images(std::initializer_list<clip_image_view> images, const clip_encode_options *options = nullptr) const {
    return encode_images(std::span(images.begin(), images.size()), options);
  }
  Matrix encode_texts(const Texts &texts, const clip_encode_options *options = nullptr) const {
    return filled(texts.size(), [&](std::span<float> out) { encode_texts(texts, out, options); });
  }
  void encode_texts(const Texts &texts, std::span<float> out, const clip_encode_options *options = nullptr) const {
    check(clip_encode_text(get(), texts.data(), texts.size(), options, out.data(), out.size()));
  }
  /* pixels [n, 3, image_height, image_width] */
  Matrix encode_pixels(std::span<const float> pixels, const clip_encode_options *options = nullptr) const {
    const auto n = detail::rows(pixels.size(), image_elements(options), "pixels");
    return filled(n, [&](std::span<float> out) { check(clip_encode_pixels(get(), pixels.data(), n, options, out.data(), out.size())); });
  }
  /* tokens [n, context_length] */
  Matrix encode_tokens(std::span<const std::int32_t> tokens, const clip_encode_options *options = nullptr) const {
    const auto n = detail::rows(tokens.size(), context_length(options), "tokens");
    return filled(n, [&](std::span<float> out) { check(clip_encode_tokens(get(), tokens.data(), n, options, out.data(), out.size())); });
  }

  /* Logits and probabilities [n, m] of n images and m texts. */
  Matrix similarity(std::span<const float> images, std::span<const float> texts) const { return scores(clip_similarity, images, texts); }
  Matrix classify(std::span<const float> images, std::span<const float> texts) const { return scores(clip_classify, images, texts); }

  /* Rows of 3 * image_height * image_width. */
  Matrix preprocess(std::span<const clip_image_view> images, const clip_encode_options *options = nullptr) const {
    Matrix pixels(images.size(), image_elements(options));
    check(clip_preprocess(get(), images.data(), images.size(), options, pixels.values.data(), pixels.values.size()));
    return pixels;
  }
  Rows<std::uint8_t> preprocess_bytes(std::span<const clip_image_view> images, const clip_encode_options *options = nullptr) const {
    Rows<std::uint8_t> bytes(images.size(), image_elements(options));
    check(clip_preprocess_bytes(get(), images.data(), images.size(), options, bytes.values.data(), bytes.values.size()));
    return bytes;
  }
  Matrix normalize_bytes(std::span<const std::uint8_t> bytes, const clip_encode_options *options = nullptr) const {
    Matrix pixels(detail::rows(bytes.size(), image_elements(options), "bytes"), image_elements(options));
    check(clip_normalize_bytes(get(), bytes.data(), pixels.count, options, pixels.values.data(), pixels.values.size()));
    return pixels;
  }
  /* Rows of context_length tokens, and how many each text has. */
  std::pair<Rows<std::int32_t>, std::vector<std::uint32_t>> tokenize(const Texts &texts, const clip_encode_options *options = nullptr) const {
    Rows<std::int32_t> tokens(texts.size(), context_length(options));
    std::vector<std::uint32_t> lengths(texts.size());
    check(clip_tokenize(get(), texts.data(), texts.size(), options, tokens.values.data(), tokens.values.size(), lengths.data(), lengths.size()));
    return {std::move(tokens), std::move(lengths)};
  }

  /* receive(index, std::span<const float> embedding, const Error *) for each file: one of the two is there. */
  template <typename Receive>
  void encode_files(std::span<const clip_image_file> files, Receive &&receive, const clip_encode_files_options *options = nullptr) const {
    const std::size_t width = info().embedding_width;
    auto body = [&](std::size_t index, const float *embedding, clip_status status, const char *message) {
      if (embedding) return detail::stops(receive, index, std::span(embedding, width), static_cast<const Error *>(nullptr)) == 0;
      const Error error(status, message ? message : "");
      return detail::stops(receive, index, std::span<const float>(), &error) == 0;
    };
    check(clip_encode_files(runtime_.get(), get(), files.data(), files.size(), options,
                            detail::visitor<decltype(body), std::size_t, const float *, clip_status, const char *>, &body));
  }

  /* Replaces towers while other threads use the model; no folder: each from where it came. */
  void swap(std::uint32_t towers = 0, const std::optional<Path> &folder = {}, const clip_model_options *options = nullptr) const {
    check(clip_model_swap(get(), towers, folder ? folder->c_str() : nullptr, options));
  }
  void export_to(const Path &folder, const std::optional<Path> &checkpoint = {}, const clip_export_options *options = nullptr) const {
    check(clip_model_export(get(), checkpoint ? checkpoint->c_str() : nullptr, folder.c_str(), options));
  }

 private:
  Model(Runtime runtime, clip_model *handle) : runtime_(std::move(runtime)), owner_(handle), opened_(info()) {}
  template <typename Fill>
  Matrix filled(std::size_t n, Fill fill) const {
    Matrix rows(n, info().embedding_width);
    fill(std::span(rows.values));
    return rows;
  }
  template <typename Call>
  Matrix scores(Call call, std::span<const float> images, std::span<const float> texts) const {
    const std::size_t width = info().embedding_width;
    Matrix scores(detail::rows(images.size(), width, "images"), detail::rows(texts.size(), width, "texts"));
    check(call(get(), images.data(), scores.count, texts.data(), scores.width, scores.values.data(), scores.values.size()));
    return scores;
  }
  std::size_t image_elements(const clip_encode_options *options) const {
    const auto width = options && options->image_width ? options->image_width : opened_.image_width;
    const auto height = options && options->image_height ? options->image_height : opened_.image_height;
    return std::size_t{3} * width * height;
  }
  std::size_t context_length(const clip_encode_options *options) const {
    return options && options->context_length ? options->context_length : opened_.context_length;
  }
  Runtime runtime_;
  detail::Owner<clip_model, clip_model_release> owner_;
  clip_model_info opened_; /* whose sizes a call without options takes */
};

/* visit(name, offset, size) for the files in a tar archive. */
template <typename Visit>
void visit_archive(const Path &path, Visit &&visit) {
  auto body = [&](const char *name, std::uint64_t offset, std::uint64_t size) {
    return detail::stops(visit, std::string_view(name), offset, size) == 0;
  };
  check(clip_archive_visit(path.c_str(), detail::visitor<decltype(body), const char *, std::uint64_t, std::uint64_t>, &body));
}

/* ---------------------------------------------------------------- training */

/* A model's weights in training. One thread at a time. */
class Trainer {
 public:
  explicit Trainer(const Model &model, const clip_trainer_options *options = nullptr)
      : runtime_(model.runtime()), owner_(detail::made<clip_trainer>(clip_trainer_create, model.get(), options)) {}

  clip_train_metrics step(const clip_train_batch &batch) { return metrics(clip_train_step, batch); }
  clip_train_metrics evaluate(const clip_train_batch &batch) { return metrics(clip_trainer_evaluate, batch); }
  void set_learning_rate(double rate) { check(clip_trainer_set_learning_rate(owner_.get(), rate)); }

  /* visit(name, elements, rate) */
  template <typename Visit>
  void tensors(Visit &&visit) const {
    auto body = [&](const char *name, std::uint64_t count, double rate) { return detail::stops(visit, std::string_view(name), count, rate) == 0; };
    check(clip_trainer_tensors_visit(owner_.get(), detail::visitor<decltype(body), const char *, std::uint64_t, double>, &body));
  }
  void read(clip_tensor_kind kind, const std::string &name, std::span<float> out) const {
    check(clip_trainer_read(owner_.get(), kind, name.c_str(), out.data(), out.size()));
  }

  void save(const Path &folder, std::uint32_t keep = 0, const std::string &note = "") const {
    check(clip_trainer_save(owner_.get(), folder.c_str(), keep, note.c_str()));
  }
  /* Returns the checkpoint's note. */
  std::string resume(const Path &path) {
    check(clip_trainer_resume(owner_.get(), path.c_str()));
    return detail::written([&](char *text, std::size_t size) { return clip_trainer_note(owner_.get(), text, size); });
  }
  void export_to(const Path &folder, const clip_export_options *options = nullptr) const {
    check(clip_trainer_export(owner_.get(), folder.c_str(), options));
  }
  void update_model(const Model &model, std::uint32_t flags = 0) const {
    check(clip_trainer_update_model(owner_.get(), model.get(), flags));
  }

 private:
  template <typename Call>
  clip_train_metrics metrics(Call call, const clip_train_batch &batch) {
    auto metrics = CLIP_INIT(clip_train_metrics);
    check(call(owner_.get(), &batch, &metrics));
    return metrics;
  }
  Runtime runtime_;
  detail::Owner<clip_trainer, clip_trainer_release> owner_;
};

/* ---------------------------------------------------------------- data */

/* Steps that augment images or texts (docs/augmentation.md). */
class Pipeline {
 public:
  Pipeline(const Runtime &runtime, const std::string &json)
      : runtime_(runtime), owner_(detail::made<clip_pipeline>(clip_pipeline_create, runtime.get(), json.c_str())) {}

  clip_pipeline *get() const { return owner_.get(); }
  Image image(const clip_image_view &view, std::uint64_t seed, std::uint64_t index) const {
    return Image(runtime_, detail::made<clip_image>(clip_augment_image, get(), &view, seed, index));
  }
  std::string text(const std::string &text, std::uint64_t seed, std::uint64_t index) const {
    std::string out(2 * text.size() + 256, '\0');
    std::size_t length = 0;
    auto status = clip_augment_text(get(), text.c_str(), seed, index, out.data(), out.size(), &length);
    while (status == CLIP_INVALID_ARGUMENT && length >= out.size()) {
      out.resize(length + 1);
      status = clip_augment_text(get(), text.c_str(), seed, index, out.data(), out.size(), &length);
    }
    check(status);
    out.resize(length);
    return out;
  }
  std::uint64_t failures() const { return clip_pipeline_failures(get()); }

 private:
  Runtime runtime_;
  detail::Owner<clip_pipeline, clip_pipeline_release> owner_;
};

/* Pairs of images and captions. Pipelines and model of the options are kept by the library. */
class Dataset {
 public:
  Dataset(const Runtime &runtime, const Model *model, std::span<const Path> sources, const clip_dataset_options *options = nullptr)
      : runtime_(runtime) {
    std::vector<const char *> paths;
    for (const auto &source : sources) paths.push_back(source.c_str());
    owner_.reset(detail::made<clip_dataset>(clip_dataset_open, runtime.get(), model ? model->get() : nullptr, paths.data(), paths.size(), options));
  }

  /* Valid until the next one; nothing after the last epoch. */
  std::optional<clip_batch> next() {
    auto batch = CLIP_INIT(clip_batch);
    check(clip_dataset_next(owner_.get(), &batch));
    if (batch.count == 0) return {};
    return batch;
  }
  std::vector<std::uint8_t> save() const {
    std::vector<std::uint8_t> state(CLIP_DATASET_STATE_BYTES);
    check(clip_dataset_save(owner_.get(), state.data(), state.size()));
    return state;
  }
  void restore(std::span<const std::uint8_t> state) { check(clip_dataset_restore(owner_.get(), state.data(), state.size())); }
  clip_dataset_counters counters() const {
    auto counters = CLIP_INIT(clip_dataset_counters);
    check(clip_dataset_get_counters(owner_.get(), &counters));
    return counters;
  }

 private:
  Runtime runtime_;
  detail::Owner<clip_dataset, clip_dataset_release> owner_;
};

/* ---------------------------------------------------------------- index */

/* A key or metadata as C has it. */
inline clip_index_bytes bytes_of(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view text_of(const clip_index_bytes &bytes) { return {static_cast<const char *>(bytes.data), bytes.size}; }

/* Embeddings by their keys, in one file. Any number of threads may use it. */
class Index {
 public:
  Index(const Runtime &runtime, const Path &path, const clip_index_options *options = nullptr)
      : runtime_(runtime), owner_(detail::made<clip_index>(clip_index_open, runtime.get(), path.c_str(), options)) {}

  static std::string fingerprint_of(const Path &folder) {
    char text[33];
    check(clip_index_fingerprint(folder.c_str(), text, sizeof text));
    return text;
  }
  std::string fingerprint() const {
    return detail::written([&](char *text, std::size_t size) { return clip_index_get_fingerprint(owner_.get(), text, size); });
  }
  clip_index_info info() const {
    auto info = CLIP_INIT(clip_index_info);
    check(clip_index_describe(owner_.get(), &info));
    return info;
  }

  /* embeddings [keys.size(), width]; none: entries keep theirs. metadata: one for each key, or none. */
  void put(std::span<const clip_index_bytes> keys, std::span<const float> embeddings, std::span<const clip_index_bytes> metadata = {}) {
    if (!embeddings.empty() && detail::rows(embeddings.size(), info().embedding_width, "embeddings") != keys.size())
      throw Error(CLIP_INVALID_ARGUMENT, "embeddings: expected a row for each key");
    if (!metadata.empty() && metadata.size() != keys.size()) throw Error(CLIP_INVALID_ARGUMENT, "metadata: expected one for each key");
    check(clip_index_put(owner_.get(), keys.data(), embeddings.empty() ? nullptr : embeddings.data(),
                         metadata.empty() ? nullptr : metadata.data(), keys.size()));
  }
  void rename(std::span<const clip_index_bytes> from, std::span<const clip_index_bytes> to) {
    if (from.size() != to.size()) throw Error(CLIP_INVALID_ARGUMENT, "rename: expected a new key for each");
    check(clip_index_rename(owner_.get(), from.data(), to.data(), from.size()));
  }
  std::uint64_t remove(std::span<const clip_index_bytes> keys) {
    std::uint64_t removed = 0;
    check(clip_index_remove(owner_.get(), keys.data(), keys.size(), &removed));
    return removed;
  }

  /* visit(const clip_index_entry &) for the entry with a key; its embedding goes to `out` unless that is empty. */
  template <typename Visit>
  void get(std::string_view key, std::span<float> out, Visit &&visit) const {
    auto body = one(visit);
    check(clip_index_get(owner_.get(), key.data(), key.size(), out.empty() ? nullptr : out.data(), out.size(), entry_visitor<decltype(body)>, &body));
  }
  template <typename Visit>
  void visit(std::string_view prefix, Visit &&visit) const {
    auto body = one(visit);
    check(clip_index_visit(owner_.get(), prefix.data(), prefix.size(), entry_visitor<decltype(body)>, &body));
  }
  /* The nearest entries, best first. */
  template <typename Visit>
  void search(std::span<const float> query, Visit &&visit, const clip_index_search_options *options = nullptr) const {
    if (query.size() != info().embedding_width) throw Error(CLIP_INVALID_ARGUMENT, "query: expected one embedding");
    auto body = one(visit);
    check(clip_index_search(owner_.get(), query.data(), options, entry_visitor<decltype(body)>, &body));
  }
  /* visit(const clip_index_entry &, const clip_index_entry &) */
  template <typename Visit>
  void duplicates(Visit &&visit, const clip_index_duplicates_options *options = nullptr) const {
    auto body = [&](const clip_index_entry *a, const clip_index_entry *b) { return detail::stops(visit, *a, *b) == 0; };
    check(clip_index_duplicates(owner_.get(), options, detail::visitor<decltype(body), const clip_index_entry *, const clip_index_entry *>, &body));
  }

  /* visit(group, const clip_index_entry &): groups count from 0, their entries follow each other. */
  template <typename Visit>
  void groups(Visit &&visit, const clip_index_groups_options *options = nullptr) const {
    auto body = [&](std::uint64_t group, const clip_index_entry *entry) { return detail::stops(visit, group, *entry) == 0; };
    check(clip_index_groups(owner_.get(), options, detail::visitor<decltype(body), std::uint64_t, const clip_index_entry *>, &body));
  }

  /* Gives a search a filter, accepts(const clip_index_entry &), which must stay as long as the options. */
  template <typename Accepts>
  static void set_filter(clip_index_search_options &options, Accepts &accepts) {
    options.filter_user = detail::user(accepts);
    options.filter = [](void *user, const clip_index_entry *entry) {
      return detail::guarded(1, [&] { return (*static_cast<Accepts *>(user))(*entry) ? 1 : 0; });
    };
  }

 private:
  template <typename Visit>
  static auto one(Visit &visit) { return [&visit](const clip_index_entry *entry) { return detail::stops(visit, *entry) == 0; }; }
  template <typename Body>
  static constexpr auto entry_visitor = detail::visitor<Body, const clip_index_entry *>;
  Runtime runtime_;
  detail::Owner<clip_index, clip_index_release> owner_;
};

/* ---------------------------------------------------------------- analysis */

/* Measures images [n, d] and texts [n, d]: row i of both is pair i. */
inline std::pair<clip_analysis, std::vector<clip_pair_analysis>> analyze(
    const Runtime &runtime, std::span<const float> images, std::span<const float> texts, std::size_t width,
    const clip_analysis_options *options = nullptr) {
  const auto n = detail::rows(images.size(), width, "images");
  if (detail::rows(texts.size(), width, "texts") != n) throw Error(CLIP_INVALID_ARGUMENT, "expected as many texts as images");
  std::pair<clip_analysis, std::vector<clip_pair_analysis>> result{CLIP_INIT(clip_analysis), std::vector<clip_pair_analysis>(n)};
  check(clip_analyze(runtime.get(), images.data(), texts.data(), n, width, options, &result.first, result.second.data(), n));
  return result;
}

/* visit(const clip_property_gap &); `path` NULL: the installed catalogue. */
template <typename Visit>
clip_modality_gap_info modality_gap(const std::string &a, const std::string &b, Visit &&visit, const char *path = nullptr) {
  auto info = CLIP_INIT(clip_modality_gap_info);
  auto body = [&](const clip_property_gap *gap) { return detail::stops(visit, *gap) == 0; };
  check(clip_modality_gap(path, a.c_str(), b.c_str(), &info, detail::visitor<decltype(body), const clip_property_gap *>, &body));
  return info;
}

/* visit(entry, field, value) */
template <typename Visit>
void visit_catalogue(const std::string &section, Visit &&visit, const char *path = nullptr) {
  auto body = [&](const char *entry, const char *field, const char *value) {
    return detail::stops(visit, std::string_view(entry), std::string_view(field), std::string_view(value)) == 0;
  };
  check(clip_catalogue_visit(path, section.c_str(), detail::visitor<decltype(body), const char *, const char *, const char *>, &body));
}

}  // namespace clip

#endif
