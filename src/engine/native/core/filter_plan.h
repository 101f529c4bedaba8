// Which way a search under a filter takes. Costs are counted in distances by code, not in time, so that answers do
// not depend on the machine or its mood.
//
//   widened       the graph as without a filter, with a pool wide enough that what passes fills the answer
//   two_hop       only rows that pass are scored; those that do not are stepped over to their neighbours
//   code_scan     all rows that pass, by code; the nearest are scored again
//   exact_scan    all rows that pass, by their float32 values
//
// How many rows pass is known; how many pass near the query is looked up by a short walk, where a scan is not cheaper
// anyway: a filter that leaves out what is near makes every walk long and misleads the second, and a scan does not
// mind.
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
  /// Places of the pool that must be filled.
  std::size_t beam_width;
  std::size_t allowed;

  double share() const { return static_cast<double>(allowed) / static_cast<double>(graph.rows.count); }
};

/// Neighbours of a node to step over, where such a share of the rows passes: with them as many links lead to rows
/// that pass as there are links without a filter, and half again.
std::size_t max_bridges(double near_share);

/// Places of a pool beyond what the share that passes asks for.
constexpr double kBeamSlack = 1.3;
/// A pool that is wider by some factor takes less than that factor of expansions: at 0.7, recall is what it is
/// without a filter.
constexpr double kExpansionExponent = 0.7;
/// Below this share more nodes are expanded too: far from the query a walk misses more.
constexpr double kSmallShare = 0.15;
/// A pool is not widened beyond so many times its places.
constexpr double kMinWidenedShare = 0.02;
/// Nodes that a wider walk expands.
double widened_expansions(std::size_t ef, double near_share);

/// Below this part of its share of all rows, what passes lies far from the query.
constexpr double kFarRatio = 0.5;
bool is_far(const FilteredSearch& filtered, double near_share);
/// A walk over what passes expands so many times as many nodes there, and so many at least: what is nearest is a
/// shell around the query, wide and thin, and how far a walk has to go along it has little to do with how far it has
/// to go among neighbours. Recall@100 on 100,000 x 96, half of the rows pass and all of it far, at 200 and 400 nodes:
/// 0.988 and 0.996 on texts, where it takes ef 150 among neighbours for 0.99; 0.969 and 0.991 on embeddings, where ef
/// 50 is enough.
constexpr double kFarExpansionFactor = 2;
constexpr double kMinFarExpansions = 400;
double far_expansions(std::size_t ef);

/// In distances by code.
struct PlanCosts {
  double widened = 0, two_hop = 0, code_scan = 0, exact_scan = 0;
};

PlanCosts estimate_costs(const FilteredSearch& filtered, double near_share);

/// A scan where no walk could be much cheaper, else automatic: look near the query first.
Plan plan_before_probe(const FilteredSearch& filtered, const PlanCosts& costs);
/// @param near_share share of the rows near the query that pass
Plan plan_after_probe(const FilteredSearch& filtered, const PlanCosts& costs, double near_share);

}  // namespace shortlist
