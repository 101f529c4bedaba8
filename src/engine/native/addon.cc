// The glue between Node and the core: reads arguments (arguments.h), calls the core and turns failures into errors
// with a code. Wrong arguments are a TypeError without a code.
//
//   isa()                              name of the instruction set in use
//   build(options)                     blocks; see addon.ts for the fields
//   lastRows(options)                  the rows that entered a graph last
//   check(path, shape)                 a promise: reads the whole file
//   map(path, offset, bytes)           a part of a file as an ArrayBuffer
//   new ScanPool(threads)              exact search on threads
//     .scan(options)                   a promise
//   new Shard(options)                 one open graph
//     .search(k, ef, allow, allowed, plan, maxScanned, allowList)
//                                      synchronous; query, rows and scores in buffers that are shared once
//     .searchLater(..., query)         the same on another thread: a promise
//     .verify()                        blocks; compares all of the graph with the rows
//   new HnswlibExport(options)         a graph as hnswlib's file
//     .read(block)                     fills a Uint8Array; the number of bytes, 0 at the end
#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "background.h"
#include "core/points.h"
#include "export_object.h"
#include "glue.h"
#include "mapped_memory.h"
#include "scan_pool_object.h"
#include "shard_object.h"

namespace addon {
namespace {

Napi::Value isa(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), kernels().name); });
}

Napi::Value build(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const Napi::Object options = arguments::object(info[0], "options");
    const shortlist::GraphShape shape = arguments::shape(options);
    const RowMemory memory = read_row_memory(options, shape.count, shape.dim);
    const Napi::Function progress = arguments::function(options, "progress");
    const std::string path = arguments::path(options.Get("path"), "path");
    shortlist::BuildOptions build_options;
    build_options.threads = arguments::whole(options, "threads", 1, arguments::kMaxThreads);
    build_options.progress = [&](std::uint64_t rows) {
      const bool goes_on = progress.Call({Napi::Number::New(env, static_cast<double>(rows))}).ToBoolean().Value();
      memory.pins.check(env);
      return goes_on;
    };
    const std::uint64_t seed = arguments::whole(options, "seed", 0, arguments::kMaxSafeInteger);
    memory.pins.check(env);  // reading an option may run code
    const shortlist::BuiltGraph built =
        shortlist::build_graph(kernels(), {memory.values, shape.count, shape.dim, shape.metric},
                               {shape.m, shape.ef_construction, seed}, build_options);
    const std::uint64_t bytes = shortlist::write_graph(path, built);
    Napi::Object result = figures_object(env, built.figures, built.kind);
    result.Set("bytes", Napi::Number::New(env, static_cast<double>(bytes)));
    return Napi::Value(result);
  });
}

/// lastRows({count, m, seed, size}): the latest first.
Napi::Value last_rows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const Napi::Object options = arguments::object(info[0], "options");
    const auto count = static_cast<std::uint32_t>(arguments::whole(options, "count", 0, arguments::kMaxRows));
    const auto m = static_cast<std::uint32_t>(
        arguments::whole(options, "m", arguments::kMinDegree, arguments::kMaxDegree));
    const std::uint64_t seed = arguments::whole(options, "seed", 0, arguments::kMaxSafeInteger);
    const std::size_t size = arguments::whole(options, "size", 0, arguments::kMaxRows);
    const std::vector<std::uint32_t> rows = shortlist::last_points(count, {m, 0, seed}, size);
    Napi::Uint32Array result = Napi::Uint32Array::New(env, rows.size());
    std::copy(rows.begin(), rows.end(), result.Data());
    return Napi::Value(result);
  });
}

Napi::Value check(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const std::string path = arguments::path(info[0], "path");
    const shortlist::GraphShape shape = arguments::shape(arguments::object(info[1], "shape"));
    return Background::of(env).checks.start(env, path, shape);
  });
}

/// A part of a file that an ArrayBuffer exposes.
struct ExposedFile {
  std::shared_ptr<shortlist::MappedFile> file;
  std::uint8_t* data;

  ExposedFile(std::shared_ptr<shortlist::MappedFile> mapped, std::uint64_t offset, std::uint64_t bytes)
      : file(std::move(mapped)), data(file->writable() + offset) {
    MappedMemory::of_process().add(data, bytes, file);
  }
  ~ExposedFile() { MappedMemory::of_process().remove(data); }
  ExposedFile(const ExposedFile&) = delete;
  ExposedFile& operator=(const ExposedFile&) = delete;
};

/// Exposes a part of a file as an ArrayBuffer. Node 20 has none above 4 GiB; then it frees the memory itself and
/// returns a failure.
Napi::Value expose(Napi::Env env, const std::string& path, std::shared_ptr<shortlist::MappedFile> file,
                   std::uint64_t offset, std::uint64_t bytes) {
  auto exposed = std::make_unique<ExposedFile>(std::move(file), offset, bytes);
  void* const data = exposed->data;
  napi_value buffer;
  const auto free_file = [](napi_env, void*, void* mapped) { delete static_cast<ExposedFile*>(mapped); };
  if (napi_create_external_arraybuffer(env, data, bytes, free_file, exposed.release(), &buffer) == napi_ok) {
    return Napi::Value(env, buffer);
  }
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  throw Failure("insufficient_memory", path + " has " + std::to_string(bytes) +
                                           " bytes of vectors, more than this release of Node maps at once; build the "
                                           "index with more shards, or use a later release");
}

/// map(path, offset, bytes): a part of a file as an ArrayBuffer, which keeps the mapping alive.
Napi::Value map_file(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::string path = arguments::path(info[0], "path");
    const std::uint64_t offset = arguments::whole(info[1], "offset", 0, arguments::kMaxSafeInteger);
    const std::uint64_t bytes = arguments::whole(info[2], "bytes", 0, arguments::kMaxSafeInteger);
    auto file = std::make_shared<shortlist::MappedFile>(path, shortlist::MapAccess::copy_on_write);
    if (offset > file->bytes() || bytes > file->bytes() - offset) {
      throw Failure("file_corrupt", path + " ends before its last row; restore the file or build the version again");
    }
    if (bytes == 0) return Napi::Value(Napi::ArrayBuffer::New(info.Env(), 0));
    return expose(info.Env(), path, std::move(file), offset, bytes);
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("isa", Napi::Function::New<isa>(env));
  exports.Set("build", Napi::Function::New<build>(env));
  exports.Set("lastRows", Napi::Function::New<last_rows>(env));
  exports.Set("check", Napi::Function::New<check>(env));
  exports.Set("map", Napi::Function::New<map_file>(env));
  exports.Set("ScanPool", ScanPool::define(env));
  exports.Set("Shard", Shard::define(env));
  exports.Set("HnswlibExport", HnswlibExport::define(env));
  return exports;
}

}  // namespace
}  // namespace addon

static Napi::Object start(Napi::Env env, Napi::Object exports) { return addon::init(env, exports); }

NODE_API_MODULE(shortlist_native, start)
