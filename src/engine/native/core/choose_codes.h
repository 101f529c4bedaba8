// Whether 7-bit codes or bfloat16 keep the order of neighbours. Judged by recall alone, never by time, so that builds
// stay reproducible.
#pragma once
#include "codes.h"

namespace shortlist {

/// Share of the 10 nearest rows (by canonical score) of sampled rows that are among the 20 nearest by code, over a
/// sample.
double measure_code_recall(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer,
                           const std::uint8_t* codes, ThreadTeam& team);
/// The same for rows of bfloat16.
double measure_half_recall(const Kernels& kernels, const Rows& rows, double largest_norm2, const std::uint8_t* halves,
                           ThreadTeam& team);

/// Below this, wider ones are taken: bfloat16, then float32.
constexpr double kMinCodeRecall = 0.98;

}  // namespace shortlist
