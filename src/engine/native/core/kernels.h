// The arithmetic, once for each instruction set. Takes codes and float32 rows; gives integer distances and canonical
// sums.
//
// All instruction sets give the same bits: integer sums have no order, and float64 sums use the eight lanes of
// src/base/metric.ts. A product of two float32 is exact in float64, so `dot` may use fused multiply-add; a squared
// difference is not exact, so `l2` must not. The set is chosen when the addon is loaded; SHORTLIST_ISA forces one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace shortlist {

/// Code rows start at multiples of this many bytes and are padded with zeros: one cache line and one AVX-512 register.
constexpr std::size_t kCodeAlign = 64;

/// An ip query against codes: two signed planes, value = 128 * high + low, padded like code rows.
struct DotPlanes {
  const std::int8_t* high;
  const std::int8_t* low;
};

/// Links are picked this many at a time. Lists are padded to a multiple of it with kNoLink, and output is written in
/// whole registers.
constexpr std::size_t kPickSlack = 16;
constexpr std::uint32_t kNoLink = 0xffffffff;

/// Rows of a set are picked from words of 64 bits and written this many at a time.
constexpr std::size_t kBitsPerStep = 4;
constexpr std::size_t kBitSlack = 64 + kBitsPerStep;

/// Rows and queries of one tile of an exact scan. Each query has one bit of a uint32.
constexpr std::size_t kTileRows = 8;
constexpr std::size_t kTileQueries = 32;

/// The threshold that a pair must exceed, for each query of a tile.
struct TileLimits {
  float limits[kTileQueries];
  /// For inner products: the rounding error of a sum for a row of length 1.
  float slacks[kTileQueries];
};

struct Kernels {
  const char* name;

  /// out[i] = sum over j of (query[j] - row[j])^2, codes 0..127; row = codes + rows[i] * stride. `stride` is padded.
  void (*l2_codes)(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride, const std::uint32_t* rows,
                   std::size_t count, std::uint32_t* out);

  /// out[i] = sum over j of (128 high[j] + low[j]) * row[j].
  void (*dot_codes)(DotPlanes query, const std::uint8_t* codes, std::size_t stride, const std::uint32_t* rows,
                    std::size_t count, std::int64_t* out);

  /// out[i] = sum over j of query[j] * row[j], codes 0..127.
  void (*multiply_codes)(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                         const std::uint32_t* rows, std::size_t count, std::uint32_t* out);

  /// out[i] = sum over j of query[j] * (row[j] & 15) + query[stride + j] * (row[j] >> 4), codes of queries 0..127.
  void (*dot_nibbles)(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                      const std::uint32_t* rows, std::size_t count, std::uint32_t* out);

  /// code[j] = (value[j] - low[j]) * scale, rounded half up, clipped to 0..127.
  /// @return the sum of squares of the clipped parts, in code steps
  double (*encode)(const float* value, const double* low, double scale, std::size_t dim, std::uint8_t* code);

  /// Picks from a list of links, in order and up to kNoLink, the nodes whose bit (bit n & 31 of word n >> 5) is clear
  /// in `seen` and, unless `allow` is null, set in `allow`. `out` has room for kPickSlack more. @return how many
  std::size_t (*pick_unseen)(const std::uint32_t* list, std::size_t slots, const std::uint32_t* seen,
                             const std::uint32_t* allow, std::uint32_t* out);

  /// Picks the rows from `row` up to `to` whose bits are set: `max` and up to 63 more. `out` has room for kBitSlack
  /// more. @return the row to continue at
  std::uint32_t (*pick_bits)(const std::uint32_t* words, std::uint32_t row, std::uint32_t to, std::size_t max,
                             std::uint32_t* out, std::size_t* picked);

  /// Canonical raw sums of a query with rows[i] of `vectors`, float64.
  void (*dot_rows)(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
                   std::size_t count, double* out);
  void (*l2_rows)(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
                  std::size_t count, double* out);
  /// The same for bfloat16 rows (the upper halves of float32), `stride` apart.
  void (*dot_halves)(const float* query, const std::uint16_t* halves, std::size_t dim, std::size_t stride,
                     const std::uint32_t* rows, std::size_t count, double* out);
  void (*l2_halves)(const float* query, const std::uint16_t* halves, std::size_t dim, std::size_t stride,
                    const std::uint32_t* rows, std::size_t count, double* out);

  /// Finds the pairs of a tile that need a canonical sum, by fast float32 sums. Bit q of entering[r] is clear if sum +
  /// norms[r] * slacks[q] <= limits[q] (dot) or sum >= limits[q] (l2). It is set otherwise, also if any value is NaN.
  /// Sums have no fixed order, so the limits must allow for rounding.
  /// @param queries [component][query]; zeros where there are fewer queries
  void (*dot_tile)(const float* queries, const float* const* rows, std::size_t dim, const TileLimits& limits,
                   const float* norms, std::uint32_t* entering);
  void (*l2_tile)(const float* queries, const float* const* rows, std::size_t dim, const TileLimits& limits,
                  const float* norms, std::uint32_t* entering);
};

extern const Kernels kGenericKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

/// The fastest set that the processor has, or the one that SHORTLIST_ISA names. Throws usage if that name is unknown
/// or the processor lacks it.
const Kernels& choose_kernels();

}  // namespace shortlist
