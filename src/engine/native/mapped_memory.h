// Parts of files that JavaScript has as ArrayBuffers, and whoever else reads them.
//
// An ArrayBuffer frees its memory when it is collected, and when its thread of JavaScript ends: then before anything
// else, before threads that read it can be told. So the mapping has several owners, and who reads it elsewhere is one
// of them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/memory.h"

namespace addon {

/// Of the process: threads of JavaScript share memory.
class MappedMemory {
 public:
  static MappedMemory& of_process() {
    static MappedMemory memory;
    return memory;
  }

  /// From now on this memory is known to lie in the file.
  void add(const std::uint8_t* data, std::uint64_t bytes, const std::shared_ptr<shortlist::MappedFile>& file) {
    std::lock_guard<std::mutex> lock(mutex_);
    parts_[data] = {bytes, file};
  }

  /// @return what keeps the memory, where it lies in a file that is mapped; else null, and JavaScript keeps it
  std::shared_ptr<shortlist::MappedFile> owner(const void* data) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto* const at = static_cast<const std::uint8_t*>(data);
    auto part = parts_.upper_bound(at);
    if (part == parts_.begin()) return nullptr;
    --part;
    return std::less<>()(at, part->first + part->second.bytes) ? part->second.file.lock() : nullptr;
  }

  /// Before the mapping goes: its addresses may be those of other memory soon.
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
