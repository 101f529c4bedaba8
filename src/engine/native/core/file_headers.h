// The headers of the files that the core writes. Writers fill one of these structs and readers copy one out of the
// file, so no offset appears anywhere else.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace shortlist {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and used as they lie in memory");

/// A graph needs 4^32 rows to have so many levels above 0.
constexpr std::uint32_t kMaxLevels = 32;

/// Sections of a graph file begin at multiples of this. The first one follows the header.
constexpr std::size_t kPageBytes = 4096;

/// The sections of a graph file in order. None is absent; some are empty.
enum class Section : std::size_t { low, codes, norms, links, upper_rows, upper_links, next_equal };
constexpr std::size_t kSectionCount = 7;
constexpr const char* kSectionNames[kSectionCount] = {"low",        "codes",       "norms",     "links",
                                                       "upper rows", "upper links", "equal rows"};

struct SectionEntry {
  std::uint64_t offset;
  std::uint64_t bytes;
  /// XXH64.
  std::uint64_t checksum;
};

constexpr char kGraphMagic[8] = {'S', 'H', 'O', 'R', 'T', 'G', 'R', 'F'};
constexpr std::uint32_t kGraphFormat = 2;

/// The first page of a graph file. Reserved bytes are zero.
struct GraphFileHeader {
  char magic[8];
  std::uint32_t format;
  /// 0 cosine, 1 ip, 2 l2.
  std::uint32_t metric;
  std::uint64_t file_bytes;
  std::uint32_t dim;
  std::uint32_t count;
  std::uint32_t m;
  std::uint32_t ef_construction;
  std::uint64_t seed;
  /// Bits of a component: 4, 7 or 16. 0 means that searches compare the float32 rows.
  std::uint32_t code_kind;
  std::uint32_t code_bytes;
  std::uint32_t entry;
  std::uint32_t upper_levels;
  /// Depth of the codes for k 10 and for k 100.
  std::uint32_t depth_at10;
  std::uint32_t depth_at100;
  double distances_per_candidate;
  std::uint8_t reserved[16];
  double scale;
  double largest_norm2;
  double spread;
  std::uint64_t equal_rows;
  std::uint64_t unreachable;
  std::uint64_t unfound;
  double code_recall;
  double traversal_recall;
  /// Nodes of level 1, 2, ...
  std::uint32_t upper_counts[kMaxLevels];
  SectionEntry sections[kSectionCount];
  std::uint8_t more_reserved[3632];
  /// XXH64 of the bytes before it.
  std::uint64_t checksum;
};
static_assert(std::is_trivially_copyable_v<GraphFileHeader> && std::is_standard_layout_v<GraphFileHeader>);
static_assert(sizeof(SectionEntry) == 24);
static_assert(sizeof(GraphFileHeader) == kPageBytes && alignof(GraphFileHeader) == 8);
static_assert(offsetof(GraphFileHeader, format) == 8 && offsetof(GraphFileHeader, metric) == 12);
static_assert(offsetof(GraphFileHeader, file_bytes) == 16 && offsetof(GraphFileHeader, dim) == 24);
static_assert(offsetof(GraphFileHeader, count) == 28 && offsetof(GraphFileHeader, m) == 32);
static_assert(offsetof(GraphFileHeader, ef_construction) == 36 && offsetof(GraphFileHeader, seed) == 40);
static_assert(offsetof(GraphFileHeader, code_kind) == 48 && offsetof(GraphFileHeader, code_bytes) == 52);
static_assert(offsetof(GraphFileHeader, entry) == 56 && offsetof(GraphFileHeader, upper_levels) == 60);
static_assert(offsetof(GraphFileHeader, depth_at10) == 64 && offsetof(GraphFileHeader, depth_at100) == 68);
static_assert(offsetof(GraphFileHeader, distances_per_candidate) == 72 && offsetof(GraphFileHeader, scale) == 96);
static_assert(offsetof(GraphFileHeader, largest_norm2) == 104 && offsetof(GraphFileHeader, spread) == 112);
static_assert(offsetof(GraphFileHeader, equal_rows) == 120 && offsetof(GraphFileHeader, unreachable) == 128);
static_assert(offsetof(GraphFileHeader, unfound) == 136 && offsetof(GraphFileHeader, code_recall) == 144);
static_assert(offsetof(GraphFileHeader, traversal_recall) == 152 && offsetof(GraphFileHeader, upper_counts) == 160);
static_assert(offsetof(GraphFileHeader, sections) == 288 && offsetof(GraphFileHeader, checksum) == kPageBytes - 8);

/// What hnswlib writes before its elements (saveIndex of hnswlib 0.7 and 0.8).
struct HnswlibHeader {
  /// Of the links in an element.
  std::uint64_t level0_offset;
  std::uint64_t max_elements;
  std::uint64_t count;
  std::uint64_t element_bytes;
  /// Of the label and of the row in an element.
  std::uint64_t label_offset;
  std::uint64_t vector_offset;
  std::int32_t max_level;
  std::uint32_t entry;
  std::uint64_t max_m;
  std::uint64_t max_m0;
  std::uint64_t m;
  double level_factor;
  std::uint64_t ef_construction;
};
static_assert(std::is_trivially_copyable_v<HnswlibHeader> && std::is_standard_layout_v<HnswlibHeader>);
static_assert(sizeof(HnswlibHeader) == 96 && alignof(HnswlibHeader) == 8);
static_assert(offsetof(HnswlibHeader, element_bytes) == 24 && offsetof(HnswlibHeader, label_offset) == 32);
static_assert(offsetof(HnswlibHeader, vector_offset) == 40 && offsetof(HnswlibHeader, max_level) == 48);
static_assert(offsetof(HnswlibHeader, entry) == 52 && offsetof(HnswlibHeader, max_m) == 56);
static_assert(offsetof(HnswlibHeader, level_factor) == 80 && offsetof(HnswlibHeader, ef_construction) == 88);

/// Where the parts of one element of hnswlib's file lie: a count and 2m links, the float32 row, the label (uint64).
struct HnswlibElement {
  std::size_t vector_offset;
  std::size_t label_offset;
  std::size_t bytes;
  /// A list of an upper level: a count and m links.
  std::size_t upper_list_bytes;

  constexpr HnswlibElement(std::size_t dim, std::size_t m)
      : vector_offset(4 + 4 * 2 * m),
        label_offset(vector_offset + 4 * dim),
        bytes(label_offset + 8),
        upper_list_bytes(4 + 4 * m) {}
};

}  // namespace shortlist
