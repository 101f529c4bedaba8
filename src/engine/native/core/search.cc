#include "search.h"

#include <algorithm>
#include <cmath>

#include "assert.h"

namespace shortlist {
namespace {

/// A margin, since the depth was measured on a sample.
constexpr std::size_t kRescoreMargin = 4;

/// Rows to score again for k results: the depth by code, measured at 10 and at 100.
std::size_t rescored_rows(const CodeDepth& depth, std::size_t k) {
  SHORTLIST_ASSERT(depth.at10 >= 10 && depth.at100 >= 100);
  const std::size_t more10 = depth.at10 - 10, more100 = depth.at100 - 100;
  if (k <= 10) return k + kRescoreMargin + more10;
  if (k >= 100) return k + kRescoreMargin + more100 * k / 100;
  return k + kRescoreMargin + (more10 * (100 - k) + more100 * (k - 10)) / 90;
}
/// A larger ef asks for more recall: part of the rest of the beam is scored again too.
std::size_t rescored_rows(const CodeDepth& depth, std::size_t k, std::size_t ef) {
  return rescored_rows(depth, k) + (ef > k ? (ef - k) / 8 : 0);
}

/// Under a filter more rows are scored again: where the filter depends on nearness, the rows that pass form a shell
/// around the query, which holds more rows than a ball.
std::size_t filtered_margin(std::size_t k) { return 16 + k / 8; }

/// Candidates of the probe whose share that passes is measured, its expansions, and the extra width of a widened beam.
constexpr std::size_t kProbeNodes = 128;
constexpr std::size_t kProbeExpansions = 32;
constexpr std::size_t kWidenedMargin = 32;
/// So few excluded rows are removed at the end: the beam has room for them.
constexpr std::size_t kMaxUnfilteredExclusions = 64;

/// Rows that are scanned by code while one is scanned by float32 values.
constexpr std::size_t kCodesPerFloatRow = 6;

/// After a scan by code, the last quarter of the rows scored again beyond k, and at least kMinTail, are the tail. At
/// most k / 64 of the tail may be among the k best.
constexpr std::size_t kTailDivisor = 4;
constexpr std::size_t kMinTail = 8;
constexpr std::size_t kTailHitDivisor = 64;

std::size_t widened_beam(std::size_t beam_width, double share) {
  SHORTLIST_ASSERT(share >= 0 && share <= 1);
  return static_cast<std::size_t>(kBeamSlack * static_cast<double>(beam_width) / std::max(share, kMinWidenedShare)) + kWidenedMargin;
}

}  // namespace

Candidate descend(const Graph& graph, Traversal& traversal, Scorer& scorer) {
  SHORTLIST_ASSERT(!graph.levels.empty() && graph.entry < graph.rows.count);
  const bool has_upper = graph.levels.size() > 1;
  Candidate nearest{0, has_upper ? 0 : graph.entry};
  scorer.score(&graph.entry, 1, &nearest.key);
  traversal.computed++;
  traversal.begin_descent(nearest.node);
  for (std::size_t level = graph.levels.size() - 1; level > 0; level--) {
    nearest = traversal.descend_level(graph.levels[level], scorer, nearest);
  }
  if (has_upper) nearest.node = graph.levels[1].rows[nearest.node];
  return nearest;
}

Searcher::Searcher(const Kernels& kernels, const Graph& graph, const std::vector<std::uint32_t>& hidden)
    : kernels_(kernels),
      graph_(graph),
      traversal_(kernels, graph.rows.count),
      code_(kernels, *graph.quantizer, graph.rows.metric),
      nibbles_(kernels, *graph.quantizer),
      layout_(graph.rows.dim),
      code_scorer_(kernels, graph.codes, graph.quantizer->stride),
      nibble_scorer_(kernels, nibble_rows(layout_, graph.codes, graph.norms), layout_, nibbles_),
      product_scorer_(kernels, graph.codes, graph.quantizer->stride, code_),
      float_scorer_(kernels, graph.rows, graph.quantizer->largest_norm2),
      half_scorer_(kernels, graph.rows, graph.quantizer->largest_norm2, graph.codes),
      visible_(graph.rows.count - hidden.size()) {
  code_scorer_.set_code(code_.code());
  if (!hidden.empty()) hide(hidden);
}

void Searcher::hide(const std::vector<std::uint32_t>& hidden) {
  SHORTLIST_ASSERT(std::is_sorted(hidden.begin(), hidden.end()) && hidden.back() < graph_.rows.count);
  visible_words_.assign((std::size_t{graph_.rows.count} + 31) / 32, ~std::uint32_t{0});
  const std::uint32_t beyond = graph_.rows.count & 31;
  if (beyond != 0) visible_words_.back() = (std::uint32_t{1} << beyond) - 1;
  std::vector<std::uint32_t> rows, upper;
  for (const std::uint32_t row : hidden) {
    visible_words_[row >> 5] &= ~(std::uint32_t{1} << (row & 31));
    if (!graph_.has_equal(row) && row != graph_.entry) rows.push_back(row);
  }
  if (graph_.levels.size() > 1) {
    for (std::uint32_t node = 0; node < graph_.levels[1].count; node++) {
      if (std::binary_search(rows.begin(), rows.end(), graph_.levels[1].rows[node])) upper.push_back(node);
    }
  }
  traversal_.hide(std::move(rows), std::move(upper));
}

const SearchAccount& Searcher::search(const SearchRequest& given) {
  SHORTLIST_ASSERT(given.query != nullptr && given.allowed <= visible_);
  SHORTLIST_ASSERT(given.allow != nullptr || given.allowed == visible_);
  const RowSet visible{visible_words_.data()};
  SearchRequest request = given;
  if (!visible_words_.empty() && request.allow == nullptr) request.allow = &visible;
  account_ = {};
  traversal_.visited = traversal_.computed = 0;
  hits_.clear();
  const std::size_t k = std::min(request.k, request.allowed);
  account_.plan = k == 0 ? Plan::exact_scan : run(request, k);
  account_.visited = traversal_.visited;
  account_.computed = traversal_.computed;
  return account_;
}

Plan Searcher::run(const SearchRequest& request, std::size_t k) {
  SHORTLIST_ASSERT(k > 0 && k <= request.k);
  Scorer& scorer = prepare(request);
  const std::size_t rescored = rescored_rows(graph_.depth, k, request.ef);
  const std::size_t beam_width = std::max(request.ef, rescored);
  const std::size_t excluded = visible_ - request.allowed;
  Plan plan = Plan::graph;
  if (request.plan > Plan::graph || (request.plan == Plan::automatic && excluded > kMaxUnfilteredExclusions)) {
    plan = run_filtered(request, scorer, std::max(request.ef, rescored + filtered_margin(k)));
  } else {
    walk_graph(scorer, {.beam_width = beam_width + excluded,
                        .max_expansions = request.ef + excluded,
                        .min_found = k + excluded});
    rescore(request, rescored + excluded, Equal::unfold);
  }
  if (hits_.size() >= k || plan == Plan::automatic) return plan;
  // A scan finds what a walk does not reach.
  return scan_rows(request, scorer, Plan::exact_scan, beam_width) ? Plan::exact_scan : Plan::automatic;
}

void Searcher::walk_graph(Scorer& scorer, const WalkLimits& limits) {
  traversal_.begin(limits, descend(graph_, traversal_, scorer));
  traversal_.run(graph_.levels[0], scorer);
}

Plan Searcher::run_filtered(const SearchRequest& request, Scorer& scorer, std::size_t beam_width) {
  SHORTLIST_ASSERT(request.allow != nullptr && beam_width >= request.ef);
  const FilteredSearch filtered{
      .graph = graph_, .ef = request.ef, .beam_width = beam_width, .allowed = request.allowed};
  account_.costs = estimate_costs(filtered, filtered.share());
  Plan plan = request.plan == Plan::automatic ? plan_before_probe(filtered, account_.costs) : request.plan;
  if (plan == Plan::automatic || plan == Plan::widened || plan == Plan::two_hop) {
    const Plan advised = probe(request, filtered, scorer);
    if (plan == Plan::automatic) plan = advised;
  }
  if (plan == Plan::code_scan) {
    if (!scan_rows(request, scorer, plan, beam_width)) return Plan::automatic;
    if (is_settled(request)) return plan;
    plan = Plan::exact_scan;
  }
  if (plan == Plan::exact_scan) return scan_rows(request, scorer, plan, beam_width) ? plan : Plan::automatic;
  if (plan == Plan::widened) {
    const double expansions = widened_expansions(request.ef, account_.near_share);
    traversal_.resume(graph_.levels[0], scorer, static_cast<std::size_t>(expansions));
    traversal_.keep_allowed(graph_, *request.allow);
  } else {
    const bool far = is_far(filtered, account_.near_share);
    traversal_.run_two_hop(
        graph_, scorer, *request.allow,
        {.max_expansions = far ? static_cast<std::size_t>(far_expansions(request.ef)) : request.ef,
         .min_found = beam_width,
         .max_bridges = max_bridges(account_.near_share)});
  }
  rescore(request, filtered_rescored(request), Equal::unfold);
  return plan;
}

std::size_t Searcher::filtered_rescored(const SearchRequest& request) const {
  const std::size_t k = std::min(request.k, request.allowed);
  return rescored_rows(graph_.depth, k, request.ef) + filtered_margin(k);
}

/// Walks a little, with a beam that can be widened, to measure how many of the nearest rows pass.
Plan Searcher::probe(const SearchRequest& request, const FilteredSearch& filtered, Scorer& scorer) {
  walk_graph(scorer, {.beam_width = widened_beam(filtered.beam_width, filtered.share()),
                      .max_expansions = kProbeExpansions,
                      .min_found = kProbeNodes});
  const double found = traversal_.share_allowed(graph_, *request.allow, kProbeNodes);
  account_.near_share = std::max(found, 0.5 / kProbeNodes);
  account_.costs = estimate_costs(filtered, account_.near_share);
  return plan_after_probe(filtered, account_.costs, account_.near_share);
}

/// @return false if that would exceed the limit on scans
bool Searcher::scan_rows(const SearchRequest& request, Scorer& scorer, Plan plan, std::size_t beam_width) {
  SHORTLIST_ASSERT(plan == Plan::code_scan || plan == Plan::exact_scan);
  const std::size_t components = request.allowed * graph_.rows.dim;
  if (components / (plan == Plan::code_scan ? kCodesPerFloatRow : 1) > request.max_scanned) return false;
  hits_.clear();
  if (plan == Plan::code_scan) {
    traversal_.scan(graph_, scorer, *request.allow, beam_width);
    rescore(request, beam_width, Equal::apart);
  } else {
    std::vector<Best> best(1, Best(graph_.rows.metric, request.k));
    scan_range(kernels_, graph_.rows, {.queries = request.query, .query_count = 1, .k = request.k, .allow = request.allow},
               {.from = 0, .to = graph_.rows.count}, best);
    hits_ = best[0].drain();
  }
  return true;
}

/// Whether the tail of a scan by code has none of the best rows. If only rows far from the query pass, all at about
/// the same distance, codes tell their order less well than among neighbours.
bool Searcher::is_settled(const SearchRequest& request) const {
  SHORTLIST_ASSERT(rows_.size() == sums_.size());
  const std::size_t k = std::min(request.k, request.allowed);
  if (rows_.size() >= request.allowed || hits_.size() < k) return true;
  const std::size_t beyond = rows_.size() - std::min(k, rows_.size());
  const std::size_t last = std::min(beyond, std::max(beyond / kTailDivisor, kMinTail));
  std::size_t late = 0;
  for (std::size_t i = rows_.size() - last; i < rows_.size(); i++) {
    const Hit hit{to_score(graph_.rows.metric, sums_[i]), rows_[i]};
    late += !is_before(hits_.back(), hit);
  }
  return late <= k / kTailHitDivisor;
}

/// Codes if the graph has them and the query is in their range, else the float32 rows.
Scorer& Searcher::prepare(const SearchRequest& request) {
  if (!request.by_floats) {
    if (graph_.kind == CodeKind::bits4 && nibbles_.set(request.query)) return nibble_scorer_;
    if (graph_.kind == CodeKind::bits7 && code_.set(request.query)) {
      if (graph_.rows.metric == Metric::ip) return product_scorer_;
      return code_scorer_;
    }
  }
  FloatScorer& scorer = graph_.kind == CodeKind::bfloat16 && !request.by_floats ? half_scorer_ : float_scorer_;
  scorer.set_query(request.query);
  return scorer;
}

/// @param count how many of the nearest by code are scored again
void Searcher::rescore(const SearchRequest& request, std::size_t count, Equal equal) {
  SHORTLIST_ASSERT(hits_.empty());
  count = std::min(traversal_.size(), count);
  rows_.resize(count);
  sums_.resize(count);
  for (std::size_t i = 0; i < count; i++) rows_[i] = traversal_.node(i);
  raw_rows(kernels_, graph_.rows, request.query, rows_.data(), count, sums_.data());
  for (std::size_t i = 0; i < count; i++) {
    if (std::isnan(sums_[i])) continue;  // of a row that is not finite: it has no place in any order
    const Hit hit{to_score(graph_.rows.metric, sums_[i]), rows_[i]};
    if (request.allow == nullptr || request.allow->has(hit.row)) hits_.push_back(hit);
    if (equal == Equal::unfold && graph_.next_equal != nullptr) add_equal_rows(request, hit);
  }
  const std::size_t k = std::min(request.k, hits_.size());
  if (k < hits_.size()) {
    std::nth_element(hits_.begin(), hits_.begin() + k, hits_.end(), is_before);
    hits_.resize(k);
  }
  std::sort(hits_.begin(), hits_.end(), is_before);
  SHORTLIST_ASSERT(hits_.size() <= request.k);
}

/// Adds the rows equal to one that was found, with its score: no more than can be returned.
void Searcher::add_equal_rows(const SearchRequest& request, Hit hit) {
  std::size_t added = 0;
  for (std::uint32_t row = graph_.next_equal[hit.row]; row != kNone && added < request.k;
       row = graph_.next_equal[row]) {
    SHORTLIST_ASSERT(row > hit.row);
    if (request.allow != nullptr && !request.allow->has(row)) continue;
    hits_.push_back({hit.score, row});
    added++;
  }
}

}  // namespace shortlist
