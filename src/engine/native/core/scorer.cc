#include "scorer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "assert.h"

namespace shortlist {
namespace {

/// Bytes of a row to prefetch: the processor's own prefetcher follows.
constexpr std::size_t kPrefetchBytes = 12 * 64;
constexpr std::size_t kBlock = 64;

/// Maps floats of either sign to 31 bits in order; the last bit of the mantissa is lost.
std::uint32_t ordered_key(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return ((bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u) >> 1;
}

/// The same for values from 0, without loss.
std::uint32_t positive_key(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits & 0x7fffffffu;
}

}  // namespace

Scorer::Scorer(const void* base, std::size_t stride, const std::uint8_t* norms)
    : base_(static_cast<const std::uint8_t*>(base)),
      stride_(stride),
      prefetch_bytes_(std::min(stride, kPrefetchBytes)),
      norms_(norms) {}

CodeScorer::CodeScorer(const Kernels& kernels, const std::uint8_t* codes, std::size_t stride)
    : Scorer(codes, stride), kernels_(kernels), codes_(codes), stride_(stride) {}

ProductScorer::ProductScorer(const Kernels& kernels, const std::uint8_t* codes, std::size_t stride,
                             const QueryCode& query)
    : Scorer(codes, stride), kernels_(kernels), codes_(codes), stride_(stride), query_(query) {}

void ProductScorer::score(const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  SHORTLIST_ASSERT(stride_ % kCodeAlign == 0 && reinterpret_cast<std::uintptr_t>(codes_) % kCodeAlign == 0);
  std::int64_t products[kBlock];
  for (std::size_t from = 0; from < count; from += kBlock) {
    const std::size_t block = std::min(kBlock, count - from);
    kernels_.dot_codes(query_.planes(), codes_, stride_, rows + from, block, products);
    for (std::size_t i = 0; i < block; i++) {
      out[from + i] = static_cast<std::uint32_t>((query_.bias() - products[i]) >> query_.shift());
    }
  }
}

RowProductScorer::RowProductScorer(const Kernels& kernels, const std::uint8_t* codes, const Quantizer& quantizer,
                                   const ProductOffsets& offsets)
    : Scorer(codes, quantizer.stride), kernels_(kernels), codes_(codes), stride_(quantizer.stride), offsets_(offsets) {
  const double largest = quantizer.largest_norm2 * quantizer.scale * quantizer.scale;
  factor_ = largest == 0 ? 0 : 1 / largest;
}

void RowProductScorer::score(const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  SHORTLIST_ASSERT(row_ < offsets_.of_row.size());
  kernels_.multiply_codes(codes_ + static_cast<std::size_t>(row_) * stride_, codes_, stride_, rows, count, out);
  const double own = offsets_.of_row[row_] + offsets_.constant;
  for (std::size_t i = 0; i < count; i++) {
    out[i] = ordered_key(static_cast<float>(-(out[i] + offsets_.of_row[rows[i]] + own) * factor_));
  }
}

FloatScorer::FloatScorer(const Kernels& kernels, const Rows& rows, double largest_norm2, const std::uint8_t* halves)
    : Scorer(halves != nullptr ? halves : reinterpret_cast<const std::uint8_t*>(rows.values),
             halves != nullptr ? code_bytes(CodeKind::bfloat16, rows.dim) : std::size_t{4} * rows.dim),
      kernels_(kernels),
      rows_(rows),
      largest_norm2_(largest_norm2),
      halves_(reinterpret_cast<const std::uint16_t*>(halves)),
      half_stride_(code_bytes(CodeKind::bfloat16, rows.dim) / 2) {}

void FloatScorer::set_query(const float* query) {
  query_ = query;
  if (rows_.metric != Metric::ip) return;
  const std::uint32_t first = 0;
  double norm2;
  kernels_.dot_rows(query, query, rows_.dim, &first, 1, &norm2);
  factor_ = norm2 == 0 || largest_norm2_ == 0 ? 0 : 1 / (std::sqrt(norm2) * std::sqrt(largest_norm2_));
}

void FloatScorer::set_row(std::uint32_t row) {
  SHORTLIST_ASSERT(row < rows_.count);
  query_ = rows_.row(row);
  factor_ = largest_norm2_ == 0 ? 0 : 1 / largest_norm2_;
}

void FloatScorer::sum(const std::uint32_t* rows, std::size_t count, double* raw) const {
  const bool products = rows_.metric == Metric::ip;
  if (halves_ == nullptr) {
    (products ? kernels_.dot_rows : kernels_.l2_rows)(query_, rows_.values, rows_.dim, rows, count, raw);
  } else {
    (products ? kernels_.dot_halves : kernels_.l2_halves)(query_, halves_, rows_.dim, half_stride_, rows, count, raw);
  }
}

void FloatScorer::score(const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  double raw[kBlock];
  SHORTLIST_ASSERT(query_ != nullptr);
  const bool products = rows_.metric == Metric::ip;
  for (std::size_t from = 0; from < count; from += kBlock) {
    const std::size_t block = std::min(kBlock, count - from);
    sum(rows + from, block, raw);
    for (std::size_t i = 0; i < block; i++) {
      out[from + i] = products ? ordered_key(static_cast<float>(-raw[i] * factor_))
                               : positive_key(static_cast<float>(std::sqrt(raw[i])));
    }
  }
}

}  // namespace shortlist
