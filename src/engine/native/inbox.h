// Promises that other threads keep, and the end of the thread of JavaScript that made them.
//
// Takes what has ended on any thread; gives it to the thread of JavaScript, which settles the promise. Hides the
// function by which threads wake it, and its lifetime. A thread of JavaScript may end at any time
// (worker.terminate(), process.exit()) with work for it under way. Node then frees that function, though threads
// still call it, and only afterwards destroys wrapped objects: a destructor comes too late to wait for threads. So an
// inbox has a hook, which Node runs before either, that ends them.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "glue.h"

namespace addon {

/// Work with a promise of its end. Made, settled and destroyed on the thread of JavaScript.
class Promised {
 public:
  explicit Promised(Napi::Env env) {
    if (napi_create_promise(env, &deferred_, &promise_) != napi_ok) throw Napi::Error::New(env);
  }
  virtual ~Promised() = default;
  Promised(const Promised&) = delete;
  Promised& operator=(const Promised&) = delete;

  /// Before the call of JavaScript that has made it returns.
  Napi::Value promise(Napi::Env env) const { return Napi::Value(env, promise_); }

  /// Once. Where JavaScript cannot run any more, nobody waits for it either: nothing happens.
  void settle(Napi::Env env) {
    try {
      try {
        napi_resolve_deferred(env, deferred_, guarded(env, [&] { return result(env); }));
      } catch (const Napi::Error& error) {
        napi_reject_deferred(env, deferred_, error.Value());
      }
    } catch (const Napi::Error&) {
    }
  }

 protected:
  /// What the promise is resolved with; an exception rejects it.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;
};

/// The place of one thread of JavaScript where other threads put what they have ended. Made and destroyed on it.
class Inbox {
 public:
  /// @param end_threads ends those that post, and returns when they have; called where the environment ends first
  Inbox(Napi::Env env, std::function<void()> end_threads) : env_(env), end_threads_(std::move(end_threads)) {
    const napi_value name = Napi::String::New(env, "shortlist");
    if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, wake, &wake_) != napi_ok) {
      throw Napi::Error::New(env);
    }
    napi_unref_threadsafe_function(env, wake_);
    // After the function: hooks run in the reverse order of their making, and the function has one of its own.
    napi_add_env_cleanup_hook(env, end, this);
  }
  /// Nothing may post any more.
  ~Inbox() {
    if (wake_ == nullptr) return;
    napi_remove_env_cleanup_hook(env_, end, this);
    close();
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  /// One more will be posted: until it is settled, the event loop goes on.
  void expect() {
    if (expected_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  }

  /// On any thread.
  void post(std::unique_ptr<Promised> ended) {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_.push_back(std::move(ended));
    if (ended_.size() == 1) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }

  /// Settles what has been posted.
  void settle() {
    std::vector<std::unique_ptr<Promised>> ended;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended.swap(ended_);
    }
    for (const auto& one : ended) {
      one->settle(env_);
      if (--expected_ == 0) napi_unref_threadsafe_function(env_, wake_);
    }
  }

 private:
  /// Without an environment where the function is being freed, and the inbox gone perhaps.
  static void wake(napi_env env, napi_value, void* inbox, void*) {
    if (env != nullptr) static_cast<Inbox*>(inbox)->settle();
  }

  static void end(void* inbox) {
    auto* const mine = static_cast<Inbox*>(inbox);
    mine->end_threads_();
    mine->close();
  }

  void close() {
    ended_.clear();
    napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
  }

  const Napi::Env env_;
  const std::function<void()> end_threads_;
  napi_threadsafe_function wake_ = nullptr;
  /// What is still to be posted and settled; the thread of JavaScript's.
  std::size_t expected_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Promised>> ended_;
};

}  // namespace addon
