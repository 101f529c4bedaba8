// Builds the graph of one shard: takes its rows, gives arrays ready to be written. The same rows and parameters give
// the same bytes whatever the number of threads and the instruction set.
//
//   equal rows   rows with the same vector are chained; only the first of them enters the graph
//   codes        a quantizer is fitted; a sample decides whether 7 bits keep the order of neighbours
//   levels       by a hash of the row number, so that they depend on nothing else
//   batches      points enter in batches: each searches the graph as it stood before the batch, links forward by the
//                usual heuristic; then links back are sorted by target and merged, target by target
//   narrower     where 4 bits keep the order nearly as well, searches will go by those
//   audit        every row must be reachable from the entry and found by its own vector; what is not is linked in
#pragma once
#include <functional>

#include "graph.h"
#include "memory.h"
#include "threads.h"

namespace shortlist {

/// Told how many rows are done, on the calling thread; false cancels the build, which then throws `cancelled`.
using Progress = std::function<bool(std::uint64_t rows_done)>;

struct BuildOptions {
  std::size_t threads = 1;
  Progress progress;
};

/// What the build found, for the manifest.
struct BuildFigures {
  /// Rows that are represented by an equal one.
  std::uint64_t equal_rows = 0;
  /// Rows that could not be reached from the entry, and were linked in.
  std::uint64_t unreachable = 0;
  /// Rows that a search for their own vector did not find, and were linked in.
  std::uint64_t unfound = 0;
  /// Share of the 10 nearest rows of a sample that are among the 20 nearest by their codes.
  double code_recall = 1;
  /// Share of the answers of a search by float32 rows that the search by codes finds too, at the same ef.
  double traversal_recall = 1;
};

struct BuiltGraph {
  GraphParameters parameters{};
  Rows rows{};
  CodeKind kind = CodeKind::bits7;
  Quantizer quantizer;
  BuildFigures figures;
  CodeDepth depth;
  double distances_per_candidate = kDefaultDistancesPerCandidate;
  /// `norms` as in Graph.
  Pages codes, norms, links;
  /// For ip while it is built.
  ProductOffsets offsets;
  std::vector<std::uint32_t> upper_rows;
  /// Nodes of level 1, 2, ...
  std::vector<std::uint32_t> upper_counts;
  /// Lists of level 1, then of level 2, ...
  std::vector<std::uint32_t> upper_links;
  /// Empty where no two rows are equal.
  std::vector<std::uint32_t> next_equal;
  /// Row where searches start: node 0 of the upper levels where there are any.
  std::uint32_t entry = kNone;

  Graph view() const;
  /// The list of links of a node, to be written: `view` gives the same lists to be read.
  std::uint32_t* edit_list(std::size_t level, std::uint32_t node);
};

BuiltGraph build_graph(const Kernels& kernels, const Rows& rows, const GraphParameters& parameters,
                       const BuildOptions& options);

}  // namespace shortlist
