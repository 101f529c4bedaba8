// The glue between Node and the core: reads arguments (arguments.h), calls, turns failures into errors with a code. No logic
// lives here. Wrong arguments are a TypeError without a code.
//
//   isa()                              name of the instruction set that runs
//   build(options)                     blocks; see native.ts for the fields
//   check(path, shape)                 a promise: reads the whole file
//   map(path, offset, bytes)           a part of a file as an ArrayBuffer
//   new ScanPool(threads)              exact search on threads
//     .scan(options)                   a promise
//   new Shard(options)                 one open graph
//     .search(k, ef, allow, allowed, plan, mostScanned, allowList)   query in, rows and scores out through buffers that are shared once; synchronous
//   new HnswlibExport(options)         a graph as hnswlib's file
//     .read(block)                     fills a Uint8Array; how many bytes, 0 at the end
#include <napi.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "core/build.h"
#include "core/export_hnswlib.h"
#include "core/failure.h"
#include "core/graph_file.h"
#include "core/kernels.h"
#include "core/memory.h"
#include "core/scan_pool.h"
#include "core/search.h"

namespace {

using shortlist::Failure;

/// Numbers in a search's account: counters of addon.ts.
constexpr std::size_t kAccountNumbers = 8;

const shortlist::Kernels& kernels() {
  static const shortlist::Kernels& chosen = shortlist::choose_kernels();
  return chosen;
}

Napi::Error to_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

/// Runs `work`; what it throws leaves as an error of JavaScript with a code.
template <typename Work>
auto guarded(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const Failure& failure) {
    throw to_error(env, failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    throw to_error(env, "insufficient_memory", "this process does not get the memory that the engine asks for");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& other) {  // a system that gives no thread, a length that no vector can have
    throw to_error(env, "internal", other.what());
  }
}

/// Where the float32 rows of a shard lie: in memory of JavaScript, or in a file that is mapped.
struct RowMemory {
  arguments::Pins pins;
  std::shared_ptr<shortlist::MappedFile> file;
  const float* values = nullptr;
};

RowMemory read_row_memory(const Napi::Object& options, std::uint32_t count, std::uint32_t dim) {
  RowMemory memory;
  const std::uint64_t bytes = std::uint64_t{4} * count * dim;
  const Napi::Value values = options.Get("values");
  if (!values.IsUndefined()) {
    const Napi::Float32Array array = arguments::floats(options, "values");
    arguments::require_length(array, "values", bytes / 4);
    memory.values = memory.pins.pin(array);
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

Napi::Value isa(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), kernels().name); });
}

Napi::Object figures_object(Napi::Env env, const shortlist::BuildFigures& figures, shortlist::CodeKind kind) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("codeBits", Napi::Number::New(env, kind == shortlist::CodeKind::float32 ? 32 : static_cast<double>(kind)));
  object.Set("codeRecall", Napi::Number::New(env, figures.code_recall));
  object.Set("traversalRecall", Napi::Number::New(env, figures.traversal_recall));
  object.Set("equalRows", Napi::Number::New(env, static_cast<double>(figures.equal_rows)));
  object.Set("unreachable", Napi::Number::New(env, static_cast<double>(figures.unreachable)));
  object.Set("unfound", Napi::Number::New(env, static_cast<double>(figures.unfound)));
  return object;
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

