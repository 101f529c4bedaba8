#include "points.h"

#include <algorithm>

#include "assert.h"
#include "hash.h"

namespace shortlist {
namespace {

std::uint32_t level_of(std::uint64_t hash, std::uint32_t m) {
  SHORTLIST_ASSERT(m >= 2);
  std::uint32_t level = 0;
  for (std::uint64_t threshold = ~std::uint64_t{0} / m; hash < threshold && level < kMaxLevels; threshold /= m) level++;
  return level;
}

bool enters_after(const Point& a, const Point& b) { return enters_before(b, a); }

}  // namespace

PointOrder::PointOrder(const GraphParameters& parameters) : seed_(mix64(parameters.seed)), m_(parameters.m) {}

Point PointOrder::point(std::uint32_t row) const {
  const std::uint64_t hash = mix64(seed_ ^ row);
  return {level_of(hash, m_), row, mix64(hash)};
}

bool enters_before(const Point& a, const Point& b) {
  if (a.level != b.level) return a.level > b.level;
  return a.hash != b.hash ? a.hash < b.hash : a.row < b.row;
}

std::vector<std::uint32_t> last_points(std::uint32_t count, const GraphParameters& parameters, std::size_t size) {
  const PointOrder order(parameters);
  std::vector<Point> last;  // a heap: the one that enters first is on top
  for (std::uint32_t row = 0; row < count && size > 0; row++) {
    const Point point = order.point(row);
    if (point.level > 0) continue;
    if (last.size() == size) {
      if (!enters_before(last.front(), point)) continue;
      std::pop_heap(last.begin(), last.end(), enters_after);
      last.pop_back();
    }
    last.push_back(point);
    std::push_heap(last.begin(), last.end(), enters_after);
  }
  std::sort(last.begin(), last.end(), enters_after);
  SHORTLIST_ASSERT(last.size() <= size);
  std::vector<std::uint32_t> rows;
  for (const Point& point : last) rows.push_back(point.row);
  return rows;
}

}  // namespace shortlist
