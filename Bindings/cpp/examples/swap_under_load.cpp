// Replaces the towers of a model while threads use it.   swap_under_load MODEL IMAGE
#include <atomic>
#include <clipcore/clipcore.hpp>
#include <cstdio>
#include <thread>

int main(int argc, char **argv) try {
  if (argc != 3) return std::fputs("usage: swap_under_load MODEL IMAGE\n", stderr), 2;
  const clip::Runtime runtime;
  const clip::Model model(runtime, argv[1]);
  const clip::Image image(runtime, argv[2]);
  const auto expected = model.encode_images({image.view()}).values;

  std::atomic<bool> stop = false;
  std::atomic<int> calls = 0, wrong = 0;
  {
    auto use = [&] {
      for (; !stop; calls++)
        if (model.encode_images({image.view()}).values != expected) wrong++;
    };
    std::jthread one(use), two(use);
    for (int i = 0; i < 10; i++) model.swap();  // the same weights again; a tower and a folder bring others
    stop = true;
  }
  std::printf("10 swaps, %d calls meanwhile, %d wrong\n", calls.load(), wrong.load());
} catch (const std::exception &error) {
  std::fprintf(stderr, "swap_under_load: %s\n", error.what());
  return 1;
}