/// A promise kept by work on another thread.
class PromiseWork : public Napi::AsyncWorker {
 public:
  explicit PromiseWork(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise start() {
    Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  virtual void work() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  void Execute() override {
    try {
      work();
    } catch (const Failure& failure) {
      fail(failure.code(), failure.what());
    } catch (const std::bad_alloc&) {
      fail("insufficient_memory", "this process does not get the memory that the engine asks for");
    } catch (const std::exception& other) {
      fail("internal", other.what());
    }
  }
  void OnOK() override { deferred_.Resolve(result(Env())); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(to_error(Env(), code_, error.Message()).Value()); }
  void fail(const std::string& code, const std::string& message) {
    code_ = code;
    SetError(message);
  }

  Napi::Promise::Deferred deferred_;
  std::string code_;
};

class CheckWork final : public PromiseWork {
 public:
  CheckWork(Napi::Env env, std::string path, const shortlist::GraphShape& shape)
      : PromiseWork(env), path_(std::move(path)), shape_(shape) {}

 private:
  void work() override { shortlist::GraphFile(path_, shape_).verify(); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

  std::string path_;
  shortlist::GraphShape shape_;
};

Napi::Value check(const Napi::CallbackInfo& info) {
  const std::string path = arguments::path(info[0], "path");
  const shortlist::GraphShape shape = arguments::shape(arguments::object(info[1], "shape"));
  return (new CheckWork(info.Env(), path, shape))->start();
}

/// Threads for exact scans.
class ScanPool final : public Napi::ObjectWrap<ScanPool> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ScanPool",
                       {InstanceMethod<&ScanPool::scan>("scan"), InstanceMethod<&ScanPool::close>("close")});
  }

  explicit ScanPool(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ScanPool>(info) {
    guarded(info.Env(), [&] {
      pool_ = std::make_unique<shortlist::ScanPool>(kernels(), arguments::whole(info[0], "threads", 1, arguments::kMaxThreads));
    });
  }

 private:
  /// What a scan keeps alive on the side of JavaScript; ends on its thread.
  struct Pending {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference values, cancel;
    std::vector<std::vector<shortlist::Hit>> answers;
    bool cancelled = false;
    std::string failure;
  };

  Napi::Value scan(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      const auto metric = static_cast<shortlist::Metric>(arguments::whole(options, "metric", 0, 2));
      const auto dim = static_cast<std::uint32_t>(arguments::whole(options, "dim", 1, arguments::kMaxDim));
      const auto count = static_cast<std::uint32_t>(arguments::whole(options, "count", 0, arguments::kMaxRows));
      auto job = std::make_unique<shortlist::ScanJob>();
      job->k = std::min<std::uint64_t>(count, arguments::whole(options, "k", 1, arguments::kMaxSafeInteger));
      const Napi::Value allow = options.Get("allow");
      if (!allow.IsUndefined()) {
        const Napi::Uint32Array words = arguments::row_set(allow, count);
        job->allow.assign(words.Data(), words.Data() + words.ElementLength());
        job->filtered = true;
      }
      const Napi::Float32Array queries = arguments::floats(options, "queries");
      if (queries.ElementLength() % dim != 0) arguments::refuse(env, "queries", "of whole vectors");
      arguments::require_finite(env, "queries", queries.Data(), queries.ElementLength());
      job->queries.assign(queries.Data(), queries.Data() + queries.ElementLength());
      const auto cancel = arguments::array<Napi::Int32Array>(options.Get("cancel"), "cancel", napi_int32_array);
      if (cancel.ElementLength() < 1 || cancel.ArrayBuffer().IsArrayBuffer()) {
        arguments::refuse(env, "cancel", "a number in shared memory");
      }
      // The last one, since reading an option may run code. Threads read the values until the scan ends: where they lie in
      // memory that can be detached, it is the caller's word that it is not.
      const Napi::Float32Array values = arguments::floats(options, "values");
      arguments::require_length(values, "values", std::uint64_t{count} * dim);
      job->rows = {values.Data(), count, dim, metric};
      if (!pool_) throw Failure("internal", "a scan on a closed pool");
      auto pending_scan = std::make_unique<Pending>(Pending{Napi::Promise::Deferred::New(env),
                                                            Napi::Persistent(values.As<Napi::Object>()),
                                                            Napi::Persistent(cancel.As<Napi::Object>()), {}, false, {}});
      Pending* const pending = pending_scan.get();
      // JavaScript sets the flag with Atomics.store.
      const auto* flag = reinterpret_cast<const std::atomic<std::int32_t>*>(cancel.Data());
      job->is_cancelled = [flag] { return flag->load(std::memory_order_relaxed) != 0; };
      const auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
      Napi::ThreadSafeFunction settle = Napi::ThreadSafeFunction::New(env, nothing, "shortlist scan", 0, 1);
      job->done = [pending, settle](shortlist::ScanJob& ended) mutable {
        pending->answers = std::move(ended.answers);
        pending->cancelled = ended.cancelled;
        pending->failure = ended.failure;
        settle.NonBlockingCall(pending, [](Napi::Env on, Napi::Function, Pending* mine) { finish(on, mine); });
        settle.Release();
      };
      const Napi::Value promise = pending->deferred.Promise();
      try {
        pool_->submit(std::move(job));
      } catch (...) {
        settle.Release();
        throw;
      }
      pending_scan.release();  // its end frees it
      return promise;
    });
  }

  static void finish(Napi::Env env, Pending* pending) {
    const std::unique_ptr<Pending> mine(pending);
    if (mine->cancelled) {
      mine->deferred.Reject(to_error(env, "cancelled", "the scan was cancelled").Value());
    } else if (!mine->failure.empty()) {
      mine->deferred.Reject(to_error(env, "internal", mine->failure).Value());
    } else {
      mine->deferred.Resolve(to_array(env, mine->answers));
    }
  }

  static Napi::Array to_array(Napi::Env env, const std::vector<std::vector<shortlist::Hit>>& answers) {
    Napi::Array all = Napi::Array::New(env, answers.size());
    for (std::size_t q = 0; q < answers.size(); q++) {
      Napi::HandleScope scope(env);
      const std::vector<shortlist::Hit>& hits = answers[q];
      Napi::Uint32Array rows = Napi::Uint32Array::New(env, hits.size());
      Napi::Float32Array scores = Napi::Float32Array::New(env, hits.size());
      for (std::size_t i = 0; i < hits.size(); i++) {
        rows.Data()[i] = hits[i].row;
        scores.Data()[i] = hits[i].score;
      }
      Napi::Object answer = Napi::Object::New(env);
      answer.Set("rows", rows);
      answer.Set("scores", scores);
      all.Set(static_cast<std::uint32_t>(q), answer);
    }
    return all;
  }

  void close(const Napi::CallbackInfo&) { pool_.reset(); }

  std::unique_ptr<shortlist::ScanPool> pool_;
};

