#include "neighbours.h"

#include <algorithm>

#include "assert.h"

namespace shortlist {
namespace {

/// Kept nodes compared at a time: most candidates are rejected by one of the first.
constexpr std::size_t kChunk = 4;

bool is_nearer_to_kept(Scorer& scorer, std::uint32_t row, std::uint32_t key, const std::uint32_t* kept_rows,
                       std::size_t kept) {
  SHORTLIST_ASSERT(kept <= kMaxSlots);
  if (kept == 0) return false;
  scorer.set_row(row);
  for (std::size_t from = 0; from < kept; from += kChunk) {
    const std::size_t count = std::min(kChunk, kept - from);
    std::uint32_t keys[kChunk];
    scorer.score(kept_rows + from, count, keys);
    for (std::size_t i = 0; i < count; i++) {
      if (keys[i] < key) return true;
    }
  }
  return false;
}

}  // namespace

std::size_t select_neighbours(const Level& level, Scorer& scorer, const Candidate* candidates, std::size_t count,
                              std::size_t max, std::uint32_t* kept) {
  SHORTLIST_ASSERT(max <= kMaxSlots);
  SHORTLIST_ASSERT(std::is_sorted(candidates, candidates + count, is_nearer));
  std::uint32_t kept_rows[kMaxSlots];
  std::size_t size = 0;
  for (std::size_t i = 0; i < count && size < max; i++) {
    const std::uint32_t row = level.row(candidates[i].node);
    if (is_nearer_to_kept(scorer, row, candidates[i].key, kept_rows, size)) continue;
    kept_rows[size] = row;
    kept[size++] = candidates[i].node;
  }
  return size;
}

}  // namespace shortlist
