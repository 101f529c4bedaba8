// Parts of files that JavaScript has as ArrayBuffers, and their other readers.
//
// An ArrayBuffer frees its memory when it is collected and when its thread of JavaScript ends, before other threads
// that read it can be stopped. So a mapping has several owners, and each other reader is one.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/memory.h"

namespace addon {

/// One for the process, since its threads of JavaScript share memory.
class MappedMemory {
 public:
  static MappedMemory& of_process() {
    static MappedMemory memory;
    return memory;
  }

  /// Records that this memory belongs to the file.
  void add(const std::uint8_t* data, std::uint64_t bytes, const std::shared_ptr<shortlist::MappedFile>& file) {
    std::lock_guard<std::mutex> lock(mutex_);
    parts_[data] = {bytes, file};
  }

  /// @return the owner of memory in a mapped file; null for other memory, which JavaScript keeps alive
  std::shared_ptr<shortlist::MappedFile> owner(const void* data) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto* const at = static_cast<const std::uint8_t*>(data);
    auto part = parts_.upper_bound(at);
    if (part == parts_.begin()) return nullptr;
    --part;
    return std::less<>()(at, part->first + part->second.bytes) ? part->second.file.lock() : nullptr;
  }

  /// Call it before the mapping goes, since other memory may soon have its addresses.
  void remove(const std::uint8_t* data) {
    std::lock_guard<std::mutex> lock(mutex_);
    parts_.erase(data);
  }

 private:
  struct Part {
    std::uint64_t bytes = 0;
    std::weak_ptr<shortlist::MappedFile> file;
  };

  std::mutex mutex_;
  std::map<const std::uint8_t*, Part, std::less<>> parts_;
};

}  // namespace addon
