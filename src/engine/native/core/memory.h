// Memory in bulk: zeroed pages for codes and links, and files mapped into memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace shortlist {

/// Zeroed memory, page-aligned. Throws insufficient_memory.
class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes);
  ~Pages();
  Pages(Pages&& other) noexcept { swap(other); }
  Pages& operator=(Pages&& other) noexcept {
    swap(other);
    return *this;
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(Pages& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A whole file, mapped for reading. Its pages are shared with every process that maps it; writes to them stay
/// private, so that a stray one changes no file. Throws file_missing, insufficient_memory, io_error. A file that is
/// cut short while it is mapped ends the process at the next touch of a page that is gone (SIGBUS): versions are
/// sealed, and nothing of ours shortens a file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace shortlist
