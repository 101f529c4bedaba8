#include "threads.h"

#include <algorithm>

#include "assert.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace shortlist {

void lower_priority() {
#ifdef __linux__
  constexpr int kNice = 10;  // weight 110 beside 1024: a tenth of a core that others want whole
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  const int now = getpriority(PRIO_PROCESS, thread);
  if (now < kNice) setpriority(PRIO_PROCESS, thread, kNice);
#endif
}

ThreadTeam::ThreadTeam(std::size_t size) {
  for (std::size_t worker = 1; worker < size; worker++) threads_.emplace_back([this, worker] { serve(worker); });
}

ThreadTeam::~ThreadTeam() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  started_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(std::size_t)>& work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    SHORTLIST_ASSERT(busy_ == 0);
    busy_ = threads_.size();
    failure_ = nullptr;
    round_++;
  }
  started_.notify_all();
  work_as(0);
  std::unique_lock<std::mutex> lock(mutex_);
  ended_.wait(lock, [this] { return busy_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

void ThreadTeam::serve(std::size_t worker) {
  std::size_t seen = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      started_.wait(lock, [&] { return closing_ || round_ != seen; });
      if (closing_) return;
      seen = round_;
    }
    work_as(worker);
    std::lock_guard<std::mutex> lock(mutex_);
    if (--busy_ == 0) ended_.notify_all();
  }
}

void ThreadTeam::work_as(std::size_t worker) {
  try {
    (*work_)(worker);
  } catch (...) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void ThreadTeam::split(std::size_t count, std::size_t step,
                       const std::function<void(std::size_t, std::size_t, std::size_t)>& work) {
  SHORTLIST_ASSERT(step > 0);
  if (count == 0) return;
  if (threads_.empty() || count <= step) {
    for (std::size_t from = 0; from < count; from += step) work(0, from, std::min(count, from + step));
    return;
  }
  std::atomic<std::size_t> next{0};
  run([&](std::size_t worker) {
    for (std::size_t from; (from = next.fetch_add(step)) < count;) work(worker, from, std::min(count, from + step));
  });
}

}  // namespace shortlist
