// Chooses the plan of a filtered search. Costs are counted in distances by code and not in time, so that answers do
// not depend on the machine.
//
//   widened       the unfiltered walk with a beam so wide that the rows that pass fill the answer
//   two_hop       only rows that pass are scored; the walk steps over the others to their neighbours
//   code_scan     all rows that pass, by code; the nearest are scored again
//   exact_scan    all rows that pass, by their float32 values
//
// The number of rows that pass is known. A short walk (the probe) finds how many pass near the query, unless a scan is
// cheaper than any walk: a filter that excludes what is near makes every walk long and misleads the two-hop walk, but
// does not affect a scan.
#pragma once
#include <cstddef>
#include <cstdint>

#include "graph.h"

namespace shortlist {

enum class Plan : std::uint32_t { automatic, graph, widened, two_hop, code_scan, exact_scan };
constexpr std::uint32_t kPlanCount = 6;

struct FilteredSearch {
  const Graph& graph;
  std::size_t ef;
  /// Candidates that the beam must hold.
  std::size_t beam_width;
  std::size_t allowed;

  double share() const { return static_cast<double>(allowed) / static_cast<double>(graph.rows.count); }
};

/// How many failing neighbours of a node are stepped over, given the share that passes near the query. Then 1.5 times
/// as many links lead to passing rows as without a filter.
std::size_t max_bridges(double near_share);

/// The beam is wider by this factor than the share that passes requires.
constexpr double kBeamSlack = 1.3;
/// A beam that is wider by some factor needs fewer expansions than that factor: with this exponent recall is that of
/// an unfiltered search.
constexpr double kExpansionExponent = 0.7;
/// Below this share the walk expands more nodes too, since it misses more far from the query.
constexpr double kSmallShare = 0.15;
/// The share for which the beam is widened at most.
constexpr double kMinWidenedShare = 0.02;
/// Expansions of a widened walk.
double widened_expansions(std::size_t ef, double near_share);

/// Rows that pass are far from the query where their share near it is less than this part of their share overall.
constexpr double kFarRatio = 0.5;
bool is_far(const FilteredSearch& filtered, double near_share);
/// Factor and minimum of expansions of a two-hop walk where the rows that pass are far. Their nearest form a wide thin
/// shell around the query, and the length of a walk along it hardly depends on ef. Recall@100 on 100,000 x 96, half of
/// the rows pass and all of them far, at 200 and 400 expansions: 0.988 and 0.996 on texts, where ef 150 reaches 0.99
/// without a filter; 0.969 and 0.991 on embeddings, where ef 50 suffices.
constexpr double kFarExpansionFactor = 2;
constexpr double kMinFarExpansions = 400;
double far_expansions(std::size_t ef);

/// In distances by code.
struct PlanCosts {
  double widened = 0, two_hop = 0, code_scan = 0, exact_scan = 0;
};

PlanCosts estimate_costs(const FilteredSearch& filtered, double near_share);

/// A scan where no walk could cost much less, else automatic: probe first.
Plan plan_before_probe(const FilteredSearch& filtered, const PlanCosts& costs);
/// @param near_share share of the rows near the query that pass
Plan plan_after_probe(const FilteredSearch& filtered, const PlanCosts& costs, double near_share);

}  // namespace shortlist
