// Exact scans on own threads, away from the event loop and from Node's threads for files.
//
// A scan is cut into parts. Threads take a part of each scan in turn, so that a short scan does not wait for a long
// one and a cancelled scan ends within a part.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "metric.h"
#include "scan.h"

namespace shortlist {

struct ScanJob {
  Rows rows{};
  std::vector<float> queries;
  std::size_t k = 0;
  /// Words of the set of allowed rows, if `filtered`.
  std::vector<std::uint32_t> allow;
  bool filtered = false;
  /// Called before every part, on any thread.
  std::function<bool()> is_cancelled;
  /// Called once, on the thread that ends the scan. `answers` has one list for each query and is empty if the scan was
  /// cancelled or failed.
  std::function<void(ScanJob&)> done;

  std::vector<std::vector<Hit>> answers;
  bool cancelled = false;
  std::string failure;
};

class ScanPool {
 public:
  ScanPool(const Kernels& kernels, std::size_t size);
  /// Waits for the parts in progress. Other scans end as cancelled.
  ~ScanPool();
  ScanPool(const ScanPool&) = delete;
  ScanPool& operator=(const ScanPool&) = delete;

  void submit(std::unique_ptr<ScanJob> job);

 private:
  struct Running;
  void serve();
  bool take_part(std::unique_lock<std::mutex>& lock);
  void work_on(Running& running, std::size_t part) const;
  void finish(Running& running) const;

  const Kernels& kernels_;
  std::size_t size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<std::shared_ptr<Running>> queue_;
  bool closing_ = false;
};

}  // namespace shortlist
