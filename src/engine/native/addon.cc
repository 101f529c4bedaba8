// The glue between Node and the core: reads arguments, calls, turns failures into errors with a code. No logic lives here.
//
//   isa()                              name of the instruction set that runs
//   build(options)                     blocks; see native.ts for the fields
//   check(path, shape)                 a promise: reads the whole file
//   map(path, offset, bytes)           a part of a file as an ArrayBuffer
//   new ScanPool(threads)              exact search on threads
//     .scan(options)                   a promise
//   new Shard(options)                 one open graph
//     .search(k, ef, allow, allowed)   query in, rows and scores out through buffers that are shared once; synchronous
//   new HnswlibExport(options)         a graph as hnswlib's file
//     .read(block)                     fills a Uint8Array; how many bytes, 0 at the end
#include <napi.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

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
  }
}

std::uint32_t get_uint(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Uint32Value();
}

std::string get_string(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::String>().Utf8Value();
}

shortlist::GraphShape read_shape(const Napi::Object& object) {
  return {static_cast<shortlist::Metric>(get_uint(object, "metric")), get_uint(object, "dim"),
          get_uint(object, "count"), get_uint(object, "m"), get_uint(object, "efConstruction")};
}

/// Where the float32 rows of a shard lie: in memory of JavaScript, or in a file that is mapped.
struct RowMemory {
  Napi::ObjectReference held;
  std::shared_ptr<shortlist::MappedFile> file;
  const float* values = nullptr;
};

