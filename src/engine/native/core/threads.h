// A team of threads that work on one thing at a time. The caller is worker 0.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace shortlist {

/// From now on the calling thread has a tenth of the weight of others where cores are short: what it does takes long
/// anyway, and others answer meanwhile. On systems without priorities of threads it does nothing.
void lower_priority();

class ThreadTeam {
 public:
  explicit ThreadTeam(std::size_t size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  /// Runs work(worker) once on each; returns when all have ended. The first exception is thrown again here.
  void run(const std::function<void(std::size_t)>& work);

  /// Runs work(worker, from, to) over parts of [0, count) of at most `step`, whoever is free taking the next one.
  void split(std::size_t count, std::size_t step,
             const std::function<void(std::size_t, std::size_t, std::size_t)>& work);

 private:
  void serve(std::size_t worker);
  void work_as(std::size_t worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable started_, ended_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t round_ = 0, busy_ = 0;
  bool closing_ = false;
  std::exception_ptr failure_;
};

}  // namespace shortlist
