// Exact search: scores every row of a range for several queries at once. Canonical scores in the contract's order, the
// same bits for any block size, number of threads and instruction set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "metric.h"
#include "traverse.h"

namespace shortlist {

/// The best k of the rows that are pushed.
class Best {
 public:
  /// @param floor rows with scores up to it may be dropped
  Best(Metric metric, std::size_t k, float floor = -__builtin_inff()) : metric_(metric), k_(k) { set_limit(floor); }

  /// Whether a row with this raw sum can enter, if rows come in ascending order. Rounding is monotonic, and the worst
  /// score is a float32 whose square is exact in float64. So a sum at or below the limit has a score at or below the
  /// worst, and of equal scores the earlier row stays.
  bool may_enter(double raw) const { return (metric_ == Metric::l2 ? -raw : raw) > limit_; }
  /// What `may_enter` compares with: a sum, or minus a squared distance; minus infinity until there are k rows.
  double limit() const { return limit_; }
  /// The floor for a list of other rows that will be merged with this one. It is just below the worst score, since a
  /// row with that score may precede the worst one.
  float floor() const {
    return hits_.size() < k_ || k_ == 0 ? -__builtin_inff() : std::nextafter(hits_.front().score, -__builtin_inff());
  }
  void push(double raw, std::uint32_t row) { push(Hit{to_score(metric_, raw), row}); }
  void push(Hit hit);
  /// Returns the rows best first and empties the list.
  std::vector<Hit> drain();

 private:
  void set_limit(double worst) { limit_ = metric_ == Metric::l2 ? -(worst * worst) : worst; }

  Metric metric_;
  std::size_t k_;
  double limit_;
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

/// Rows from `from` up to `to`, exclusive.
struct RowRange {
  std::uint32_t from;
  std::uint32_t to;
};

/// Gives the allowed rows of a range in ascending blocks.
class RowPicker {
 public:
  /// @param allow null: every row
  RowPicker(const Kernels& kernels, const RowSet* allow, RowRange range);

  /// The next rows: `max` and up to 63 more if there are as many. @return false at the end
  bool next(std::size_t max, std::vector<std::uint32_t>& picked);

 private:
  void pick_listed(std::size_t max, std::vector<std::uint32_t>& picked);

  const Kernels& kernels_;
  const RowSet* allow_;
  std::uint32_t row_, to_;
  /// Position in the list, if there is one.
  std::size_t at_ = 0;
};

/// Scans the rows of a range into `best`, one list for each query.
void scan_range(const Kernels& kernels, const Rows& rows, const ScanRequest& request, RowRange range,
                std::vector<Best>& best);

}  // namespace shortlist
