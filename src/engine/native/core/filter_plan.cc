#include "filter_plan.h"

#include <algorithm>
#include <cmath>

#include "assert.h"

namespace shortlist {
namespace {

// Costs in distances by code on a walk, which waits for memory at every step. Costs of walks (nodes, distances, lists)
// were fitted to counts on 100,000 x 96 of texts (common mean, falling spectrum) and of embeddings, with filters
// independent of the vectors and along a direction, and queries near and far from the rows that pass. Costs of scans
// were fitted to times on 1,000,000 x 96.
/// A scan by code costs a constant, since its first rows all enter the list; a part for each word of 32 rows; and a
/// part for each row that passes, since rows come in order, their codes are prefetched and no links are read.
constexpr double kScanStartCost = 600;
constexpr double kWordCost = 0.02;
constexpr double kCodeCost = 0.13;
/// A cache line of a float32 row.
constexpr double kFloatLineCost = 0.08;
/// The descent and the probe, in expanded nodes.
constexpr double kProbeCost = 44;
/// An expansion with second hops, beside its distances, where nothing near passes: the fewer rows pass, the more lists
/// the walk waits for. kBridgeCost is for each list that it steps over.
constexpr double kTwoHopNodeCost = 10;
constexpr double kBridgeCost = 0.1;
/// Far from the query second hops reach more unseen rows: 12 to 16 distances a node instead of 6. Many come from one
/// list, so they add no waiting.
constexpr double kFarDistanceFactor = 2;
/// The beam width at which keeping the beam sorted costs as much as the distances.
constexpr double kBeamUpkeep = 27000;
/// Passing rows among the new neighbours of an expanded node. With fewer, a two-hop walk loses its way: recall@100 is
/// 0.996 at 0.25 (5 % of 1,000,000 x 96), 0.99 at 0.24 (10 % of 200,000 x 128), 0.985 at 0.15 and 0.92 at 0.12.
constexpr double kMinNewPassing = 0.22;

}  // namespace

std::size_t max_bridges(double near_share) {
  SHORTLIST_ASSERT(near_share > 0 && near_share <= 1);
  constexpr double kLinkSlack = 1.5;
  return static_cast<std::size_t>(std::ceil(kLinkSlack * (1 / near_share - 1)));
}

bool is_far(const FilteredSearch& filtered, double near_share) { return near_share < kFarRatio * filtered.share(); }

double far_expansions(std::size_t ef) { return std::max(kMinFarExpansions, kFarExpansionFactor * static_cast<double>(ef)); }

double widened_expansions(std::size_t ef, double near_share) {
  const double more = near_share < kSmallShare ? kBeamSlack : 1;
  return more * static_cast<double>(ef) / std::pow(std::max(near_share, kMinWidenedShare), kExpansionExponent);
}

PlanCosts estimate_costs(const FilteredSearch& filtered, double near_share) {
  SHORTLIST_ASSERT(filtered.allowed <= filtered.graph.rows.count && near_share <= 1);
  const Graph& graph = filtered.graph;
  const double per_node = graph.distances_per_candidate;
  const double allowed = static_cast<double>(filtered.allowed);
  const double words = kWordCost * graph.rows.count / 32;
  const double slots = graph.levels[0].slots;
  const double bridges = std::min(slots * (1 - near_share), static_cast<double>(max_bridges(near_share)));
  const bool far = is_far(filtered, near_share);
  const double probe = kProbeCost * per_node;
  PlanCosts costs;
  const double beam = kBeamSlack * static_cast<double>(filtered.beam_width) / std::max(near_share, kMinWidenedShare);
  costs.widened = probe + per_node * widened_expansions(filtered.ef, near_share) * (1 + beam / kBeamUpkeep);
  const double expansions = far ? far_expansions(filtered.ef) : static_cast<double>(filtered.ef);
  const double distances = far ? kFarDistanceFactor * per_node : per_node + kTwoHopNodeCost * (1 - near_share);
  costs.two_hop = probe + expansions * (distances + kBridgeCost * bridges);
  costs.exact_scan = words + allowed * kFloatLineCost * static_cast<double>(4 * graph.rows.dim + 63) / 64;
  costs.code_scan = graph.kind == CodeKind::float32 ? costs.exact_scan : kScanStartCost + words + allowed * kCodeCost;
  return costs;
}

Plan plan_before_probe(const FilteredSearch& filtered, const PlanCosts& costs) {
  if (filtered.allowed <= filtered.beam_width) return Plan::exact_scan;
  // No walk costs less than one where everything near the query passes.
  const PlanCosts ideal = estimate_costs(filtered, 1);
  const double walk = std::min(ideal.widened, ideal.two_hop);
  if (costs.exact_scan <= std::min(walk, costs.code_scan)) return Plan::exact_scan;
  return costs.code_scan <= walk ? Plan::code_scan : Plan::automatic;
}

Plan plan_after_probe(const FilteredSearch& filtered, const PlanCosts& costs, double near_share) {
  Plan best = costs.code_scan < costs.exact_scan ? Plan::code_scan : Plan::exact_scan;
  double lowest = std::min(costs.code_scan, costs.exact_scan);
  // If few rows pass near the query, even the wider beam may not reach k of them.
  if (!is_far(filtered, near_share) && costs.widened < lowest) {
    best = Plan::widened;
    lowest = costs.widened;
  }
  const double new_passing = filtered.graph.distances_per_candidate * std::max(near_share, filtered.share());
  if (new_passing >= kMinNewPassing && costs.two_hop < lowest) best = Plan::two_hop;
  return best;
}

}  // namespace shortlist
