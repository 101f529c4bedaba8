// One search of one shard: plans it, walks the graph by codes, scores what it found by the float32 rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "kernels.h"
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
  /// Walk by float32 rows though there are codes: to measure what codes lose.
  bool by_floats = false;
};

enum class Path { graph, exact };

/// Searches for one thread, over a graph that several may share.
class Searcher {
 public:
  Searcher(const Kernels& kernels, const Graph& graph);
  Searcher(const Searcher&) = delete;
  Searcher& operator=(const Searcher&) = delete;

  /// The best k, best first, in hits(): fewer only where fewer rows may be returned.
  Path search(const SearchRequest& request);
  const std::vector<Hit>& hits() const { return hits_; }

  std::uint64_t visited() const { return traversal_.visited; }
  std::uint64_t computed() const { return traversal_.computed; }

 private:
  Scorer& prepare(const SearchRequest& request);
  /// False where it gave up for a scan.
  bool walk(const SearchRequest& request, Scorer& scorer, std::size_t ef);
  void rescore(const SearchRequest& request);
  void add_equal_rows(const SearchRequest& request, Hit hit);
  void scan(const SearchRequest& request);

  const Kernels& kernels_;
  const Graph& graph_;
  Traversal traversal_;
  QueryCode code_;
  CodeScorer code_scorer_;
  ProductScorer product_scorer_;
  FloatScorer float_scorer_;
  std::vector<Hit> hits_;
  std::vector<std::uint32_t> rows_;
  std::vector<double> sums_;
};

/// Descends from the entry to level 0. @return the row where level 0 is entered; `key` is its key
std::uint32_t descend(const Graph& graph, Traversal& traversal, Scorer& scorer, std::uint32_t& key);

}  // namespace shortlist
