// The arithmetic, once per instruction set. Takes codes and float32 rows; gives integer distances and canonical sums.
//
// All of it is equal to the bit on every instruction set: integer sums have no order, and float64 sums follow the
// eight lanes of src/base/metric.ts. A product of two float32 is exact in float64, so `dot` may use fused
// multiply-add; a squared difference is not, so `l2` must not. Which set runs is chosen when the addon is loaded
// (SHORTLIST_ISA forces one).
#pragma once
#include <cstddef>
#include <cstdint>

namespace shortlist {

/// Code rows start at multiples of this many bytes, padded with zeros: a cache line and one AVX-512 register.
constexpr std::size_t kCodeAlign = 64;

/// A query of inner products against codes: two signed planes, value = 128 * high + low. Padded like code rows.
struct DotPlanes {
  const std::int8_t* high;
  const std::int8_t* low;
};

/// Links are picked so many at a time: their lists are padded to a multiple of it with kNoLink, and what is picked is
/// written in whole registers.
constexpr std::size_t kPickSlack = 16;
constexpr std::uint32_t kNoLink = 0xffffffff;

/// Rows of a set are written so many at a time, and picked by words of 64.
constexpr std::size_t kBitsPerStep = 4;
constexpr std::size_t kBitSlack = 64 + kBitsPerStep;

/// Rows and queries of one tile of an exact scan. A bit of a uint32 for each query.
constexpr std::size_t kTileRows = 8;
constexpr std::size_t kTileQueries = 32;

/// What a pair must exceed to be looked at, for each query of a tile.
struct TileLimits {
  float limits[kTileQueries];
  /// Of inner products: what rounding may take from a sum, for a row of length 1.
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
  /// @return the sum of squares of what was clipped away, in units of code steps
  double (*encode)(const float* value, const double* low, double scale, std::size_t dim, std::uint8_t* code);

  /// The nodes of a list of links, up to kNoLink, whose bit is not set in `seen` and, unless that is null, set in
  /// `allow`, in order: bit n & 31 of word n >> 5. `out` has room for kPickSlack more. @return how many
  std::size_t (*pick_unseen)(const std::uint32_t* list, std::size_t slots, const std::uint32_t* seen,
                             const std::uint32_t* allow, std::uint32_t* out);

  /// The rows from `row` up to `to` whose bits are set, `most` and up to 63 more where there are as many. `out` has
  /// room for kBitSlack more. @return where to go on
  std::uint32_t (*pick_bits)(const std::uint32_t* words, std::uint32_t row, std::uint32_t to, std::size_t most,
                             std::uint32_t* out, std::size_t* picked);

  /// Canonical raw sums of a query with rows[i] of `vectors`, float64.
  void (*dot_rows)(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
                   std::size_t count, double* out);
  void (*l2_rows)(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
                  std::size_t count, double* out);
  /// The same with rows of bfloat16, `stride` apart: the upper halves of float32.
  void (*dot_halves)(const float* query, const std::uint16_t* halves, std::size_t dim, std::size_t stride,
                     const std::uint32_t* rows, std::size_t count, double* out);
  void (*l2_halves)(const float* query, const std::uint16_t* halves, std::size_t dim, std::size_t stride,
                    const std::uint32_t* rows, std::size_t count, double* out);

  /// Which pairs of a row and a query of a tile are worth a canonical sum, by sums in float32, as quick as they can
  /// be had. Bit q of entering[r] is set unless sum + norms[r] * slacks[q] <= limits[q] (dot), sum >= limits[q] (l2):
  /// with anything that is not a number in it, it is set. Sums are in no set order: whoever calls leaves room for
  /// what rounding takes.
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

/// The fastest set that the processor has, or the one that SHORTLIST_ISA names.
/// Throws usage where it names none, or one that the processor lacks.
const Kernels& choose_kernels();

}  // namespace shortlist
