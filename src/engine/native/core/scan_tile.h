// Scores many queries against many rows in tiles. Float32 sums select the pairs that may be among the best, and only
// those get canonical sums, so the answers have the same bits as with canonical sums alone.
//
// A float32 sum differs from the canonical one by at most (dim + 8) * 2^-23 of |row| * |query| (dot) or of itself
// (l2), which is twice what dim + 2 roundings can reach, plus 2^-149 for each component whose product underflows.
// Where sums could overflow, the limits are NaN, and every pair is selected.
#pragma once
#include <vector>

#include "scan.h"

namespace shortlist {

/// At most kTileQueries queries and the thresholds of their lists.
class QueryTile {
 public:
  /// @param first of `count` consecutive queries
  /// @param best the list of each; both must outlive the tile
  QueryTile(const Rows& rows, const float* first, std::size_t count, Best* best);

  /// Offers `count` rows to the lists.
  /// @param norms from `norm_bound`, or slightly above 1 under cosine; not read under l2
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
  /// Rows that need a canonical sum with each query.
  std::vector<std::uint32_t> entering_[kTileQueries];
  std::vector<double> sums_;
};

/// An upper bound of the length of a row; NaN if products with it might overflow.
float norm_bound(const float* row, std::size_t dim);

}  // namespace shortlist
