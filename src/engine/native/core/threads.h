// Threads that work on one task at a time. The caller is worker 0.
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

/// Gives the calling thread a tenth of the weight of other threads when cores are short, since its work takes long
/// anyway. Does nothing on systems without thread priorities.
void lower_priority();

class ThreadTeam {
 public:
  explicit ThreadTeam(std::size_t size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  /// Runs work(worker) once on each thread and returns when all have ended. Rethrows the first exception.
  void run(const std::function<void(std::size_t)>& work);

  /// Runs work(worker, from, to) over parts of [0, count) of at most `step`. A free thread takes the next part.
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
