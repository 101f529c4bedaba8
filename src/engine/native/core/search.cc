#include "search.h"

#include <algorithm>

namespace shortlist {
namespace {

/// Distances that a walk computes, roughly, on graphs of m 16: a descent, and some for each place in the pool.
constexpr double kDescentDistances = 300;
constexpr double kDistancesPerEf = 18;
/// A row scanned (four bytes a component, float64 sums) costs as much as this many distances by codes.
constexpr double kDistancesPerScannedRow = 3;

/// Places in the pool beyond k: rows that codes rank a little behind the k-th may belong before it.
std::size_t pool_margin(std::size_t k) { return 4 + k / 50; }
/// The same under a filter: where it has to do with nearness, what passes is a shell around the query, wider than a ball.
std::size_t filtered_margin(std::size_t k) { return 48 + k / 16; }
/// Nodes of the pool that are scored again: the nearest by code, more than k for the same reason.
std::size_t rescored_nodes(std::size_t k) { return 16 + k + k / 4; }

/// Share of rows that may be returned from which on a walk is not weighed against a scan.
constexpr double kMostRows = 0.5;

/// A filter that leaves out what is near the query makes a walk visit far more nodes than its share says, and miss some at
/// its end: past this many times the expected visits, and past this share of the work of a scan, it is given up for one.
constexpr double kMostVisits = 3;
constexpr double kWastedShare = 0.2;

bool scan_is_cheaper(std::size_t ef, std::size_t count, std::size_t allowed) {
  if (allowed == 0) return true;
  const double share = static_cast<double>(allowed) / static_cast<double>(count);
  if (share >= kMostRows) return false;
  const double distances = kDescentDistances + kDistancesPerEf * static_cast<double>(ef) / share;
  return distances >= kDistancesPerScannedRow * static_cast<double>(allowed);
}

}  // namespace

std::uint32_t descend(const Graph& graph, Traversal& traversal, Scorer& scorer, std::uint32_t& key) {
  std::uint32_t node = graph.levels.size() > 1 ? 0 : graph.entry;
  const std::uint32_t row = graph.entry;
  scorer.score(&row, 1, &key);
  traversal.computed++;
  for (std::size_t level = graph.levels.size() - 1; level > 0; level--) {
    traversal.climb_down(graph.levels[level], scorer, node, key);
  }
  return graph.levels.size() > 1 ? graph.levels[1].rows[node] : node;
}

Searcher::Searcher(const Kernels& kernels, const Graph& graph)
    : kernels_(kernels),
      graph_(graph),
      traversal_(graph.rows.count),
      code_(kernels, *graph.quantizer, graph.rows.metric),
      code_scorer_(kernels, graph.codes, graph.quantizer->stride),
      product_scorer_(kernels, graph.codes, graph.quantizer->stride, code_),
      float_scorer_(kernels, graph.rows, graph.quantizer->largest_norm2) {
  code_scorer_.set_code(code_.code());
}

Path Searcher::search(const SearchRequest& request) {
  traversal_.visited = traversal_.computed = 0;
  hits_.clear();
  const std::size_t count = graph_.rows.count;
  const std::size_t k = std::min(request.k, request.allowed);
  const std::size_t margin = request.allow == nullptr ? pool_margin(k) : filtered_margin(k);
  const std::size_t ef = std::max(request.ef, k + margin);
  if (scan_is_cheaper(ef, count, request.allowed)) {
    scan(request);
    return Path::exact;
  }
  if (walk(request, prepare(request), ef)) {
    rescore(request);
    if (hits_.size() >= k) return Path::graph;
    hits_.clear();
  }
  scan(request);
  return Path::exact;
}

/// Codes where the graph has them and the query lies in their range, else the float32 rows.
Scorer& Searcher::prepare(const SearchRequest& request) {
  if (graph_.kind == CodeKind::bits7 && !request.by_floats && code_.set(request.query)) {
    if (graph_.rows.metric == Metric::ip) return product_scorer_;
    return code_scorer_;
  }
  float_scorer_.set_query(request.query);
  return float_scorer_;
}

bool Searcher::walk(const SearchRequest& request, Scorer& scorer, std::size_t ef) {
  std::uint32_t key;
  const std::uint32_t start = descend(graph_, traversal_, scorer, key);
  traversal_.begin(ef, start, key);
  if (request.allow == nullptr) {
    traversal_.run(graph_.levels[0], scorer);
    return true;
  }
  const double share = static_cast<double>(request.allowed) / static_cast<double>(graph_.rows.count);
  const double visits = kMostVisits * static_cast<double>(ef) / share;
  const double distances = kWastedShare * kDistancesPerScannedRow * static_cast<double>(request.allowed);
  return traversal_.run_filtered(graph_, scorer, *request.allow, static_cast<std::uint64_t>(visits),
                                 static_cast<std::uint64_t>(distances));
}

void Searcher::rescore(const SearchRequest& request) {
  const std::size_t count = std::min(traversal_.size(), rescored_nodes(request.k));
  rows_.resize(count);
  sums_.resize(count);
  for (std::size_t i = 0; i < count; i++) rows_[i] = traversal_.node(i);
  raw_rows(kernels_, graph_.rows, request.query, rows_.data(), count, sums_.data());
  for (std::size_t i = 0; i < count; i++) {
    const Hit hit{to_score(graph_.rows.metric, sums_[i]), rows_[i]};
    if (request.allow == nullptr || request.allow->has(hit.row)) hits_.push_back(hit);
    if (graph_.next_equal != nullptr) add_equal_rows(request, hit);
  }
  const std::size_t k = std::min(request.k, hits_.size());
  if (k < hits_.size()) {
    std::nth_element(hits_.begin(), hits_.begin() + k, hits_.end(), is_before);
    hits_.resize(k);
  }
  std::sort(hits_.begin(), hits_.end(), is_before);
}

/// Rows equal to one that was found, with its score: no more than can be returned.
void Searcher::add_equal_rows(const SearchRequest& request, Hit hit) {
  std::size_t added = 0;
  for (std::uint32_t row = graph_.next_equal[hit.row]; row != kNone && added < request.k;
       row = graph_.next_equal[row]) {
    if (request.allow != nullptr && !request.allow->has(row)) continue;
    hits_.push_back({hit.score, row});
    added++;
  }
}

void Searcher::scan(const SearchRequest& request) {
  std::vector<Best> best(1, Best(graph_.rows.metric, request.k));
  scan_range(kernels_, graph_.rows, {request.query, 1, request.k, request.allow}, 0, graph_.rows.count, best);
  hits_ = best[0].drain();
}

}  // namespace shortlist
