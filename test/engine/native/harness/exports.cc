#include <cstring>

#include "../../../../src/engine/native/core/export_hnswlib.h"
#include "harness.h"

namespace harness {

/// What hnswlib would follow: links of level 0 and above, from the bytes of an export.
void check_export(const Graph& graph, const GraphShape& shape) {
  HnswlibExport exported(choose_kernels(), graph, shape, 1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(exported.bytes()));
  std::vector<std::uint8_t> block(1 << 12);
  std::size_t size = 0;
  for (std::size_t read; (read = exported.read(block.data(), block.size())) > 0; size += read) {
    REQUIRE(size + read <= bytes.size());
    std::memcpy(bytes.data() + size, block.data(), read);
  }
  REQUIRE(size == bytes.size());
  const auto get = [&](std::size_t at) {
    std::uint32_t value;
    REQUIRE(at + 4 <= bytes.size());
    std::memcpy(&value, bytes.data() + at, 4);
    return value;
  };
  const auto check_list = [&](std::size_t at, std::uint32_t row, std::uint32_t most, auto may_link) {
    const std::uint32_t links = get(at);
    REQUIRE(links <= most);
    for (std::uint32_t i = 1; i <= links; i++) REQUIRE(get(at + 4 * i) < shape.count && get(at + 4 * i) != row && may_link(get(at + 4 * i)));
  };
  const HnswlibElement element(shape.dim, shape.m);
  const std::size_t list_bytes = element.upper_list_bytes, elements = sizeof(HnswlibHeader);
  for (std::uint32_t row = 0; row < shape.count; row++) {
    check_list(elements + row * element.bytes, row, 2 * shape.m, [](std::uint32_t) { return true; });
    REQUIRE(get(elements + row * element.bytes + element.label_offset) == row);
  }
  std::vector<std::uint32_t> levels(shape.count);
  std::size_t at = elements + shape.count * element.bytes;
  for (std::uint32_t row = 0; row < shape.count; row++) {
    levels[row] = static_cast<std::uint32_t>(get(at) / list_bytes);
    at += 4 + get(at);
  }
  REQUIRE(at == bytes.size());
  const std::uint32_t entry = get(offsetof(HnswlibHeader, entry));
  REQUIRE(shape.count == 0 ? entry == kNone : levels[entry] == get(offsetof(HnswlibHeader, max_level)));
  at = elements + shape.count * element.bytes;
  for (std::uint32_t row = 0; row < shape.count; at += 4 + levels[row] * list_bytes, row++) {
    REQUIRE(levels[row] <= get(offsetof(HnswlibHeader, max_level)));
    for (std::uint32_t level = 1; level <= levels[row]; level++) {
      check_list(at + 4 + (level - 1) * list_bytes, row, shape.m, [&](std::uint32_t to) { return levels[to] >= level; });
    }
  }
}

}  // namespace harness
