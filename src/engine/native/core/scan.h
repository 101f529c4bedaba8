// Exact search: every row of a range scored for several queries at once. Canonical scores in the contract's order, the same
// to the bit whatever the blocks, threads and instruction set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "metric.h"
#include "traverse.h"

namespace shortlist {

/// The best k of what is pushed.
class Best {
 public:
  Best(Metric metric, std::size_t k) : metric_(metric), k_(k) {}

  /// True where a row with this raw sum might get in, given that rows come in ascending order. Rounding never turns an order
  /// around, the worst score is a float32 and its square exact in float64: a sum at or below the limit has a score at or
  /// below the worst, and of equal scores the row that came first stays.
  bool may_enter(double raw) const { return (metric_ == Metric::l2 ? -raw : raw) > limit_; }
  void push(double raw, std::uint32_t row) { push(Hit{to_score(metric_, raw), row}); }
  void push(Hit hit);
  /// Best first; empties it.
  std::vector<Hit> drain();

 private:
  Metric metric_;
  std::size_t k_;
  double limit_ = -__builtin_inf();
  /// A heap with the worst on top.
  std::vector<Hit> hits_;
};

struct ScanRequest {
  const float* queries;
  std::size_t query_count;
  std::size_t k;
  /// Null: every row.
  const RowSet* allow;
};

/// The next rows from `row` on that may be returned, at most `most`. @return where to go on
std::uint32_t pick_rows(const RowSet* allow, std::uint32_t row, std::uint32_t to, std::size_t most,
                        std::vector<std::uint32_t>& picked);

/// Scans rows [from, to) into `best`, one for each query.
void scan_range(const Kernels& kernels, const Rows& rows, const ScanRequest& request, std::uint32_t from,
                std::uint32_t to, std::vector<Best>& best);

}  // namespace shortlist
