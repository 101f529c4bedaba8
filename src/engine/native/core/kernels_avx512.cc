// AVX-512 with VNNI: 64 codes, or 8 float64 lanes, in one register.
#include "kernels.h"
#include "pick_bits.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// gcc 12 warns of its own header: _mm512_undefined_pd() is undefined on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define SHORTLIST_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,popcnt,bmi")))

namespace shortlist {
namespace {

SHORTLIST_AVX512 inline __m512i add_square(__m512i sum, const std::uint8_t* a, const std::uint8_t* b) {
  const __m512i difference =
      _mm512_abs_epi8(_mm512_sub_epi8(_mm512_load_si512(a), _mm512_load_si512(b)));  // at most 127: a signed byte holds it
  return _mm512_dpbusd_epi32(sum, difference, difference);
}

SHORTLIST_AVX512 inline std::uint32_t l2_code(const std::uint8_t* a, const std::uint8_t* b, std::size_t stride) {
  __m512i even = _mm512_setzero_si512(), odd = even;
  std::size_t j = 0;
  for (; j + 128 <= stride; j += 128) {
    even = add_square(even, a + j, b + j);
    odd = add_square(odd, a + j + 64, b + j + 64);
  }
  if (j < stride) even = add_square(even, a + j, b + j);
  return static_cast<std::uint32_t>(_mm512_reduce_add_epi32(_mm512_add_epi32(even, odd)));
}

SHORTLIST_AVX512 void l2_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                               const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    out[i] = l2_code(query, codes + static_cast<std::size_t>(rows[i]) * stride, stride);
  }
}

SHORTLIST_AVX512 void dot_codes(DotPlanes query, const std::uint8_t* codes, std::size_t stride,
                                const std::uint32_t* rows, std::size_t count, std::int64_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m512i high = _mm512_setzero_si512(), low = high;
    for (std::size_t j = 0; j < stride; j += 64) {
      const __m512i code = _mm512_load_si512(row + j);
      high = _mm512_dpbusd_epi32(high, code, _mm512_load_si512(query.high + j));
      low = _mm512_dpbusd_epi32(low, code, _mm512_load_si512(query.low + j));
    }
    out[i] = 128 * static_cast<std::int64_t>(_mm512_reduce_add_epi32(high)) + _mm512_reduce_add_epi32(low);
  }
}

SHORTLIST_AVX512 void multiply_codes(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                                     const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t j = 0; j < stride; j += 64) {
      sum = _mm512_dpbusd_epi32(sum, _mm512_load_si512(row + j), _mm512_load_si512(query + j));
    }
    out[i] = static_cast<std::uint32_t>(_mm512_reduce_add_epi32(sum));
  }
}

SHORTLIST_AVX512 void dot_nibbles(const std::uint8_t* query, const std::uint8_t* codes, std::size_t stride,
                                  const std::uint32_t* rows, std::size_t count, std::uint32_t* out) {
  const __m512i half = _mm512_set1_epi8(15);
  for (std::size_t i = 0; i < count; i++) {
    const std::uint8_t* row = codes + static_cast<std::size_t>(rows[i]) * stride;
    __m512i low = _mm512_setzero_si512(), high = low;
    for (std::size_t j = 0; j < stride; j += 64) {
      const __m512i code = _mm512_load_si512(row + j);
      low = _mm512_dpbusd_epi32(low, _mm512_and_si512(code, half), _mm512_load_si512(query + j));
      high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16(code, 4), half),
                                 _mm512_load_si512(query + stride + j));
    }
    out[i] = static_cast<std::uint32_t>(_mm512_reduce_add_epi32(_mm512_add_epi32(low, high)));
  }
}

SHORTLIST_AVX512 inline __mmask16 has_bits(const std::uint32_t* words, __m512i nodes, __mmask16 which) {
  const __m512i found =
      _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), which, _mm512_srli_epi32(nodes, 5), words, 4);
  return _mm512_mask_test_epi32_mask(which, _mm512_rorv_epi32(found, nodes), _mm512_set1_epi32(1));
}

