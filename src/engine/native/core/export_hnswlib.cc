#include "export_hnswlib.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "assert.h"
#include "failure.h"

namespace shortlist {
namespace {

/// The most neighbours of neighbours that are ranked for one copy: all of them at m 16.
constexpr std::size_t kMaxSecondNeighbours = 1024;

template <typename T>
void put(std::uint8_t* into, std::size_t at, T value) {
  std::memcpy(into + at, &value, sizeof value);
}

}  // namespace

HnswlibExport::HnswlibExport(const Kernels& kernels, const Graph& graph, const GraphShape& shape, float factor)
    : kernels_(kernels), graph_(graph), shape_(shape), element_(shape.dim, shape.m), factor_(factor) {
  if (shape.count > kMaxHnswlibRows) throw Failure("internal", "more rows than hnswlib can number");
  number_copies();
  sort_upper_rows();
  bytes_ = sizeof(HnswlibHeader) + std::uint64_t{shape.count} * (element_.bytes + 4);
  for (const UpperRow& upper : upper_rows_) bytes_ += std::uint64_t{level_of(upper.node)} * element_.upper_list_bytes;
}

/// Chains ascend, so the place of a row is known before that of the next.
void HnswlibExport::number_copies() {
  if (graph_.next_equal == nullptr) return;
  copies_.resize(shape_.count);
  for (std::uint32_t row = 0; row < shape_.count; row++) copies_[row] = {row, 0};
  for (std::uint32_t row = 0; row < shape_.count; row++) {
    if (graph_.has_equal(row)) copies_[graph_.next_equal[row]] = {copies_[row].first, copies_[row].place + 1};
  }
}

/// If two nodes have the same row, which no build makes, the one with the higher level counts.
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

/// Nodes are sorted by descending level.
std::uint32_t HnswlibExport::level_of(std::uint32_t node) const {
  std::uint32_t level = 0;
  while (level + 1 < graph_.levels.size() && node < graph_.levels[level + 1].count) level++;
  return level;
}

bool HnswlibExport::is_upper(std::uint32_t row) const {
  return next_upper_ < upper_rows_.size() && upper_rows_[next_upper_].row == row;
}

std::size_t HnswlibExport::read(std::uint8_t* into, std::size_t size) {
  const std::uint64_t parts = 1 + 2 * std::uint64_t{shape_.count};
  std::size_t filled = 0;
  while (next_ < parts) {
    const std::size_t bytes = part_bytes();
    SHORTLIST_ASSERT(filled <= size);
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
  if (next_ == 0) return sizeof(HnswlibHeader);
  if (next_ <= shape_.count) return element_.bytes;
  const std::uint32_t row = static_cast<std::uint32_t>(next_ - 1 - shape_.count);
  return 4 + (is_upper(row) ? level_of(upper_rows_[next_upper_].node) * element_.upper_list_bytes : 0);
}

void HnswlibExport::put_part(std::uint8_t* into) const {
  if (next_ == 0) return put_header(into);
  if (next_ <= shape_.count) return put_element(into, static_cast<std::uint32_t>(next_ - 1));
  put_upper_lists(into, static_cast<std::uint32_t>(next_ - 1 - shape_.count));
}

void HnswlibExport::put_header(std::uint8_t* into) const {
  HnswlibHeader header{};
  header.max_elements = header.count = shape_.count;
  header.element_bytes = element_.bytes;
  header.label_offset = element_.label_offset;
  header.vector_offset = element_.vector_offset;
  header.max_level = shape_.count == 0 ? -1 : static_cast<std::int32_t>(graph_.levels.size()) - 1;
  header.entry = graph_.entry;
  header.max_m = header.m = shape_.m;
  header.max_m0 = 2 * std::uint64_t{shape_.m};
  header.level_factor = 1 / std::log(static_cast<double>(shape_.m));
  header.ef_construction = std::max(shape_.m, shape_.ef_construction);
  std::memcpy(into, &header, sizeof header);
}

void HnswlibExport::put_element(std::uint8_t* into, std::uint32_t row) const {
  std::uint32_t links[kMaxSlots];
  const std::uint32_t count = choose_links(row, links);
  put<std::uint32_t>(into, 0, count);
  std::memcpy(into + 4, links, std::size_t{4} * count);
  const float* values = graph_.rows.row(row);
  for (std::size_t j = 0; j < shape_.dim; j++) put<float>(into, element_.vector_offset + 4 * j, values[j] * factor_);
  put<std::uint64_t>(into, element_.label_offset, row);
}

std::uint32_t HnswlibExport::choose_links(std::uint32_t row, std::uint32_t* links) const {
  const bool is_copy = !copies_.empty() && copies_[row].place > 0;
  std::uint32_t count = is_copy ? choose_links_of_copy(row, links) : read_links(row, links);
  if (!graph_.has_equal(row)) return count;
  if (count == graph_.levels[0].slots) count--;
  links[count++] = graph_.next_equal[row];
  SHORTLIST_ASSERT(count <= graph_.levels[0].slots);
  return count;
}

std::uint32_t HnswlibExport::choose_links_of_copy(std::uint32_t row, std::uint32_t* links) const {
  const std::uint32_t slots = graph_.levels[0].slots;
  const Copy copy = copies_[row];
  SHORTLIST_ASSERT(copy.place > 0 && copy.first < row && slots > 2);
  std::uint32_t near[kMaxSlots];
  const std::uint32_t near_count = read_links(copy.first, near);
  std::uint32_t count = 0;
  // The link that the first row gave up for this one.
  if (copy.place == 1 && near_count == slots) links[count++] = near[slots - 1];
  const std::size_t from = std::size_t{copy.place - 1} * (slots - 2);
  const std::vector<std::uint32_t> second =
      from < kMaxSecondNeighbours ? rank_second_neighbours(row, near, near_count) : std::vector<std::uint32_t>();
  if (from < second.size()) {
    for (std::size_t i = from; i < std::min<std::size_t>(second.size(), from + slots - 2); i++) links[count++] = second[i];
  } else {
    for (std::uint32_t i = 0; i < near_count && count < slots; i++) links[count++] = near[i];
  }
  return static_cast<std::uint32_t>(std::remove(links, links + count, row) - links);
}

/// The neighbours of a row's neighbours that are not its own neighbours, nearest first.
std::vector<std::uint32_t> HnswlibExport::rank_second_neighbours(std::uint32_t row, const std::uint32_t* near,
                                                      std::uint32_t near_count) const {
  const Level& level = graph_.levels[0];
  std::vector<std::uint32_t> second;
  for (std::uint32_t i = 0; i < near_count && second.size() + level.slots <= kMaxSecondNeighbours; i++) {
    const std::uint32_t* list = level.list(near[i]);
    for (std::uint32_t j = 0; j < level.slots && list[j] != kNone; j++) second.push_back(list[j]);
  }
  std::sort(second.begin(), second.end());
  second.erase(std::unique(second.begin(), second.end()), second.end());
  const auto is_known = [&](std::uint32_t other) {
    return copies_[other].first == copies_[row].first || std::find(near, near + near_count, other) != near + near_count;
  };
  second.erase(std::remove_if(second.begin(), second.end(), is_known), second.end());
  std::vector<double> sums(second.size());
  raw_rows(kernels_, graph_.rows, graph_.rows.row(row), second.data(), second.size(), sums.data());
  const double sign = graph_.rows.metric == Metric::l2 ? 1 : -1;
  std::vector<std::pair<double, std::uint32_t>> ranked(second.size());
  for (std::size_t i = 0; i < second.size(); i++) ranked[i] = {sign * sums[i], second[i]};
  std::sort(ranked.begin(), ranked.end());
  for (std::size_t i = 0; i < ranked.size(); i++) second[i] = ranked[i].second;
  return second;
}

/// The links of a row, without one to itself, which no build makes.
std::uint32_t HnswlibExport::read_links(std::uint32_t row, std::uint32_t* links) const {
  const Level& level = graph_.levels[0];
  const std::uint32_t* list = level.list(row);
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < level.slots && list[i] != kNone; i++) {
    if (list[i] != row) links[count++] = list[i];
  }
  return count;
}

void HnswlibExport::put_upper_lists(std::uint8_t* into, std::uint32_t row) const {
  if (!is_upper(row)) return;
  const std::uint32_t node = upper_rows_[next_upper_].node;
  const std::uint32_t top = level_of(node);
  SHORTLIST_ASSERT(top > 0 && top < graph_.levels.size());
  put<std::uint32_t>(into, 0, static_cast<std::uint32_t>(top * element_.upper_list_bytes));
  for (std::uint32_t l = 1; l <= top; l++) {
    const Level& level = graph_.levels[l];
    std::uint8_t* const at = into + 4 + (l - 1) * element_.upper_list_bytes;
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
