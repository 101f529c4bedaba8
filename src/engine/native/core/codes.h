// Codes: every component in 7 bits, small enough that a search reads a quarter of the memory and a distance is integer.
//
// code[j] = round((x[j] - low[j]) * scale), clipped to 0..127: one scale for all components and an offset for each. A
// translation changes no Euclidean distance, so offsets cost nothing and keep a component that is far from zero from
// using up the range. Under l2 and cosine (unit rows) two codes are compared by squared difference. Under ip a query
// keeps its own 15-bit scale and is multiplied with codes; two rows are compared by the product of their codes and
// what the offsets add, which is one number a row.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "metric.h"
#include "threads.h"

namespace shortlist {

/// What a search compares: codes of 7 bits; of 4 where those lose next to nothing (nibbles.h); where 7 bits lose
/// neighbours (components of very different magnitude), rows of bfloat16; or the float32 rows themselves where those
/// lose some too.
enum class CodeKind : std::uint32_t { float32 = 0, bits4 = 4, bits7 = 7, bfloat16 = 16 };

/// A query may lose this share of the rows' spread to clipping before codes order its neighbours wrongly.
constexpr double kMaxClippedShare = 0.02;
/// Codes of rows go from 0 to these.
constexpr double kTopCode = 127;
constexpr double kTopNibble = 15;

struct Quantizer {
  std::uint32_t dim = 0;
  /// Bytes of a code row.
  std::size_t stride = 0;
  double scale = 0;
  /// Largest squared norm of a row, by which products are brought into -1 .. 1; 0 but under ip.
  double largest_norm2 = 0;
  /// Mean squared distance of a row from the middle, in code steps: what clipped queries are measured by.
  double spread = 0;
  std::vector<double> low;
};

std::size_t code_stride(std::uint32_t dim);

/// Fits offsets and scale to a sample of the rows. Equal rows give an equal fit, whatever the threads.
/// @param top the highest code
Quantizer fit_quantizer(const Kernels& kernels, const Rows& rows, double top, ThreadTeam& team);

/// Codes of all rows, `stride` apart.
Pages encode_rows(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer, ThreadTeam& team);

/// Bytes of a row of one kind of codes; 0 for float32.
std::size_t code_bytes(CodeKind kind, std::uint32_t dim);

/// The float32 row, rounded to the nearest bfloat16, ties to even.
void to_bfloat16(const float* row, std::uint32_t dim, std::uint16_t* halves);
/// All rows as bfloat16, code_bytes(CodeKind::bfloat16) apart.
Pages halve_rows(const Rows& rows, ThreadTeam& team);

/// The part of a product of two rows that a row's code alone decides: the product in steps^2 is that of the codes,
/// and the offsets of both rows, and `constant`.
struct ProductOffsets {
  std::vector<double> of_row;
  double constant = 0;
};
ProductOffsets product_offsets(const Quantizer& quantizer, const std::uint8_t* codes, std::uint32_t count,
                               ThreadTeam& team);

/// A query as the kernels take it. @return false where too much of it lies outside the range of the codes
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