/// Memory of a file as an ArrayBuffer. Node 20 has none above 4 GiB; it then frees the memory itself, and says so by failing.
Napi::Value expose(Napi::Env env, const std::string& path, std::unique_ptr<shortlist::MappedFile> file,
                   std::uint64_t offset, std::uint64_t bytes) {
  void* const data = const_cast<std::uint8_t*>(file->data()) + offset;
  napi_value buffer;
  const auto free_file = [](napi_env, void*, void* mapped) { delete static_cast<shortlist::MappedFile*>(mapped); };
  if (napi_create_external_arraybuffer(env, data, bytes, free_file, file.release(), &buffer) == napi_ok) {
    return Napi::Value(env, buffer);
  }
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  throw Failure("insufficient_memory", path + " has " + std::to_string(bytes) +
                                           " bytes of vectors, more than this release of Node maps at once; build the "
                                           "index with more shards, or use a later release");
}

/// map(path, offset, bytes): a part of a file as an ArrayBuffer, which keeps the mapping alive by itself.
Napi::Value map_file(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::string path = arguments::path(info[0], "path");
    const std::uint64_t offset = arguments::whole(info[1], "offset", 0, arguments::kMaxSafeInteger);
    const std::uint64_t bytes = arguments::whole(info[2], "bytes", 0, arguments::kMaxSafeInteger);
    auto file = std::make_unique<shortlist::MappedFile>(path);
    if (offset > file->bytes() || bytes > file->bytes() - offset) {
      throw Failure("file_corrupt", path + " ends before its last row; restore the file or build the version again");
    }
    if (bytes == 0) return Napi::Value(Napi::ArrayBuffer::New(info.Env(), 0));
    return expose(info.Env(), path, std::move(file), offset, bytes);
  });
}

