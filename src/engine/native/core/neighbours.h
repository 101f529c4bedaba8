// Which of many candidates a node links to: near ones, in different directions (Malkov and Yashunin 2016, algorithm 4).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "scorer.h"

namespace shortlist {

/// Takes candidates in order and keeps those that are nearer to the point than to any that is kept already, `most` of
/// them.
/// @param scorer left at the last candidate looked at
/// @return how many are kept, in `kept`
std::size_t select_neighbours(const Level& level, Scorer& scorer, const Candidate* candidates, std::size_t count,
                              std::size_t most, std::uint32_t* kept);

}  // namespace shortlist
