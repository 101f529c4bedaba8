#include "seen_nodes.h"

#include <algorithm>

#include "assert.h"

namespace shortlist {

void SeenNodes::clear() {
  if (size_ < words_.size()) {
    for (std::size_t i = 0; i < size_; i++) words_[order_[i] >> 5] = 0;
  } else {
    std::fill(words_.begin(), words_.end(), 0);
  }
  size_ = 0;
}

bool SeenNodes::add(std::uint32_t node) {
  SHORTLIST_ASSERT(node >> 5 < words_.size());
  const std::uint32_t bit = std::uint32_t{1} << (node & 31);
  if ((words_[node >> 5] & bit) != 0) return false;
  words_[node >> 5] |= bit;
  if (order_.size() < size_ + 1) order_.resize(2 * size_ + kPickSlack);
  order_[size_++] = node;
  return true;
}

/// Without branches. Adds a node once even if a list has it twice, which no build writes.
void SeenNodes::mark_since(std::size_t first) {
  std::size_t kept = first;
  for (std::size_t i = first; i < size_; i++) {
    const std::uint32_t node = order_[i];
    SHORTLIST_ASSERT(node >> 5 < words_.size());
    std::uint32_t& word = words_[node >> 5];
    order_[kept] = node;
    kept += ~word >> (node & 31) & 1;
    word |= std::uint32_t{1} << (node & 31);
  }
  size_ = kept;
}

void SeenNodes::add_list(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots) {
  add_allowed(kernels, list, slots, nullptr);
}

void SeenNodes::add_allowed(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots,
                            const std::uint32_t* allow) {
  const std::size_t first = size_, needed = first + slots + kPickSlack;
  if (order_.size() < needed) order_.resize(2 * needed);
  size_ += kernels.pick_unseen(list, slots, words_.data(), allow, order_.data() + first);
  SHORTLIST_ASSERT(size_ - first <= slots + kPickSlack && size_ <= order_.size());
  mark_since(first);
}

}  // namespace shortlist
