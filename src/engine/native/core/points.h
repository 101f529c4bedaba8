// The order in which rows enter the graph: by descending level, then by a hash of the row number. So sorted input,
// such as a catalogue by category, neither keeps near neighbours out of a batch nor shapes the graph.
#pragma once
#include <cstdint>
#include <vector>

#include "graph.h"

namespace shortlist {

/// A row and its place in the order, which depends on its number alone.
struct Point {
  /// The highest level of the row: L with probability m^-L.
  std::uint32_t level;
  std::uint32_t row;
  std::uint64_t hash;
};

class PointOrder {
 public:
  explicit PointOrder(const GraphParameters& parameters);
  Point point(std::uint32_t row) const;

 private:
  std::uint64_t seed_;
  std::uint32_t m_;
};

bool enters_before(const Point& a, const Point& b);

/// The rows that enter last, latest first: at most `size`, all of level 0. They are a random sample whatever the
/// vectors are. Each searched a graph of all rows before it, as a query for a new row would.
std::vector<std::uint32_t> last_points(std::uint32_t count, const GraphParameters& parameters, std::size_t size);

}  // namespace shortlist
