#include "codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "assert.h"

namespace shortlist {
namespace {

/// Components sampled to choose the scale: a quantile of 1 in 10,000 still has 50 of them.
constexpr std::size_t kSampleComponents = std::size_t{1} << 19;
constexpr std::size_t kMinSampleRows = 256;
/// Shares of components that are not clipped. The one with the least squared error is chosen.
constexpr double kRangeQuantiles[] = {0.98, 0.99, 0.995, 0.999, 0.9999, 1.0};
/// Largest value of one component of an ip query in 15 bits: 127 * 128.
constexpr double kTopPlane = 16256;

std::vector<std::uint32_t> sample_rows(const Rows& rows) {
  const std::size_t wanted =
      std::min<std::size_t>(rows.count, std::max(kMinSampleRows, kSampleComponents / rows.dim));
  std::vector<std::uint32_t> sample(wanted);
  for (std::size_t i = 0; i < wanted; i++) {
    sample[i] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * rows.count / wanted);
  }
  return sample;
}

/// Mean of every component.
std::vector<double> find_middle(const Rows& rows, const std::vector<std::uint32_t>& sample) {
  std::vector<double> middle(rows.dim, 0);
  for (const std::uint32_t row : sample) {
    const float* values = rows.row(row);
    for (std::size_t j = 0; j < rows.dim; j++) middle[j] += values[j];
  }
  for (double& sum : middle) sum /= static_cast<double>(sample.size());
  return middle;
}

/// Half of the range of the codes: of several quantiles of the deviations, the one with the least squared error from
/// clipping and rounding.
double choose_half_range(std::vector<double> deviations, double top) {
  SHORTLIST_ASSERT(!deviations.empty() && top > 0);
  double best = 0, best_error = 0;
  std::size_t below = 0;
  for (const double kept : kRangeQuantiles) {
    const std::size_t at = std::min(deviations.size() - 1, static_cast<std::size_t>(kept * deviations.size()));
    SHORTLIST_ASSERT(below <= at);
    std::nth_element(deviations.begin() + below, deviations.begin() + at, deviations.end());
    below = at;
    const double half = deviations[at], step = 2 * half / top;
    double error = static_cast<double>(at) * step * step / 12;
    for (std::size_t i = at; i < deviations.size(); i++) error += (deviations[i] - half) * (deviations[i] - half);
    if (half > 0 && (best == 0 || error < best_error)) {
      best = half;
      best_error = error;
    }
  }
  return best;
}

double largest_squared_norm(const Kernels& kernels, const Rows& rows, ThreadTeam& team) {
  std::vector<double> largest(team.size(), 0);
  team.split(rows.count, 4096, [&](std::size_t worker, std::size_t from, std::size_t to) {
    for (std::uint32_t row = static_cast<std::uint32_t>(from); row < to; row++) {
      double norm2;
      kernels.dot_rows(rows.row(row), rows.values, rows.dim, &row, 1, &norm2);
      largest[worker] = std::max(largest[worker], norm2);
    }
  });
  return *std::max_element(largest.begin(), largest.end());
}

}  // namespace

std::size_t code_stride(std::uint32_t dim) { return code_bytes(CodeKind::bits7, dim); }

Quantizer fit_quantizer(const Kernels& kernels, const Rows& rows, double top, ThreadTeam& team) {
  Quantizer quantizer;
  quantizer.dim = rows.dim;
  quantizer.stride = code_stride(rows.dim);
  quantizer.low.assign(rows.dim, 0);
  if (rows.count == 0) return quantizer;
  if (rows.metric == Metric::ip) quantizer.largest_norm2 = largest_squared_norm(kernels, rows, team);
  const std::vector<std::uint32_t> sample = sample_rows(rows);
  const std::vector<double> middle = find_middle(rows, sample);
  std::vector<double> deviations;
  deviations.reserve(sample.size() * rows.dim);
  double squares = 0;
  for (const std::uint32_t row : sample) {
    const float* values = rows.row(row);
    for (std::size_t j = 0; j < rows.dim; j++) {
      const double deviation = std::fabs(values[j] - middle[j]);
      deviations.push_back(deviation);
      squares += deviation * deviation;
    }
  }
  const double half = choose_half_range(std::move(deviations), top);
  quantizer.scale = half == 0 ? 0 : top / (2 * half);
  quantizer.spread = squares / static_cast<double>(sample.size()) * quantizer.scale * quantizer.scale;
  for (std::size_t j = 0; j < middle.size(); j++) quantizer.low[j] = middle[j] - half;
  return quantizer;
}

