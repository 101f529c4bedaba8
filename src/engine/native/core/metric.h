// Scores as src/base/metric.ts defines them, to the bit.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace shortlist {

enum class Metric : std::uint32_t { cosine = 0, ip = 1, l2 = 2 };

/// The float32 rows of one shard.
struct Rows {
  const float* values;
  std::uint32_t count;
  std::uint32_t dim;
  Metric metric;

  const float* row(std::size_t index) const { return values + index * dim; }
};

/// The score of a canonical raw sum: toScore of metric.ts.
inline float to_score(Metric metric, double raw) {
  double score = raw;
  if (metric == Metric::l2) score = -std::sqrt(raw);
  if (metric == Metric::cosine) score = raw > 1 ? 1 : raw < -1 ? -1 : raw;
  constexpr double kMax = 3.4028234663852886e38;
  if (score > kMax) return static_cast<float>(kMax);
  if (score < -kMax) return static_cast<float>(-kMax);
  return static_cast<float>(score) + 0.0f;  // -0 becomes 0
}

inline void raw_rows(const Kernels& kernels, const Rows& rows, const float* query, const std::uint32_t* which,
                     std::size_t count, double* out) {
  (rows.metric == Metric::l2 ? kernels.l2_rows : kernels.dot_rows)(query, rows.values, rows.dim, which, count, out);
}

/// One row of an answer.
struct Hit {
  float score;
  std::uint32_t row;
};

/// The contract's order: score descending, then row ascending.
inline bool is_before(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.row < b.row; }

}  // namespace shortlist
