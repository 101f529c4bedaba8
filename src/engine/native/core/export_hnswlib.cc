#include "export_hnswlib.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "failure.h"

namespace shortlist {
namespace {

constexpr std::size_t kHeaderBytes = 96;

template <typename T>
void put(std::uint8_t* into, std::size_t at, T value) {
  std::memcpy(into + at, &value, sizeof value);
}

}  // namespace

HnswlibExport::HnswlibExport(const Graph& graph, const GraphShape& shape, float factor)
    : graph_(graph), shape_(shape), factor_(factor) {
  if (shape.count > kMostHnswlibRows) throw Failure("internal", "more rows than hnswlib can number");
  chain_equal_rows();
  sort_upper_rows();
  bytes_ = kHeaderBytes + std::uint64_t{shape.count} * (element_bytes() + 4);
  for (const UpperRow& upper : upper_rows_) bytes_ += std::uint64_t{level_of(upper.node)} * upper_list_bytes();
}

/// Chains ascend, so that the first of a chain is known when a later row of it comes.
void HnswlibExport::chain_equal_rows() {
  if (graph_.next_equal == nullptr) return;
  first_equal_.resize(shape_.count);
  for (std::uint32_t row = 0; row < shape_.count; row++) first_equal_[row] = row;
  for (std::uint32_t row = 0; row < shape_.count; row++) {
    if (graph_.has_equal(row)) first_equal_[graph_.next_equal[row]] = first_equal_[row];
  }
}

/// A row that two nodes name, which no build of ours makes, counts as the higher one.
void HnswlibExport::sort_upper_rows() {
  if (graph_.levels.size() < 2) return;
  const Level& level = graph_.levels[1];
  upper_rows_.reserve(level.count);
  for (std::uint32_t node = 0; node < level.count; node++) upper_rows_.push_back({level.row(node), node});
  std::sort(upper_rows_.begin(), upper_rows_.end(), [](const UpperRow& a, const UpperRow& b) {
    return a.row != b.row ? a.row < b.row : a.node < b.node;
  });
  const auto is_same = [](const UpperRow& a, const UpperRow& b) { return a.row == b.row; };
  upper_rows_.erase(std::unique(upper_rows_.begin(), upper_rows_.end(), is_same), upper_rows_.end());
}

/// Nodes are sorted by descending level: a level holds the first of them.
std::uint32_t HnswlibExport::level_of(std::uint32_t node) const {
  std::uint32_t level = 0;
  while (level + 1 < graph_.levels.size() && node < graph_.levels[level + 1].count) level++;
  return level;
}

std::size_t HnswlibExport::element_bytes() const {
  return 4 + std::size_t{8} * shape_.m + std::size_t{4} * shape_.dim + 8;
}

std::size_t HnswlibExport::upper_list_bytes() const { return 4 + std::size_t{4} * shape_.m; }

bool HnswlibExport::is_upper(std::uint32_t row) const {
  return next_upper_ < upper_rows_.size() && upper_rows_[next_upper_].row == row;
}

std::size_t HnswlibExport::read(std::uint8_t* into, std::size_t size) {
  const std::uint64_t parts = 1 + 2 * std::uint64_t{shape_.count};
  std::size_t filled = 0;
  while (next_ < parts) {
    const std::size_t bytes = part_bytes();
    if (bytes > size - filled) break;
    std::memset(into + filled, 0, bytes);
    put_part(into + filled);
    filled += bytes;
    if (next_ > shape_.count && is_upper(static_cast<std::uint32_t>(next_ - 1 - shape_.count))) next_upper_++;
    next_++;
  }
  if (filled == 0 && next_ < parts) throw Failure("internal", "a block of " + std::to_string(size) + " bytes is too small");
  return filled;
}

std::size_t HnswlibExport::part_bytes() const {
  if (next_ == 0) return kHeaderBytes;
  if (next_ <= shape_.count) return element_bytes();
  const std::uint32_t row = static_cast<std::uint32_t>(next_ - 1 - shape_.count);
  return 4 + (is_upper(row) ? level_of(upper_rows_[next_upper_].node) * upper_list_bytes() : 0);
}

void HnswlibExport::put_part(std::uint8_t* into) const {
  if (next_ == 0) return put_header(into);
  if (next_ <= shape_.count) return put_element(into, static_cast<std::uint32_t>(next_ - 1));
  put_upper_lists(into, static_cast<std::uint32_t>(next_ - 1 - shape_.count));
}

void HnswlibExport::put_header(std::uint8_t* into) const {
  const std::uint64_t links_bytes = 4 + std::uint64_t{8} * shape_.m;
  put<std::uint64_t>(into, 0, 0);  // where links start in an element
  put<std::uint64_t>(into, 8, shape_.count);   // room for so many
  put<std::uint64_t>(into, 16, shape_.count);
  put<std::uint64_t>(into, 24, element_bytes());
  put<std::uint64_t>(into, 32, element_bytes() - 8);  // the label in an element
  put<std::uint64_t>(into, 40, links_bytes);          // the row in an element
  put<std::int32_t>(into, 48, shape_.count == 0 ? -1 : static_cast<std::int32_t>(graph_.levels.size()) - 1);
  put<std::uint32_t>(into, 52, graph_.entry);
  put<std::uint64_t>(into, 56, shape_.m);
  put<std::uint64_t>(into, 64, 2 * std::uint64_t{shape_.m});
  put<std::uint64_t>(into, 72, shape_.m);
  put<double>(into, 80, 1 / std::log(static_cast<double>(shape_.m)));
  put<std::uint64_t>(into, 88, std::max(shape_.m, shape_.ef_construction));
}

void HnswlibExport::put_element(std::uint8_t* into, std::uint32_t row) const {
  put<std::uint32_t>(into, 0, put_links(into + 4, row));
  const std::size_t at = 4 + std::size_t{8} * shape_.m;
  const float* values = graph_.rows.row(row);
  for (std::uint32_t j = 0; j < shape_.dim; j++) put<float>(into, at + 4 * std::size_t{j}, values[j] * factor_);
  put<std::uint64_t>(into, at + 4 * std::size_t{shape_.dim}, row);
}

/// @return how many links
std::uint32_t HnswlibExport::put_links(std::uint8_t* into, std::uint32_t row) const {
  const Level& level = graph_.levels[0];
  const std::uint32_t first = first_equal_.empty() ? row : first_equal_[row];
  const std::uint32_t* list = level.list(first);
  std::uint32_t links[kMaxSlots];
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
    if (list[i] != row) links[count++] = list[i];
  }
  if (graph_.has_equal(row)) {
    if (count == level.slots) {
      links[count - (row == first ? 1 : 2)] = links[count - 1];
      count--;
    }
    links[count++] = graph_.next_equal[row];
  }
  std::memcpy(into, links, std::size_t{4} * count);
  return count;
}

void HnswlibExport::put_upper_lists(std::uint8_t* into, std::uint32_t row) const {
  if (!is_upper(row)) return;
  const std::uint32_t node = upper_rows_[next_upper_].node;
  const std::uint32_t top = level_of(node);
  put<std::uint32_t>(into, 0, static_cast<std::uint32_t>(top * upper_list_bytes()));
  for (std::uint32_t l = 1; l <= top; l++) {
    const Level& level = graph_.levels[l];
    std::uint8_t* const at = into + 4 + (l - 1) * upper_list_bytes();
    const std::uint32_t* list = level.list(node);
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
      const std::uint32_t to = level.row(list[i]);
      if (to != row) put<std::uint32_t>(at, 4 + 4 * std::size_t{count++}, to);
    }
    put<std::uint32_t>(at, 0, count);
  }
}

}  // namespace shortlist
