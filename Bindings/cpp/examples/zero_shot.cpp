// Which of some labels fits an image?   zero_shot MODEL IMAGE LABEL...
#include <algorithm>
#include <clipcore/clipcore.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
  if (argc < 4) return std::fputs("usage: zero_shot MODEL IMAGE LABEL...\n", stderr), 2;
  const std::span labels(argv + 3, argv + argc);
  const clip::Runtime runtime(2);
  const clip::Model model(runtime, argv[1]);
  const clip::Image image(runtime, argv[2]);

  std::vector<std::string> prompts;
  for (const char *label : labels) prompts.push_back("a photo of a " + std::string(label));
  const auto probabilities = model.classify(model.encode_images({image.view()}), model.encode_texts(prompts));
  const auto best = std::ranges::max_element(probabilities[0]) - probabilities[0].begin();
  std::printf("%.1f %%  %s\n", 100 * probabilities[0][best], labels[best]);
} catch (const std::exception &error) {
  std::fprintf(stderr, "zero_shot: %s\n", error.what());
  return 1;
}