Pages encode_rows(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer, ThreadTeam& team) {
  SHORTLIST_ASSERT(quantizer.dim == rows.dim && quantizer.stride % kCodeAlign == 0);
  Pages codes(static_cast<std::size_t>(rows.count) * quantizer.stride);
  team.split(rows.count, 1024, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::uint32_t row = static_cast<std::uint32_t>(from); row < to; row++) {
      std::uint8_t* code = codes.as<std::uint8_t>() + row * quantizer.stride;
      kernels.encode(rows.row(row), quantizer.low.data(), quantizer.scale, rows.dim, code);
    }
  });
  return codes;
}

std::size_t code_bytes(CodeKind kind, std::uint32_t dim) {
  const auto align = [](std::size_t bytes) { return (bytes + kCodeAlign - 1) / kCodeAlign * kCodeAlign; };
  switch (kind) {
    case CodeKind::float32: return 0;
    case CodeKind::bits4: return align((std::size_t{dim} + 1) / 2);
    case CodeKind::bits7: return align(dim);
    case CodeKind::bfloat16: return align(2 * std::size_t{dim});
  }
  return 0;
}

void to_bfloat16(const float* row, std::uint32_t dim, std::uint16_t* halves) {
  for (std::uint32_t j = 0; j < dim; j++) {
    std::uint32_t bits;
    std::memcpy(&bits, row + j, sizeof bits);
    halves[j] = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

Pages halve_rows(const Rows& rows, ThreadTeam& team) {
  const std::size_t stride = code_bytes(CodeKind::bfloat16, rows.dim);
  Pages halves(stride * rows.count);
  team.split(rows.count, 1024, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::size_t row = from; row < to; row++) {
      to_bfloat16(rows.row(row), rows.dim, reinterpret_cast<std::uint16_t*>(halves.as<std::uint8_t>() + row * stride));
    }
  });
  return halves;
}

ProductOffsets product_offsets(const Quantizer& quantizer, const std::uint8_t* codes, std::uint32_t count,
                               ThreadTeam& team) {
  ProductOffsets offsets;
  offsets.of_row.resize(count);
  team.split(count, 1024, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::size_t row = from; row < to; row++) {
      const std::uint8_t* code = codes + row * quantizer.stride;
      double sum = 0;
      for (std::size_t j = 0; j < quantizer.dim; j++) sum += quantizer.low[j] * code[j];
      offsets.of_row[row] = sum * quantizer.scale;
    }
  });
  for (const double low : quantizer.low) offsets.constant += low * quantizer.scale * low * quantizer.scale;
  return offsets;
}

QueryCode::QueryCode(const Kernels& kernels, const Quantizer& quantizer, Metric metric)
    : kernels_(kernels), quantizer_(quantizer), metric_(metric), memory_(2 * quantizer.stride) {
  code_ = memory_.as<std::uint8_t>();
  low_plane_ = memory_.as<std::int8_t>() + quantizer.stride;
  SHORTLIST_ASSERT(reinterpret_cast<std::uintptr_t>(code_) % kCodeAlign == 0 && quantizer.stride % kCodeAlign == 0);
  const std::int64_t largest = static_cast<std::int64_t>(kTopPlane * kTopCode) * quantizer.dim;
  bias_ = largest;
  SHORTLIST_ASSERT(largest > 0);
  while ((2 * largest) >> shift_ >= (std::int64_t{1} << 31)) shift_++;
}

bool QueryCode::set(const float* query) {
  if (metric_ != Metric::ip) return set_code(query);
  set_planes(query);
  return true;
}

bool QueryCode::set_code(const float* query) {
  const double lost = kernels_.encode(query, quantizer_.low.data(), quantizer_.scale, quantizer_.dim, code_);
  return lost <= kMaxClippedShare * quantizer_.spread;
}

void QueryCode::set_planes(const float* query) {
  SHORTLIST_ASSERT(metric_ == Metric::ip);
  float largest = 0;
  for (std::size_t j = 0; j < quantizer_.dim; j++) largest = std::max(largest, std::fabs(query[j]));
  const double factor = largest == 0 ? 0 : kTopPlane / largest;
  std::int8_t* high = reinterpret_cast<std::int8_t*>(code_);
  for (std::size_t j = 0; j < quantizer_.dim; j++) {
    const double scaled = query[j] * factor;
    const std::int32_t value = static_cast<std::int32_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
    high[j] = static_cast<std::int8_t>(value >> 7);
    low_plane_[j] = static_cast<std::int8_t>(value & 127);
  }
}

}  // namespace shortlist
