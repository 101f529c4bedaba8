#include "graph_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iterator>

#include "assert.h"
#include "failure.h"
#include "hash.h"
#include "nibbles.h"

namespace shortlist {
namespace {

/// Twice the links of a row. A search that computes more has another graph.
constexpr double kMaxDistancesPerCandidate = 2.0 * kMaxSlots;
/// Components reach 1e18, and codes of a sample reach no further beyond than their spread.
constexpr double kMaxLow = 1e20;
/// Rows whose codes are compared when a graph is opened.
constexpr std::uint32_t kSampledRows = 64;
/// Nodes checked between two calls of `check_cancelled`: a few megabytes.
constexpr std::uint32_t kNodesPerCheck = 1 << 16;

std::size_t align_to_page(std::size_t offset) { return (offset + kPageBytes - 1) / kPageBytes * kPageBytes; }

std::uint64_t checksum_of(const GraphFileHeader& header) { return xxh64(&header, offsetof(GraphFileHeader, checksum)); }

struct Part {
  const void* data;
  std::size_t bytes;
};

template <typename T>
Part part_of(const std::vector<T>& values) {
  return {values.data(), values.size() * sizeof(T)};
}

/// A file that is written front to back.
class Output {
 public:
  explicit Output(const std::string& path)
      : path_(path), file_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (file_ < 0) throw system_failure("write", path, errno);
  }
  ~Output() {
    if (file_ >= 0) close(file_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(const void* data, std::size_t bytes) {
    const std::uint8_t* at = static_cast<const std::uint8_t*>(data);
    while (bytes > 0) {
      const ssize_t written = ::write(file_, at, std::min<std::size_t>(bytes, std::size_t{1} << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw system_failure("write", path_, errno);
      at += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }
  void finish() {
    if (fsync(file_) != 0 && errno != EINVAL) throw system_failure("write", path_, errno);
    const int file = file_;
    file_ = -1;
    if (close(file) != 0) throw system_failure("write", path_, errno);
  }

 private:
  std::string path_;
  int file_;
};

GraphFileHeader header_of(const BuiltGraph& built, const Part (&parts)[kSectionCount], std::size_t file_bytes) {
  GraphFileHeader header{};
  std::copy(std::begin(kGraphMagic), std::end(kGraphMagic), header.magic);
  header.format = kGraphFormat;
  header.metric = static_cast<std::uint32_t>(built.rows.metric);
  header.file_bytes = file_bytes;
  header.dim = built.rows.dim;
  header.count = built.rows.count;
  header.m = built.parameters.m;
  header.ef_construction = built.parameters.ef_construction;
  header.seed = built.parameters.seed;
  header.code_kind = static_cast<std::uint32_t>(built.kind);
  header.code_bytes = static_cast<std::uint32_t>(code_bytes(built.kind, built.rows.dim));
  header.entry = built.entry;
  header.upper_levels = static_cast<std::uint32_t>(built.upper_counts.size());
  header.depth_at10 = built.depth.at10;
  header.depth_at100 = built.depth.at100;
  header.distances_per_candidate = built.distances_per_candidate;
  header.scale = built.quantizer.scale;
  header.largest_norm2 = built.quantizer.largest_norm2;
  header.spread = built.quantizer.spread;
  header.equal_rows = built.figures.equal_rows;
  header.unreachable = built.figures.unreachable;
  header.unfound = built.figures.unfound;
  header.code_recall = built.figures.code_recall;
  header.traversal_recall = built.figures.traversal_recall;
  std::copy(built.upper_counts.begin(), built.upper_counts.end(), header.upper_counts);
  std::size_t offset = kPageBytes;
  for (std::size_t i = 0; i < kSectionCount; i++) {
    header.sections[i] = {offset, parts[i].bytes, xxh64(parts[i].data, parts[i].bytes)};
    offset = align_to_page(offset + parts[i].bytes);
  }
  header.checksum = checksum_of(header);
  SHORTLIST_ASSERT(offset == file_bytes);
  return header;
}

}  // namespace

std::uint64_t write_graph(const std::string& path, const BuiltGraph& built) {
  SHORTLIST_ASSERT(built.upper_counts.size() <= kMaxLevels);
  SHORTLIST_ASSERT(built.entry == kNone ? built.rows.count == 0 : built.entry < built.rows.count);
  const Part parts[kSectionCount] = {
      part_of(built.quantizer.low),
      {built.codes.as<void>(), built.codes.bytes()},
      {built.norms.as<void>(), built.norms.bytes()},
      {built.links.as<void>(), built.links.bytes()},
      part_of(built.upper_rows),
      part_of(built.upper_links),
      part_of(built.next_equal),
  };
  std::size_t file_bytes = kPageBytes;
  for (const Part& part : parts) file_bytes = align_to_page(file_bytes + part.bytes);
  const GraphFileHeader header = header_of(built, parts, file_bytes);
  constexpr std::uint8_t kZeros[kPageBytes] = {};
  Output output(path);
  output.write(&header, sizeof header);
  for (const Part& part : parts) {
    output.write(part.data, part.bytes);
    output.write(kZeros, align_to_page(part.bytes) - part.bytes);
  }
  output.finish();
  return file_bytes;
}

GraphFile::GraphFile(const std::string& path, const GraphShape& shape, const CancelCheck& check_cancelled)
    : path_(path), file_(path), shape_(shape) {
  GraphFileHeader header;
  if (file_.bytes() < sizeof header) fail("has " + std::to_string(file_.bytes()) + " bytes, less than its header");
  std::memcpy(&header, file_.data(), sizeof header);
  read_header(header);
  read_quantizer(header);
  read_levels(header);
  read_sections(header);
  const std::vector<Level> levels = level_views();
  for (std::size_t i = 0; i < levels.size(); i++) check_links(i, levels[i], check_cancelled);
  check_upper_rows();
  check_equal_rows();
}

void GraphFile::fail(const std::string& what) const {
  throw Failure("file_corrupt", path_ + " " + what + "; restore the file or build the version again");
}

void GraphFile::read_header(const GraphFileHeader& header) {
  if (!std::equal(std::begin(kGraphMagic), std::end(kGraphMagic), header.magic)) fail("does not start as a graph file");
  if (header.checksum != checksum_of(header)) fail("has a damaged header");
  if (header.format != kGraphFormat) {
    throw Failure("format_unsupported", path_ + " has format " + std::to_string(header.format) +
                                            ", and this release reads format " + std::to_string(kGraphFormat) +
                                            ": use the release that wrote it or build the version again");
  }
  const auto expect = [&](const char* name, std::uint64_t found, std::uint64_t expected) {
    if (found != expected) {
      fail("has " + std::to_string(found) + " as " + name + " in its header, not " + std::to_string(expected));
    }
  };
  expect("bytes", header.file_bytes, file_.bytes());
  expect("metric", header.metric, static_cast<std::uint32_t>(shape_.metric));
  expect("dimensions", header.dim, shape_.dim);
  expect("rows", header.count, shape_.count);
  expect("m", header.m, shape_.m);
  expect("efConstruction", header.ef_construction, shape_.ef_construction);
  const std::uint32_t kind = header.code_kind;
  if (kind != 0 && kind != 7 && kind != 16 && (kind != 4 || shape_.metric == Metric::ip)) {
    fail("has codes of kind " + std::to_string(kind));
  }
  kind_ = static_cast<CodeKind>(kind);
  expect("bytes of a code", header.code_bytes, code_bytes(kind_, shape_.dim));
  figures_ = {header.equal_rows, header.unreachable, header.unfound, header.code_recall, header.traversal_recall};
}

void GraphFile::read_quantizer(const GraphFileHeader& header) {
  depth_ = {header.depth_at10, header.depth_at100};
  if (depth_.at10 < 10 || depth_.at100 < 100 || depth_.at10 > kMaxCodeDepth || depth_.at100 > kMaxCodeDepth) {
    fail("has a depth of codes out of range");
  }
  distances_per_candidate_ = header.distances_per_candidate;
  if (!(distances_per_candidate_ >= 0 && distances_per_candidate_ <= kMaxDistancesPerCandidate)) {
    fail("has a number of distances out of range");
  }
  quantizer_.dim = shape_.dim;
  quantizer_.stride = code_stride(shape_.dim);
  quantizer_.scale = header.scale;
  quantizer_.largest_norm2 = header.largest_norm2;
  quantizer_.spread = header.spread;
  for (const double value : {quantizer_.scale, quantizer_.largest_norm2, quantizer_.spread}) {
    if (!(value >= 0) || std::isinf(value)) fail("has a quantizer out of range");
  }
}

void GraphFile::read_levels(const GraphFileHeader& header) {
  entry_ = header.entry;
  if (shape_.count == 0 ? entry_ != kNone : entry_ >= shape_.count) fail("has an entry that is not a row");
  if (header.upper_levels > kMaxLevels) fail("has " + std::to_string(header.upper_levels) + " levels");
  for (std::uint32_t i = 0; i < header.upper_levels; i++) {
    const std::uint32_t count = header.upper_counts[i];
    if (count == 0 || count > (i == 0 ? shape_.count : upper_counts_.back())) {
      fail("has " + std::to_string(count) + " rows on level " + std::to_string(i + 1));
    }
    upper_counts_.push_back(count);
  }
}

void GraphFile::read_sections(const GraphFileHeader& header) {
  const std::uint64_t count = shape_.count;
  std::uint64_t lists = 0;
  for (const std::uint32_t nodes : upper_counts_) lists += nodes;
  const bool has_norms = kind_ == CodeKind::bits4 && NibbleLayout(shape_.dim).norm_at == 0;
  const bool has_equal = header.sections[static_cast<std::size_t>(Section::next_equal)].bytes != 0;
  const std::uint64_t expected[kSectionCount] = {
      8ull * shape_.dim,
      count * code_bytes(kind_, shape_.dim),
      has_norms ? 4 * count : 0,
      count * 4 * link_stride(2 * shape_.m),
      upper_counts_.empty() ? 0 : 4ull * upper_counts_[0],
      lists * 4 * link_stride(shape_.m),
      has_equal ? 4 * count : 0,
  };
  std::uint64_t offset = kPageBytes;
  for (std::size_t i = 0; i < kSectionCount; i++) {
    const SectionEntry& entry = header.sections[i];
    if (entry.offset != offset || entry.bytes != expected[i] || offset > file_.bytes() ||
        entry.bytes > file_.bytes() - offset) {
      fail(std::string("has the section ") + kSectionNames[i] + " out of place");
    }
    sections_[i] = entry;
    offset = align_to_page(offset + entry.bytes);
  }
  if (offset != file_.bytes()) fail("has bytes after its last section");
  quantizer_.low.resize(shape_.dim);
  std::memcpy(quantizer_.low.data(), section<std::uint8_t>(Section::low), 8ull * shape_.dim);
  for (const double low : quantizer_.low) {
    if (!(std::fabs(low) <= kMaxLow)) fail("has a quantizer out of range");
  }
  if (kind_ != CodeKind::float32) codes_ = section<std::uint8_t>(Section::codes);
  if (has_norms && count > 0) norms_ = section<std::uint8_t>(Section::norms);
  links_ = section<std::uint32_t>(Section::links);
  upper_rows_ = section<std::uint32_t>(Section::upper_rows);
  upper_links_ = section<std::uint32_t>(Section::upper_links);
  if (has_equal) next_equal_ = section<std::uint32_t>(Section::next_equal);
}

/// Every link is a node of the level or kNone, in the padding too.
void GraphFile::check_links(std::size_t number, const Level& level, const CancelCheck& check_cancelled) const {
  for (std::uint32_t node = 0; node < level.count; node++) {
    if (node % kNodesPerCheck == 0) check_cancelled();
    const std::uint32_t* list = level.list(node);
    std::uint32_t wrong = 0;
    for (std::uint32_t i = 0; i < level.stride; i++) {
      wrong |= static_cast<std::uint32_t>(list[i] >= level.count && list[i] != kNone);
    }
    if (wrong != 0) {
      fail("links node " + std::to_string(node) + " of level " + std::to_string(number) +
           " to a node that is not on that level");
    }
  }
}

void GraphFile::check_upper_rows() const {
  if (upper_counts_.empty()) return;
  for (std::uint32_t node = 0; node < upper_counts_[0]; node++) {
    if (upper_rows_[node] >= shape_.count) fail("has node " + std::to_string(node) + " without a row");
  }
  if (upper_rows_[0] != entry_) fail("has an entry that is not its highest node");
}

/// Chains ascend, so none is a cycle, and no two chains meet. Represented rows are not nodes: if a walk could reach
/// one, an answer would have it twice.
void GraphFile::check_equal_rows() const {
  if (next_equal_ == nullptr) return;
  std::vector<bool> is_later(shape_.count, false);
  for (std::uint32_t row = 0; row < shape_.count; row++) {
    const std::uint32_t next = next_equal_[row];
    if (next == kNone) continue;
    if (next <= row || next >= shape_.count || is_later[next]) {
      fail("has a chain of equal rows that is wrong at row " + std::to_string(row));
    }
    is_later[next] = true;
  }
  for (std::uint32_t row = 0; row < shape_.count; row++) {
    if (is_later[row] && links_[static_cast<std::size_t>(row) * link_stride(2 * shape_.m)] != kNone) {
      fail("links row " + std::to_string(row) + ", which an equal row stands for");
    }
  }
  const auto require_node = [&](std::uint32_t row) {
    if (row != kNone && is_later[row]) fail("leads to row " + std::to_string(row) + ", which an equal row stands for");
  };
  require_node(entry_);
  for (std::size_t i = 0; !upper_counts_.empty() && i < upper_counts_[0]; i++) require_node(upper_rows_[i]);
  const std::size_t links = static_cast<std::size_t>(shape_.count) * link_stride(2 * shape_.m);
  for (std::size_t i = 0; i < links; i++) require_node(links_[i]);
}

void GraphFile::verify(const CancelCheck& check_cancelled) const {
  for (std::size_t i = 0; i < kSectionCount; i++) {
    if (xxh64(file_.data() + sections_[i].offset, sections_[i].bytes, check_cancelled) != sections_[i].checksum) {
      fail(std::string("differs from its checksum in the section ") + kSectionNames[i]);
    }
  }
}

void GraphFile::match_rows(const Kernels& kernels, const Rows& rows) const { match(kernels, rows, kSampledRows); }

void GraphFile::match_all(const Kernels& kernels, const Rows& rows) const {
  match(kernels, rows, rows.count);
  for (std::uint32_t row = 0; next_equal_ != nullptr && row < rows.count; row++) {
    const std::uint32_t next = next_equal_[row];
    if (next != kNone && std::memcmp(rows.row(row), rows.row(next), std::size_t{4} * rows.dim) != 0) {
      fail("calls the rows " + std::to_string(row) + " and " + std::to_string(next) + " equal, and they differ");
    }
  }
}

void GraphFile::match(const Kernels& kernels, const Rows& rows, std::uint32_t max) const {
  if (kind_ == CodeKind::float32) return;
  const NibbleLayout layout(rows.dim);
  const std::size_t stride = code_bytes(kind_, rows.dim);
  const std::uint32_t matched = std::min(max, rows.count);
  SHORTLIST_ASSERT(rows.count == shape_.count && rows.dim == shape_.dim);
  for (std::uint64_t i = 0; i < matched; i++) {
    const std::uint64_t row = i * rows.count / matched;
    std::vector<std::uint8_t> code(stride);
    if (kind_ == CodeKind::bits4) {
      pack_nibbles(kernels, quantizer_, layout, rows.row(row), code.data());
    } else if (kind_ == CodeKind::bfloat16) {
      std::vector<std::uint16_t> halves(rows.dim);
      to_bfloat16(rows.row(row), rows.dim, halves.data());
      std::memcpy(code.data(), halves.data(), 2 * halves.size());
    } else {
      kernels.encode(rows.row(row), quantizer_.low.data(), quantizer_.scale, rows.dim, code.data());
    }
    if (std::memcmp(code.data(), codes_ + row * stride, stride) != 0) {
      fail("does not hold the vector of row " + std::to_string(row));
    }
  }
}

std::vector<Level> GraphFile::level_views() const {
  SHORTLIST_ASSERT(links_ != nullptr && upper_counts_.size() <= kMaxLevels);
  const std::uint32_t m = shape_.m;
  std::vector<Level> levels;
  levels.push_back(
      {.links = links_, .stride = link_stride(2 * m), .slots = 2 * m, .count = shape_.count, .rows = nullptr});
  const std::uint32_t* lists = upper_links_;
  for (const std::uint32_t count : upper_counts_) {
    levels.push_back({.links = lists, .stride = link_stride(m), .slots = m, .count = count, .rows = upper_rows_});
    lists += std::size_t{count} * link_stride(m);
  }
  return levels;
}

Graph GraphFile::view(const Rows& rows) const {
  return {.rows = rows,
              .kind = kind_,
              .depth = depth_,
              .distances_per_candidate = distances_per_candidate_,
              .quantizer = &quantizer_,
              .codes = codes_,
              .norms = norms_,
              .levels = level_views(),
              .next_equal = next_equal_,
              .entry = entry_};
}

}  // namespace shortlist
