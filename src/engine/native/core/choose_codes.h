// Whether 7-bit codes keep the order of neighbours. Judged by recall alone, never by time, so that builds stay reproducible.
#pragma once
#include "codes.h"

namespace shortlist {

/// Share of the 10 nearest rows (by canonical score) of sampled rows that are among the 20 nearest by code, over a sample.
double measure_code_recall(const Kernels& kernels, const Rows& rows, const Quantizer& quantizer,
                           const std::uint8_t* codes, ThreadTeam& team);

/// Below this, graphs are built and searched by float32 rows.
constexpr double kLeastCodeRecall = 0.98;

}  // namespace shortlist