/// No branch for each link, since whether a node was seen is unpredictable.
SHORTLIST_AVX512 std::size_t pick_unseen(const std::uint32_t* list, std::size_t slots, const std::uint32_t* seen,
                                         const std::uint32_t* allow, std::uint32_t* out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < slots; i += 16) {
    const __m512i nodes = _mm512_loadu_si512(list + i);
    const __mmask16 links = _mm512_cmpneq_epi32_mask(nodes, _mm512_set1_epi32(-1));
    __mmask16 picked = links & ~has_bits(seen, nodes, links);
    if (allow != nullptr) picked = has_bits(allow, nodes, picked);
    _mm512_storeu_si512(out + count, _mm512_maskz_compress_epi32(picked, nodes));
    count += static_cast<std::size_t>(__builtin_popcount(picked));
    if (links != 0xffff) break;
  }
  return count;
}

/// ((0+4) + (2+6)) + ((1+5) + (3+7)), as src/base/metric.ts adds its lanes.
SHORTLIST_AVX512 inline double add_lanes(__m512d s) {
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(s), _mm512_extractf64x4_pd(s, 1));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

SHORTLIST_AVX512 inline __mmask8 tail_mask(std::size_t rest) { return static_cast<__mmask8>((1u << rest) - 1); }

SHORTLIST_AVX512 inline __m512d load8(const float* from) { return _mm512_cvtps_pd(_mm256_loadu_ps(from)); }
SHORTLIST_AVX512 inline __m512d load_tail(const float* from, __mmask8 mask) {
  return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, from));
}
SHORTLIST_AVX512 inline __m512d widen(__m128i halves) {
  return _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16)));
}
SHORTLIST_AVX512 inline __m512d load8(const std::uint16_t* from) {
  return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
SHORTLIST_AVX512 inline __m512d load_tail(const std::uint16_t* from, __mmask8 mask) {
  return widen(_mm_maskz_loadu_epi16(mask, from));
}

SHORTLIST_AVX512 double encode(const float* value, const double* low, double scale, std::size_t dim,
                               std::uint8_t* code) {
  const __m512d zero = _mm512_setzero_pd(), top = _mm512_set1_pd(127), half = _mm512_set1_pd(0.5);
  const __m512d factor = _mm512_set1_pd(scale);
  __m512d lost_squares = zero;
  for (std::size_t j = 0; j < dim; j += 8) {
    const __mmask8 mask = dim - j >= 8 ? 0xff : tail_mask(dim - j);
    const __m512d at = _mm512_maskz_mul_pd(
        mask, _mm512_sub_pd(load_tail(value + j, mask), _mm512_maskz_loadu_pd(mask, low + j)), factor);
    const __m512d clipped = _mm512_min_pd(_mm512_max_pd(at, zero), top);
    const __m512d lost = _mm512_sub_pd(at, clipped);
    lost_squares = _mm512_add_pd(lost_squares, _mm512_mul_pd(lost, lost));
    const __m256i whole = _mm512_cvttpd_epi32(_mm512_add_pd(clipped, half));
    _mm256_mask_cvtepi32_storeu_epi8(code + j, mask, whole);
  }
  return add_lanes(lost_squares);
}

template <bool kIsL2>
SHORTLIST_AVX512 inline __m512d add_term(__m512d sum, __m512d x, __m512d y) {
  if (!kIsL2) return _mm512_fmadd_pd(x, y, sum);
  const __m512d difference = _mm512_sub_pd(x, y);
  return _mm512_add_pd(sum, _mm512_mul_pd(difference, difference));
}

/// Four rows at a time, since the additions of one row would wait four cycles each.
template <bool kIsL2, typename Element>
SHORTLIST_AVX512 void raw_rows(const float* query, const Element* vectors, std::size_t dim, std::size_t stride,
                               const std::uint32_t* rows, std::size_t count, double* out) {
  const std::size_t whole = dim & ~std::size_t{7};
  const __mmask8 mask = tail_mask(dim & 7);
  for (std::size_t i = 0; i < count; i += 4) {
    const Element* row[4];
    __m512d sum[4];
    for (std::size_t r = 0; r < 4; r++) {
      row[r] = vectors + static_cast<std::size_t>(rows[i + r < count ? i + r : count - 1]) * stride;
      sum[r] = _mm512_setzero_pd();
    }
    for (std::size_t j = 0; j < whole; j += 8) {
      const __m512d y = load8(query + j);
      for (std::size_t r = 0; r < 4; r++) sum[r] = add_term<kIsL2>(sum[r], load8(row[r] + j), y);
    }
    if (mask != 0) {
      const __m512d y = load_tail(query + whole, mask);
      for (std::size_t r = 0; r < 4; r++) sum[r] = add_term<kIsL2>(sum[r], load_tail(row[r] + whole, mask), y);
    }
    for (std::size_t r = 0; r < 4 && i + r < count; r++) out[i + r] = add_lanes(sum[r]);
  }
}

template <bool kIsL2>
SHORTLIST_AVX512 void dot_or_l2(const float* query, const float* vectors, std::size_t dim, const std::uint32_t* rows,
               std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, dim, rows, count, out);
}

