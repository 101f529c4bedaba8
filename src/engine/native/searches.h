// Graph searches that take too long for the thread of JavaScript. They run one at a time on one thread for all of its
// graphs.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/search.h"
#include "core/threads.h"
#include "glue.h"
#include "inbox.h"

namespace addon {

/// An open graph and what its searches share. It lives as long as a shard or a search holds it.
struct OpenShard {
  OpenGraph open;
  std::vector<std::uint32_t> hidden;
  /// The searcher of the thread of long searches, made by the first one.
  std::unique_ptr<shortlist::Searcher> later;
};

/// A search on another thread. It holds the graph and copies of its arguments, which JavaScript may change meanwhile.
class LongSearch : public Promised {
 public:
  LongSearch(Napi::Env env, std::shared_ptr<OpenShard> shard, const shortlist::SearchRequest& request, const float* query)
      : Promised(env), shard_(std::move(shard)), request_(request), query_(query, query + shard_->open.graph.rows.dim) {
    if (request.allow == nullptr) return;
    const shortlist::RowSet& allow = *request.allow;
    words_.assign(allow.words, allow.words + (shard_->open.graph.rows.count + 31) / 32);
    if (allow.list != nullptr) list_.assign(allow.list, allow.list + allow.listed);
  }

  /// Runs on the thread of long searches.
  void run() {
    try {
      shortlist::RowSet allow{};
      allow.words = words_.data();
      if (!list_.empty()) {
        allow.list = list_.data();
        allow.listed = list_.size();
      }
      request_.query = query_.data();
      if (request_.allow != nullptr) request_.allow = &allow;
      auto& searcher = shard_->later;
      if (!searcher) searcher = std::make_unique<shortlist::Searcher>(kernels(), shard_->open.graph, shard_->hidden);
      account_ = searcher->search(request_);
      hits_ = searcher->hits();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

 protected:
  /// @throws what the search threw
  const shortlist::SearchAccount& account() const {
    if (failure_) std::rethrow_exception(failure_);
    return account_;
  }
  const std::vector<shortlist::Hit>& hits() const { return hits_; }

 private:
  const std::shared_ptr<OpenShard> shard_;
  shortlist::SearchRequest request_;
  const std::vector<float> query_;
  std::vector<std::uint32_t> words_, list_;
  shortlist::SearchAccount account_;
  std::vector<shortlist::Hit> hits_;
  std::exception_ptr failure_;
};

/// The long searches of one thread of JavaScript, in order of arrival.
class Searches {
 public:
  explicit Searches(Napi::Env env) : inbox_(env, [this] { end(); }) {}
  ~Searches() { end(); }
  Searches(const Searches&) = delete;
  Searches& operator=(const Searches&) = delete;

  Napi::Value start(Napi::Env env, std::unique_ptr<LongSearch> search) {
    const Napi::Value promise = search->promise(env);
    std::lock_guard<std::mutex> lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
    waiting_.push_back(std::move(search));
    inbox_.expect();
    changed_.notify_one();
    return promise;
  }

 private:
  void serve() {
    shortlist::lower_priority();
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
      if (is_ending_) return;
      std::unique_ptr<LongSearch> search = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      search->run();
      inbox_.post(std::move(search));
      lock.lock();
    }
  }

  /// Waits for the running search. Waiting ones are dropped, since nobody waits for their answers any more.
  void end() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      is_ending_ = true;
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    waiting_.clear();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<LongSearch>> waiting_;
  bool is_ending_ = false;
  std::thread thread_;
  Inbox inbox_;
};

}  // namespace addon
