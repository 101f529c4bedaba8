#include "memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace shortlist {

Failure system_failure(const std::string& action, const std::string& path, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  const char* code = full ? "disk_full" : error_number == ENOENT && action != "write" ? "file_missing" : "io_error";
  return Failure(code, "cannot " + action + " " + path + ": " +
                           (full ? "no space left; free some and try again" : std::strerror(error_number)));
}

Pages::Pages(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw Failure("insufficient_memory", "this process cannot allocate " + std::to_string(bytes) + " bytes of memory");
  }
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  data_ = memory;
}

Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

MappedFile::MappedFile(const std::string& path, MapAccess access) : access_(access) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw system_failure("open", path, errno);
  struct stat status;
  if (fstat(file, &status) != 0) {
    const int error_number = errno;
    close(file);
    throw system_failure("open", path, error_number);
  }
  if (!S_ISREG(status.st_mode)) {
    close(file);
    throw Failure("file_corrupt", path + " is not a regular file");
  }
  bytes_ = static_cast<std::size_t>(status.st_size);
  if (bytes_ > 0) {
    const int protection = access == MapAccess::copy_on_write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* memory = mmap(nullptr, bytes_, protection, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    if (memory == MAP_FAILED) {
      const int error_number = errno;
      close(file);
      if (error_number == ENOMEM) {
        throw Failure("insufficient_memory", path + " has " + std::to_string(bytes_) +
                                                 " bytes, more than this process may map; raise its limit (ulimit -v)");
      }
      throw system_failure("map", path, error_number);
    }
    data_ = memory;
  }
  close(file);
}

std::uint8_t* MappedFile::writable() const {
  if (access_ != MapAccess::copy_on_write) throw Failure("internal", "a read-only mapping cannot be written");
  return static_cast<std::uint8_t*>(data_);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace shortlist
