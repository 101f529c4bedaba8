// The search loop: best-first over one level (Malkov and Yashunin 2016, algorithm 2).
//
// Where it departs: one array, sorted by (key, node), is candidate list and result list at once, with a cursor at the
// nearest node that is not expanded yet; two heaps would touch every entry twice. How many of its first places are
// expanded is asked for apart from how many it has: an answer of 1,000 rows need not expand 1,000. Neighbours that
// were not seen are picked from a list without branches and their codes prefetched, then scored in one call, while
// the links of the next nodes to expand are on their way. Three nodes are expanded at a time: one alone would wait
// for memory, and the second and third nearest are nearly always expanded too.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "scorer.h"
#include "seen_nodes.h"

namespace shortlist {

/// Which rows may be returned: bit r & 31 of word r >> 5.
struct RowSet {
  const std::uint32_t* words;
  /// The same rows one by one, ascending, for scans: where few pass, their bits take longer to find than to score.
  /// Rows that are not in the set are left out. Null where nobody listed them.
  const std::uint32_t* list = nullptr;
  std::size_t listed = 0;
  bool has(std::uint32_t row) const { return (words[row >> 5] >> (row & 31) & 1) != 0; }
};

constexpr std::size_t kExpansionsPerStep = 3;

/// True where the row, or one that is equal to it, may be returned.
bool allows_any(const RowSet& allow, const Graph& graph, std::uint32_t row);

/// How far a walk goes.
struct WalkLimits {
  /// How many of the nearest nodes are kept.
  std::size_t beam_width;
  /// How many of the nearest are expanded; more only until the beam holds `min_found`.
  std::size_t max_expansions;
  std::size_t min_found;
};

struct TwoHopLimits {
  std::size_t max_expansions;
  std::size_t min_found;
  /// How many failing neighbours of a node are stepped over at most.
  std::size_t max_bridges;
};

/// What one thread needs to search; used again and again.
class Traversal {
 public:
  Traversal(const Kernels& kernels, std::size_t node_count);

  /// Clears what was found and seen, and starts at a node whose key is known.
  void begin(const WalkLimits& limits, Candidate start);

  /// Fills the pool with the nearest nodes of the level.
  void run(const Level& level, Scorer& scorer);
  /// As `run`, but ends as soon as `target` is found. @return whether it was
  bool run_until(const Level& level, Scorer& scorer, std::uint32_t target);
  /// Goes on with `run` until so many of the nearest are expanded.
  void resume(const Level& level, Scorer& scorer, std::size_t max_expansions);

  /// Share of the nearest `among` nodes found that may be returned.
  double share_allowed(const Graph& graph, const RowSet& allow, std::size_t count) const;
  /// Keeps of what was found what may be returned.
  void keep_allowed(const Graph& graph, const RowSet& allow);
  /// Starts again from those on level 0, and scores only what may be returned: other neighbours are stepped over to
  /// theirs.
  void run_two_hop(const Graph& graph, Scorer& scorer, const RowSet& allow, const TwoHopLimits& limits);
  /// Fills the pool with the nearest of all rows that may be returned; rows equal to each other count apart.
  void scan(const Graph& graph, Scorer& scorer, const RowSet& allow, std::size_t size);

  /// Forgets what was seen, before climbing down from `node`.
  void begin_descent(std::uint32_t node);
  /// Moves to the neighbour nearest to the query until there is none nearer: ef = 1 above level 0, level by level. A
  /// node has one number on all of them, so that what was scored on one is not scored again on the next.
  Candidate descend_level(const Level& level, Scorer& scorer, Candidate nearest);

  std::size_t size() const { return size_; }
  std::uint32_t node(std::size_t i) const { return static_cast<std::uint32_t>(beam_[i] >> 1); }
  std::uint32_t key(std::size_t i) const { return static_cast<std::uint32_t>(beam_[i] >> 33); }

  /// From now on no walk meets these: rows of level 0, and nodes of the levels above.
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
  /// Nodes stepped over whose links were read.
  SeenNodes bridges_;
  std::vector<std::uint32_t> bridge_list_;
  /// What no walk meets: it counts as seen from the start.
  std::vector<std::uint32_t> hidden_rows_, hidden_upper_;
  /// Rows and keys of the nodes scored together.
  std::vector<std::uint32_t> rows_, keys_;
};

}  // namespace shortlist
