// "hnsw": a graph of near rows in layers (Malkov and Yashunin, 2018). It keeps links alone; scores are the host's.
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/HNSW.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <random>

#include "structure.hpp"

// Leaves a lock that a task which failed may hold: nobody waits for it from then on (openmp.cpp).
void abandonLock(omp_lock_t &lock);

namespace {

constexpr int linkCount = 32;
constexpr uint32_t batch = 4096;

// FAISS's distances: scores with the other sign.
struct Scores final : faiss::DistanceComputer {
  const clip_neighbours_rows &rows;
  std::unique_ptr<void, decltype(&std::free)> query, other;
  idx_t prepared = -1;

  explicit Scores(const clip_neighbours_rows &rows)
      : rows(rows), query(std::aligned_alloc(64, rows.query_bytes), std::free),
        other(std::aligned_alloc(64, rows.query_bytes), std::free) {
    if (!query || !other) throw std::bad_alloc();
  }
  void set_query(const float *x) override { rows.prepare(rows.host, x, query.get()); }
  void setRow(uint32_t number) { rows.prepare_row(rows.host, number, query.get()); }
  float operator()(idx_t i) override { return -rows.score(rows.host, static_cast<uint32_t>(i), query.get()); }
  float symmetric_dis(idx_t i, idx_t j) override {
    if (j != prepared) rows.prepare_row(rows.host, static_cast<uint32_t>(j), other.get());
    prepared = j;
    return -rows.score(rows.host, static_cast<uint32_t>(i), other.get());
  }
};

struct Graph final : Structure {
  faiss::HNSW links{linkCount};
  std::unique_ptr<faiss::VisitedTable> visited;

  using Structure::Structure;

  void build() {
    links.prepare_level_tab(rows.count);
    // Rows of high layers first, those of a layer shuffled, as in FAISS's own index.
    std::vector<int> shuffled(rows.count), order;
    std::iota(shuffled.begin(), shuffled.end(), 0);
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
    order.reserve(rows.count);
    for (int level = *std::max_element(links.levels.begin(), links.levels.end()); level > 0; level--)
      std::copy_if(shuffled.begin(), shuffled.end(), std::back_inserter(order), [&](int i) { return links.levels[i] == level; });
    std::vector<omp_lock_t> locks(rows.count);
    for (omp_lock_t &lock : locks) omp_init_lock(&lock);
    struct Worker {
      Scores scores;
      faiss::VisitedTable visited;
    };
    std::vector<std::unique_ptr<Worker>> workers(64);
    std::atomic<uint32_t> next{0};
    std::atomic<int> failures{0};
    for (uint32_t end = 0; end < rows.count;) {
      progress(end);
      // The first rows one after the other, so that there is something to link with.
      const size_t pieces = end < 1024 ? 1 : workers.size();
      end = std::min(rows.count, end < 1024 ? 1024 : end + batch);
      auto task = [&](size_t piece) {
        if (next >= end) return;
        if (!workers[piece]) workers[piece].reset(new Worker{Scores(rows), faiss::VisitedTable(static_cast<int>(rows.count))});
        Worker &worker = *workers[piece];
        try {
          for (uint32_t i; failures == 0 && (i = next.fetch_add(1)) < end;) {
            worker.scores.setRow(static_cast<uint32_t>(order[i]));
            links.add_with_locks(worker.scores, links.levels[order[i]] - 1, order[i], locks, worker.visited);
          }
        } catch (...) {
          failures++;
          for (omp_lock_t &lock : locks) abandonLock(lock);
          throw;
        }
      };
      run(pieces, task);
      next = end;
    }
    progress(rows.count);
  }

  void save(const Output &output) const override {
    output.put<int32_t>(links.entry_point);
    output.put(links.levels.data(), links.levels.size());
    output.put(links.neighbors.data(), links.neighbors.size());
  }

  void load(const Input &input) {
    const auto expect = [](bool isTrue) {
      if (!isTrue) throw Failure(CLIP_FORMAT, "neighbours: damaged links");
    };
    const int layers = static_cast<int>(links.cum_nneighbor_per_level.size()) - 1;
    links.entry_point = input.get<int32_t>();
    links.levels.resize(rows.count);
    input.get(links.levels.data(), rows.count);
    links.offsets.assign(1, 0);
    links.offsets.reserve(rows.count + size_t{1});
    for (const int level : links.levels) {
      expect(level >= 1 && level <= layers);
      links.max_level = std::max(links.max_level, level - 1);
      links.offsets.push_back(links.offsets.back() + links.cum_nb_neighbors(level));
    }
    links.neighbors.resize(links.offsets.back());
    input.get(links.neighbors.data(), links.neighbors.size());
    const int count = static_cast<int>(rows.count);
    expect(links.entry_point >= 0 && links.entry_point < count);
    expect(links.levels[links.entry_point] == links.max_level + 1);
    // A link leads to a row that has the link's layer.
    for (int number = 0; number < count; number++)
      for (int layer = 0; layer < links.levels[number]; layer++) {
        size_t i, end;
        for (links.neighbor_range(number, layer, &i, &end); i < end; i++) {
          const int other = links.neighbors[i];
          expect(other == -1 || (other >= 0 && other < count && links.levels[other] > layer));
        }
      }
  }

  size_t search(const float *query, size_t count, uint32_t *numbers) override {
    count = std::min<size_t>(count, rows.count);
    if (!visited) visited = std::make_unique<faiss::VisitedTable>(static_cast<int>(rows.count));
    Scores scores(rows);
    scores.set_query(query);
    std::vector<faiss::HNSW::idx_t> ids(count, -1);
    std::vector<float> distances(count);
    faiss::SearchParametersHNSW parameters;
    parameters.efSearch = static_cast<int>(std::max<size_t>(count, 128));
    faiss::maxheap_heapify(count, distances.data(), ids.data());
    links.search(scores, static_cast<int>(count), ids.data(), distances.data(), *visited, &parameters);
    visited->advance();
    size_t found = 0;
    for (const auto id : ids)
      if (id >= 0 && id < rows.count) numbers[found++] = static_cast<uint32_t>(id);
    return found;
  }

  bool usesRows() const override { return true; }
  size_t byteCount() const override {
    return links.levels.size() * sizeof(int) + links.offsets.size() * sizeof(size_t) + links.neighbors.size() * sizeof(int);
  }
};

}  // namespace

std::unique_ptr<Structure> buildGraph(const clip_neighbours_rows &rows) {
  auto graph = std::make_unique<Graph>(rows);
  graph->build();
  return graph;
}

std::unique_ptr<Structure> loadGraph(const clip_neighbours_rows &rows, const Input &input) {
  auto graph = std::make_unique<Graph>(rows);
  graph->load(input);
  return graph;
}