/// An open graph over its rows.
class Shard final : public Napi::ObjectWrap<Shard> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Shard",
                       {InstanceMethod<&Shard::search>("search"), InstanceMethod<&Shard::figures>("figures"),
                        InstanceMethod<&Shard::close>("close")});
  }

  explicit Shard(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Shard>(info) {
    guarded(info.Env(), [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      const shortlist::GraphShape shape = arguments::shape(options);
      memory_ = read_row_memory(options, shape.count, shape.dim);
      const shortlist::Rows rows{memory_.values, shape.count, shape.dim, shape.metric};
      file_ = std::make_unique<shortlist::GraphFile>(arguments::path(options.Get("path"), "path"), shape);
      memory_.pins.check(info.Env());  // reading an option may run code
      file_->match_rows(kernels(), rows);
      graph_ = file_->view(rows);
      searcher_ = std::make_unique<shortlist::Searcher>(kernels(), graph_);
      pin_buffers(options, shape.dim);
    });
  }

 private:
  void pin_buffers(const Napi::Object& options, std::uint32_t dim) {
    const Napi::Float32Array query = arguments::floats(options, "query");
    const auto rows = arguments::array<Napi::Uint32Array>(options.Get("foundRows"), "foundRows", napi_uint32_array);
    const Napi::Float32Array scores = arguments::floats(options, "foundScores");
    const auto counters = arguments::array<Napi::Float64Array>(options.Get("counters"), "counters", napi_float64_array);
    arguments::require_length(query, "query", dim);  // once all are read, since reading an option may run code
    arguments::require_length(scores, "foundScores", rows.ElementLength());
    arguments::require_length(counters, "counters", kAccountNumbers);
    capacity_ = rows.ElementLength();
    query_ = memory_.pins.pin(query);
    found_rows_ = memory_.pins.pin(rows);
    found_scores_ = memory_.pins.pin(scores);
    counters_ = memory_.pins.pin(counters);
  }

  /// search(k, ef, allow | undefined, allowed, plan, mostScanned, allowList | undefined): how many rows were found. The rest of the account is in the
  /// counters, in the order of Account in addon.ts.
  Napi::Value search(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      if (!searcher_) throw Failure("internal", "search of a closed index");
      const std::uint32_t count = graph_.rows.count;
      const std::size_t k = arguments::whole(info[0], "k", 0, static_cast<double>(capacity_));
      const std::size_t ef = std::min<std::uint64_t>(count, arguments::whole(info[1], "ef", 0, arguments::kMaxEffort));
      memory_.pins.check(info.Env());
      const std::uint32_t dim = graph_.rows.dim;
      arguments::require_finite(info.Env(), "query", query_, dim);
      shortlist::SearchRequest request{query_, k, ef};
      request.allowed = count;
      shortlist::RowSet allow{};
      if (!info[2].IsUndefined()) {
        allow.words = arguments::row_set(info[2], count).Data();
        request.allow = &allow;
        request.allowed = arguments::whole(info[3], "allowed", 0, count);
        if (!info[6].IsUndefined()) {
          const Napi::Uint32Array list = arguments::row_list(info[6], count);
          allow.list = list.Data();
          allow.listed = list.ElementLength();
        }
        request.plan = static_cast<shortlist::Plan>(arguments::whole(info[4], "plan", 0, shortlist::kPlanCount - 1));
      }
      request.most_scanned = arguments::whole(info[5], "mostScanned", 0, arguments::kMaxEffort);
      const shortlist::SearchAccount& account = searcher_->search(request);
      const std::vector<shortlist::Hit>& hits = searcher_->hits();
      if (hits.size() > capacity_) throw Failure("internal", "more rows than the buffers hold");
      for (std::size_t i = 0; i < hits.size(); i++) {
        found_rows_[i] = hits[i].row;
        found_scores_[i] = hits[i].score;
      }
      const double numbers[kAccountNumbers] = {
          static_cast<double>(account.visited), static_cast<double>(account.computed), static_cast<double>(account.plan),
          account.near_share, account.costs.widened, account.costs.two_hop, account.costs.code_scan,
          account.costs.exact_scan};
      std::copy(numbers, numbers + kAccountNumbers, counters_);
      return Napi::Number::New(info.Env(), static_cast<double>(hits.size()));
    });
  }

  Napi::Value figures(const Napi::CallbackInfo& info) {
    if (!file_) throw to_error(info.Env(), "internal", "figures of a closed index");
    return figures_object(info.Env(), file_->figures(), file_->kind());
  }

  void close(const Napi::CallbackInfo&) {
    searcher_.reset();
    graph_ = {};
    file_.reset();
    memory_ = {};
  }

  RowMemory memory_;
  std::unique_ptr<shortlist::GraphFile> file_;
  shortlist::Graph graph_{};
  std::unique_ptr<shortlist::Searcher> searcher_;
  float* query_ = nullptr;
  std::uint32_t* found_rows_ = nullptr;
  float* found_scores_ = nullptr;
  double* counters_ = nullptr;
  std::size_t capacity_ = 0;
};

