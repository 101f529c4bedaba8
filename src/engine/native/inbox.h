// Promises that other threads resolve, and what happens to them when their thread of JavaScript ends.
//
// Takes results from any thread; gives them to the thread of JavaScript, which settles the promises. Hides the
// thread-safe function that wakes it. A thread of JavaScript may end at any time (worker.terminate(), process.exit())
// while work for it runs. Node then frees that function although threads still call it, and destroys wrapped objects
// only afterwards, so a destructor would wait too late. So an inbox has a cleanup hook, which Node runs before both,
// that ends the threads.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "glue.h"

namespace addon {

/// Work with a promise. Made, settled and destroyed on the thread of JavaScript.
class Promised {
 public:
  explicit Promised(Napi::Env env) {
    if (napi_create_promise(env, &deferred_, &promise_) != napi_ok) throw Napi::Error::New(env);
  }
  virtual ~Promised() = default;
  Promised(const Promised&) = delete;
  Promised& operator=(const Promised&) = delete;

  /// Valid until the call from JavaScript that made it returns.
  Napi::Value promise(Napi::Env env) const { return Napi::Value(env, promise_); }

  /// Call it once. If JavaScript cannot run any more, nothing happens.
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

/// Where other threads put results for one thread of JavaScript. Made and destroyed on that thread.
class Inbox {
 public:
  /// @param end_threads ends the threads that post, and returns when they have ended; called if the environment ends
  /// first
  Inbox(Napi::Env env, std::function<void()> end_threads) : env_(env), end_threads_(std::move(end_threads)) {
    const napi_value name = Napi::String::New(env, "shortlist");
    if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, wake, &wake_) != napi_ok) {
      throw Napi::Error::New(env);
    }
    napi_unref_threadsafe_function(env, wake_);
    // After the function: hooks run in reverse order, and the function has one of its own.
    napi_add_env_cleanup_hook(env, end, this);
  }
  /// Nothing may post after this.
  ~Inbox() {
    if (wake_ == nullptr) return;
    napi_remove_env_cleanup_hook(env_, end, this);
    close();
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  /// One more result will come. Until it is settled the event loop stays alive.
  void expect() {
    if (expected_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  }

  /// May be called on any thread.
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
  /// `env` is null while Node frees the function; the inbox may be gone then.
  static void wake(napi_env env, napi_value, void* inbox, void*) {
    if (env != nullptr) static_cast<Inbox*>(inbox)->settle();
  }

  static void end(void* inbox) {
    auto* const ended = static_cast<Inbox*>(inbox);
    ended->end_threads_();
    ended->close();
  }

  void close() {
    ended_.clear();
    napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
  }

  const Napi::Env env_;
  const std::function<void()> end_threads_;
  napi_threadsafe_function wake_ = nullptr;
  /// Results that are still to be settled; used on the thread of JavaScript only.
  std::size_t expected_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Promised>> ended_;
};

}  // namespace addon
