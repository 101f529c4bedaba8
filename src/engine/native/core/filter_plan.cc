#include "filter_plan.h"

#include <algorithm>

namespace shortlist {
namespace {

/// Distances by code that a row costs in a scan by code: rows come in order, and no links are read.
constexpr double kScannedCode = 0.7;
/// The same for each cache line of a float32 row.
constexpr double kScannedLine = 0.4;
/// For each 32 rows of the set that are looked through.
constexpr double kScannedWord = 0.03;
/// A list of links that is read on the way to a second hop.
constexpr double kSecondHop = 1;
/// A walk cannot cost less than so many times what it costs without a filter.
constexpr double kLeastWalk = 1.5;
/// Below this part of its share of all rows, too few rows pass near the query for a walk over them alone to be trusted.
constexpr double kFewNear = 0.5;
/// Rows that a walk over second hops can find its way through.
constexpr double kLeastTwoHopShare = 0.01;

}  // namespace

PlanCosts estimate_costs(const FilterQuestion& question, double near_share) {
  const Graph& graph = question.graph;
  const double ef = static_cast<double>(std::max(question.ef, question.pool));
  const double allowed = static_cast<double>(question.allowed);
  const double words = kScannedWord * graph.rows.count / 32;
  const double slots = graph.levels[0].slots;
  // Second hops are made until half a list of rows that pass is found.
  const double hops = std::min(slots * (1 - near_share), 1 / near_share);
  PlanCosts costs;
  costs.widened = graph.distances_per_place * ef / near_share;
  costs.two_hop = ef * (graph.distances_per_place + kSecondHop * hops);
  costs.exact_scan = words + allowed * kScannedLine * static_cast<double>(4 * graph.rows.dim + 63) / 64;
  costs.code_scan = graph.kind == CodeKind::float32 ? costs.exact_scan : words + allowed * kScannedCode;
  return costs;
}

Plan plan_before_looking(const FilterQuestion& question, const PlanCosts& costs) {
  const double walk = kLeastWalk * question.graph.distances_per_place * static_cast<double>(question.ef);
  if (question.allowed <= question.pool || costs.exact_scan <= walk) return Plan::exact_scan;
  if (costs.code_scan <= walk) return Plan::code_scan;
  return Plan::automatic;
}

Plan plan_after_looking(const FilterQuestion& question, const PlanCosts& costs, double near_share) {
  Plan best = costs.code_scan < costs.exact_scan ? Plan::code_scan : Plan::exact_scan;
  double least = std::min(costs.code_scan, costs.exact_scan);
  if (costs.widened < least) {
    best = Plan::widened;
    least = costs.widened;
  }
  const bool trusted = near_share >= kLeastTwoHopShare && near_share >= kFewNear * question.share();
  if (trusted && costs.two_hop < least) best = Plan::two_hop;
  return best;
}

}  // namespace shortlist
