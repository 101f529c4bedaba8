// Writes a graph as the file that hnswlib saves (saveIndex of hnswlib 0.7 and 0.8; hnswlib-node 3 reads it too), block
// by block. Labels are row numbers.
//
//   header   file_headers.h
//   element  for each row: links of level 0 (count, 2m x uint32), the float32 row, the label (uint64)
//   upper    for each row: bytes that follow (uint32), then for each level from 1: count, m x uint32
//
// hnswlib does not know equal rows, so each of them becomes an element that links to the next one: a search that
// reaches the first visits all of them at the same distance. With the links of the first row the copies would add
// nothing and still take candidates of ef. So they divide the neighbours of its neighbours among them, nearest first;
// the copies after that have the links of the first row. If the list of the first row is full, its last link moves to
// the second. With one copy each of 30 % of 10,000 random rows (50 dimensions, ef 200, k 100) hnswlib has recall
// 0.984; with the same links for all copies it has 0.966, and our own search 0.988.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph.h"
#include "graph_file.h"
#include "kernels.h"

namespace shortlist {

/// hnswlib keeps row numbers in an int while it searches.
constexpr std::uint32_t kMaxHnswlibRows = 0x7fffffff;

class HnswlibExport {
 public:
  /// @param graph a view of a checked file, valid as long as this object; at most kMaxHnswlibRows rows
  /// @param factor multiplies every component: a power of two that keeps hnswlib's float32 sums in range
  HnswlibExport(const Kernels& kernels, const Graph& graph, const GraphShape& shape, float factor);

  /// Size of the whole file.
  std::uint64_t bytes() const { return bytes_; }

  /// Puts the next parts into `into`, as many as fit. @return bytes written; 0 at the end
  std::size_t read(std::uint8_t* into, std::size_t size);

 private:
  struct UpperRow {
    std::uint32_t row, node;
  };
  /// The first of the rows equal to a row, and how many of them precede it.
  struct Copy {
    std::uint32_t first, place;
  };

  void number_copies();
  void sort_upper_rows();
  std::uint32_t level_of(std::uint32_t node) const;
  /// The size of the part at `next_`, and its bytes written into zeroed memory.
  std::size_t part_bytes() const;
  void put_part(std::uint8_t* into) const;
  void put_header(std::uint8_t* into) const;
  void put_element(std::uint8_t* into, std::uint32_t row) const;
  void put_upper_lists(std::uint8_t* into, std::uint32_t row) const;
  bool is_upper(std::uint32_t row) const;
  /// Chooses the links of a row at level 0, at most as many as there are slots. @return how many
  std::uint32_t choose_links(std::uint32_t row, std::uint32_t* links) const;
  std::uint32_t choose_links_of_copy(std::uint32_t row, std::uint32_t* links) const;
  std::vector<std::uint32_t> rank_second_neighbours(std::uint32_t row, const std::uint32_t* near, std::uint32_t near_count) const;
  std::uint32_t read_links(std::uint32_t row, std::uint32_t* links) const;

  const Kernels& kernels_;
  const Graph& graph_;
  GraphShape shape_;
  HnswlibElement element_;
  float factor_;
  /// One for each row; empty where no two rows are equal.
  std::vector<Copy> copies_;
  /// Rows of the upper levels, ascending, each once.
  std::vector<UpperRow> upper_rows_;
  std::uint64_t bytes_ = 0;
  /// The header is part 0, then come the elements, then the upper lists.
  std::uint64_t next_ = 0;
  /// The first of upper_rows_ whose lists are not written yet.
  std::size_t next_upper_ = 0;
};

}  // namespace shortlist
