// What the parts of the harness share: data, a graph over it, and what every answer must be.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "../../../../src/engine/native/core/build.h"
#include "../../../../src/engine/native/core/graph_file.h"
#include "../../../../src/engine/native/core/search.h"

#define REQUIRE(condition)                                                        \
  do {                                                                            \
    if (!(condition)) {                                                           \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                               \
    }                                                                             \
  } while (false)

namespace harness {

using namespace shortlist;

inline std::vector<float> random_values(std::size_t count, std::uint64_t seed, float scale = 1) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = scale * (static_cast<float>(random() >> 40) / static_cast<float>(1 << 24) - 0.5f);
  }
  return values;
}

inline void normalize(std::vector<float>& values, std::size_t dim) {
  for (std::size_t from = 0; from < values.size(); from += dim) {
    double sum = 0;
    for (std::size_t j = 0; j < dim; j++) sum += static_cast<double>(values[from + j]) * values[from + j];
    for (std::size_t j = 0; j < dim; j++) values[from + j] = static_cast<float>(values[from + j] / std::sqrt(sum));
  }
}

struct Shard {
  std::vector<float> values;
  Rows rows;
  BuiltGraph built;
};

/// @param spread rows lie around 20 places so far apart: codes that span them all tell near rows no more. 0: one place
inline Shard make_shard(Metric metric, std::uint32_t count, std::uint32_t dim, std::uint32_t m, std::size_t threads,
                        float spread = 0) {
  Shard shard;
  shard.values = random_values(std::size_t{count} * dim, count + dim);
  const std::vector<float> places = random_values(std::size_t{20} * dim, count, spread);
  for (std::size_t i = 0; i < shard.values.size(); i++) shard.values[i] += places[i / dim % 20 * dim + i % dim];
  for (std::uint32_t row = 0; row + 10 < count; row += 7) {  // some equal rows
    std::copy_n(shard.values.data(), dim, shard.values.data() + std::size_t{row} * dim);
  }
  if (metric == Metric::cosine) normalize(shard.values, dim);
  shard.rows = {shard.values.data(), count, dim, metric};
  BuildOptions options;
  options.threads = threads;
  options.progress = [](std::uint64_t) { return true; };
  shard.built = build_graph(choose_kernels(), shard.rows, {m, 40, 42}, options);
  return shard;
}

inline void require_sound(const Rows& rows, const SearchRequest& request, const std::vector<Hit>& hits) {
  REQUIRE(hits.size() == std::min(request.k, request.allowed));
  std::set<std::uint32_t> seen;
  for (std::size_t i = 0; i < hits.size(); i++) {
    REQUIRE(hits[i].row < rows.count && seen.insert(hits[i].row).second);
    REQUIRE(request.allow == nullptr || request.allow->has(hits[i].row));
    REQUIRE(i == 0 || is_before(hits[i - 1], hits[i]));
    double raw;
    raw_rows(choose_kernels(), rows, request.query, &hits[i].row, 1, &raw);
    REQUIRE(hits[i].score == to_score(rows.metric, raw));
  }
}

/// What hnswlib would follow in the export of a graph: no link leads out of it, up to a level that a row has not, or to itself.
void check_export(const Graph& graph, const GraphShape& shape);

/// Opens files that are changed at random, and searches those that pass. @return an exit code
int check_mutants(std::size_t wanted, std::uint64_t seed);
/// Likewise with files that are changed one field after the other, cut, and rearranged.
int check_fields();

}  // namespace harness
