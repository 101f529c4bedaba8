// Many queries against many rows, in tiles: float32 sums say which pairs may be among the best, and only those have
// canonical ones, so that answers are equal to the bit to those of scanning with canonical sums alone.
//
// How a sum in float32 can differ from the canonical one: by (dim + 8) * 2^-23 of |row| * |query| (dot) or of itself
// (l2), twice what dim + 2 roundings can come to, and by 2^-149 for each component where products underflow. Where
// sums could overflow, the limits are NaN, and every pair is looked at.
#pragma once
#include <vector>

#include "scan.h"

namespace shortlist {

/// At most kTileQueries queries and what rows must exceed to be among their best.
class QueryTile {
 public:
  /// @param first of `count` queries, one after the other
  /// @param best the list of each; both stay where they are
  QueryTile(const Rows& rows, const float* first, std::size_t count, Best* best);

  /// Offers `count` rows to the lists.
  /// @param norms of the rows, as `norm_bound` gives them, or 1 and a little more under cosine; not read under l2
  void offer(const Kernels& kernels, const std::uint32_t* which, std::size_t count, const float* norms);

 private:
  void update_limit(std::size_t query);
  void score(const Kernels& kernels, std::size_t query);

  const Rows& rows_;
  const float* queries_;
  std::size_t count_;
  Best* best_;
  /// [component][query]
  std::vector<float> values_;
  TileLimits limits_;
  /// Rows that each query is to have canonical sums with.
  std::vector<std::uint32_t> entering_[kTileQueries];
  std::vector<double> sums_;
};

/// At least the length of a row; NaN where it is so great that products of it might overflow.
float norm_bound(const float* row, std::size_t dim);

}  // namespace shortlist
