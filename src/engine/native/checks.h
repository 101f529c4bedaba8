// Checks of graph files, each on its own thread, since reading a file takes as long as its disk does. They do not use
// Node's threads for files, which an ending process waits for.
#pragma once
#include <napi.h>

#include <atomic>
#include <exception>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/graph_file.h"
#include "core/threads.h"
#include "glue.h"
#include "inbox.h"

namespace addon {

/// The checks of one thread of JavaScript.
class Checks {
 public:
  explicit Checks(Napi::Env env) : inbox_(env, [this] { end(); }) {}

  /// Reads the whole file. @return a promise that is rejected with the damage found
  Napi::Value start(Napi::Env env, std::string path, const shortlist::GraphShape& shape) {
    auto check = std::make_unique<Check>(env, *this, std::move(path), shape);
    const Napi::Value promise = check->promise(env);
    running_.insert(check.get());
    check->start();
    check.release();  // its end frees it
    inbox_.expect();
    return promise;
  }

 private:
  class Check final : public Promised {
   public:
    Check(Napi::Env env, Checks& checks, std::string path, const shortlist::GraphShape& shape)
        : Promised(env), checks_(checks), path_(std::move(path)), shape_(shape) {}
    ~Check() override {
      checks_.running_.erase(this);
      wait();
    }

    void start() {
      thread_ = std::thread([this] {
        shortlist::lower_priority();
        work();
        checks_.inbox_.post(std::unique_ptr<Promised>(this));
      });
    }
    void wait() {
      if (thread_.joinable()) thread_.join();
    }

   private:
    void work() {
      const auto check_cancelled = [this] {
        if (checks_.is_ending_.load(std::memory_order_relaxed)) throw Failure("cancelled", "the check was cancelled");
      };
      try {
        shortlist::GraphFile(path_, shape_, check_cancelled).verify(check_cancelled);
      } catch (...) {
        failure_ = std::current_exception();
      }
    }
    Napi::Value result(Napi::Env env) override {
      if (failure_) std::rethrow_exception(failure_);
      return env.Undefined();
    }

    Checks& checks_;
    const std::string path_;
    const shortlist::GraphShape shape_;
    std::exception_ptr failure_;
    std::thread thread_;
  };

  void end() {
    is_ending_ = true;
    for (Check* const check : running_) check->wait();
  }

  std::atomic<bool> is_ending_{false};
  std::set<Check*> running_;
  Inbox inbox_;
};

}  // namespace addon
