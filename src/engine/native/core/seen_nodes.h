// Which nodes a search has seen: a bit each, so that those of a million nodes lie in the second-level cache. What was
// seen is kept in order too: it is taken back node by node, since a search sees few, and it is what a walk goes on
// with.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace shortlist {

class SeenNodes {
 public:
  explicit SeenNodes(std::size_t node_count) : words_(node_count / 32 + 1, 0) {}

  void clear();
  bool add(std::uint32_t node);
  /// Adds what a list of links holds and was not seen, in its order.
  void add_list(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots);
  /// As `add_list`, for what `allow` has: the rest stays unseen.
  void add_allowed(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots, const std::uint32_t* allow);

  /// Nodes seen since the last `clear`.
  std::size_t size() const { return size_; }
  /// The i-th of them and those after it; until the next call that adds.
  const std::uint32_t* from(std::size_t i) const { return order_.data() + i; }

 private:
  void mark_since(std::size_t first);

  std::vector<std::uint32_t> words_, order_;
  std::size_t size_ = 0;
};

}  // namespace shortlist
