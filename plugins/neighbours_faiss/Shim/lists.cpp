// "ivf-pq": lists of rows about centroids, each row a product quantizer's code (Jegou, Douze and Schmid, 2011).
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/invlists/InvertedLists.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "structure.hpp"

// The structure on whose threads this thread's sgemm_ runs (openmp.cpp); NULL for this thread alone. Its place is made when
// the plugin is loaded: what is made later ends the process if there is no memory for it.
extern __attribute__((tls_model("initial-exec"))) thread_local const Structure *productThreads;

namespace {

constexpr size_t batch = 8192, piece = 256;
constexpr size_t trainingRowsPerList = 64, mostTrainingRows = 131072;

// The largest part of a row, of 8 elements at most, that divides it.
size_t partWidth(size_t width) {
  size_t part = 8;
  while (width % part) part--;
  return part;
}

struct Lists final : Structure {
  faiss::IndexFlatIP centroids;
  faiss::IndexIVFPQ lists;

  Lists(const clip_neighbours_rows &rows, size_t listCount)
      : Structure(rows), centroids(rows.width),
        lists(&centroids, rows.width, listCount, rows.width / partWidth(rows.width), 8, faiss::METRIC_INNER_PRODUCT) {}

  static size_t listCount(uint32_t rowCount) {
    size_t count = 16;
    while (count < 65536 && count * count < rowCount) count *= 2;
    return count;
  }

  void build() {
    struct Threads {
      explicit Threads(const Structure *structure) { productThreads = structure; }
      ~Threads() { productThreads = nullptr; }
    };
    progress(0);
    {
      Threads threads(this);
      const size_t count = std::min<size_t>({rows.count, trainingRowsPerList * lists.nlist + 256 * 64, mostTrainingRows});
      std::vector<float> sample(count * rows.width);
      for (size_t i = 0; i < count; i++)
        rows.read(rows.host, static_cast<uint32_t>(i * rows.count / count), &sample[i * rows.width]);
      lists.cp.niter = lists.pq.cp.niter = 10;
      lists.cp.min_points_per_centroid = lists.pq.cp.min_points_per_centroid = 1;
      lists.cp.max_points_per_centroid = lists.pq.cp.max_points_per_centroid = static_cast<int>(trainingRowsPerList);
      lists.train(static_cast<faiss::Index::idx_t>(count), sample.data());
    }
    std::vector<float> block(batch * rows.width);
    std::vector<faiss::Index::idx_t> numbers(batch);
    std::vector<uint8_t> codes(batch * lists.code_size);
    for (uint32_t first = 0; first < rows.count; first += batch) {
      progress(first);
      const size_t count = std::min<size_t>(batch, rows.count - first);
      auto read = [&](size_t i) {
        for (size_t j = i * piece; j < std::min(count, (i + 1) * piece); j++)
          rows.read(rows.host, first + static_cast<uint32_t>(j), &block[j * rows.width]);
      };
      auto encode = [&](size_t i) {
        const size_t j = i * piece;
        lists.encode_vectors(static_cast<faiss::Index::idx_t>(std::min(piece, count - j)), &block[j * rows.width], &numbers[j],
                             &codes[j * lists.code_size]);
      };
      const size_t pieces = (count + piece - 1) / piece;
      run(pieces, read);
      {
        Threads threads(this);
        centroids.assign(static_cast<faiss::Index::idx_t>(count), block.data(), numbers.data());
      }
      run(pieces, encode);
      for (size_t i = 0; i < count; i++)
        lists.invlists->add_entry(static_cast<size_t>(std::max<faiss::Index::idx_t>(0, numbers[i])), first + static_cast<uint32_t>(i), &codes[i * lists.code_size]);
    }
    lists.ntotal = rows.count;
    progress(rows.count);
  }

  void save(const Output &output) const override {
    output.put(centroids.get_xb(), lists.nlist * rows.width);
    output.put(lists.pq.centroids.data(), lists.pq.centroids.size());
    std::vector<uint32_t> numbers;
    for (size_t list = 0; list < lists.nlist; list++) {
      const size_t count = lists.invlists->list_size(list);
      const auto *ids = lists.invlists->get_ids(list);
      numbers.assign(ids, ids + count);
      output.put(static_cast<uint32_t>(count));
      output.put(numbers.data(), count);
      output.put(lists.invlists->get_codes(list), count * lists.code_size);
    }
  }

