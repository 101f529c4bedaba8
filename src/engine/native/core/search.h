// One search of one shard: plans it, walks the graph by codes and scores the results by the float32 rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "filter_plan.h"
#include "graph.h"
#include "kernels.h"
#include "nibbles.h"
#include "scan.h"
#include "scorer.h"
#include "traverse.h"

namespace shortlist {

struct SearchRequest {
  const float* query;
  std::size_t k;
  std::size_t ef;
  /// Null: every row may be returned.
  const RowSet* allow = nullptr;
  /// How many rows may be returned.
  std::size_t allowed = 0;
  /// Walk by float32 rows although there are codes, to measure what codes lose.
  bool by_floats = false;
  /// automatic: the costs decide.
  Plan plan = Plan::automatic;
  /// Components that may be scanned. A search that needs to scan more ends without an answer.
  std::size_t max_scanned = ~std::size_t{0};
};

/// How a search went.
struct SearchAccount {
  /// The plan that gave the answer; automatic if there is none because the scan would have been too large.
  Plan plan = Plan::automatic;
  /// Share of the rows near the query that pass the filter; 1 if it was not measured.
  double near_share = 1;
  /// Estimates under a filter, else 0.
  PlanCosts costs;
  std::uint64_t visited = 0, computed = 0;
};

/// Searches of one thread. Several searchers may share a graph.
class Searcher {
 public:
  /// @param hidden rows, ascending, that searches treat as never inserted: walks do not visit them and answers do not
  /// have them. The entry, and hidden rows that are equal to others, are visited but not returned. A set of allowed
  /// rows must not contain hidden rows.
  Searcher(const Kernels& kernels, const Graph& graph, const std::vector<std::uint32_t>& hidden = {});
  Searcher(const Searcher&) = delete;
  Searcher& operator=(const Searcher&) = delete;

  /// Puts the best k into hits(), best first. There are fewer only if fewer rows are allowed.
  const SearchAccount& search(const SearchRequest& request);
  const std::vector<Hit>& hits() const { return hits_; }

 private:
  void hide(const std::vector<std::uint32_t>& hidden);
  Scorer& prepare(const SearchRequest& request);
  Plan run(const SearchRequest& request, std::size_t k);
  Plan run_filtered(const SearchRequest& request, Scorer& scorer, std::size_t beam_width);
  Plan probe(const SearchRequest& request, const FilteredSearch& filtered, Scorer& scorer);
  std::size_t filtered_rescored(const SearchRequest& request) const;
  void walk_graph(Scorer& scorer, const WalkLimits& limits);
  bool scan_rows(const SearchRequest& request, Scorer& scorer, Plan plan, std::size_t beam_width);
  enum class Equal { unfold, apart };
  bool is_settled(const SearchRequest& request) const;
  void rescore(const SearchRequest& request, std::size_t count, Equal equal);
  void add_equal_rows(const SearchRequest& request, Hit hit);

  const Kernels& kernels_;
  const Graph& graph_;
  Traversal traversal_;
  QueryCode code_;
  NibbleQuery nibbles_;
  NibbleLayout layout_;
  CodeScorer code_scorer_;
  NibbleScorer nibble_scorer_;
  ProductScorer product_scorer_;
  FloatScorer float_scorer_, half_scorer_;
  /// The set of visible rows; empty if no row is hidden.
  std::vector<std::uint32_t> visible_words_;
  std::size_t visible_;
  SearchAccount account_;
  std::vector<Hit> hits_;
  std::vector<std::uint32_t> rows_;
  std::vector<double> sums_;
};

/// Descends from the entry to level 0. @return the row where level 0 is entered
Candidate descend(const Graph& graph, Traversal& traversal, Scorer& scorer);

}  // namespace shortlist
