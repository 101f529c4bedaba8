// The file of a graph: one header page, then page-aligned sections that are used as they lie in memory.
//
//    0  8  magic "SHORTGRF"             96   8  quantizer: scale, float64
//    8  4  format                      104   8  quantizer: largest squared norm, float64
//   12  4  metric: 0 cosine, 1 ip, 2 l2  112   8  quantizer: spread, float64 16  8  bytes of the file           120 
//   40  figures of the build: equal rows, unreachable, unfound (uint64), 24  4  dimensions                          
//   code recall, traversal recall (float64) 28  4  rows                        160 128  nodes of level 1, 2, ... (32
//   x uint32) 32  4  m                           288   -  sections: offset, bytes, XXH64 (3 x uint64 each), in the
//   order of Section 36  4  efConstruction             4088   8  XXH64 of the page before it 40  8  seed 48  4  code
//   kind: 4, 7 or 16 bits, or 0 (float32 rows) 52  4  bytes of a code row 56  4  entry row                    64   4 
//   depth of the codes for k 10, uint32 60  4  levels above 0               68   4  the same for k 100
//                                       72   8  distances for each place of a pool, float64
//                                      All little-endian.
//
// Bytes are hostile: every field is compared with what the caller knows or with the size of the file before it is
// used, and every link, node and chain is checked when the file is opened. Whatever passes cannot make a search read
// outside the file or run for ever. Checksums are compared by `verify`, since that reads codes too, which opening
// leaves on the disk.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "build.h"
#include "graph.h"
#include "memory.h"

namespace shortlist {

constexpr std::uint32_t kGraphFormat = 2;

/// What the caller knows of a file.
struct GraphShape {
  Metric metric;
  std::uint32_t dim;
  std::uint32_t count;
  std::uint32_t m;
  std::uint32_t ef_construction;
};

/// Writes a graph, flushed to the disk. Throws disk_full, io_error. @return its bytes
std::uint64_t write_graph(const std::string& path, const BuiltGraph& built);

/// Called now and then by what takes long; an exception of it ends that.
using Look = std::function<void()>;

class GraphFile {
 public:
  /// Maps and checks a file. Throws file_missing, file_corrupt, format_unsupported, io_error.
  GraphFile(const std::string& path, const GraphShape& shape, const Look& look = [] {});

  /// Compares every section with its checksum. Throws file_corrupt.
  void verify(const Look& look = [] {}) const;
  /// Compares the codes of a few rows with the rows: a graph of other vectors has others. Throws file_corrupt.
  void match_rows(const Kernels& kernels, const Rows& rows) const;
  /// Compares the codes of all rows, and rows that stand for others with those. Throws file_corrupt.
  void match_all(const Kernels& kernels, const Rows& rows) const;

  /// The graph over these rows; valid as long as this object and the rows.
  Graph view(const Rows& rows) const;
  const BuildFigures& figures() const { return figures_; }
  CodeKind kind() const { return kind_; }
  std::size_t bytes() const { return file_.bytes(); }

 private:
  void read_header(const GraphShape& shape);
  void read_sections();
  void check_links(std::uint32_t level, const std::uint32_t* links, std::uint32_t count, std::uint32_t slots,
                   const Look& look) const;
  void check_upper_rows() const;
  void check_equal_rows() const;
  void match(const Kernels& kernels, const Rows& rows, std::uint32_t most) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  MappedFile file_;
  GraphShape shape_;
  CodeKind kind_ = CodeKind::bits7;
  CodeDepth depth_;
  double distances_per_place_ = kUsualDistancesPerPlace;
  Quantizer quantizer_;
  BuildFigures figures_;
  std::uint32_t entry_ = kNone;
  std::vector<std::uint32_t> upper_counts_;
  const std::uint8_t* codes_ = nullptr;
  const std::uint8_t* norms_ = nullptr;
  const std::uint32_t* links_ = nullptr;
  const std::uint32_t* upper_rows_ = nullptr;
  const std::uint32_t* upper_links_ = nullptr;
  const std::uint32_t* next_equal_ = nullptr;
};

}  // namespace shortlist