RowMemory read_row_memory(const Napi::Object& options, std::uint32_t count, std::uint32_t dim) {
  RowMemory memory;
  const std::uint64_t bytes = std::uint64_t{4} * count * dim;
  const Napi::Value values = options.Get("values");
  if (values.IsTypedArray()) {
    const Napi::Float32Array array = values.As<Napi::Float32Array>();
    if (array.ByteLength() != bytes) throw Failure("internal", "values are not count x dim");
    memory.held = Napi::Persistent(values.As<Napi::Object>());
    memory.values = array.Data();
    return memory;
  }
  const std::string path = get_string(options, "vectorsPath");
  const std::uint64_t offset = static_cast<std::uint64_t>(options.Get("vectorsOffset").As<Napi::Number>().Int64Value());
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
  object.Set("codeBits", Napi::Number::New(env, kind == shortlist::CodeKind::bits7 ? 7 : 32));
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
    const Napi::Object options = info[0].As<Napi::Object>();
    const shortlist::GraphShape shape = read_shape(options);
    const RowMemory memory = read_row_memory(options, shape.count, shape.dim);
    const Napi::Function progress = options.Get("progress").As<Napi::Function>();
    shortlist::BuildOptions build_options;
    build_options.threads = get_uint(options, "threads");
    build_options.progress = [&](std::uint64_t rows) {
      return progress.Call({Napi::Number::New(env, static_cast<double>(rows))}).ToBoolean().Value();
    };
    const std::uint64_t seed = static_cast<std::uint64_t>(options.Get("seed").As<Napi::Number>().Int64Value());
    const shortlist::BuiltGraph built =
        shortlist::build_graph(kernels(), {memory.values, shape.count, shape.dim, shape.metric},
                               {shape.m, shape.ef_construction, seed}, build_options);
    const std::uint64_t bytes = shortlist::write_graph(get_string(options, "path"), built);
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
  auto* work = new CheckWork(info.Env(), info[0].As<Napi::String>().Utf8Value(), read_shape(info[1].As<Napi::Object>()));
  return work->start();
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
      pool_ = std::make_unique<shortlist::ScanPool>(kernels(), info[0].As<Napi::Number>().Uint32Value());
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
      if (!pool_) throw Failure("internal", "a scan on a closed pool");
      const Napi::Object options = info[0].As<Napi::Object>();
      auto job = std::make_unique<shortlist::ScanJob>();
      const Napi::Float32Array values = options.Get("values").As<Napi::Float32Array>();
      job->rows = {values.Data(), get_uint(options, "count"), get_uint(options, "dim"),
                   static_cast<shortlist::Metric>(get_uint(options, "metric"))};
      if (values.ElementLength() != std::uint64_t{job->rows.count} * job->rows.dim) {
        throw Failure("internal", "values are not count x dim");
      }
      const Napi::Float32Array queries = options.Get("queries").As<Napi::Float32Array>();
      job->queries.assign(queries.Data(), queries.Data() + queries.ElementLength());
      job->k = get_uint(options, "k");
      const Napi::Value allow = options.Get("allow");
      if (allow.IsTypedArray()) {
        const Napi::Uint32Array words = allow.As<Napi::Uint32Array>();
        job->allow.assign(words.Data(), words.Data() + words.ElementLength());
        job->filtered = true;
      }
      auto* pending = new Pending{Napi::Promise::Deferred::New(env), Napi::Persistent(values.As<Napi::Object>()),
                                  Napi::Persistent(options.Get("cancel").As<Napi::Object>()), {}, false, {}};
      // JavaScript sets the flag with Atomics.store.
      const auto* flag = reinterpret_cast<const std::atomic<std::int32_t>*>(
          options.Get("cancel").As<Napi::Int32Array>().Data());
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
      pool_->submit(std::move(job));
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

/// map(path, offset, bytes): a part of a file as an ArrayBuffer, which keeps the mapping alive by itself.
Napi::Value map_file(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::string path = info[0].As<Napi::String>().Utf8Value();
    const std::uint64_t offset = static_cast<std::uint64_t>(info[1].As<Napi::Number>().Int64Value());
    const std::uint64_t bytes = static_cast<std::uint64_t>(info[2].As<Napi::Number>().Int64Value());
    auto file = std::make_unique<shortlist::MappedFile>(path);
    if (offset > file->bytes() || bytes > file->bytes() - offset) {
      throw Failure("file_corrupt", path + " ends before its last row; restore the file or build the version again");
    }
    if (bytes == 0) return Napi::ArrayBuffer::New(info.Env(), 0);
    void* const data = const_cast<std::uint8_t*>(file->data()) + offset;
    return Napi::ArrayBuffer::New(
        info.Env(), data, bytes, [](Napi::Env, void*, shortlist::MappedFile* mapped) { delete mapped; }, file.release());
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
      const Napi::Object options = info[0].As<Napi::Object>();
      const shortlist::GraphShape shape = read_shape(options);
      memory_ = read_row_memory(options, shape.count, shape.dim);
      const shortlist::Rows rows{memory_.values, shape.count, shape.dim, shape.metric};
      file_ = std::make_unique<shortlist::GraphFile>(get_string(options, "path"), shape);
      file_->match_rows(kernels(), rows);
      graph_ = file_->view(rows);
      searcher_ = std::make_unique<shortlist::Searcher>(kernels(), graph_);
      query_ = hold<Napi::Float32Array>(options, "query").Data();
      Napi::Uint32Array found = hold<Napi::Uint32Array>(options, "foundRows");
      capacity_ = found.ElementLength();
      found_rows_ = found.Data();
      found_scores_ = hold<Napi::Float32Array>(options, "foundScores").Data();
      counters_ = hold<Napi::Float64Array>(options, "counters").Data();
    });
  }

 private:
  /// A buffer of JavaScript that stays where it is as long as this object holds it.
  template <typename Array>
  Array hold(const Napi::Object& options, const char* name) {
    Array array = options.Get(name).As<Array>();
    held_.push_back(Napi::Persistent(array.template As<Napi::Object>()));
    return array;
  }

  /// search(k, ef, allow | undefined, allowed): 2 * found rows, plus 1 where they came from a scan.
  Napi::Value search(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      if (!searcher_) throw Failure("internal", "search of a closed index");
      shortlist::SearchRequest request{query_, info[0].As<Napi::Number>().Uint32Value(),
                                       info[1].As<Napi::Number>().Uint32Value()};
      request.allowed = graph_.rows.count;
      shortlist::RowSet allow{};
      if (info[2].IsTypedArray()) {
        allow.words = info[2].As<Napi::Uint32Array>().Data();
        request.allow = &allow;
        request.allowed = info[3].As<Napi::Number>().Uint32Value();
      }
      const shortlist::Path path = searcher_->search(request);
      const std::vector<shortlist::Hit>& hits = searcher_->hits();
      if (hits.size() > capacity_) throw Failure("internal", "more rows than the buffers hold");
      for (std::size_t i = 0; i < hits.size(); i++) {
        found_rows_[i] = hits[i].row;
        found_scores_[i] = hits[i].score;
      }
      counters_[0] = static_cast<double>(searcher_->visited());
      counters_[1] = static_cast<double>(searcher_->computed());
      return Napi::Number::New(info.Env(), static_cast<double>(2 * hits.size() + (path == shortlist::Path::exact ? 1 : 0)));
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
    held_.clear();
  }

  RowMemory memory_;
  std::unique_ptr<shortlist::GraphFile> file_;
  shortlist::Graph graph_{};
  std::unique_ptr<shortlist::Searcher> searcher_;
  std::vector<Napi::ObjectReference> held_;
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
      const Napi::Object options = info[0].As<Napi::Object>();
      const shortlist::GraphShape shape = read_shape(options);
      memory_ = read_row_memory(options, shape.count, shape.dim);
      const shortlist::Rows rows{memory_.values, shape.count, shape.dim, shape.metric};
      file_ = std::make_unique<shortlist::GraphFile>(get_string(options, "path"), shape);
      file_->match_rows(kernels(), rows);
      graph_ = file_->view(rows);
      const float factor = options.Get("factor").As<Napi::Number>().FloatValue();
      export_ = std::make_unique<shortlist::HnswlibExport>(graph_, shape, factor);
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
      if (!info[0].IsTypedArray()) throw Napi::TypeError::New(info.Env(), "read takes a Uint8Array");
      Napi::Uint8Array block = info[0].As<Napi::Uint8Array>();
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
