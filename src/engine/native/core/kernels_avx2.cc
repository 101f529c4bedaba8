// AVX2 with FMA: 32 codes in one register, eight float64 lanes in two.
#include "kernels.h"
#include "pick_bits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SHORTLIST_AVX2 __attribute__((target("avx2,fma,popcnt,bmi")))

namespace shortlist {
namespace {

SHORTLIST_AVX2 inline __m256i load_codes(const void* from) {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}

SHORTLIST_AVX2 inline std::int32_t add_words(__m256i sum) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

/// Two products of at most 127 * 127 fit the 16 bits of maddubs.
SHORTLIST_AVX2 inline __m256i add_products(__m256i sum, __m256i unsigned_codes, __m256i signed_codes) {
  return _mm256_add_epi32(
      sum, _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned_codes, signed_codes), _mm256_set1_epi16(1)));
}

SHORTLIST_AVX2 void l2_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                             const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (std::size_t j = 0; j < stride; j += 64) {
      const __m256i a = _mm256_abs_epi8(_mm256_sub_epi8(load_codes(query + j), load_codes(row + j)));
      const __m256i b = _mm256_abs_epi8(_mm256_sub_epi8(load_codes(query + j + 32), load_codes(row + j + 32)));
      even = add_products(even, a, a);
      odd = add_products(odd, b, b);
    }
    out[i] = static_cast<std::uint32_t>(add_words(_mm256_add_epi32(even, odd)));
  }
}

SHORTLIST_AVX2 void dot_codes(DotPlanes query, const std::uint8_t* codes, std::size_t stride,
                              const std::uint32_t* rows, std::size_t count, std::int64_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m256i high = _mm256_setzero_si256(), low = high;
    for (std::size_t j = 0; j < stride; j += 32) {
      const __m256i code = load_codes(row + j);
      high = add_products(high, code, load_codes(query.high + j));
      low = add_products(low, code, load_codes(query.low + j));
    }
    out[i] = 128 * static_cast<std::int64_t>(add_words(high)) + add_words(low);
  }
}

SHORTLIST_AVX2 void multiply_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                                   const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m256i sum = _mm256_setzero_si256();
    for (std::size_t j = 0; j < stride; j += 32) sum = add_products(sum, load_codes(row + j), load_codes(query + j));
    out[i] = static_cast<std::uint32_t>(add_words(sum));
  }
}

/// Lanes 0-3 and 4-7.
struct Lanes {
  __m256d first, last;
};

SHORTLIST_AVX2 inline double add_lanes(Lanes s) {
  const __m256d four = _mm256_add_pd(s.first, s.last);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

SHORTLIST_AVX2 inline Lanes zero_lanes() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }

SHORTLIST_AVX2 inline Lanes load8(const float* from) {
  return {_mm256_cvtps_pd(_mm_loadu_ps(from)), _mm256_cvtps_pd(_mm_loadu_ps(from + 4))};
}

SHORTLIST_AVX2 inline Lanes load8(const std::uint16_t* from) {
  const __m256i halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  const __m256 floats = _mm256_castsi256_ps(_mm256_slli_epi32(halves, 16));
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(floats)), _mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1))};
}
template <typename Element>
SHORTLIST_AVX2 inline Lanes load_tail(const Element* from, std::size_t rest) {
  alignas(32) Element padded[8] = {};
  for (std::size_t j = 0; j < rest; j++) padded[j] = from[j];
  return load8(padded);
}

template <bool kIsL2>
SHORTLIST_AVX2 inline __m256d add_term(__m256d sum, __m256d x, __m256d y) {
  if (!kIsL2) return _mm256_fmadd_pd(x, y, sum);
  const __m256d difference = _mm256_sub_pd(x, y);
  return _mm256_add_pd(sum, _mm256_mul_pd(difference, difference));
}

template <bool kIsL2>
SHORTLIST_AVX2 inline Lanes add_terms(Lanes sum, Lanes x, Lanes y) {
  return {add_term<kIsL2>(sum.first, x.first, y.first), add_term<kIsL2>(sum.last, x.last, y.last)};
}

