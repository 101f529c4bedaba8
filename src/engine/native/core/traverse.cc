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
  const std::size_t at = static_cast<std::size_t>(std::lower_bound(first, first + size_, entry) - first);
  if (size_ < ef_) size_++;
  std::memmove(first + at + 1, first + at, (size_ - 1 - at) * sizeof *first);
  first[at] = entry;
  if (at < cursor_) cursor_ = at;
}

/// Neighbours of a node that were not seen yet, in fresh_, their codes on the way.
std::size_t Traversal::gather(const Level& level, const Scorer& scorer, std::uint32_t node) {
  const std::uint32_t* list = level.list(node);
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
    const std::uint32_t neighbour = list[i];
    if (!mark(neighbour)) continue;
    const std::uint32_t row = level.row(neighbour);
    fresh_[count] = neighbour;
    fresh_rows_[count++] = row;
    scorer.prefetch(row);
  }
  return count;
}

template <bool kStops>
bool Traversal::walk(const Level& level, Scorer& scorer, std::uint32_t target) {
  while (cursor_ < size_) {
    const std::uint32_t node = static_cast<std::uint32_t>(pool_[cursor_] >> 1);
    if (kStops && node == target) return true;
    pool_[cursor_] |= kExpanded;
    while (cursor_ < size_ && (pool_[cursor_] & kExpanded) != 0) cursor_++;
    const std::size_t count = gather(level, scorer, node);
    if (cursor_ < size_) {
      const std::uint32_t* next = level.list(static_cast<std::uint32_t>(pool_[cursor_] >> 1));
      __builtin_prefetch(next);
      __builtin_prefetch(next + 16);
    }
    visited++;
    computed += count;
    scorer.score(fresh_rows_, count, keys_);
    for (std::size_t i = 0; i < count; i++) {
      const std::uint64_t entry = pool_entry(keys_[i], fresh_[i]);
      if (size_ == ef_ && entry >= pool_[size_ - 1]) continue;
      insert(entry);
    }
    while (cursor_ < size_ && (pool_[cursor_] & kExpanded) != 0) cursor_++;
  }
  return false;
}

void Traversal::run(const Level& level, Scorer& scorer) { walk<false>(level, scorer, kNone); }

bool Traversal::run_until(const Level& level, Scorer& scorer, std::uint32_t target) {
  return walk<true>(level, scorer, target);
}

bool Traversal::run_filtered(const Graph& graph, Scorer& scorer, const RowSet& allow, std::uint64_t most) {
  const Level& level = graph.levels[0];
  const auto later = std::greater<std::uint64_t>();
  heap_.assign(1, pool_[0]);
  size_ = allows_any(allow, graph, static_cast<std::uint32_t>(pool_[0] >> 1)) ? 1 : 0;
  while (!heap_.empty()) {
    const std::uint64_t nearest = heap_.front();
    if (size_ == ef_ && nearest > pool_[size_ - 1]) break;
    if (computed >= most) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    const std::size_t count = gather(level, scorer, static_cast<std::uint32_t>(nearest >> 1));
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
