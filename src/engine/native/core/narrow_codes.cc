#include "narrow_codes.h"

#include <algorithm>
#include <numeric>

#include "assert.h"
#include "nibbles.h"
#include "search.h"
#include "traverse.h"

namespace shortlist {
namespace {

/// Sampled rows, and the beam width of their searches.
constexpr std::uint32_t kQueries = 128;
constexpr std::size_t kBeamWidth = 512;
/// Share of the nearest rows that are within the depth.
constexpr double kDepthQuantile = 0.998;
/// The greatest depths at which 4-bit codes are used. From 65 dimensions on they save a cache line of a row.
constexpr CodeDepth kMaxNibbleDepth{16, 118};
constexpr std::uint32_t kMinNibbleDim = 65;

/// The rows near one row, nearest first by 7-bit code, with their exact scores.
struct Neighbourhood {
  std::uint32_t row;
  std::vector<std::uint32_t> near;
  std::vector<float> scores;
  double distances_per_candidate;
};

class Narrowing {
 public:
  explicit Narrowing(const AuditContext& context) : context_(context), built_(context.built), graph_(built_.view()) {}

  void run() {
    if (built_.kind != CodeKind::bits7 || built_.entry == kNone) return;
    find_neighbourhoods();
    SHORTLIST_ASSERT(!found_.empty());
    std::vector<std::vector<std::uint32_t>> orders;
    for (const Neighbourhood& found : found_) {
      orders.emplace_back(found.near.size());
      std::iota(orders.back().begin(), orders.back().end(), 0);
    }
    built_.depth = measure(orders);
    double distances = 0;
    for (const Neighbourhood& found : found_) distances += found.distances_per_candidate;
    built_.distances_per_candidate = distances / static_cast<double>(found_.size());
    if (built_.rows.metric == Metric::ip || built_.rows.dim < kMinNibbleDim) return;
    Quantizer quantizer = fit_quantizer(context_.kernels, built_.rows, kTopNibble, context_.team);
    NibblePages pages = encode_nibbles(context_.kernels, built_.rows, quantizer, context_.team);
    const CodeDepth depth = measure(order_by_nibbles(quantizer, pages));
    if (depth.at10 > kMaxNibbleDepth.at10 || depth.at100 > kMaxNibbleDepth.at100) return;
    built_.kind = CodeKind::bits4;
    built_.depth = depth;
    built_.quantizer = std::move(quantizer);
    built_.codes = std::move(pages.codes);
    built_.norms = std::move(pages.norms);
  }

 private:
  void find_neighbourhoods() {
    const std::uint32_t count = std::min(kQueries, built_.rows.count);
    found_.resize(count);
    context_.team.split(count, 4, [&](std::size_t, std::size_t from, std::size_t to) {
      Traversal traversal(context_.kernels, built_.rows.count);
      for (std::size_t i = from; i < to; i++) {
        found_[i] = find_near(traversal, static_cast<std::uint32_t>(i * built_.rows.count / count));
      }
    });
  }

  Neighbourhood find_near(Traversal& traversal, std::uint32_t row) {
    const Rows& rows = built_.rows;
    QueryCode code(context_.kernels, built_.quantizer, rows.metric);
    code.set(rows.row(row));
    ProductScorer products(context_.kernels, graph_.codes, built_.quantizer.stride, code);
    CodeScorer codes(context_.kernels, graph_.codes, built_.quantizer.stride);
    codes.set_code(code.code());
    Scorer& scorer = rows.metric == Metric::ip ? static_cast<Scorer&>(products) : codes;
    traversal.computed = 0;
    const Candidate start = descend(graph_, traversal, scorer);
    traversal.begin({.beam_width = kBeamWidth, .max_expansions = kBeamWidth, .min_found = kBeamWidth}, start);
    traversal.run(graph_.levels[0], scorer);
    Neighbourhood found{row, {}, {}, static_cast<double>(traversal.computed) / static_cast<double>(traversal.size())};
    for (std::size_t i = 0; i < traversal.size(); i++) {
      if (traversal.node(i) != row) found.near.push_back(traversal.node(i));
    }
    std::vector<double> sums(found.near.size());
    raw_rows(context_.kernels, rows, rows.row(row), found.near.data(), found.near.size(), sums.data());
    for (const double sum : sums) found.scores.push_back(to_score(rows.metric, sum));
    return found;
  }

  std::vector<std::vector<std::uint32_t>> order_by_nibbles(const Quantizer& quantizer, const NibblePages& pages) {
    const NibbleLayout layout(built_.rows.dim);
    const NibbleRows rows = nibble_rows(layout, pages.codes.as<std::uint8_t>(), pages.norms.as<std::uint8_t>());
    std::vector<std::vector<std::uint32_t>> orders(found_.size());
    context_.team.split(found_.size(), 4, [&](std::size_t, std::size_t from, std::size_t to) {
      NibbleQuery query(context_.kernels, quantizer);
      NibbleScorer scorer(context_.kernels, rows, layout, query);
      for (std::size_t i = from; i < to; i++) {
        const Neighbourhood& found = found_[i];
        query.set(built_.rows.row(found.row));
        std::vector<std::uint32_t> keys(found.near.size());
        scorer.score(found.near.data(), found.near.size(), keys.data());
        orders[i].resize(keys.size());
        std::iota(orders[i].begin(), orders[i].end(), 0);
        std::stable_sort(orders[i].begin(), orders[i].end(),
                         [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
      }
    });
    return orders;
  }

  CodeDepth measure(const std::vector<std::vector<std::uint32_t>>& orders) const {
    return {depth_of(orders, 10), depth_of(orders, 100)};
  }

  /// The rank by code within which nearly all of the k nearest are.
  std::uint32_t depth_of(const std::vector<std::vector<std::uint32_t>>& orders, std::size_t k) const {
    std::vector<std::size_t> places;
    SHORTLIST_ASSERT(orders.size() == found_.size());
    for (std::size_t i = 0; i < found_.size(); i++) {
      const std::vector<float>& scores = found_[i].scores;
      if (scores.size() <= k) continue;
      std::vector<float> best(scores);
      std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), std::greater<float>());
      // Rows with equal scores are equally good: the first in the order by code count.
      std::size_t good = 0;
      for (std::size_t place = 0; place < orders[i].size() && good < k; place++) {
        if (scores[orders[i][place]] < best[k - 1]) continue;
        places.push_back(place + 1);
        good++;
      }
    }
    if (places.empty()) return static_cast<std::uint32_t>(k);
    const std::size_t at = std::min(places.size() - 1, static_cast<std::size_t>(kDepthQuantile * static_cast<double>(places.size())));
    std::nth_element(places.begin(), places.begin() + at, places.end());
    return static_cast<std::uint32_t>(std::max(places[at], k));
  }

  const AuditContext& context_;
  BuiltGraph& built_;
  Graph graph_;
  std::vector<Neighbourhood> found_;
};

}  // namespace

void narrow_codes(const AuditContext& context) { Narrowing(context).run(); }

}  // namespace shortlist
