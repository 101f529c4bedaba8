#include "scan_pool.h"

#include <algorithm>
#include <exception>

#include "assert.h"
#include "threads.h"

namespace shortlist {
namespace {

/// Queries that share a pass over a part of the rows.
constexpr std::size_t kQueriesPerPass = 128;
/// Parts for each thread, so that the threads end together.
constexpr std::size_t kPartsPerThread = 8;
/// Products (a component of a row with one of a query) of one part: about 1 ms and 15 ms.
constexpr double kMinProducts = 1 << 23;
constexpr double kMaxProducts = 1 << 28;
/// Rows of a part in multiples of k: with fewer, a part would do little but fill its lists.
constexpr std::size_t kMinRowsPerK = 4;

}  // namespace

struct ScanPool::Running {
  std::unique_ptr<ScanJob> job;
  std::size_t query_count, passes, part_rows, parts;
  /// Guarded by the pool's mutex.
  std::size_t next = 0, ended = 0;
  /// The best of each query so far; guarded by the lock of its pass.
  std::vector<Best> best;
  std::unique_ptr<std::mutex[]> locks;

  Running(std::unique_ptr<ScanJob> scan, std::size_t threads) : job(std::move(scan)) {
    const Rows& rows = job->rows;
    query_count = job->queries.size() / rows.dim;
    SHORTLIST_ASSERT(job->queries.size() % rows.dim == 0);
    passes = (query_count + kQueriesPerPass - 1) / kQueriesPerPass;
    const double per_row = static_cast<double>(std::min(query_count, kQueriesPerPass)) * rows.dim;
    const double fair = static_cast<double>(query_count) * rows.dim * rows.count / (threads * kPartsPerThread);
    const double products = std::clamp(fair, kMinProducts, kMaxProducts);
    part_rows = std::max(kMinRowsPerK * job->k, static_cast<std::size_t>(products / std::max(1.0, per_row)) + 1);
    parts = (rows.count + part_rows - 1) / part_rows;
    best.assign(query_count, Best(rows.metric, std::min<std::size_t>(job->k, rows.count)));
    locks = std::make_unique<std::mutex[]>(passes);
  }
  std::size_t tasks() const { return passes * parts; }
};

ScanPool::ScanPool(const Kernels& kernels, std::size_t size)
    : kernels_(kernels), size_(std::max<std::size_t>(1, size)) {}

ScanPool::~ScanPool() {
  std::deque<std::shared_ptr<Running>> left;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    left.swap(queue_);
  }
  has_work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (const auto& running : left) {
    if (!running->job) continue;
    running->job->cancelled = true;
    running->job->answers.clear();
    running->job->done(*running->job);
  }
}

void ScanPool::submit(std::unique_ptr<ScanJob> job) {
  auto running = std::make_shared<Running>(std::move(job), size_);
  if (running->tasks() == 0) {
    finish(*running);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (threads_.size() < size_) threads_.emplace_back([this] { serve(); });
    while (threads_.size() < std::min(size_, running->tasks())) threads_.emplace_back([this] { serve(); });
    queue_.push_back(std::move(running));
  }
  has_work_.notify_all();
}

void ScanPool::serve() {
  lower_priority();
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    has_work_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (closing_) return;
    take_part(lock);
  }
}

/// Works on the next part of the first scan in the queue, which then moves to the end.
bool ScanPool::take_part(std::unique_lock<std::mutex>& lock) {
  std::shared_ptr<Running> running = std::move(queue_.front());
  queue_.pop_front();
  const std::size_t part = running->next++;
  SHORTLIST_ASSERT(part < running->tasks() && running->ended <= part);
  if (running->next < running->tasks()) queue_.push_back(running);
  lock.unlock();
  work_on(*running, part);
  lock.lock();
  if (++running->ended < running->tasks()) return false;
  lock.unlock();
  finish(*running);
  lock.lock();
  return true;
}

void ScanPool::work_on(Running& running, std::size_t task) const {
  ScanJob& job = *running.job;
  if (job.is_cancelled()) return;
  try {
    const std::size_t part = task / running.passes, pass = task % running.passes, first = pass * kQueriesPerPass;
    const std::size_t count = std::min(kQueriesPerPass, running.query_count - first);
    const RowSet allow{job.allow.data()};
    const ScanRequest request{.queries = job.queries.data() + first * job.rows.dim,
                              .query_count = count,
                              .k = job.k,
                              .allow = job.filtered ? &allow : nullptr};
    // Rows of this part need not be scored below what other parts have found. The order in which parts are merged does
    // not matter: no two rows are equal in the contract's order.
    std::vector<Best> best;
    {
      std::lock_guard<std::mutex> lock(running.locks[pass]);
      for (std::size_t q = 0; q < count; q++) {
        best.emplace_back(job.rows.metric, std::min<std::size_t>(job.k, job.rows.count), running.best[first + q].floor());
      }
    }
    const std::size_t from = part * running.part_rows, to = std::min<std::size_t>(job.rows.count, from + running.part_rows);
    scan_range(kernels_, job.rows, request,
               {.from = static_cast<std::uint32_t>(from), .to = static_cast<std::uint32_t>(to)}, best);
    std::lock_guard<std::mutex> lock(running.locks[pass]);
    for (std::size_t q = 0; q < count; q++) {
      for (const Hit& hit : best[q].drain()) running.best[first + q].push(hit);
    }
  } catch (const std::exception& failure) {
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    job.failure = failure.what();
  }
}

void ScanPool::finish(Running& running) const {
  std::unique_ptr<ScanJob> job = std::move(running.job);
  job->cancelled = job->is_cancelled();
  if (!job->cancelled && job->failure.empty()) {
    job->answers.resize(running.query_count);
    for (std::size_t q = 0; q < running.query_count; q++) job->answers[q] = running.best[q].drain();
  }
  job->done(*job);
}

}  // namespace shortlist
