// embed: which of some captions fits an image? Handles are released by their owners, in any order.
//
//   c++ -std=c++17 embed.cpp -o embed $(pkg-config --cflags --libs clipcore)
//   ./embed MODEL IMAGE CAPTION...
#include <clipcore/clip.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

template <auto release>
struct Releaser {
  template <typename T>
  void operator()(T *handle) const { release(handle); }
};
using Runtime = std::unique_ptr<clip_runtime, Releaser<clip_runtime_release>>;
using Model = std::unique_ptr<clip_model, Releaser<clip_model_release>>;
using Image = std::unique_ptr<clip_image, Releaser<clip_image_release>>;

static void need(clip_status status) {
  if (status != CLIP_OK) throw std::runtime_error(clip_last_error());
}

// The handle that a call creates through its last parameter, owned.
template <typename Owner, typename Call, typename... Arguments>
static Owner made(Call call, Arguments... arguments) {
  typename Owner::pointer handle = nullptr;
  need(call(arguments..., &handle));
  return Owner(handle);
}

int main(int argc, char **argv) try {
  if (argc < 4) return std::fputs("usage: embed MODEL IMAGE CAPTION...\n", stderr), 2;
  const char *const *captions = argv + 3;
  const auto count = static_cast<size_t>(argc - 3);

  auto options = CLIP_INIT(clip_runtime_options);
  options.threads = 2;
  auto runtime = made<Runtime>(clip_runtime_create, &options);
  auto model = made<Model>(clip_model_open, runtime.get(), argv[1], static_cast<const clip_model_options *>(nullptr));
  auto info = CLIP_INIT(clip_model_info);
  need(clip_model_describe(model.get(), &info));

  auto photo = made<Image>(clip_image_load, runtime.get(), argv[2], static_cast<const clip_image_options *>(nullptr));
  clip_image_view view{};
  need(clip_image_get_view(photo.get(), &view));

  std::vector<float> image(info.embedding_width), texts(count * info.embedding_width), chances(count);
  need(clip_encode_image(model.get(), &view, 1, nullptr, image.data(), image.size()));
  need(clip_encode_text(model.get(), captions, count, nullptr, texts.data(), texts.size()));
  need(clip_classify(model.get(), image.data(), 1, texts.data(), count, chances.data(), chances.size()));
  for (size_t i = 0; i < count; i++) std::printf("%5.1f %%  %s\n", 100 * chances[i], captions[i]);
} catch (const std::exception &error) {
  std::fprintf(stderr, "embed: %s\n", error.what());
  return 1;
}
