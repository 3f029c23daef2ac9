// Which images are most alike?   embed_and_compare MODEL IMAGE IMAGE...
#include <algorithm>
#include <clipcore/clipcore.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
  if (argc < 4) return std::fputs("usage: embed_and_compare MODEL IMAGE IMAGE...\n", stderr), 2;
  const std::span images(argv + 2, argv + argc);
  const clip::Runtime runtime(2);
  const clip::Model model(runtime, argv[1]);

  std::vector<clip::Image> loaded;
  std::vector<clip_image_view> views;
  for (const char *path : images) views.push_back(loaded.emplace_back(runtime, path).view());
  const auto embeddings = model.encode_images(views);
  const auto logits = model.similarity(embeddings, embeddings);
  const auto info = model.info();

  struct Pair { float cosine; const char *a, *b; };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < images.size(); i++)
    for (std::size_t j = i + 1; j < images.size(); j++)
      pairs.push_back({(logits[i][j] - info.logit_bias) / info.logit_scale, images[i], images[j]});
  std::ranges::sort(pairs, std::greater(), &Pair::cosine);
  for (const auto &pair : pairs) std::printf("%.3f  %s  %s\n", pair.cosine, pair.a, pair.b);
} catch (const std::exception &error) {
  std::fprintf(stderr, "embed_and_compare: %s\n", error.what());
  return 1;
}
