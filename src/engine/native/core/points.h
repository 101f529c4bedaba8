// The order in which the rows of a shard enter its graph: those of upper levels first, each level by a hash of the
// row's number, so that sorted input (a catalogue by category) neither starves a batch of near neighbours nor shapes
// the graph.
#pragma once
#include <cstdint>
#include <vector>

#include "graph.h"

namespace shortlist {

/// A row and what its place follows from, which is its number alone.
struct Point {
  /// Levels above 0: L with chance m^-L.
  std::uint32_t level;
  std::uint32_t row;
  std::uint64_t hash;
};

/// The order of rows under one seed.
class PointOrder {
 public:
  explicit PointOrder(const GraphParameters& parameters);
  Point point(std::uint32_t row) const;

 private:
  std::uint64_t seed_;
  std::uint32_t m_;
};

bool enters_before(const Point& a, const Point& b);

/// The rows that enter last, the very last first: at most `size`, none of an upper level. A random sample of the
/// rows, whatever their vectors. Each of them searched a graph of all rows before it, so it asked what a new row
/// would ask.
std::vector<std::uint32_t> last_points(std::uint32_t count, const GraphParameters& parameters, std::size_t size);

}  // namespace shortlist
