// Finds images of a folder by a text; the second run embeds only what is new.   search_folder MODEL FOLDER INDEX TEXT
#include <algorithm>
#include <clipcore/clipcore.hpp>
#include <cstdio>

int main(int argc, char **argv) try {
  if (argc != 5) return std::fputs("usage: search_folder MODEL FOLDER INDEX TEXT\n", stderr), 2;
  const clip::Runtime runtime(2);
  const clip::Model model(runtime, argv[1]);
  const std::string made_with = clip::Index::fingerprint_of(argv[1]);
  auto options = CLIP_INIT(clip_index_options);
  options.flags = CLIP_INDEX_CREATE;
  options.fingerprint = made_with.c_str();
  options.embedding_width = model.info().embedding_width;
  options.storage = CLIP_STORAGE_F16;
  clip::Index index(runtime, argv[3], &options);

  std::vector<std::string> known, paths;
  index.visit("", [&](const clip_index_entry &entry) { known.emplace_back(clip::text_of(entry.key)); });
  const std::string endings = "," + runtime.image_endings() + ",";
  for (const auto &entry : std::filesystem::recursive_directory_iterator(argv[2])) {
    const auto ending = entry.path().extension().string();
    if (ending.size() > 1 && endings.find("," + ending.substr(1) + ",") != endings.npos && !std::ranges::binary_search(known, entry.path().string()))
      paths.push_back(entry.path().string());
  }
  std::vector<clip_image_file> files;
  for (const auto &path : paths) files.push_back({path.c_str(), 0, 0});
  std::vector<clip_index_bytes> keys;
  std::vector<float> embeddings;
  if (!files.empty())
    model.encode_files(files, [&](std::size_t i, std::span<const float> embedding, const clip::Error *error) {
      if (error) return void(std::fprintf(stderr, "%s\n", error->what()));
      keys.push_back(clip::bytes_of(paths[i]));
      embeddings.insert(embeddings.end(), embedding.begin(), embedding.end());
    });
  if (!keys.empty()) index.put(keys, embeddings);
  std::printf("%zu new, %llu in all\n", keys.size(), static_cast<unsigned long long>(index.info().entries));

  auto search = CLIP_INIT(clip_index_search_options);
  search.count = 3;
  index.search(model.encode_texts({argv[4]}), [](const clip_index_entry &match) {
    std::printf("%.3f  %s\n", match.score, std::string(clip::text_of(match.key)).c_str());
  }, &search);
} catch (const std::exception &error) {
  std::fprintf(stderr, "search_folder: %s\n", error.what());
  return 1;
}