template <bool kIsL2>
SHORTLIST_AVX512 void halves(const float* query, const std::uint16_t* vectors, std::size_t dim, std::size_t stride,
            const std::uint32_t* rows, std::size_t count, double* out) {
  raw_rows<kIsL2>(query, vectors, dim, stride, rows, count, out);
}

/// Eight rows by two registers of queries: sixteen chains of additions, and each component of a row is loaded once.
template <bool kIsL2>
SHORTLIST_AVX512 void tile(const float* queries, const float* const* rows, std::size_t dim, const TileLimits& limits,
                           const float* norms, std::uint32_t* entering) {
  __m512 sum[kTileRows][2];
  for (auto& of_row : sum) of_row[0] = of_row[1] = _mm512_setzero_ps();
  for (std::size_t j = 0; j < dim; j++) {
    const __m512 y[2] = {_mm512_loadu_ps(queries + j * kTileQueries), _mm512_loadu_ps(queries + j * kTileQueries + 16)};
    for (std::size_t r = 0; r < kTileRows; r++) {
      const __m512 x = _mm512_set1_ps(rows[r][j]);
      for (std::size_t half = 0; half < 2; half++) {
        const __m512 factor = kIsL2 ? _mm512_sub_ps(x, y[half]) : x;
        sum[r][half] = _mm512_fmadd_ps(factor, kIsL2 ? factor : y[half], sum[r][half]);
      }
    }
  }
  for (std::size_t r = 0; r < kTileRows; r++) {
    std::uint32_t bits[2];
    for (std::size_t half = 0; half < 2; half++) {
      const __m512 limit = _mm512_loadu_ps(limits.limits + 16 * half);
      const __m512 slack = _mm512_loadu_ps(limits.slacks + 16 * half);
      const __m512 upper = kIsL2 ? sum[r][half] : _mm512_fmadd_ps(_mm512_set1_ps(norms[r]), slack, sum[r][half]);
      bits[half] = kIsL2 ? _mm512_cmp_ps_mask(upper, limit, _CMP_NGE_UQ) : _mm512_cmp_ps_mask(upper, limit, _CMP_NLE_UQ);
    }
    entering[r] = bits[0] | bits[1] << 16;
  }
}

SHORTLIST_AVX512 std::uint32_t pick_bits(const std::uint32_t* words, std::uint32_t row, std::uint32_t to, std::size_t max,
                        std::uint32_t* out, std::size_t* picked) {
  return pick_bits_inline(words, row, to, max, out, picked);
}

}  // namespace

const Kernels kAvx512Kernels = {
    "avx512",        l2_codes,       dot_codes,       multiply_codes, dot_nibbles, encode,
    pick_unseen, pick_bits,
    dot_or_l2<false>, dot_or_l2<true>, halves<false>, halves<true>, tile<false>, tile<true>,
};

}  // namespace shortlist
#endif
