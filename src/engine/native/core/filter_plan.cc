#include "filter_plan.h"

#include <algorithm>
#include <cmath>

namespace shortlist {
namespace {

// In distances by code on a walk, which waits for memory at every step. Fitted to runs on 1,000,000 x 96.
/// A scan by code: to begin with, since its first rows all enter the list; 32 rows of the set that are looked through; and a row
/// that passes, since rows come in order, their codes ahead of them, and no links are read.
constexpr double kScan = 600;
constexpr double kScannedWord = 0.02;
constexpr double kScannedCode = 0.13;
/// A cache line of a row that is scanned by its float32 values.
constexpr double kScannedLine = 0.08;
/// A node that is expanded with second hops, beside the distances; and each of the lists that it hops over.
constexpr double kHoppingNode = 8;
constexpr double kSecondHop = 0.1;
/// Places of a pool that make keeping it as dear as the distances.
constexpr double kDearPool = 2500;
/// A scan that costs at most so many times what a walk costs without a filter is not worth looking for something better.
constexpr double kDearScan = 5.4;
/// Below this part of its share of all rows, too few rows pass near the query for a walk over them alone to be trusted.
constexpr double kFewNear = 0.5;
/// With fewer rows that pass among those that an expanded node leads to for the first time, second hops lead to too few for a walk to
/// find its way: recall@100 of 0.996 at 0.25 (5 % of 1,000,000 x 96) and of 0.99 at 0.24 (10 % of 200,000 x 128), of 0.985 at
/// 0.15 and of 0.92 at 0.12.
constexpr double kLeastLedTo = 0.22;

}  // namespace

std::size_t second_hops(double near_share) {
  constexpr double kMore = 1.5;
  return static_cast<std::size_t>(std::ceil(kMore * (1 / near_share - 1)));
}

PlanCosts estimate_costs(const FilterQuestion& question, double near_share) {
  const Graph& graph = question.graph;
  const double ef = static_cast<double>(std::max(question.ef, question.pool));
  const double allowed = static_cast<double>(question.allowed);
  const double words = kScannedWord * graph.rows.count / 32;
  const double slots = graph.levels[0].slots;
  const double hops = std::min(slots * (1 - near_share), static_cast<double>(second_hops(near_share)));
  PlanCosts costs;
  const double places = ef / near_share;
  costs.widened = graph.distances_per_place * places * (1 + places / kDearPool);
  costs.two_hop = ef * (graph.distances_per_place + kHoppingNode + kSecondHop * hops);
  costs.exact_scan = words + allowed * kScannedLine * static_cast<double>(4 * graph.rows.dim + 63) / 64;
  costs.code_scan = graph.kind == CodeKind::float32 ? costs.exact_scan : kScan + words + allowed * kScannedCode;
  return costs;
}

Plan plan_before_looking(const FilterQuestion& question, const PlanCosts& costs) {
  const double places = static_cast<double>(std::max(question.ef, question.pool));
  const double affordable = kDearScan * question.graph.distances_per_place * places;
  if (question.allowed <= question.pool || costs.exact_scan <= std::min(affordable, costs.code_scan)) return Plan::exact_scan;
  if (costs.code_scan <= affordable) return Plan::code_scan;
  return Plan::automatic;
}

Plan plan_after_looking(const FilterQuestion& question, const PlanCosts& costs, double near_share) {
  Plan best = costs.code_scan < costs.exact_scan ? Plan::code_scan : Plan::exact_scan;
  double least = std::min(costs.code_scan, costs.exact_scan);
  if (costs.widened < least) {
    best = Plan::widened;
    least = costs.widened;
  }
  const double led_to = question.graph.distances_per_place * std::max(near_share, question.share());
  const bool trusted = led_to >= kLeastLedTo && near_share >= kFewNear * question.share();
  if (trusted && costs.two_hop < least) best = Plan::two_hop;
  return best;
}

}  // namespace shortlist
