#include "scan_tile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "assert.h"

namespace shortlist {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
/// Below these, the product of two lengths and the square of their root do not overflow.
constexpr double kSafeLength = 1e19, kSafeSquare = 1e38;

/// The relative rounding error.
double relative_slack(std::size_t dim) { return static_cast<double>(dim + 8) * 0x1p-23; }
/// The error from underflow.
double absolute_slack(std::size_t dim) { return static_cast<double>(dim) * 0x1p-149; }

/// In lanes, which every compiler can vectorize.
float sum_of_squares(const float* row, std::size_t dim) {
  constexpr std::size_t kLanes = 16;
  float lanes[kLanes] = {};
  std::size_t j = 0;
  for (; j + kLanes <= dim; j += kLanes) {
    for (std::size_t i = 0; i < kLanes; i++) lanes[i] += row[j + i] * row[j + i];
  }
  float sum = 0;
  for (; j < dim; j++) sum += row[j] * row[j];
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

float norm_bound(const float* row, std::size_t dim) {
  const double underflow = std::sqrt(absolute_slack(dim));
  const double norm = std::sqrt(static_cast<double>(sum_of_squares(row, dim))) * (1 + relative_slack(dim)) + underflow;
  return norm < kSafeLength ? static_cast<float>(norm) : kNaN;
}

QueryTile::QueryTile(const Rows& rows, const float* first, std::size_t count, Best* best)
    : rows_(rows), queries_(first), count_(count), best_(best), values_(rows.dim * kTileQueries), limits_{} {
  const std::size_t dim = rows.dim;
  SHORTLIST_ASSERT(count > 0 && count <= kTileQueries);
  for (std::size_t q = 0; q < count; q++) {
    const float* query = first + q * dim;
    for (std::size_t j = 0; j < dim; j++) values_[j * kTileQueries + q] = query[j];
    const double slack = static_cast<double>(norm_bound(query, dim)) * relative_slack(dim);
    limits_.slacks[q] = std::isnan(slack) ? kNaN : std::max(static_cast<float>(slack), std::numeric_limits<float>::min());
    update_limit(q);
  }
}

void QueryTile::update_limit(std::size_t query) {
  const double limit = best_[query].limit();
  float& bound = limits_.limits[query];
  if (std::isinf(limit)) {
    bound = kNaN;
  } else if (rows_.metric == Metric::l2) {
    const double square = -limit * (1 + relative_slack(rows_.dim)) + absolute_slack(rows_.dim);
    bound = square < kSafeSquare ? std::nextafter(static_cast<float>(square), kInfinity) : kNaN;
  } else {
    bound = std::nextafter(static_cast<float>(limit - absolute_slack(rows_.dim)), -kInfinity);
  }
}

void QueryTile::offer(const Kernels& kernels, const std::uint32_t* which, std::size_t count, const float* norms) {
  const auto tile = rows_.metric == Metric::l2 ? kernels.l2_tile : kernels.dot_tile;
  const std::uint32_t everyone = 0xffffffff >> (kTileQueries - count_);
  for (std::size_t i = 0; i < count; i += kTileRows) {
    const float* values[kTileRows];
    float lengths[kTileRows];
    std::uint32_t entering[kTileRows];
    const std::size_t here = std::min(kTileRows, count - i);
    for (std::size_t r = 0; r < kTileRows; r++) {
      const std::size_t at = i + std::min(r, here - 1);
      values[r] = rows_.row(which[at]);
      lengths[r] = norms[at];
    }
    tile(values_.data(), values, rows_.dim, limits_, lengths, entering);
    for (std::size_t r = 0; r < here; r++) {
      for (std::uint32_t left = entering[r] & everyone; left != 0; left &= left - 1) {
        entering_[__builtin_ctz(left)].push_back(which[i + r]);
      }
    }
  }
  for (std::size_t q = 0; q < count_; q++) score(kernels, q);
}

/// Runs after all rows of a call, since canonical sums are computed for several rows at a time.
void QueryTile::score(const Kernels& kernels, std::size_t query) {
  SHORTLIST_ASSERT(query < count_);
  std::vector<std::uint32_t>& rows = entering_[query];
  if (rows.empty()) return;
  sums_.resize(rows.size());
  raw_rows(kernels, rows_, queries_ + query * rows_.dim, rows.data(), rows.size(), sums_.data());
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (best_[query].may_enter(sums_[i])) best_[query].push(sums_[i], rows[i]);
  }
  rows.clear();
  update_limit(query);
}

}  // namespace shortlist