/// A graph on its way into a file of hnswlib.
class HnswlibExport final : public Napi::ObjectWrap<HnswlibExport> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "HnswlibExport",
                       {InstanceMethod<&HnswlibExport::bytes>("bytes"), InstanceMethod<&HnswlibExport::read>("read"),
                        InstanceMethod<&HnswlibExport::close>("close")});
  }

  explicit HnswlibExport(const Napi::CallbackInfo& info) : Napi::ObjectWrap<HnswlibExport>(info) {
    guarded(info.Env(), [&] {
      const Napi::Object options = arguments::object(info[0], "options");
      const shortlist::GraphShape shape = arguments::shape(options);
      memory_ = read_row_memory(options, shape.count, shape.dim);
      const shortlist::Rows rows{memory_.values, shape.count, shape.dim, shape.metric};
      file_ = std::make_unique<shortlist::GraphFile>(arguments::path(options.Get("path"), "path"), shape);
      memory_.pins.check(info.Env());  // reading an option may run code
      file_->match_rows(kernels(), rows);
      graph_ = file_->view(rows);
      const float factor = arguments::positive(options, "factor");
      memory_.pins.check(info.Env());
      export_ = std::make_unique<shortlist::HnswlibExport>(kernels(), graph_, shape, factor);
    });
  }

 private:
  shortlist::HnswlibExport& exported() {
    if (!export_) throw Failure("internal", "use of a closed export");
    return *export_;
  }

  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return Napi::Number::New(info.Env(), static_cast<double>(exported().bytes())); });
  }

  Napi::Value read(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto block = arguments::array<Napi::Uint8Array>(info[0], "block", napi_uint8_array);
      memory_.pins.check(info.Env());
      return Napi::Number::New(info.Env(), static_cast<double>(exported().read(block.Data(), block.ByteLength())));
    });
  }

  void close(const Napi::CallbackInfo&) {
    export_.reset();
    graph_ = {};
    file_.reset();
    memory_ = {};
  }

  RowMemory memory_;
  std::unique_ptr<shortlist::GraphFile> file_;
  shortlist::Graph graph_{};
  std::unique_ptr<shortlist::HnswlibExport> export_;
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("isa", Napi::Function::New<isa>(env));
  exports.Set("build", Napi::Function::New<build>(env));
  exports.Set("check", Napi::Function::New<check>(env));
  exports.Set("map", Napi::Function::New<map_file>(env));
  exports.Set("ScanPool", ScanPool::define(env));
  exports.Set("Shard", Shard::define(env));
  exports.Set("HnswlibExport", HnswlibExport::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(shortlist_native, init)
