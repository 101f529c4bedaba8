// Reads and writes the file of a graph: one header page (file_headers.h), then page-aligned sections that are used as
// they lie in memory.
//
// Bytes are hostile. Every field is compared with what the caller knows or with the file's size before it is used, and
// opening checks every link, node and chain. A file that passes cannot make a search read outside the file or run for
// ever. Only `verify` compares checksums, since that reads the codes, which opening does not.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "build.h"
#include "graph.h"
#include "memory.h"

namespace shortlist {

/// What the caller knows about a file.
struct GraphShape {
  Metric metric;
  std::uint32_t dim;
  std::uint32_t count;
  std::uint32_t m;
  std::uint32_t ef_construction;
};

/// Writes a graph and flushes it to the disk. Throws disk_full, io_error. @return its bytes
std::uint64_t write_graph(const std::string& path, const BuiltGraph& built);

/// Long work calls this now and then. If it throws, the work ends.
using CancelCheck = std::function<void()>;

class GraphFile {
 public:
  /// Maps and checks a file. Throws file_missing, file_corrupt, format_unsupported, io_error.
  GraphFile(const std::string& path, const GraphShape& shape, const CancelCheck& check_cancelled = [] {});

  /// Compares every section with its checksum. Throws file_corrupt.
  void verify(const CancelCheck& check_cancelled = [] {}) const;
  /// Compares the codes of a few rows with the rows, which detects a graph of other vectors. Throws file_corrupt.
  void match_rows(const Kernels& kernels, const Rows& rows) const;
  /// Compares the codes of all rows, and the vectors of chained rows. Throws file_corrupt.
  void match_all(const Kernels& kernels, const Rows& rows) const;

  /// The graph over these rows; valid as long as this object and the rows.
  Graph view(const Rows& rows) const;
  const BuildFigures& figures() const { return figures_; }
  CodeKind kind() const { return kind_; }
  std::size_t bytes() const { return file_.bytes(); }

 private:
  void read_header(const GraphFileHeader& header);
  void read_quantizer(const GraphFileHeader& header);
  void read_levels(const GraphFileHeader& header);
  void read_sections(const GraphFileHeader& header);
  std::vector<Level> level_views() const;
  void check_links(std::size_t number, const Level& level, const CancelCheck& check_cancelled) const;
  void check_upper_rows() const;
  void check_equal_rows() const;
  void match(const Kernels& kernels, const Rows& rows, std::uint32_t max) const;
  template <typename T>
  const T* section(Section section) const {
    return reinterpret_cast<const T*>(file_.data() + sections_[static_cast<std::size_t>(section)].offset);
  }
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  MappedFile file_;
  SectionEntry sections_[kSectionCount];
  GraphShape shape_;
  CodeKind kind_ = CodeKind::bits7;
  CodeDepth depth_;
  double distances_per_candidate_ = kDefaultDistancesPerCandidate;
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