SHORTLIST_AVX2 void dot_nibbles(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                                const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  const __m256i half = _mm256_set1_epi8(15);
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m256i low = _mm256_setzero_si256(), high = low;
    for (std::size_t j = 0; j < stride; j += 32) {
      const __m256i code = load_codes(row + j);
      low = add_products(low, _mm256_and_si256(code, half), load_codes(query + j));
      high = add_products(high, _mm256_and_si256(_mm256_srli_epi16(code, 4), half), load_codes(query + stride + j));
    }
    out[i] = static_cast<std::uint32_t>(add_words(_mm256_add_epi32(low, high)));
  }
}

/// Which nodes have their bit set: the gathered words are shifted until the bit is the sign.
SHORTLIST_AVX2 inline std::uint32_t has_bits(const std::uint32_t* words, __m256i nodes, __m256i which) {
  const __m256i found = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), reinterpret_cast<const int*>(words),
                                                    _mm256_srli_epi32(nodes, 5), which, 4);
  const __m256i by = _mm256_andnot_si256(nodes, _mm256_set1_epi32(31));
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(found, by))));
}

SHORTLIST_AVX2 std::size_t pick_unseen(const std::uint32_t* list, std::size_t slots, const std::uint32_t* seen,
                                       const std::uint32_t* allow, std::uint32_t* out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < slots; i += 8) {
    const __m256i nodes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(list + i));
    const __m256i none = _mm256_cmpeq_epi32(nodes, _mm256_set1_epi32(-1));
    const __m256i links = _mm256_xor_si256(none, _mm256_set1_epi32(-1));
    const std::uint32_t is_link = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(links)));
    std::uint32_t picked = is_link & ~has_bits(seen, nodes, links);
    if (allow != nullptr) picked &= has_bits(allow, nodes, links);
    for (; picked != 0; picked &= picked - 1) out[count++] = list[i + static_cast<std::size_t>(__builtin_ctz(picked))];
    if (is_link != 0xff) break;
  }
  return count;
}

SHORTLIST_AVX2 double encode(const float* value, const double* low, double scale, std::size_t dim,
                             std::uint8_t* code) {
  Lanes lost_squares = zero_lanes();
  const __m256d zero = _mm256_setzero_pd(), top = _mm256_set1_pd(127), half = _mm256_set1_pd(0.5);
  const __m256d factor = _mm256_set1_pd(scale);
  for (std::size_t j = 0; j < dim; j += 8) {
    const std::size_t rest = dim - j < 8 ? dim - j : 8;
    const Lanes x = rest == 8 ? load8(value + j) : load_tail(value + j, rest);
    alignas(32) double lows[8] = {};
    for (std::size_t i = 0; i < rest; i++) lows[i] = low[j + i];
    alignas(16) std::int32_t whole[8];
    __m256d* squares[2] = {&lost_squares.first, &lost_squares.last};
    const __m256d values[2] = {x.first, x.last};
    for (std::size_t part = 0; part < 2; part++) {
      const __m256d at = _mm256_mul_pd(_mm256_sub_pd(values[part], _mm256_load_pd(lows + 4 * part)), factor);
      const __m256d clipped = _mm256_min_pd(_mm256_max_pd(at, zero), top);
      const __m256d lost = _mm256_sub_pd(at, clipped);
      *squares[part] = _mm256_add_pd(*squares[part], _mm256_mul_pd(lost, lost));
      _mm_store_si128(reinterpret_cast<__m128i*>(whole + 4 * part), _mm256_cvttpd_epi32(_mm256_add_pd(clipped, half)));
    }
    for (std::size_t i = 0; i < rest; i++) code[j + i] = static_cast<std::uint8_t>(whole[i]);
  }
  return add_lanes(lost_squares);
}

