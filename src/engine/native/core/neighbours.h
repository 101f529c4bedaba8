// Selects the links of a node from many candidates: near ones in different directions (Malkov and Yashunin 2016,
// algorithm 4).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "scorer.h"

namespace shortlist {

/// Takes candidates in order and keeps each one that is nearer to the point than to any kept before, up to `max`.
/// @param scorer its query is changed
/// @return how many are in `kept`
std::size_t select_neighbours(const Level& level, Scorer& scorer, const Candidate* candidates, std::size_t count,
                              std::size_t max, std::uint32_t* kept);

}  // namespace shortlist
