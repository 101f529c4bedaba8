// Builds the graph of one shard: takes its rows, gives arrays that are ready to be written. The same rows and
// parameters give the same bytes for any number of threads and any instruction set.
//
//   equal rows   rows with the same vector form a chain; only the first of them enters the graph
//   codes        a quantizer is fitted; a sample decides whether 7 bits keep the order of neighbours
//   levels       come from a hash of the row number
//   batches      each point of a batch searches the graph as it was before the batch and links to its neighbours; then
//                reverse links are sorted by target and merged target by target
//   narrow codes searches use 4 bits where those keep the order nearly as well
//   audit        rows that cannot be reached, or not found by their own vector, get more links
#pragma once
#include <functional>

#include "graph.h"
#include "memory.h"
#include "threads.h"

namespace shortlist {

/// Called on the calling thread with the number of rows done. False cancels the build, which then throws `cancelled`.
using Progress = std::function<bool(std::uint64_t rows_done)>;

struct BuildOptions {
  std::size_t threads = 1;
  Progress progress;
};

/// What the build found, for the manifest.
struct BuildFigures {
  /// Rows that an equal row represents.
  std::uint64_t equal_rows = 0;
  /// Rows that were not reachable from the entry until the audit linked them.
  std::uint64_t unreachable = 0;
  /// Rows that a search for their own vector did not find until the audit linked them.
  std::uint64_t unfound = 0;
  /// Share of the 10 nearest rows of a sample that are among the 20 nearest by their codes.
  double code_recall = 1;
  /// Share of the results of a float32 search that a search by codes also finds at the same ef.
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
  /// Only for ip, during the build.
  ProductOffsets offsets;
  std::vector<std::uint32_t> upper_rows;
  /// Nodes of level 1, 2, ...
  std::vector<std::uint32_t> upper_counts;
  /// Lists of level 1, then of level 2, ...
  std::vector<std::uint32_t> upper_links;
  /// Empty where no two rows are equal.
  std::vector<std::uint32_t> next_equal;
  /// The row where searches start. It is node 0 of the upper levels where there are any.
  std::uint32_t entry = kNone;

  Graph view() const;
  /// The list of links of a node, for writing. `view` gives the same lists for reading.
  std::uint32_t* edit_list(std::size_t level, std::uint32_t node);
};

BuiltGraph build_graph(const Kernels& kernels, const Rows& rows, const GraphParameters& parameters,
                       const BuildOptions& options);

}  // namespace shortlist
