#include "choose_codes.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "assert.h"
#include "neighbours.h"
#include "scorer.h"

namespace shortlist {
namespace {

constexpr std::uint32_t kQueries = 64;
constexpr std::uint32_t kSampleRows = 8192;
constexpr std::size_t kTrueNeighbours = 10;
constexpr std::size_t kCodeNeighbours = 20;

std::vector<std::uint32_t> spread_rows(std::uint32_t count, std::uint32_t wanted) {
  wanted = std::min(wanted, count);
  std::vector<std::uint32_t> rows(wanted);
  for (std::uint64_t i = 0; i < wanted; i++) rows[i] = static_cast<std::uint32_t>(i * count / wanted);
  return rows;
}

/// The `wanted` rows with the smallest keys.
std::vector<std::uint32_t> nearest_by_code(const std::vector<std::uint32_t>& rows,
                                           const std::vector<std::uint32_t>& keys, std::size_t wanted) {
  std::vector<Candidate> sorted(rows.size());
  SHORTLIST_ASSERT(wanted <= rows.size() && keys.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); i++) sorted[i] = {keys[i], rows[i]};
  std::partial_sort(sorted.begin(), sorted.begin() + wanted, sorted.end(), is_nearer);
  std::vector<std::uint32_t> nearest(wanted);
  for (std::size_t i = 0; i < wanted; i++) nearest[i] = sorted[i].node;
  return nearest;
}

/// Computes keys of `rows` for one row as the query.
using KeysOf = std::function<void(std::uint32_t query, const std::vector<std::uint32_t>& rows, std::uint32_t* keys)>;

double recall_of_query(const Kernels& kernels, const Rows& rows, const KeysOf& keys_of, std::uint32_t query,
                       std::vector<std::uint32_t> sample) {
  sample.erase(std::remove(sample.begin(), sample.end(), query), sample.end());
  const std::size_t nearest = std::min(kTrueNeighbours, sample.size());
  SHORTLIST_ASSERT(nearest > 0);
  std::vector<double> raw(sample.size());
  raw_rows(kernels, rows, rows.row(query), sample.data(), sample.size(), raw.data());
  std::vector<Hit> hits(sample.size());
  for (std::size_t i = 0; i < sample.size(); i++) hits[i] = {to_score(rows.metric, raw[i]), sample[i]};
  std::partial_sort(hits.begin(), hits.begin() + nearest, hits.end(), is_before);

  std::vector<std::uint32_t> keys(sample.size());
  keys_of(query, sample, keys.data());
  const auto found = nearest_by_code(sample, keys, std::min(kCodeNeighbours, sample.size()));
  // Rows with equal scores are equally good: a row counts if it is no farther than the last of the nearest.
  const float worst = hits[nearest - 1].score;
  std::size_t good = 0;
  for (const std::uint32_t row : found) {
    double sum;
    raw_rows(kernels, rows, rows.row(query), &row, 1, &sum);
    if (to_score(rows.metric, sum) >= worst) good++;
  }
  return static_cast<double>(std::min(good, nearest)) / static_cast<double>(nearest);
}

double measure_recall(const Kernels& kernels, const Rows& rows, const KeysOf& keys_of, ThreadTeam& team) {
  if (rows.count < 2) return 1;
  const std::vector<std::uint32_t> sample = spread_rows(rows.count, kSampleRows);
  const std::vector<std::uint32_t> queries = spread_rows(rows.count, kQueries);
  std::vector<double> recalls(queries.size());
  team.split(queries.size(), 1, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; i++) recalls[i] = recall_of_query(kernels, rows, keys_of, queries[i], sample);
  });
  double sum = 0;
  for (const double recall : recalls) sum += recall;
  return sum / static_cast<double>(recalls.size());
}

}  // namespace

double measure_code_recall(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer,
                           const std::uint8_t* codes, ThreadTeam& team) {
  const auto keys_of = [&](std::uint32_t query, const std::vector<std::uint32_t>& others, std::uint32_t* keys) {
    QueryCode code(kernels, quantizer, rows.metric);
    code.set(rows.row(query));
    if (rows.metric == Metric::ip) {
      ProductScorer(kernels, codes, quantizer.stride, code).score(others.data(), others.size(), keys);
    } else {
      kernels.l2_codes(code.code(), codes, quantizer.stride, others.data(), others.size(), keys);
    }
  };
  return measure_recall(kernels, rows, keys_of, team);
}

double measure_half_recall(const Kernels& kernels, const Rows& rows, double largest_norm2, const std::uint8_t* halves,
                           ThreadTeam& team) {
  const auto keys_of = [&](std::uint32_t query, const std::vector<std::uint32_t>& others, std::uint32_t* keys) {
    FloatScorer scorer(kernels, rows, largest_norm2, halves);
    scorer.set_query(rows.row(query));
    scorer.score(others.data(), others.size(), keys);
  };
  return measure_recall(kernels, rows, keys_of, team);
}

}  // namespace shortlist
