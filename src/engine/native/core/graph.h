// The graph of one shard as searches and builds see it: plain arrays in a mapped file or in a builder's memory.
//
// Level 0 holds every row of the graph. A list of links starts at links + row * stride and ends at its slots or at
// kNone. Levels above hold fewer rows and number their nodes densely: node u is row upper_rows[u]. Nodes are sorted by
// descending level, so level L holds the first upper_counts[L - 1], and node 0 is the entry. Links of upper levels are
// node numbers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codes.h"
#include "file_headers.h"
#include "metric.h"

namespace shortlist {

constexpr std::uint32_t kNone = 0xffffffff;
/// The most links of a row at level 0: 2 * MAX_M.
constexpr std::size_t kMaxSlots = 256;

struct GraphParameters {
  std::uint32_t m;
  std::uint32_t ef_construction;
  std::uint64_t seed;
};

/// Lists start at cache lines.
inline std::uint32_t link_stride(std::uint32_t slots) { return (slots + 15) / 16 * 16; }

struct Level {
  const std::uint32_t* links;
  std::uint32_t stride;
  std::uint32_t slots;
  std::uint32_t count;
  /// The row of each node; null at level 0, where a node is its row.
  const std::uint32_t* rows;

  const std::uint32_t* list(std::uint32_t node) const { return links + static_cast<std::size_t>(node) * stride; }
  std::uint32_t row(std::uint32_t node) const { return rows == nullptr ? node : rows[node]; }
};

/// The ranks by code within which nearly all of the 10 and of the 100 nearest rows are.
struct CodeDepth {
  std::uint32_t at10 = 10, at100 = 100;
};
/// Used before the build has measured it.
constexpr double kDefaultDistancesPerCandidate = 18;
/// Measurements do not look deeper.
constexpr std::uint32_t kMaxCodeDepth = 1024;

struct Graph {
  Rows rows;
  CodeKind kind;
  CodeDepth depth;
  /// Distances that a search computes for each candidate of its beam, measured by the build.
  double distances_per_candidate;
  const Quantizer* quantizer;
  const std::uint8_t* codes;
  /// Norms of 4-bit codes that do not fit behind the codes; else null.
  const std::uint8_t* norms;
  /// Level 0 first.
  std::vector<Level> levels;
  /// The next row with the same vector, ascending, or kNone; null where all rows differ. Only the first of equal rows
  /// is in the graph.
  const std::uint32_t* next_equal;
  /// The row where searches start; kNone for an empty graph.
  std::uint32_t entry;

  bool has_equal(std::uint32_t row) const { return next_equal != nullptr && next_equal[row] != kNone; }
};

}  // namespace shortlist
