// The search loop: best-first over one level (Malkov and Yashunin 2016, algorithm 2).
//
// Where it departs: one array, sorted by (key, node), is candidate list and result list at once, with a cursor at the
// nearest node that is not expanded yet; two heaps would touch every entry twice. Fresh neighbours are gathered first and
// their codes prefetched, then scored in one call, while the links of the next nodes to expand are on their way. Three nodes
// are expanded at a time: one alone would wait for memory, and the second and third nearest are nearly always expanded too.
// Against one at a time, queries a second at ef 100 grew by 15 % (768 dimensions) and 31 % (128), builds took 80 % of the
// time, and 0.3 % more distances were computed; four at a time gained no more.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "scorer.h"

namespace shortlist {

/// Which rows may be returned: bit r & 31 of word r >> 5.
struct RowSet {
  const std::uint32_t* words;
  bool has(std::uint32_t row) const { return (words[row >> 5] >> (row & 31) & 1) != 0; }
};

constexpr std::size_t kExpandAtOnce = 3;

/// True where the row, or one that is equal to it, may be returned.
bool allows_any(const RowSet& allow, const Graph& graph, std::uint32_t row);

/// What one thread needs to search; used again and again.
class Traversal {
 public:
  explicit Traversal(std::size_t node_count);

  /// Forgets what was found and seen, and starts at `node`, whose key is known.
  void begin(std::size_t ef, std::uint32_t node, std::uint32_t key);

  /// Fills the pool with the nearest nodes of the level.
  void run(const Level& level, Scorer& scorer);
  /// As `run` on level 0; nodes that `allow` lacks are expanded, not kept.
  /// @return false where it gave up, having visited and computed both so many
  bool run_filtered(const Graph& graph, Scorer& scorer, const RowSet& allow, std::uint64_t most_visited,
                    std::uint64_t most_computed);
  /// As `run`, but ends as soon as `target` is found. @return whether it was
  bool run_until(const Level& level, Scorer& scorer, std::uint32_t target);

  /// Moves to the neighbour nearest to the query until there is none nearer: ef = 1 above level 0.
  void climb_down(const Level& level, Scorer& scorer, std::uint32_t& node, std::uint32_t& key);

  std::size_t size() const { return size_; }
  std::uint32_t node(std::size_t i) const { return static_cast<std::uint32_t>(pool_[i] >> 1); }
  std::uint32_t key(std::size_t i) const { return static_cast<std::uint32_t>(pool_[i] >> 33); }

  /// Nodes expanded and distances computed since the last reset.
  std::uint64_t visited = 0;
  std::uint64_t computed = 0;

 private:
  void next_epoch();
  std::size_t gather(const Level& level, const Scorer& scorer, std::uint32_t node, std::size_t count);
  void skip_expanded();
  void prefetch_next(const Level& level) const;
  void insert(std::uint64_t entry);
  template <bool kStops>
  bool walk(const Level& level, Scorer& scorer, std::uint32_t target);

  std::vector<std::uint8_t> seen_;
  std::uint8_t epoch_ = 0;
  /// key << 33 | node << 1 | expanded, ascending.
  std::vector<std::uint64_t> pool_;
  std::size_t size_ = 0, ef_ = 0, cursor_ = 0;
  /// Candidates of a filtered search: a heap.
  std::vector<std::uint64_t> heap_;
  /// Neighbours of the nodes expanded together: their nodes, rows and keys.
  std::uint32_t fresh_[kExpandAtOnce * kMaxSlots], fresh_rows_[kExpandAtOnce * kMaxSlots],
      keys_[kExpandAtOnce * kMaxSlots];
};

}  // namespace shortlist
