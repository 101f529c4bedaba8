#include "traverse.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace shortlist {
namespace {

constexpr std::uint64_t kExpanded = 1;

std::uint64_t pool_entry(std::uint32_t key, std::uint32_t node) {
  return static_cast<std::uint64_t>(key) << 33 | static_cast<std::uint64_t>(node) << 1;
}

}  // namespace

bool allows_any(const RowSet& allow, const Graph& graph, std::uint32_t row) {
  if (allow.has(row)) return true;
  if (graph.next_equal == nullptr) return false;
  while ((row = graph.next_equal[row]) != kNone) {
    if (allow.has(row)) return true;
  }
  return false;
}

Traversal::Traversal(std::size_t node_count) : seen_(node_count, 0) {}

void Traversal::next_epoch() {
  if (++epoch_ != 0) return;
  std::fill(seen_.begin(), seen_.end(), std::uint8_t{0});
  epoch_ = 1;
}

void Traversal::begin(std::size_t ef, std::uint32_t node, std::uint32_t key) {
  if (pool_.size() < ef + 1) pool_.resize(ef + 1);
  next_epoch();
  ef_ = ef;
  seen_[node] = epoch_;
  pool_[0] = pool_entry(key, node);
  size_ = 1;
  cursor_ = 0;
}

void Traversal::insert(std::uint64_t entry) {
  std::uint64_t* const first = pool_.data();
  // Binary search without branches: where an entry belongs is as good as random, and half the guesses would be wrong.
  const std::uint64_t* from = first;
  for (std::size_t length = size_; length > 0;) {
    const std::size_t half = (length + 1) / 2;
    from += from[half - 1] < entry ? half : 0;
    length -= half;
  }
  const std::size_t at = static_cast<std::size_t>(from - first);
  if (size_ < ef_) size_++;
  std::memmove(first + at + 1, first + at, (size_ - 1 - at) * sizeof *first);
  first[at] = entry;
  if (at < cursor_) cursor_ = at;
}

/// Adds the neighbours of a node that were not seen yet to fresh_, their codes on the way.
std::size_t Traversal::gather(const Level& level, const Scorer& scorer, std::uint32_t node, std::size_t count) {
  const std::uint32_t* list = level.list(node);
  for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
    const std::uint32_t neighbour = list[i];
    if (seen_[neighbour] == epoch_) continue;
    seen_[neighbour] = epoch_;
    const std::uint32_t row = level.row(neighbour);
    fresh_[count] = neighbour;
    fresh_rows_[count++] = row;
    scorer.prefetch(row);
  }
  return count;
}

/// Moves the cursor to the nearest node that is not expanded.
void Traversal::skip_expanded() {
  while (cursor_ < size_ && (pool_[cursor_] & kExpanded) != 0) cursor_++;
}

/// Asks for the links of the nodes that are likely to be expanded next.
void Traversal::prefetch_next(const Level& level) const {
  std::size_t asked = 0;
  for (std::size_t i = cursor_; i < size_ && asked < kExpandAtOnce; i++) {
    if ((pool_[i] & kExpanded) != 0) continue;
    const std::uint32_t* list = level.list(node(i));
    __builtin_prefetch(list);
    __builtin_prefetch(list + 16);
    asked++;
  }
}

template <bool kStops>
bool Traversal::walk(const Level& level, Scorer& scorer, std::uint32_t target) {
  while (cursor_ < size_) {
    std::size_t count = 0;
    for (std::size_t expanded = 0; cursor_ < size_ && expanded < kExpandAtOnce; expanded++) {
      const std::uint32_t nearest = node(cursor_);
      if (kStops && nearest == target) return true;
      pool_[cursor_] |= kExpanded;
      skip_expanded();
      count = gather(level, scorer, nearest, count);
      visited++;
    }
    prefetch_next(level);
    computed += count;
    scorer.score(fresh_rows_, count, keys_);
    for (std::size_t i = 0; i < count; i++) {
      const std::uint64_t entry = pool_entry(keys_[i], fresh_[i]);
      if (size_ == ef_ && entry >= pool_[size_ - 1]) continue;
      insert(entry);
    }
    skip_expanded();
  }
  return false;
}

void Traversal::run(const Level& level, Scorer& scorer) { walk<false>(level, scorer, kNone); }

bool Traversal::run_until(const Level& level, Scorer& scorer, std::uint32_t target) {
  return walk<true>(level, scorer, target);
}

bool Traversal::run_filtered(const Graph& graph, Scorer& scorer, const RowSet& allow, std::uint64_t most_visited,
                             std::uint64_t most_computed) {
  const Level& level = graph.levels[0];
  const auto later = std::greater<std::uint64_t>();
  heap_.assign(1, pool_[0]);
  size_ = allows_any(allow, graph, static_cast<std::uint32_t>(pool_[0] >> 1)) ? 1 : 0;
  while (!heap_.empty()) {
    const std::uint64_t nearest = heap_.front();
    if (size_ == ef_ && nearest > pool_[size_ - 1]) break;
    if (visited >= most_visited && computed >= most_computed) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    const std::size_t count = gather(level, scorer, static_cast<std::uint32_t>(nearest >> 1), 0);
    visited++;
    computed += count;
    scorer.score(fresh_rows_, count, keys_);
    for (std::size_t i = 0; i < count; i++) {
      const std::uint64_t entry = pool_entry(keys_[i], fresh_[i]);
      if (size_ == ef_ && entry >= pool_[size_ - 1]) continue;
      heap_.push_back(entry);
      std::push_heap(heap_.begin(), heap_.end(), later);
      if (allows_any(allow, graph, fresh_[i])) insert(entry);
    }
  }
  return true;
}

void Traversal::climb_down(const Level& level, Scorer& scorer, std::uint32_t& node, std::uint32_t& key) {
  for (bool moved = true; moved;) {
    moved = false;
    const std::uint32_t* list = level.list(node);
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
      fresh_[count] = list[i];
      fresh_rows_[count] = level.row(list[i]);
      scorer.prefetch(fresh_rows_[count++]);
    }
    visited++;
    computed += count;
    scorer.score(fresh_rows_, count, keys_);
    for (std::size_t i = 0; i < count; i++) {
      if (keys_[i] > key || (keys_[i] == key && fresh_[i] >= node)) continue;
      key = keys_[i];
      node = fresh_[i];
      moved = true;
    }
  }
}

}  // namespace shortlist
