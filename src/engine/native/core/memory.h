// Large memory: zeroed pages for codes and links, and mapped files.
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
  T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
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

/// Who may write to a mapping. JavaScript has no read-only typed array, and its write to a read-only page would end
/// the process (SIGSEGV). So its mappings are copy-on-write: a stray write copies the page for this process and
/// reaches neither the file nor another process.
enum class MapAccess { read_only, copy_on_write };

/// A whole mapped file. Processes that map it share its pages. Throws file_missing, insufficient_memory, io_error. If
/// a file is cut short while it is mapped, the next read of a lost page ends the process (SIGBUS). Versions are
/// sealed, and shortlist never shortens a file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, MapAccess access = MapAccess::read_only);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::uint8_t* data() const { return static_cast<const std::uint8_t*>(data_); }
  std::size_t bytes() const { return bytes_; }
  /// The same bytes for JavaScript. Throws internal if the mapping is read-only.
  std::uint8_t* writable() const;

 private:
  const MapAccess access_;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace shortlist
