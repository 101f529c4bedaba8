#include "traverse.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "assert.h"
#include "scan.h"

namespace shortlist {
namespace {

constexpr std::uint64_t kExpanded = 1;
/// Rows scored together while the next ones are prefetched.
constexpr std::size_t kScanBlock = 64;

/// With fewer candidates a two-hop walk also starts at other allowed rows: one in each of about this many words of the
/// set.
constexpr std::size_t kMinStarts = 16;
constexpr std::size_t kStartWords = 512;

std::uint64_t beam_entry(Candidate candidate) {
  return static_cast<std::uint64_t>(candidate.key) << 33 | static_cast<std::uint64_t>(candidate.node) << 1;
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

Traversal::Traversal(const Kernels& kernels, std::size_t node_count) : kernels_(kernels), seen_(node_count), bridges_(node_count) {}

void Traversal::begin(const WalkLimits& limits, Candidate start) {
  SHORTLIST_ASSERT(limits.beam_width > 0);
  if (beam_.size() < limits.beam_width + 1) beam_.resize(limits.beam_width + 1);
  seen_.clear();
  for (const std::uint32_t row : hidden_rows_) seen_.add(row);
  seen_.add(start.node);
  beam_width_ = limits.beam_width;
  max_expansions_ = limits.max_expansions;
  min_found_ = std::min(limits.min_found, limits.beam_width);
  beam_[0] = beam_entry(start);
  size_ = 1;
  cursor_ = 0;
}

/// The index of the first of `size` ascending entries that is not below `entry`. Without branches, since half of the
/// predictions would be wrong.
std::size_t find_place(const std::uint64_t* entries, std::size_t size, std::uint64_t entry) {
  const std::uint64_t* from = entries;
  while (size > 0) {
    const std::size_t half = (size + 1) / 2;
    from += half & -static_cast<std::size_t>(from[half - 1] < entry);
    size -= half;
  }
  return static_cast<std::size_t>(from - entries);
}

/// Merges scored nodes into the beam. They are sorted first, so that every entry of the beam moves only once.
void Traversal::merge(const std::uint32_t* keys, const std::uint32_t* nodes, std::size_t count) {
  if (batch_.size() < count) batch_.resize(2 * count);
  std::uint64_t* const batch = batch_.data();
  std::uint64_t* const pool = beam_.data();
  SHORTLIST_ASSERT(size_ <= beam_width_ && size_ < beam_.size());
  SHORTLIST_ASSERT(cursor_ <= size_);
  const std::uint64_t limit = size_ == beam_width_ ? pool[size_ - 1] : ~std::uint64_t{0};
  std::size_t added = 0;
  for (std::size_t i = 0; i < count; i++) {
    batch[added] = beam_entry({keys[i], nodes[i]});
    added += batch[added] < limit ? 1 : 0;
  }
  if (added == 0) return;
  std::sort(batch, batch + added);
  std::size_t kept = size_;
  size_ = std::min(kept + added, beam_width_);
  while (kept + added > size_) (added == 0 || (kept > 0 && pool[kept - 1] > batch[added - 1]) ? kept : added)--;
  for (; added > 0; added--) {
    const std::uint64_t entry = batch[added - 1];
    const std::size_t at = find_place(pool, kept, entry);
    std::memmove(pool + at + added, pool + at, (kept - at) * sizeof *pool);
    pool[at + added - 1] = entry;
    kept = at;
  }
  cursor_ = std::min(cursor_, kept);
  SHORTLIST_ASSERT(size_ <= beam_width_ && cursor_ <= size_);
}

/// Adds the neighbours of a node to the visited nodes and prefetches the codes of the new ones.
void Traversal::gather(const Level& level, const Scorer& scorer, std::uint32_t node) {
  SHORTLIST_ASSERT(node < level.count);
  const std::size_t first = seen_.size();
  seen_.add_list(kernels_, level.list(node), level.slots);
  for (std::size_t i = first; i < seen_.size(); i++) scorer.prefetch(level.row(*seen_.from(i)));
}

/// Scores the visited nodes from `first` on. @return their keys
const std::uint32_t* Traversal::score_new(const Level& level, Scorer& scorer, std::size_t first) {
  SHORTLIST_ASSERT(first <= seen_.size());
  const std::size_t count = seen_.size() - first;
  const std::uint32_t* rows = seen_.from(first);
  if (keys_.size() < count) keys_.resize(2 * count);
  if (level.rows != nullptr) {
    if (rows_.size() < count) rows_.resize(2 * count);
    for (std::size_t i = 0; i < count; i++) rows_[i] = level.rows[rows[i]];
    rows = rows_.data();
  }
  scorer.score(rows, count, keys_.data());
  computed += count;
  return keys_.data();
}

/// Moves the cursor to the nearest node that is not expanded.
void Traversal::skip_expanded() {
  while (cursor_ < size_ && (beam_[cursor_] & kExpanded) != 0) cursor_++;
}

/// Marks the nearest unexpanded nodes as expanded and prefetches their links. @return how many
std::size_t Traversal::next_to_expand(const Level& level, std::uint32_t (&nearest)[kExpansionsPerStep]) {
  std::size_t count = 0;
  for (skip_expanded(); count < kExpansionsPerStep && may_expand(); skip_expanded()) {
    nearest[count] = node(cursor_);
    SHORTLIST_ASSERT(nearest[count] < level.count);
    const std::uint32_t* list = level.list(nearest[count++]);
    for (std::uint32_t i = 0; i < level.slots; i += 16) __builtin_prefetch(list + i);
    beam_[cursor_] |= kExpanded;
  }
  return count;
}

/// Prefetches the links of the nodes that will be expanded next unless nearer ones come.
void Traversal::prefetch_next(const Level& level) const {
  std::size_t fetched = 0;
  for (std::size_t i = cursor_; i < size_ && fetched < kExpansionsPerStep; i++) {
    if ((beam_[i] & kExpanded) != 0) continue;
    const std::uint32_t* list = level.list(node(i));
    __builtin_prefetch(list);
    __builtin_prefetch(list + 16);
    fetched++;
  }
}

template <bool kStops>
bool Traversal::walk(const Level& level, Scorer& scorer, std::uint32_t target) {
  std::uint32_t nearest[kExpansionsPerStep];
  while (const std::size_t expanded = next_to_expand(level, nearest)) {
    const std::size_t first = seen_.size();
    for (std::size_t i = 0; i < expanded; i++) {
      if (kStops && nearest[i] == target) return true;
      gather(level, scorer, nearest[i]);
    }
    visited += expanded;
    prefetch_next(level);
    const std::uint32_t* keys = score_new(level, scorer, first);
    merge(keys, seen_.from(first), seen_.size() - first);
  }
  return false;
}

void Traversal::run(const Level& level, Scorer& scorer) {
  walk<false>(level, scorer, kNone);
  SHORTLIST_ASSERT(is_beam_sorted());
}

bool Traversal::run_until(const Level& level, Scorer& scorer, std::uint32_t target) {
  return walk<true>(level, scorer, target);
}

void Traversal::resume(const Level& level, Scorer& scorer, std::size_t max_expansions) {
  max_expansions_ = max_expansions;
  SHORTLIST_ASSERT(size_ > 0);
  run(level, scorer);
}

double Traversal::share_allowed(const Graph& graph, const RowSet& allow, std::size_t count) const {
  count = std::min(count, size_);
  SHORTLIST_ASSERT(is_beam_sorted());
  std::size_t allowed = 0;
  for (std::size_t i = 0; i < count; i++) allowed += allows_any(allow, graph, node(i)) ? 1 : 0;
  return static_cast<double>(allowed) / static_cast<double>(std::max<std::size_t>(1, count));
}

/// Adds the unseen allowed nodes of a list.
void Traversal::add_allowed(const Graph& graph, const RowSet& allow, const std::uint32_t* list) {
  const std::uint32_t slots = graph.levels[0].slots;
  if (graph.next_equal == nullptr) {
    seen_.add_allowed(kernels_, list, slots, allow.words);
    return;
  }
  for (std::uint32_t i = 0; i < slots && list[i] != kNone; i++) {
    if (allows_any(allow, graph, list[i])) seen_.add(list[i]);
  }
}

void Traversal::gather_allowed(const Graph& graph, const Scorer& scorer, const RowSet& allow, std::uint32_t node,
                               std::size_t max_bridges) {
  SHORTLIST_ASSERT(node < graph.rows.count);
  const Level& level = graph.levels[0];
  const std::uint32_t* list = level.list(node);
  const std::size_t first = seen_.size();
  add_allowed(graph, allow, list);
  bridge_list_.resize(level.slots + kPickSlack);
  const std::size_t failing = kernels_.pick_unseen(list, level.slots, allow.words, nullptr, bridge_list_.data());
  std::size_t bridges = 0;
  for (std::size_t i = 0; i < std::min(failing, max_bridges); i++) {
    const std::uint32_t other = bridge_list_[i];
    if (!bridges_.add(other)) continue;
    const std::uint32_t* next = level.list(other);
    for (std::uint32_t at = 0; at < level.slots; at += 16) __builtin_prefetch(next + at);
    bridge_list_[bridges++] = other;
  }
  for (std::size_t i = first; i < seen_.size(); i++) scorer.prefetch(*seen_.from(i));
  const std::size_t direct = seen_.size();
  for (std::size_t i = 0; i < bridges; i++) add_allowed(graph, allow, level.list(bridge_list_[i]));
  for (std::size_t i = direct; i < seen_.size(); i++) scorer.prefetch(*seen_.from(i));
}

void Traversal::keep_allowed(const Graph& graph, const RowSet& allow) {
  SHORTLIST_ASSERT(allow.words != nullptr);
  SHORTLIST_ASSERT(is_beam_sorted());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size_; i++) {
    if (allows_any(allow, graph, node(i))) beam_[kept++] = beam_[i];
  }
  size_ = kept;
}

/// Adds allowed rows from all over the graph. If none is near the query, a two-hop walk needs somewhere to start.
void Traversal::add_start_rows(const Graph& graph, Scorer& scorer, const RowSet& allow) {
  SHORTLIST_ASSERT(size_ < kMinStarts);
  const std::size_t words = (std::size_t{graph.rows.count} + 31) / 32;
  const std::size_t step = std::max<std::size_t>(1, words / kStartWords);
  const std::size_t first = seen_.size();
  for (std::size_t word = 0; word < words; word += step) {
    if (allow.words[word] == 0) continue;
    const std::uint32_t row = static_cast<std::uint32_t>(32 * word + __builtin_ctz(allow.words[word]));
    // A represented row is not a node and has no links.
    if (graph.levels[0].list(row)[0] == kNone || !seen_.add(row)) continue;
    scorer.prefetch(row);
  }
  if (seen_.size() == first) return;
  const std::uint32_t* keys = score_new(graph.levels[0], scorer, first);
  merge(keys, seen_.from(first), seen_.size() - first);
}

void Traversal::run_two_hop(const Graph& graph, Scorer& scorer, const RowSet& allow,
                            const TwoHopLimits& limits) {
  SHORTLIST_ASSERT(allow.words != nullptr && beam_width_ > 0);
  const Level& level = graph.levels[0];
  keep_allowed(graph, allow);
  seen_.clear();
  bridges_.clear();
  for (const std::uint32_t row : hidden_rows_) {
    seen_.add(row);
    bridges_.add(row);
  }
  for (std::size_t i = 0; i < size_; i++) {
    beam_[i] &= ~kExpanded;
    seen_.add(node(i));
  }
  cursor_ = 0;
  max_expansions_ = limits.max_expansions;
  min_found_ = std::min(limits.min_found, beam_width_);
  if (size_ < kMinStarts) add_start_rows(graph, scorer, allow);
  std::uint32_t nearest[kExpansionsPerStep];
  while (const std::size_t expanded = next_to_expand(level, nearest)) {
    const std::size_t first = seen_.size();
    for (std::size_t i = 0; i < expanded; i++) gather_allowed(graph, scorer, allow, nearest[i], limits.max_bridges);
    visited += expanded;
    prefetch_next(level);
    const std::uint32_t* keys = score_new(level, scorer, first);
    merge(keys, seen_.from(first), seen_.size() - first);
  }
}

/// Collects candidates without order. At twice the width the farther half is dropped.
void Traversal::scan(const Graph& graph, Scorer& scorer, const RowSet& allow, std::size_t size) {
  SHORTLIST_ASSERT(size > 0);
  const std::size_t max_found = 2 * size + kScanBlock;
  if (beam_.size() < max_found + kScanBlock + kBitSlack) beam_.resize(max_found + kScanBlock + kBitSlack);
  std::uint64_t limit = ~std::uint64_t{0};
  std::size_t found = 0;
  const auto keep_nearest = [&] {
    if (found <= size) return;
    std::nth_element(beam_.begin(), beam_.begin() + (size - 1), beam_.begin() + found);
    limit = beam_[size - 1];
    found = size;
  };
  std::vector<std::uint32_t> block, next;
  RowPicker picker(kernels_, &allow, {.from = 0, .to = graph.rows.count});
  for (bool more = picker.next(kScanBlock, next); more;) {
    block.swap(next);
    more = picker.next(kScanBlock, next);
    for (const std::uint32_t ahead : next) scorer.prefetch(ahead);
    if (keys_.size() < block.size()) keys_.resize(2 * block.size());
    scorer.score(block.data(), block.size(), keys_.data());
    computed += block.size();
    for (std::size_t i = 0; i < block.size(); i++) {
      beam_[found] = beam_entry({keys_[i], block[i]});
      found += beam_[found] < limit ? 1 : 0;
    }
    if (found > max_found) keep_nearest();
  }
  keep_nearest();
  std::sort(beam_.begin(), beam_.begin() + found);
  size_ = found;
  SHORTLIST_ASSERT(size_ <= size && is_beam_sorted());
  beam_width_ = size;
  cursor_ = 0;
}

void Traversal::hide(std::vector<std::uint32_t> rows, std::vector<std::uint32_t> upper_nodes) {
  hidden_rows_ = std::move(rows);
  hidden_upper_ = std::move(upper_nodes);
}

void Traversal::begin_descent(std::uint32_t node) {
  seen_.clear();
  for (const std::uint32_t hidden : hidden_upper_) seen_.add(hidden);
  seen_.add(node);
}

Candidate Traversal::descend_level(const Level& level, Scorer& scorer, Candidate nearest) {
  SHORTLIST_ASSERT(nearest.node < level.count && level.rows != nullptr);
  for (bool moved = true; moved;) {
    moved = false;
    const std::size_t first = seen_.size();
    gather(level, scorer, nearest.node);
    visited++;
    const std::uint32_t* keys = score_new(level, scorer, first);
    const std::uint32_t* nodes = seen_.from(first);
    for (std::size_t i = 0, count = seen_.size() - first; i < count; i++) {
      const Candidate candidate{keys[i], nodes[i]};
      if (!is_nearer(candidate, nearest)) continue;
      nearest = candidate;
      moved = true;
    }
  }
  return nearest;
}

}  // namespace shortlist