/// Four rows at a time, since the additions of one row would wait four cycles each.
template <bool kIsL2, typename Element>
SHORTLIST_AVX2 void raw_rows(const float* query, const Element* vectors, std::size_t dim, std::size_t stride,
                             const std::uint32_t* rows, std::size_t count, double* out) {
  const std::size_t whole = dim & ~std::size_t{7};
  for (std::size_t i = 0; i < count; i += 4) {
    const Element* row[4];
    Lanes sum[4];
    for (std::size_t r = 0; r < 4; r++) {
      row[r] = vectors + static_cast<std::size_t>(rows[i + r < count ? i + r : count - 1]) * stride;
      sum[r] = zero_lanes();
    }
    for (std::size_t j = 0; j < whole; j += 8) {
      const Lanes y = load8(query + j);
      for (std::size_t r = 0; r < 4; r++) sum[r] = add_terms<kIsL2>(sum[r], load8(row[r] + j), y);
    }
    if (whole < dim) {
      const Lanes y = load_tail(query + whole, dim - whole);
      for (std::size_t r = 0; r < 4; r++) sum[r] = add_terms<kIsL2>(sum[r], load_tail(row[r] + whole, dim - whole), y);
    }
    for (std::size_t r = 0; r < 4 && i + r < count; r++) out[i + r] = add_lanes(sum[r]);
  }
}

template <bool kIsL2>
SHORTLIST_AVX2 void dot_or_l2(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
               std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, dim, rows, count, out);
}

template <bool kIsL2>
SHORTLIST_AVX2 void halves(const float* query, const std::uint16_t* vectors, std::size_t dim, std::size_t stride,
            const std::uint32_t* rows, std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, stride, rows, count, out);
}

/// Four rows by two registers of queries: eight sums fit the sixteen registers.
template <bool kIsL2>
SHORTLIST_AVX2 inline void tile_part(const float* queries, const float* const* rows, std::size_t dim,
                                     const float* limits, const float* slacks, const float* norms, std::uint32_t shift,
                                     std::uint32_t* entering) {
  __m256 sum[4][2];
  for (auto& of_row : sum) of_row[0] = of_row[1] = _mm256_setzero_ps();
  for (std::size_t j = 0; j < dim; j++) {
    const __m256 y[2] = {_mm256_loadu_ps(queries + j * kTileQueries), _mm256_loadu_ps(queries + j * kTileQueries + 8)};
    for (std::size_t r = 0; r < 4; r++) {
      const __m256 x = _mm256_broadcast_ss(rows[r] + j);
      for (std::size_t half = 0; half < 2; half++) {
        const __m256 factor = kIsL2 ? _mm256_sub_ps(x, y[half]) : x;
        sum[r][half] = _mm256_fmadd_ps(factor, kIsL2 ? factor : y[half], sum[r][half]);
      }
    }
  }
  for (std::size_t r = 0; r < 4; r++) {
    for (std::size_t half = 0; half < 2; half++) {
      const __m256 limit = _mm256_loadu_ps(limits + 8 * half), slack = _mm256_loadu_ps(slacks + 8 * half);
      const __m256 upper = kIsL2 ? sum[r][half] : _mm256_fmadd_ps(_mm256_set1_ps(norms[r]), slack, sum[r][half]);
      const __m256 is_in = kIsL2 ? _mm256_cmp_ps(upper, limit, _CMP_NGE_UQ) : _mm256_cmp_ps(upper, limit, _CMP_NLE_UQ);
      entering[r] |= static_cast<std::uint32_t>(_mm256_movemask_ps(is_in)) << (shift + 8 * half);
    }
  }
}

template <bool kIsL2>
SHORTLIST_AVX2 void tile(const float* queries, const float* const* rows, std::size_t dim, const TileLimits& limits,
                         const float* norms, std::uint32_t* entering) {
  for (std::size_t r = 0; r < kTileRows; r++) entering[r] = 0;
  for (std::size_t r = 0; r < kTileRows; r += 4) {
    for (std::uint32_t q = 0; q < kTileQueries; q += 16) {
      tile_part<kIsL2>(queries + q, rows + r, dim, limits.limits + q, limits.slacks + q, norms + r, q, entering + r);
    }
  }
}

SHORTLIST_AVX2 std::uint32_t pick_bits(const std::uint32_t* words, std::uint32_t row, std::uint32_t to, std::size_t max,
                        std::uint32_t* out, std::size_t* picked) {
  return pick_bits_inline(words, row, to, max, out, picked);
}

}  // namespace

const Kernels kAvx2Kernels = {
    "avx2",          l2_codes,       dot_codes,       multiply_codes, dot_nibbles, encode, pick_unseen, pick_bits,
    dot_or_l2<false>, dot_or_l2<true>, halves<false>, halves<true>, tile<false>, tile<true>,
};

}  // namespace shortlist
#endif
