// Trains a model for a hundred steps and exports it.   train MODEL PAIRS OUTPUT
#include <clipcore/clipcore.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
  if (argc != 4) return std::fputs("usage: train MODEL PAIRS OUTPUT\n", stderr), 2;
  const clip::Runtime runtime(2);
  auto open = CLIP_INIT(clip_model_options);
  open.flags = CLIP_OPEN_WITHOUT_WEIGHTS;
  const clip::Model model(runtime, argv[1], &open);

  auto options = CLIP_INIT(clip_trainer_options);
  options.learning_rate = 1e-4f;
  options.weight_decay = 0.1f;
  options.warmup_steps = 10;
  clip::Trainer trainer(model, &options);

  const clip::Pipeline augment(runtime, R"([{"op": "random_horizontal_flip"}])");
  const char *caption = "en";
  auto data = CLIP_INIT(clip_dataset_options);
  data.batch_size = 8;
  data.seed = 1;
  data.flags = CLIP_DATASET_FULL_BATCHES;
  data.caption_fields = &caption;
  data.caption_field_count = 1;
  data.image_pipeline = augment.get();
  const clip::Path sources[] = {argv[2]};
  clip::Dataset dataset(runtime, &model, sources, &data);

  double first = 0, last = 0;
  for (int i = 0; i < 100; i++) {
    const auto samples = dataset.next();
    if (!samples) break;
    auto batch = CLIP_INIT(clip_train_batch);
    batch.n = samples->count;
    batch.pixels = samples->pixels;
    batch.tokens = samples->tokens;
    const double loss = trainer.step(batch).loss;
    if (i < 10) first += loss / 10;
    if (i >= 90) last += loss / 10;
  }
  trainer.export_to(argv[3]);
  std::printf("loss %.3f to %.3f in 100 steps\n", first, last);
} catch (const std::exception &error) {
  std::fprintf(stderr, "train: %s\n", error.what());
  return 1;
}
