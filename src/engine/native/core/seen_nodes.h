// The nodes that a search has visited: one bit each, so that a million nodes fit the second-level cache. They are also
// kept in order, since clearing them one by one is cheaper and the walk continues with them.
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
  /// Adds the unseen nodes of a list of links, in order.
  void add_list(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots);
  /// The same for nodes in `allow`; others stay unseen.
  void add_allowed(const Kernels& kernels, const std::uint32_t* list, std::uint32_t slots, const std::uint32_t* allow);

  /// Nodes seen since the last `clear`.
  std::size_t size() const { return size_; }
  /// The i-th node and those after it, valid until the next call that adds.
  const std::uint32_t* from(std::size_t i) const { return order_.data() + i; }

 private:
  void mark_since(std::size_t first);

  std::vector<std::uint32_t> words_, order_;
  std::size_t size_ = 0;
};

}  // namespace shortlist
