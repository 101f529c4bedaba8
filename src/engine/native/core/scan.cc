#include "scan.h"

#include <algorithm>

namespace shortlist {
namespace {

/// Rows of one block, so that all queries pass over them while they are in the second-level cache.
constexpr std::size_t kBlockBytes = 128 * 1024;
constexpr std::size_t kMinBlockRows = 16;
constexpr std::size_t kMaxBlockRows = 1024;

/// Queries in fours, as float64, lane by lane.
class PackedQueries {
 public:
  PackedQueries(const float* queries, std::size_t count, std::size_t dim) : block_((dim + 7) / 8 * 8 * kTileQueries) {
    values_.assign((count + kTileQueries - 1) / kTileQueries * block_, 0.0);
    for (std::size_t q = 0; q < count; q++) {
      double* to = values_.data() + q / kTileQueries * block_ + q % kTileQueries * 8;
      for (std::size_t j = 0; j < dim; j++) to[j / 8 * 8 * kTileQueries + j % 8] = queries[q * dim + j];
    }
  }
  const double* tile(std::size_t group) const { return values_.data() + group * block_; }

 private:
  std::size_t block_;
  std::vector<double> values_;
};

void push_tile(const double* sums, const std::uint32_t* rows, std::size_t row_count, Best* best,
               std::size_t query_count) {
  for (std::size_t q = 0; q < query_count; q++) {
    for (std::size_t r = 0; r < row_count; r++) {
      const double raw = sums[r * kTileQueries + q];
      if (best[q].may_enter(raw)) best[q].push(raw, rows[r]);
    }
  }
}

void scan_block_tiled(const Kernels& kernels, const Rows& rows, const PackedQueries& packed,
                      const std::vector<std::uint32_t>& picked, std::size_t query_count, Best* best) {
  const auto tile = rows.metric == Metric::l2 ? kernels.l2_tile : kernels.dot_tile;
  double sums[kTileRows * kTileQueries];
  for (std::size_t q = 0; q < query_count; q += kTileQueries) {
    for (std::size_t i = 0; i < picked.size(); i += kTileRows) {
      const float* values[kTileRows];
      const std::size_t count = std::min(kTileRows, picked.size() - i);
      for (std::size_t r = 0; r < kTileRows; r++) values[r] = rows.row(picked[i + std::min(r, count - 1)]);
      tile(packed.tile(q / kTileQueries), values, rows.dim, sums);
      push_tile(sums, picked.data() + i, count, best + q, std::min(kTileQueries, query_count - q));
    }
  }
}

void scan_block_single(const Kernels& kernels, const Rows& rows, const float* query,
                       const std::vector<std::uint32_t>& picked, std::vector<double>& sums, Best& best) {
  sums.resize(picked.size());
  raw_rows(kernels, rows, query, picked.data(), picked.size(), sums.data());
  for (std::size_t i = 0; i < picked.size(); i++) {
    if (best.may_enter(sums[i])) best.push(sums[i], picked[i]);
  }
}

std::size_t block_rows(std::uint32_t dim) {
  return std::clamp(kBlockBytes / (std::size_t{4} * dim), kMinBlockRows, kMaxBlockRows);
}

}  // namespace

std::uint32_t pick_rows(const RowSet* allow, std::uint32_t row, std::uint32_t to, std::size_t most,
                        std::vector<std::uint32_t>& picked) {
  picked.clear();
  while (row < to && picked.size() < most) {
    if (allow == nullptr) {
      picked.push_back(row++);
      continue;
    }
    const std::uint32_t word = allow->words[row >> 5] >> (row & 31);
    if (word == 0) {
      const std::uint64_t next = (static_cast<std::uint64_t>(row) | 31) + 1;
      row = next < to ? static_cast<std::uint32_t>(next) : to;
      continue;
    }
    row += static_cast<std::uint32_t>(__builtin_ctz(word));
    if (row < to) picked.push_back(row++);
  }
  return std::min(row, to);
}

void Best::push(Hit hit) {
  if (hits_.size() == k_) {
    if (k_ == 0 || !is_before(hit, hits_.front())) return;
    std::pop_heap(hits_.begin(), hits_.end(), is_before);
    hits_.pop_back();
  }
  hits_.push_back(hit);
  std::push_heap(hits_.begin(), hits_.end(), is_before);
  if (hits_.size() < k_) return;
  const double worst = hits_.front().score;
  limit_ = metric_ == Metric::l2 ? -(worst * worst) : worst;
}

std::vector<Hit> Best::drain() {
  std::sort_heap(hits_.begin(), hits_.end(), is_before);
  return std::move(hits_);
}

void scan_range(const Kernels& kernels, const Rows& rows, const ScanRequest& request, std::uint32_t from,
                std::uint32_t to, std::vector<Best>& best) {
  const bool tiled = request.query_count > 1;
  const PackedQueries packed(request.queries, tiled ? request.query_count : 0, rows.dim);
  std::vector<std::uint32_t> picked;
  std::vector<double> sums;
  const std::size_t most = block_rows(rows.dim);
  for (std::uint32_t row = from; row < to;) {
    row = pick_rows(request.allow, row, to, most, picked);
    if (picked.empty()) continue;
    if (tiled) {
      scan_block_tiled(kernels, rows, packed, picked, request.query_count, best.data());
    } else {
      scan_block_single(kernels, rows, request.queries, picked, sums, best[0]);
    }
  }
}

}  // namespace shortlist
