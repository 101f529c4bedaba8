#include "nibbles.h"

#include <algorithm>
#include <cstring>

#include "assert.h"

namespace shortlist {
namespace {

/// Steps of a query's codes for each step of the rows', and the extra range below the rows' code 0: half a step.
constexpr double kQuerySteps = 8;
constexpr double kLowMargin = 0.5;
constexpr std::int64_t kQueryZero = 64;  // a query's code at 7.5, the middle of the rows' range

}  // namespace

NibbleLayout::NibbleLayout(std::uint32_t dim) {
  const std::size_t bytes = (std::size_t{dim} + 1) / 2;
  stride = code_bytes(CodeKind::bits4, dim);
  norm_at = bytes + 4 <= stride ? stride - 4 : 0;
  plane = bytes;
  SHORTLIST_ASSERT(stride % kCodeAlign == 0 && norm_at + sizeof(std::uint32_t) <= stride);
}

NibbleRows nibble_rows(const NibbleLayout& layout, const std::uint8_t* codes, const std::uint8_t* separate) {
  if (layout.norm_at != 0) return {codes, codes + layout.norm_at, layout.stride};
  return {codes, separate, sizeof(std::uint32_t)};
}

std::uint32_t pack_nibbles(const Kernels& kernels, const Quantizer& quantizer, const NibbleLayout& layout,
                           const float* row, std::uint8_t* packed) {
  SHORTLIST_ASSERT(2 * layout.plane >= quantizer.dim && layout.plane <= layout.stride);
  thread_local std::vector<std::uint8_t> code;
  code.resize(quantizer.dim + kCodeAlign);
  kernels.encode(row, quantizer.low.data(), quantizer.scale, quantizer.dim, code.data());
  std::uint32_t norm = 0;
  for (std::size_t j = 0; j < quantizer.dim; j++) {
    code[j] = std::min(code[j], static_cast<std::uint8_t>(kTopNibble));
    norm += 4u * code[j] * code[j] + 4u * code[j];
  }
  std::memcpy(packed, code.data(), layout.plane);
  for (std::size_t j = layout.plane; j < quantizer.dim; j++) {
    packed[j - layout.plane] |= static_cast<std::uint8_t>(code[j] << 4);
  }
  if (layout.norm_at != 0) std::memcpy(packed + layout.norm_at, &norm, sizeof norm);
  return norm;
}

NibblePages encode_nibbles(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer, ThreadTeam& team) {
  const NibbleLayout layout(rows.dim);
  NibblePages pages{Pages(layout.stride * rows.count), {}};
  if (layout.norm_at == 0) pages.norms = Pages(sizeof(std::uint32_t) * rows.count);
  team.split(rows.count, 1024, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::size_t row = from; row < to; row++) {
      std::uint8_t* packed = pages.codes.as<std::uint8_t>() + row * layout.stride;
      const std::uint32_t norm = pack_nibbles(kernels, quantizer, layout, rows.row(row), packed);
      if (layout.norm_at == 0) pages.norms.as<std::uint32_t>()[row] = norm;
    }
  });
  return pages;
}

NibbleQuery::NibbleQuery(const Kernels& kernels, const Quantizer& quantizer)
    : kernels_(kernels), quantizer_(quantizer), layout_(quantizer.dim), low_(quantizer.low),
      scale_(kQuerySteps * quantizer.scale), memory_(2 * layout_.stride), code_(quantizer.dim + kCodeAlign) {
  for (double& low : low_) low -= quantizer.scale == 0 ? 0 : kLowMargin / quantizer.scale;
}

bool NibbleQuery::set(const float* query) {
  SHORTLIST_ASSERT(layout_.plane <= quantizer_.dim && 2 * layout_.plane >= quantizer_.dim);
  const std::uint8_t* code = code_.as<std::uint8_t>();
  const double lost = kernels_.encode(query, low_.data(), scale_, quantizer_.dim, code_.as<std::uint8_t>());
  if (lost > kMaxClippedShare * quantizer_.spread * kQuerySteps * kQuerySteps) return false;
  std::memcpy(memory_.as<std::uint8_t>(), code, layout_.plane);
  std::memcpy(memory_.as<std::uint8_t>() + layout_.stride, code + layout_.plane, quantizer_.dim - layout_.plane);
  std::int64_t sum = 0, squares = 0;
  for (std::size_t j = 0; j < quantizer_.dim; j++) {
    const std::int32_t value = code[j] - static_cast<std::int32_t>(kQueryZero);
    sum += value;
    squares += value * value;
  }
  // 4 * (7.5 + value / 8)^2 summed, rounded so that no key is negative.
  bias_ = static_cast<std::uint32_t>((squares + 120 * sum) / 16 + 225 * static_cast<std::int64_t>(quantizer_.dim) + 1);
  return true;
}

NibbleScorer::NibbleScorer(const Kernels& kernels, const NibbleRows& rows, const NibbleLayout& layout,
                           const NibbleQuery& query)
    : Scorer(rows.codes, layout.stride, layout.norm_at == 0 ? rows.norms : nullptr), kernels_(kernels), rows_(rows),
      stride_(layout.stride), query_(query) {}

void NibbleScorer::score(const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  kernels_.dot_nibbles(query_.planes(), rows_.codes, stride_, rows, count, out);
  const std::uint32_t bias = query_.bias();
  for (std::size_t i = 0; i < count; i++) out[i] = rows_.norm(rows[i]) + bias - out[i];
}

}  // namespace shortlist
