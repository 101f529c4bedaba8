// Measures whether 7-bit codes or bfloat16 keep the order of neighbours. It measures recall and never time, so that
// builds are reproducible.
#pragma once
#include "codes.h"

namespace shortlist {

/// For sampled rows, the share of the 10 nearest by canonical score that are among the 20 nearest by code.
double measure_code_recall(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer,
                           const std::uint8_t* codes, ThreadTeam& team);
/// The same for rows of bfloat16.
double measure_half_recall(const Kernels& kernels, const Rows& rows, double largest_norm2, const std::uint8_t* halves,
                           ThreadTeam& team);

/// Below this recall the build takes bfloat16 rows, and below it again float32 rows.
constexpr double kMinCodeRecall = 0.98;

}  // namespace shortlist
