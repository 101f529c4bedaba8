// The object of JavaScript for exact search on own threads.
#pragma once
#include <napi.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/scan_pool.h"
#include "glue.h"
#include "inbox.h"
#include "mapped_memory.h"

namespace addon {

class ScanPool final : public Napi::ObjectWrap<ScanPool> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ScanPool",
                       {InstanceMethod<&ScanPool::scan>("scan"), InstanceMethod<&ScanPool::close>("close")});
  }

  explicit ScanPool(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ScanPool>(info) {
    guarded(info.Env(), [&] {
      const std::size_t threads = arguments::whole(info[0], "threads", 1, arguments::kMaxThreads);
      inbox_ = std::make_unique<Inbox>(info.Env(), [this] { pool_.reset(); });
      pool_ = std::make_unique<shortlist::ScanPool>(kernels(), threads);
    });
  }
  ~ScanPool() override { pool_.reset(); }

 private:
  /// The part of a scan on the thread of JavaScript: the objects that it keeps alive, its pool included, and its
  /// result.
  class Scan final : public Promised {
   public:
    Scan(Napi::Env env, const Napi::Object& pool, const Napi::Object& values, const Napi::Object& cancel)
        : Promised(env),
          pool_(Napi::Persistent(pool)),
          values_(Napi::Persistent(values)),
          cancel_(Napi::Persistent(cancel)),
          file_(MappedMemory::of_process().owner(values.As<Napi::Float32Array>().Data())) {}

    void end(shortlist::ScanJob& job) {
      answers_ = std::move(job.answers);
      cancelled_ = job.cancelled;
      failure_ = job.failure;
    }

   private:
    Napi::Value result(Napi::Env env) override {
      if (cancelled_) throw to_error(env, "cancelled", "the scan was cancelled");
      if (!failure_.empty()) throw to_error(env, "internal", failure_);
      return to_array(env, answers_);
    }

    Napi::ObjectReference pool_, values_, cancel_;
    /// The mapped file of the values, if there is one.
    std::shared_ptr<shortlist::MappedFile> file_;
    std::vector<std::vector<shortlist::Hit>> answers_;
    bool cancelled_ = false;
    std::string failure_;
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
      // Read last, since reading an option may run code. Threads read the values until the scan ends; the caller must
      // not detach them.
      const Napi::Float32Array values = arguments::floats(options, "values");
      arguments::require_length(values, "values", std::uint64_t{count} * dim);
      job->rows = {values.Data(), count, dim, metric};
      if (!pool_) throw Failure("internal", "a scan on a closed pool");
      auto scan = std::make_unique<Scan>(env, info.This().As<Napi::Object>(), values.As<Napi::Object>(), cancel.As<Napi::Object>());
      const Napi::Value promise = scan->promise(env);
      // JavaScript sets the flag with Atomics.store.
      const auto* flag = reinterpret_cast<const std::atomic<std::int32_t>*>(cancel.Data());
      job->is_cancelled = [flag] { return flag->load(std::memory_order_relaxed) != 0; };
      job->done = [inbox = inbox_.get(), pending = scan.get()](shortlist::ScanJob& ended) {
        pending->end(ended);
        inbox->post(std::unique_ptr<Promised>(pending));
      };
      pool_->submit(std::move(job));
      scan.release();  // its end frees it
      inbox_->expect();
      return promise;
    });
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

  /// Scans in flight end as cancelled.
  void close(const Napi::CallbackInfo&) {
    pool_.reset();
    inbox_->settle();
  }

  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<shortlist::ScanPool> pool_;
};

}  // namespace addon