  void load(const Input &input) {
    const auto expect = [](bool isTrue) {
      if (!isTrue) throw Failure(CLIP_FORMAT, "neighbours: damaged lists");
    };
    const auto getFinite = [&](float *values, size_t count) {
      input.get(values, count);
      for (size_t i = 0; i < count; i++) expect(std::isfinite(values[i]));
    };
    std::vector<float> values(lists.nlist * rows.width);
    getFinite(values.data(), values.size());
    centroids.add(static_cast<faiss::Index::idx_t>(lists.nlist), values.data());
    getFinite(lists.pq.centroids.data(), lists.pq.centroids.size());
    std::vector<bool> isThere(rows.count);
    std::vector<uint32_t> numbers;
    std::vector<uint8_t> codes;
    size_t total = 0;
    for (size_t list = 0; list < lists.nlist; list++) {
      const uint32_t count = input.get<uint32_t>();
      expect(count <= rows.count - total);
      total += count;
      numbers.resize(count);
      codes.resize(count * lists.code_size);
      input.get(numbers.data(), count);
      input.get(codes.data(), codes.size());
      for (const uint32_t number : numbers) {
        expect(number < rows.count && !isThere[number]);
        isThere[number] = true;
      }
      const std::vector<faiss::Index::idx_t> ids(numbers.begin(), numbers.end());
      if (count > 0) lists.invlists->add_entries(list, count, ids.data(), codes.data());
    }
    expect(total == rows.count);
    lists.ntotal = rows.count;
    lists.is_trained = true;
  }

  size_t search(const float *query, size_t count, uint32_t *numbers) override {
    count = std::min<size_t>(count, rows.count);
    // So many lists that they have enough rows.
    const size_t probes = std::min(lists.nlist, std::max<size_t>(lists.nlist / 16, 4 * count * lists.nlist / rows.count + 1));
    // Not lists.search, whose loops under OpenMP allocate: they would end the process where there is no memory.
    std::vector<float> nearness(lists.nlist), scores(count, -INFINITY);
    faiss::fvec_inner_products_ny(nearness.data(), query, centroids.get_xb(), rows.width, lists.nlist);
    std::replace_if(nearness.begin(), nearness.end(), [](float x) { return std::isnan(x); }, -INFINITY);
    std::vector<faiss::Index::idx_t> near(lists.nlist), ids(count, -1);
    std::iota(near.begin(), near.end(), 0);
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(probes), near.end(),
                      [&](auto a, auto b) { return nearness[a] > nearness[b]; });
    const std::unique_ptr<faiss::InvertedListScanner> scanner(lists.get_InvertedListScanner(false, nullptr));
    scanner->set_query(query);
    for (size_t i = 0; i < probes; i++) {
      const auto list = static_cast<size_t>(near[i]);
      scanner->set_list(near[i], nearness[list]);
      scanner->scan_codes(lists.invlists->list_size(list), lists.invlists->get_codes(list), lists.invlists->get_ids(list),
                          scores.data(), ids.data(), count);
    }
    size_t found = 0;
    for (const auto id : ids)
      if (id >= 0 && id < rows.count) numbers[found++] = static_cast<uint32_t>(id);
    return found;
  }

  bool usesRows() const override { return false; }
  size_t byteCount() const override {
    return lists.nlist * rows.width * sizeof(float) + lists.pq.centroids.size() * sizeof(float) +
           rows.count * (lists.code_size + sizeof(faiss::Index::idx_t));
  }
};

}  // namespace

std::unique_ptr<Structure> buildLists(const clip_neighbours_rows &rows) {
  auto lists = std::make_unique<Lists>(rows, Lists::listCount(rows.count));
  lists->build();
  return lists;
}

std::unique_ptr<Structure> loadLists(const clip_neighbours_rows &rows, const Input &input) {
  auto lists = std::make_unique<Lists>(rows, Lists::listCount(rows.count));
  lists->load(input);
  return lists;
}
