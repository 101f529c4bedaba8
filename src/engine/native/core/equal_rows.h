// Rows with the same vector. Their links would only lead to each other, so only the first enters the graph.
#pragma once
#include <cstdint>
#include <vector>

#include "metric.h"
#include "threads.h"

namespace shortlist {

struct EqualRows {
  /// The first row of each vector, ascending.
  std::vector<std::uint32_t> first;
  /// The next row with the same vector, or kNone; empty where all rows differ.
  std::vector<std::uint32_t> next;
};

EqualRows find_equal_rows(const Rows& rows, ThreadTeam& team);

}  // namespace shortlist
