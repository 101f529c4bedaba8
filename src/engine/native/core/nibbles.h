// Codes of 4 bits, which halve the memory that a search reads. With hundreds of components their errors cancel out,
// and the order by code is nearly the order by distance. A build uses them where it has measured that.
//
// A row has codes c of 0..15, and a query has codes u of 0..127 with eight steps for each step of the row. In row
// steps,
//   4 * squared distance = norm(c) - sum of c[j] * u[j] + bias(u),   norm(c) = sum of 4 c[j]^2 + 4 c[j],
// which takes one integer multiplication for each component. Component j is in the low half of byte j; components from
// `plane` on are in the high halves. The norm is behind the codes of a row if it fits the last cache line, else in an
// array of its own.
#pragma once
#include <cstddef>
#include <cstdint>

#include "codes.h"
#include "memory.h"
#include "scorer.h"

namespace shortlist {

struct NibbleLayout {
  explicit NibbleLayout(std::uint32_t dim);
  /// Components in the low halves, which is the bytes of codes of a row.
  std::size_t plane;
  /// Bytes of a row, a multiple of kCodeAlign.
  std::size_t stride;
  /// Offset of the norm in a row; 0 where norms have an array of their own.
  std::size_t norm_at;
};

/// Codes and norms of all rows, in memory or in a file.
struct NibbleRows {
  const std::uint8_t* codes;
  /// The norm of row r, uint32, at norms + r * norm_stride.
  const std::uint8_t* norms;
  std::size_t norm_stride;

  std::uint32_t norm(std::uint32_t row) const {
    std::uint32_t value;
    __builtin_memcpy(&value, norms + static_cast<std::size_t>(row) * norm_stride, sizeof value);
    return value;
  }
};

/// @param separate the array of norms; unused where norms are in the rows
NibbleRows nibble_rows(const NibbleLayout& layout, const std::uint8_t* codes, const std::uint8_t* separate);

/// Writes one row into zeroed bytes. @return its norm
std::uint32_t pack_nibbles(const Kernels& kernels, const Quantizer& quantizer, const NibbleLayout& layout,
                           const float* row, std::uint8_t* packed);

struct NibblePages {
  Pages codes, norms;
};

/// Encodes all rows with a 4-bit quantizer.
NibblePages encode_nibbles(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer, ThreadTeam& team);

/// A query, encoded for rows of nibbles.
class NibbleQuery {
 public:
  NibbleQuery(const Kernels& kernels, const Quantizer& quantizer);
  /// @return false where too much of the query is outside the range of the codes
  bool set(const float* query);
  /// The planes for low and high halves, `stride` bytes each.
  const std::uint8_t* planes() const { return memory_.as<std::uint8_t>(); }
  std::uint32_t bias() const { return bias_; }

 private:
  const Kernels& kernels_;
  const Quantizer& quantizer_;
  NibbleLayout layout_;
  /// The range of the rows' codes in steps of the query.
  std::vector<double> low_;
  double scale_;
  Pages memory_, code_;
  std::uint32_t bias_ = 0;
};

class NibbleScorer final : public Scorer {
 public:
  NibbleScorer(const Kernels& kernels, const NibbleRows& rows, const NibbleLayout& layout, const NibbleQuery& query);
  void set_row(std::uint32_t) override {}
  void score(const std::uint32_t* rows, std::size_t count, std::uint32_t* out) override;

 private:
  const Kernels& kernels_;
  NibbleRows rows_;
  std::size_t stride_;
  const NibbleQuery& query_;
};

}  // namespace shortlist
