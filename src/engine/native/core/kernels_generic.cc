// Plain C++ for every processor. Compilers turn the inner loops into SSE2 or NEON.
#include "kernels.h"
#include "pick_bits.h"

#include <cmath>
#include <cstring>

namespace shortlist {
namespace {

void l2_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride, const std::uint32_t* rows,
              std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < stride; j++) {
      const std::int16_t difference = static_cast<std::int16_t>(query[j] - row[j]);
      sum += difference * difference;
    }
    out[i] = static_cast<std::uint32_t>(sum);
  }
}

void dot_codes(DotPlanes query, const std::uint8_t* codes, std::size_t stride, const std::uint32_t* rows,
               std::size_t count, std::int64_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    std::int32_t high = 0, low = 0;
    for (std::size_t j = 0; j < stride; j++) {
      high += static_cast<std::int16_t>(query.high[j]) * static_cast<std::int16_t>(row[j]);
      low += static_cast<std::int16_t>(query.low[j]) * static_cast<std::int16_t>(row[j]);
    }
    out[i] = 128 * static_cast<std::int64_t>(high) + low;
  }
}

void multiply_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                    const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < stride; j++) sum += static_cast<std::int16_t>(query[j]) * static_cast<std::int16_t>(row[j]);
    out[i] = static_cast<std::uint32_t>(sum);
  }
}

void dot_nibbles(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride, const std::uint32_t* rows,
                 std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < stride; j++) {
      sum += static_cast<std::int16_t>(query[j]) * static_cast<std::int16_t>(row[j] & 15) +
             static_cast<std::int16_t>(query[stride + j]) * static_cast<std::int16_t>(row[j] >> 4);
    }
    out[i] = static_cast<std::uint32_t>(sum);
  }
}

double encode(const float* value, const double* low, double scale, std::size_t dim, std::uint8_t* code) {
  double lanes[8] = {};
  for (std::size_t j = 0; j < dim; j++) {
    const double at = (static_cast<double>(value[j]) - low[j]) * scale;
    const double clipped = at < 0 ? 0 : at > 127 ? 127 : at;
    const double lost = at - clipped;
    lanes[j & 7] += lost * lost;
    code[j] = static_cast<std::uint8_t>(clipped + 0.5);
  }
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

std::size_t pick_unseen(const std::uint32_t* list, std::size_t slots, const std::uint32_t* seen,
                        const std::uint32_t* allow, std::uint32_t* out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < slots && list[i] != kNoLink; i++) {
    const std::uint32_t node = list[i];
    const std::uint32_t passing = ~seen[node >> 5] & (allow == nullptr ? ~std::uint32_t{0} : allow[node >> 5]);
    out[count] = node;
    count += passing >> (node & 31) & 1;
  }
  return count;
}

double add_lanes(const double* s) { return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])); }

double wide(float value) { return static_cast<double>(value); }
double wide(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return static_cast<double>(value);
}

template <bool kIsL2, typename Element>
double raw_sum(const Element* a, const float* b, std::size_t dim) {
  double lanes[8] = {};
  const std::size_t whole = dim & ~std::size_t{7};
  const auto add = [&](std::size_t lane, std::size_t j) {
    if constexpr (kIsL2) {
      const double difference = wide(a[j]) - static_cast<double>(b[j]);
      lanes[lane] += difference * difference;
    } else {
      lanes[lane] += wide(a[j]) * static_cast<double>(b[j]);
    }
  };
  for (std::size_t j = 0; j < whole; j += 8) {
    for (std::size_t lane = 0; lane < 8; lane++) add(lane, j + lane);
  }
  for (std::size_t j = whole; j < dim; j++) add(j - whole, j);
  return add_lanes(lanes);
}

template <bool kIsL2, typename Element>
void raw_rows(const float* query, const Element* vectors, std::size_t dim, std::size_t stride, const std::uint32_t* rows,
              std::size_t count, double* out) {
  for (std::size_t i = 0; i < count; i++) {
    out[i] = raw_sum<kIsL2>(vectors + static_cast<std::size_t>(rows[i]) * stride, query, dim);
  }
}

template <bool kIsL2>
void dot_or_l2(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
               std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, dim, rows, count, out);
}

template <bool kIsL2>
void halves(const float* query, const std::uint16_t* vectors, std::size_t dim, std::size_t stride,
            const std::uint32_t* rows, std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, stride, rows, count, out);
}

/// Lanes are queries, which every compiler can vectorize.
template <bool kIsL2>
void tile(const float* queries, const float* const* rows, std::size_t dim, const TileLimits& limits, const float* norms,
          std::uint32_t* entering) {
  for (std::size_t r = 0; r < kTileRows; r++) {
    float sum[kTileQueries] = {};
    for (std::size_t j = 0; j < dim; j++) {
      const float x = rows[r][j];
      const float* y = queries + j * kTileQueries;
      for (std::size_t q = 0; q < kTileQueries; q++) {
        sum[q] += kIsL2 ? (x - y[q]) * (x - y[q]) : x * y[q];
      }
    }
    entering[r] = 0;
    for (std::size_t q = 0; q < kTileQueries; q++) {
      const float limit = limits.limits[q];
      const bool is_out = kIsL2 ? sum[q] >= limit : sum[q] + norms[r] * limits.slacks[q] <= limit;
      entering[r] |= std::uint32_t{!is_out} << q;
    }
  }
}

std::uint32_t pick_bits(const std::uint32_t* words, std::uint32_t row, std::uint32_t to, std::size_t max,
                        std::uint32_t* out, std::size_t* picked) {
  return pick_bits_inline(words, row, to, max, out, picked);
}

}  // namespace

const Kernels kGenericKernels = {
    "generic",       l2_codes,       dot_codes,       multiply_codes, dot_nibbles, encode, pick_unseen, pick_bits,
    dot_or_l2<false>, dot_or_l2<true>, halves<false>, halves<true>, tile<false>, tile<true>,
};

}  // namespace shortlist
