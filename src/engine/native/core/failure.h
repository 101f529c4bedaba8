// What the core throws: a code of the project's error table and one sentence. The addon turns it into {code, message}.
#pragma once
#include <stdexcept>
#include <string>

namespace shortlist {

class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

/// An error of the operating system from `action` on `path`: disk_full, file_missing or io_error.
Failure system_failure(const std::string& action, const std::string& path, int error_number);

}  // namespace shortlist
