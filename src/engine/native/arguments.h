// Checks the arguments from JavaScript before the core computes addresses from them. Takes values of any kind; gives
// numbers in range and arrays of the right type and length. Throws a TypeError that names the argument.
#pragma once
#include <napi.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/failure.h"
#include "core/graph_file.h"

namespace arguments {

/// As in src/base/limits.ts, except for the least degree, which tests go below.
constexpr double kMaxDim = 16384, kMaxRows = 4294967294.0, kMinDegree = 2, kMaxDegree = 128;
/// ef of a build or a search. The core lowers it to the number of rows.
constexpr double kMaxEffort = 4294967295.0;
/// No machine has as many cores: the number is a mistake.
constexpr double kMaxThreads = 1024;
constexpr double kMaxSafeInteger = 9007199254740991.0;

[[noreturn]] inline void refuse(Napi::Env env, const std::string& name, const std::string& expected) {
  throw Napi::TypeError::New(env, name + " is not " + expected);
}

inline std::string to_text(double number) { return std::to_string(static_cast<std::uint64_t>(number)); }

/// A whole number from `min` to `max`.
inline std::uint64_t whole(const Napi::Value& value, const char* name, double min, double max) {
  double number;  // read directly: a search of 10 us notices each call to Node
  if (napi_get_value_double(value.Env(), value, &number) == napi_ok && number >= min && number <= max &&
      std::trunc(number) == number) {
    return static_cast<std::uint64_t>(number);
  }
  refuse(value.Env(), name, "a whole number from " + to_text(min) + " to " + to_text(max));
}

inline std::uint64_t whole(const Napi::Object& object, const char* name, double min, double max) {
  return whole(object.Get(name), name, min, max);
}

/// A number above 0 that float32 holds.
inline float positive(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsNumber()) {
    const float number = value.As<Napi::Number>().FloatValue();
    if (number > 0 && std::isfinite(number)) return number;
  }
  refuse(object.Env(), name, "a number above 0");
}

inline Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) refuse(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

/// A path: text without NUL, where the system would end it.
inline std::string path(const Napi::Value& value, const char* name) {
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    if (text.find('\0') == std::string::npos) return text;
  }
  refuse(value.Env(), name, "a string without zeros");
}

inline Napi::Function function(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsFunction()) refuse(object.Env(), name, "a function");
  return value.As<Napi::Function>();
}

/// A typed array of exactly this type; node-addon-api would accept any.
template <typename Array>
Array array(const Napi::Value& value, const char* name, napi_typedarray_type type) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    refuse(value.Env(), name, "a typed array of the right type");
  }
  return value.As<Array>();
}

inline Napi::Float32Array floats(const Napi::Object& object, const char* name) {
  return array<Napi::Float32Array>(object.Get(name), name, napi_float32_array);
}

/// The words of a set of rows.
inline Napi::Uint32Array row_set(const Napi::Value& value, std::uint32_t count) {
  const auto words = array<Napi::Uint32Array>(value, "allow", napi_uint32_array);
  if (words.ElementLength() != (std::size_t{count} + 31) / 32) refuse(value.Env(), "allow", "a bit for each row");
  return words;
}

/// Rows of a set, ascending.
inline Napi::Uint32Array row_list(const Napi::Value& value, const char* name, std::uint32_t count) {
  const auto rows = array<Napi::Uint32Array>(value, name, napi_uint32_array);
  const std::uint32_t* row = rows.Data();
  const std::size_t length = rows.ElementLength();
  std::uint32_t wrong = length > 0 && row[length - 1] >= count ? 1 : 0;
  for (std::size_t i = 1; i < length; i++) wrong |= static_cast<std::uint32_t>(row[i - 1] >= row[i]);
  if (wrong != 0) refuse(value.Env(), name, "rows in ascending order");
  return rows;
}

template <typename Array>
void require_length(const Array& array, const char* name, std::uint64_t length) {
  if (array.ElementLength() != length) refuse(array.Env(), name, "of " + std::to_string(length) + " values");
}

/// NaN has no place in an order, and a sort with it may read anywhere.
inline void require_finite(const Napi::Env& env, const char* name, const float* values, std::size_t count) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  std::uint32_t wrong = 0;
  for (std::size_t i = 0; i < count; i++) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    wrong |= static_cast<std::uint32_t>((bits & kExponent) == kExponent);
  }
  if (wrong != 0) refuse(env, name, "finite");
}

inline shortlist::GraphShape shape(const Napi::Object& object) {
  return {static_cast<shortlist::Metric>(whole(object, "metric", 0, 2)),
          static_cast<std::uint32_t>(whole(object, "dim", 1, kMaxDim)),
          static_cast<std::uint32_t>(whole(object, "count", 0, kMaxRows)),
          static_cast<std::uint32_t>(whole(object, "m", kMinDegree, kMaxDegree)),
          static_cast<std::uint32_t>(whole(object, "efConstruction", 1, kMaxEffort))};
}

/// Memory of JavaScript that is used by address for longer than one call. It is kept alive, and a check before each
/// use detects that it was detached or resized. Shared memory can be neither detached nor shrunk.
class Pins {
 public:
  /// @return where the array's values are
  template <typename T>
  T* pin(Napi::TypedArrayOf<T> array) {
    const Napi::Value buffer = array.ArrayBuffer();
    if (!buffer.IsArrayBuffer()) {
      shared_.push_back(Napi::Persistent(buffer.As<Napi::Object>()));
      return array.Data();
    }
    Napi::ArrayBuffer memory = buffer.As<Napi::ArrayBuffer>();
    const Pin found{memory.Data(), memory.ByteLength(), {}};
    bool known = false;
    for (const Pin& pin : pins_) known = known || (pin.data == found.data && pin.bytes == found.bytes);
    if (!known) pins_.push_back({found.data, found.bytes, Napi::Persistent(memory.As<Napi::Object>())});
    return array.Data();
  }

  /// @throws Failure if the memory has changed
  void check(Napi::Env env) const {
    for (const Pin& pin : pins_) {
      void* data = nullptr;
      std::size_t bytes = 0;
      const napi_status status = napi_get_arraybuffer_info(env, pin.buffer.Value(), &data, &bytes);
      if (status != napi_ok || data != pin.data || bytes != pin.bytes) {
        throw shortlist::Failure("internal", "memory that the engine uses was detached or resized");
      }
    }
  }

  void clear() {
    pins_.clear();
    shared_.clear();
  }

 private:
  struct Pin {
    void* data;
    std::size_t bytes;
    Napi::ObjectReference buffer;
  };
  std::vector<Pin> pins_;
  std::vector<Napi::ObjectReference> shared_;
};

}  // namespace arguments
