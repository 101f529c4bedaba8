// Codes of 7 bits for each component: a search reads a quarter of the memory, and distances are integers.
//
// code[j] = round((x[j] - low[j]) * scale), clipped to 0..127. One scale serves all components and each has its own
// offset. A translation does not change a Euclidean distance, so offsets are free, and a component far from zero does
// not use up the range. l2 and cosine (unit rows) compare two codes by squared difference. Under ip a query has a
// 15-bit scale of its own and is multiplied with codes. Two rows are compared by the product of their codes plus an
// offset for each row.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "metric.h"
#include "threads.h"

namespace shortlist {

/// What a search compares. 4 bits (nibbles.h) replace 7 where they lose almost nothing. Where 7 bits lose neighbours,
/// which happens with components of very different magnitude, bfloat16 rows replace them, and float32 rows where
/// bfloat16 loses some too.
enum class CodeKind : std::uint32_t { float32 = 0, bits4 = 4, bits7 = 7, bfloat16 = 16 };

/// The share of the rows' spread that a query may lose to clipping before its codes order neighbours wrongly.
constexpr double kMaxClippedShare = 0.02;
/// The highest codes of rows; the lowest is 0.
constexpr double kTopCode = 127;
constexpr double kTopNibble = 15;

struct Quantizer {
  std::uint32_t dim = 0;
  /// Bytes of a code row.
  std::size_t stride = 0;
  double scale = 0;
  /// The largest squared norm of a row, which scales products into -1 .. 1; 0 except under ip.
  double largest_norm2 = 0;
  /// The mean squared distance of a row from the centre in code steps. Clipping of queries is measured against it.
  double spread = 0;
  std::vector<double> low;
};

std::size_t code_stride(std::uint32_t dim);

/// Fits offsets and scale to a sample of the rows. Equal rows give an equal fit for any number of threads.
/// @param top the highest code
Quantizer fit_quantizer(const Kernels& kernels, const Rows& rows, double top, ThreadTeam& team);

/// Codes of all rows, `stride` apart.
Pages encode_rows(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer, ThreadTeam& team);

/// Bytes of one coded row; 0 for float32.
std::size_t code_bytes(CodeKind kind, std::uint32_t dim);

/// Rounds a float32 row to bfloat16, ties to even.
void to_bfloat16(const float* row, std::uint32_t dim, std::uint16_t* halves);
/// All rows as bfloat16, code_bytes(CodeKind::bfloat16) apart.
Pages halve_rows(const Rows& rows, ThreadTeam& team);

/// What the offsets add to the product of two codes: the product of two rows in steps^2 is the product of their codes
/// plus the offsets of both rows plus `constant`.
struct ProductOffsets {
  std::vector<double> of_row;
  double constant = 0;
};
ProductOffsets product_offsets(const Quantizer& quantizer, const std::uint8_t* codes, std::uint32_t count,
                               ThreadTeam& team);

/// A query in the form that the kernels take. `set` returns false where too much of the query is outside the range.
class QueryCode {
 public:
  QueryCode(const Kernels& kernels, const Quantizer& quantizer, Metric metric);
  bool set(const float* query);

  const std::uint8_t* code() const { return code_; }
  DotPlanes planes() const { return {reinterpret_cast<const std::int8_t*>(code_), low_plane_}; }
  /// key = (bias - product) >> shift: smaller is nearer, 31 bits.
  std::int64_t bias() const { return bias_; }
  unsigned shift() const { return shift_; }

 private:
  bool set_code(const float* query);
  void set_planes(const float* query);

  const Kernels& kernels_;
  const Quantizer& quantizer_;
  Metric metric_;
  Pages memory_;
  std::uint8_t* code_;
  std::int8_t* low_plane_;
  std::int64_t bias_ = 0;
  unsigned shift_ = 0;
};

}  // namespace shortlist
