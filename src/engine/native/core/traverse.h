// The search loop: best-first over one level (Malkov and Yashunin 2016, algorithm 2).
//
// Departures: the beam is one array sorted by (key, node) that serves as candidate list and result list, with a cursor
// at the nearest unexpanded node; two heaps would touch every entry twice. The number of expansions is independent of
// the beam width, since an answer of 1,000 rows does not need 1,000 expansions. Unseen neighbours are picked from a
// list without branches, their codes are prefetched and scored in one call, while the links of the next nodes are
// being fetched. Three nodes are expanded in each step: one alone would wait for memory, and the next two are nearly
// always expanded too.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "scorer.h"
#include "seen_nodes.h"

namespace shortlist {

/// The rows that may be returned: bit r & 31 of word r >> 5.
struct RowSet {
  const std::uint32_t* words;
  /// The same rows as a list, ascending, for scans: where few pass, finding their bits takes longer than scoring them.
  /// Rows outside the set are skipped. Null if there is no list.
  const std::uint32_t* list = nullptr;
  std::size_t listed = 0;
  bool has(std::uint32_t row) const { return (words[row >> 5] >> (row & 31) & 1) != 0; }
};

constexpr std::size_t kExpansionsPerStep = 3;

/// Whether the row or one equal to it may be returned.
bool allows_any(const RowSet& allow, const Graph& graph, std::uint32_t row);

/// How far a walk goes.
struct WalkLimits {
  /// How many of the nearest nodes are kept.
  std::size_t beam_width;
  /// How many of the nearest are expanded. More are only while the beam holds fewer than `min_found`.
  std::size_t max_expansions;
  std::size_t min_found;
};

struct TwoHopLimits {
  std::size_t max_expansions;
  std::size_t min_found;
  /// Failing neighbours of one node that are stepped over at most.
  std::size_t max_bridges;
};

/// The state of searches on one thread, reused from search to search.
class Traversal {
 public:
  Traversal(const Kernels& kernels, std::size_t node_count);

  /// Clears the beam and the visited nodes, and starts at a node whose key is known.
  void begin(const WalkLimits& limits, Candidate start);

  /// Fills the beam with the nearest nodes of the level.
  void run(const Level& level, Scorer& scorer);
  /// As `run`, but stops when `target` is expanded. @return whether it was
  bool run_until(const Level& level, Scorer& scorer, std::uint32_t target);
  /// Continues `run` up to a larger number of expansions.
  void resume(const Level& level, Scorer& scorer, std::size_t max_expansions);

  /// The share of the nearest `count` candidates that may be returned.
  double share_allowed(const Graph& graph, const RowSet& allow, std::size_t count) const;
  /// Removes the candidates that may not be returned.
  void keep_allowed(const Graph& graph, const RowSet& allow);
  /// Starts again from the candidates on level 0 and scores only allowed rows. The walk steps over other neighbours to
  /// theirs.
  void run_two_hop(const Graph& graph, Scorer& scorer, const RowSet& allow, const TwoHopLimits& limits);
  /// Fills the beam with the nearest of all allowed rows. Equal rows count separately.
  void scan(const Graph& graph, Scorer& scorer, const RowSet& allow, std::size_t size);

  /// Clears the visited nodes before a descent from `node`.
  void begin_descent(std::uint32_t node);
  /// Moves to the nearest neighbour until none is nearer: ef = 1 above level 0. A node has the same number on all
  /// levels, so it is scored only once in a descent.
  Candidate descend_level(const Level& level, Scorer& scorer, Candidate nearest);

  std::size_t size() const { return size_; }
  std::uint32_t node(std::size_t i) const { return static_cast<std::uint32_t>(beam_[i] >> 1); }
  std::uint32_t key(std::size_t i) const { return static_cast<std::uint32_t>(beam_[i] >> 33); }

  /// Excludes rows of level 0 and nodes of the upper levels from all walks.
  void hide(std::vector<std::uint32_t> rows, std::vector<std::uint32_t> upper_nodes);

  /// Nodes expanded and distances computed since the last reset.
  std::uint64_t visited = 0;
  std::uint64_t computed = 0;

 private:
  bool is_beam_sorted() const { return std::is_sorted(beam_.begin(), beam_.begin() + size_); }
  template <bool kStops>
  bool walk(const Level& level, Scorer& scorer, std::uint32_t target);
  void gather(const Level& level, const Scorer& scorer, std::uint32_t node);
  void gather_allowed(const Graph& graph, const Scorer& scorer, const RowSet& allow, std::uint32_t node,
                      std::size_t max_bridges);
  void add_start_rows(const Graph& graph, Scorer& scorer, const RowSet& allow);
  void add_allowed(const Graph& graph, const RowSet& allow, const std::uint32_t* list);
  const std::uint32_t* score_new(const Level& level, Scorer& scorer, std::size_t first);
  bool may_expand() const { return cursor_ < size_ && (cursor_ < max_expansions_ || size_ < min_found_); }
  void skip_expanded();
  std::size_t next_to_expand(const Level& level, std::uint32_t (&nearest)[kExpansionsPerStep]);
  void prefetch_next(const Level& level) const;
  void merge(const std::uint32_t* keys, const std::uint32_t* nodes, std::size_t count);

  const Kernels& kernels_;
  SeenNodes seen_;
  /// key << 33 | node << 1 | expanded, ascending.
  std::vector<std::uint64_t> beam_, batch_;
  std::size_t size_ = 0, beam_width_ = 0, max_expansions_ = 0, min_found_ = 0, cursor_ = 0;
  /// Nodes stepped over, whose links were read.
  SeenNodes bridges_;
  std::vector<std::uint32_t> bridge_list_;
  /// They count as visited from the start.
  std::vector<std::uint32_t> hidden_rows_, hidden_upper_;
  std::vector<std::uint32_t> rows_, keys_;
};

}  // namespace shortlist
