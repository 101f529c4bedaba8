#include "scan.h"

#include <algorithm>
#include <numeric>

#include "assert.h"
#include "scan_tile.h"

namespace shortlist {
namespace {

/// Bytes of one block of rows: it stays in the second-level cache while all queries pass over it.
constexpr std::size_t kBlockBytes = 128 * 1024;
constexpr std::size_t kMinBlockRows = 16;
constexpr std::size_t kMaxBlockRows = 1024;

/// Rows have about unit length under cosine.
constexpr float kUnitNorm = 1.01f;

/// Fewer queries are scanned one by one, since a tile costs the same for one query as for all of its queries.
constexpr std::size_t kMinTiledQueries = 4;

void scan_block_single(const Kernels& kernels, const Rows& rows, const float* query,
                       const std::vector<std::uint32_t>& picked, std::vector<double>& sums, Best& best) {
  sums.resize(picked.size());
  raw_rows(kernels, rows, query, picked.data(), picked.size(), sums.data());
  for (std::size_t i = 0; i < picked.size(); i++) {
    if (best.may_enter(sums[i])) best.push(sums[i], picked[i]);
  }
}

/// The contract's order as a type, so that the heap functions inline it.
struct IsBefore {
  bool operator()(const Hit& a, const Hit& b) const { return is_before(a, b); }
};

std::size_t block_rows(std::uint32_t dim) {
  return std::clamp(kBlockBytes / (std::size_t{4} * dim), kMinBlockRows, kMaxBlockRows);
}

}  // namespace

RowPicker::RowPicker(const Kernels& kernels, const RowSet* allow, RowRange range)
    : kernels_(kernels), allow_(allow), row_(range.from), to_(range.to) {
  SHORTLIST_ASSERT(range.from <= range.to);
  if (allow == nullptr || allow->list == nullptr) return;
  at_ = static_cast<std::size_t>(std::lower_bound(allow->list, allow->list + allow->listed, range.from) - allow->list);
}

bool RowPicker::next(std::size_t max, std::vector<std::uint32_t>& picked) {
  if (allow_ == nullptr) {
    picked.resize(std::min<std::size_t>(max, to_ - row_));
    std::iota(picked.begin(), picked.end(), row_);
    row_ += static_cast<std::uint32_t>(picked.size());
  } else if (allow_->list != nullptr) {
    pick_listed(max, picked);
  } else {
    std::size_t count;
    picked.resize(max + kBitSlack);
    row_ = kernels_.pick_bits(allow_->words, row_, to_, max, picked.data(), &count);
    picked.resize(count);
  }
  return !picked.empty();
}

void RowPicker::pick_listed(std::size_t max, std::vector<std::uint32_t>& picked) {
  picked.resize(max);
  std::size_t count = 0;
  for (; at_ < allow_->listed && count < max && allow_->list[at_] < to_; at_++) {
    picked[count] = allow_->list[at_];
    count += allow_->has(picked[count]) ? 1 : 0;
  }
  picked.resize(count);
}

void Best::push(Hit hit) {
  SHORTLIST_ASSERT(hits_.size() <= k_);
  if (hits_.size() == k_) {
    if (k_ == 0 || !is_before(hit, hits_.front())) return;
    std::pop_heap(hits_.begin(), hits_.end(), IsBefore());
    hits_.pop_back();
  }
  hits_.push_back(hit);
  std::push_heap(hits_.begin(), hits_.end(), IsBefore());
  if (hits_.size() == k_) set_limit(hits_.front().score);
}

std::vector<Hit> Best::drain() {
  std::sort_heap(hits_.begin(), hits_.end(), IsBefore());
  return std::move(hits_);
}

void scan_range(const Kernels& kernels, const Rows& rows, const ScanRequest& request, RowRange range,
                std::vector<Best>& best) {
  SHORTLIST_ASSERT(best.size() == request.query_count && range.from <= range.to && range.to <= rows.count);
  std::vector<QueryTile> tiles;
  const std::size_t single = request.query_count < kMinTiledQueries ? request.query_count : 0;
  for (std::size_t q = single; q < request.query_count; q += kTileQueries) {
    const std::size_t count = std::min(kTileQueries, request.query_count - q);
    tiles.emplace_back(rows, request.queries + q * rows.dim, count, best.data() + q);
  }
  std::vector<std::uint32_t> picked;
  std::vector<double> sums;
  std::vector<float> norms;
  const std::size_t max_rows = block_rows(rows.dim);
  for (RowPicker picker(kernels, request.allow, range); picker.next(max_rows, picked);) {
    for (std::size_t q = 0; q < single; q++) {
      scan_block_single(kernels, rows, request.queries + q * rows.dim, picked, sums, best[q]);
    }
    if (tiles.empty()) continue;
    norms.assign(picked.size(), kUnitNorm);
    for (std::size_t i = 0; rows.metric == Metric::ip && i < picked.size(); i++) {
      norms[i] = norm_bound(rows.row(picked[i]), rows.dim);
    }
    for (QueryTile& tile : tiles) tile.offer(kernels, picked.data(), picked.size(), norms.data());
  }
}

}  // namespace shortlist
