#include "equal_rows.h"

#include <algorithm>
#include <cstring>

#include "assert.h"
#include "graph.h"
#include "hash.h"

namespace shortlist {
namespace {

struct Hashed {
  std::uint64_t hash;
  std::uint32_t row;
};

bool is_equal(const Rows& rows, std::uint32_t a, std::uint32_t b) {
  return std::memcmp(rows.row(a), rows.row(b), std::size_t{4} * rows.dim) == 0;
}

std::vector<Hashed> hash_rows(const Rows& rows, ThreadTeam& team) {
  std::vector<Hashed> hashed(rows.count);
  team.split(rows.count, 1024, [&](std::size_t, std::size_t from, std::size_t to) {
    for (std::size_t row = from; row < to; row++) {
      hashed[row] = {xxh64(rows.row(row), std::size_t{4} * rows.dim), static_cast<std::uint32_t>(row)};
    }
  });
  return hashed;
}

}  // namespace

EqualRows find_equal_rows(const Rows& rows, ThreadTeam& team) {
  std::vector<Hashed> hashed = hash_rows(rows, team);
  std::sort(hashed.begin(), hashed.end(),
            [](const Hashed& a, const Hashed& b) { return a.hash != b.hash ? a.hash < b.hash : a.row < b.row; });
  EqualRows found;
  std::vector<bool> is_later(rows.count, false);
  for (std::size_t from = 0; from < hashed.size();) {
    std::size_t to = from + 1;
    while (to < hashed.size() && hashed[to].hash == hashed[from].hash) to++;
    // Rows with the same hash form one chain. Collisions start chains of their own, and `tails` has the end of each.
    std::vector<std::uint32_t> tails{hashed[from].row};
    for (std::size_t i = from + 1; i < to; i++) {
      const std::uint32_t row = hashed[i].row;
      const auto tail =
          std::find_if(tails.begin(), tails.end(), [&](std::uint32_t other) { return is_equal(rows, other, row); });
      if (tail == tails.end()) {
        tails.push_back(row);
        continue;
      }
      if (found.next.empty()) found.next.assign(rows.count, kNone);
      SHORTLIST_ASSERT(*tail < row && row < rows.count);
      found.next[*tail] = row;
      is_later[row] = true;
      *tail = row;
    }
    from = to;
  }
  for (std::uint32_t row = 0; row < rows.count; row++) {
    if (!is_later[row]) found.first.push_back(row);
  }
  return found;
}

}  // namespace shortlist
