// Shared by the parts of the addon: the chosen kernels, failures as errors of JavaScript, the rows of a shard, and a
// graph opened over them.
#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "arguments.h"
#include "core/build.h"
#include "core/failure.h"
#include "core/graph_file.h"
#include "core/kernels.h"
#include "core/memory.h"
#include "mapped_memory.h"

namespace addon {

using shortlist::Failure;

inline const shortlist::Kernels& kernels() {
  static const shortlist::Kernels& chosen = shortlist::choose_kernels();
  return chosen;
}

inline Napi::Error to_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

/// Runs `work` and turns what it throws into an error of JavaScript with a code.
template <typename Work>
auto guarded(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const Failure& failure) {
    throw to_error(env, failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    throw to_error(env, "insufficient_memory", "this process cannot allocate the memory that the engine needs");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& other) {  // a system that gives no thread, a length that no vector can have
    throw to_error(env, "internal", other.what());
  }
}

/// The float32 rows of a shard: in memory of JavaScript, in a mapped file, or both.
struct RowMemory {
  arguments::Pins pins;
  std::shared_ptr<shortlist::MappedFile> file;
  const float* values = nullptr;
};

inline RowMemory read_row_memory(const Napi::Object& options, std::uint32_t count, std::uint32_t dim) {
  RowMemory memory;
  const std::uint64_t bytes = std::uint64_t{4} * count * dim;
  const Napi::Value values = options.Get("values");
  if (!values.IsUndefined()) {
    const Napi::Float32Array array = arguments::floats(options, "values");
    arguments::require_length(array, "values", bytes / 4);
    memory.values = memory.pins.pin(array);
    memory.file = MappedMemory::of_process().owner(memory.values);
    return memory;
  }
  const std::string path = arguments::path(options.Get("vectorsPath"), "vectorsPath");
  const std::uint64_t offset = arguments::whole(options, "vectorsOffset", 0, arguments::kMaxSafeInteger);
  memory.file = std::make_shared<shortlist::MappedFile>(path);
  if (offset % 4 != 0 || offset > memory.file->bytes() || bytes > memory.file->bytes() - offset) {
    throw Failure("file_corrupt", path + " ends before its last row; restore the file or build the version again");
  }
  memory.values = reinterpret_cast<const float*>(memory.file->data() + offset);
  return memory;
}

/// A graph and its rows. Assigning an empty one closes it.
struct OpenGraph {
  RowMemory memory;
  std::unique_ptr<shortlist::GraphFile> file;
  shortlist::Graph graph{};
  shortlist::GraphShape shape{};
};

inline OpenGraph open_graph(Napi::Env env, const Napi::Object& options) {
  OpenGraph open;
  open.shape = arguments::shape(options);
  const shortlist::GraphShape& shape = open.shape;
  open.memory = read_row_memory(options, shape.count, shape.dim);
  const shortlist::Rows rows{open.memory.values, shape.count, shape.dim, shape.metric};
  open.file = std::make_unique<shortlist::GraphFile>(arguments::path(options.Get("path"), "path"), shape);
  open.memory.pins.check(env);  // reading an option may run code
  open.file->match_rows(kernels(), rows);
  open.graph = open.file->view(rows);
  return open;
}

inline Napi::Object figures_object(Napi::Env env, const shortlist::BuildFigures& figures, shortlist::CodeKind kind) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("codeBits", Napi::Number::New(env, kind == shortlist::CodeKind::float32 ? 32 : static_cast<double>(kind)));
  object.Set("codeRecall", Napi::Number::New(env, figures.code_recall));
  object.Set("traversalRecall", Napi::Number::New(env, figures.traversal_recall));
  object.Set("equalRows", Napi::Number::New(env, static_cast<double>(figures.equal_rows)));
  object.Set("unreachable", Napi::Number::New(env, static_cast<double>(figures.unreachable)));
  object.Set("unfound", Napi::Number::New(env, static_cast<double>(figures.unfound)));
  return object;
}

}  // namespace addon
