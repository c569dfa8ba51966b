#include "server/rocks/paced_limiter.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/rate_limiter.h>

#include "server/rocks/compaction_pace.h"

namespace meridian {

namespace {

using Clock = std::chrono::steady_clock;

// Short periods: a compaction works for a moment in each, instead of for long in every tenth of a second.
constexpr std::int64_t kPeriodUs = 10'000;
constexpr std::int32_t kFairness = 10;
constexpr Clock::duration kAskAgain = std::chrono::milliseconds(200);

std::unique_ptr<rocksdb::RateLimiter> make_limiter(std::int64_t per_second) {
  return std::unique_ptr<rocksdb::RateLimiter>(rocksdb::NewGenericRateLimiter(per_second, kPeriodUs, kFairness));
}

class Limiter final : public rocksdb::RateLimiter {
 public:
  Limiter(std::int64_t bound, std::uint64_t file_bytes, std::shared_ptr<const std::atomic<std::uint64_t>> written)
      : written_(std::move(written)), bound_(make_limiter(bound)), paced_(make_limiter(bound)), pace_(file_bytes) {}

  // Of a job of the database, on its thread; the database lives as long as its jobs.
  void job_begins(rocksdb::DB* db) {
    db_.store(db, std::memory_order_release);
    adjust();
  }

  using RateLimiter::Request;
  void Request(std::int64_t bytes, rocksdb::Env::IOPriority priority, rocksdb::Statistics* statistics,
               OpType type) override {
    if (!IsRateLimited(type)) return;
    // Compactions ask with the lowest priority, flushes with the highest.
    if (priority == rocksdb::Env::IO_LOW) {
      adjust();
      for (std::int64_t left = bytes; left > 0;) {
        const std::int64_t part = std::min(left, paced_->GetSingleBurstBytes());
        paced_->Request(part, priority, nullptr, type);
        left -= part;
      }
    }
    bound_->Request(bytes, priority, statistics, type);
  }

  void SetBytesPerSecond(std::int64_t bytes) override { bound_->SetBytesPerSecond(bytes); }
  std::int64_t GetBytesPerSecond() const override { return bound_->GetBytesPerSecond(); }
  std::int64_t GetSingleBurstBytes() const override { return bound_->GetSingleBurstBytes(); }
  std::int64_t GetTotalBytesThrough(rocksdb::Env::IOPriority priority) const override {
    return bound_->GetTotalBytesThrough(priority);
  }
  std::int64_t GetTotalRequests(rocksdb::Env::IOPriority priority) const override {
    return bound_->GetTotalRequests(priority);
  }

 private:
  void adjust() {
    const std::unique_lock lock(adjusting_, std::try_to_lock);
    const Clock::time_point now = Clock::now();
    rocksdb::DB* db = db_.load(std::memory_order_acquire);
    if (!lock.owns_lock() || db == nullptr || now < ask_at_) return;
    ask_at_ = now + kAskAgain;
    std::uint64_t buffers = 0;
    std::string files;
    CompactionPace::Backlog backlog;
    db->GetIntProperty(rocksdb::DB::Properties::kEstimatePendingCompactionBytes, &backlog.debt_bytes);
    db->GetIntProperty(rocksdb::DB::Properties::kNumImmutableMemTable, &buffers);
    if (db->GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files)) backlog.level0_files = std::stoi(files);
    backlog.waiting_buffers = static_cast<int>(buffers);
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const double pace = pace_.per_second(seconds, written_->load(std::memory_order_relaxed), backlog);
    const double bound = static_cast<double>(bound_->GetBytesPerSecond());
    paced_->SetBytesPerSecond(static_cast<std::int64_t>(std::min(pace, bound)));
  }

  const std::shared_ptr<const std::atomic<std::uint64_t>> written_;
  const std::unique_ptr<rocksdb::RateLimiter> bound_, paced_;
  std::atomic<rocksdb::DB*> db_ = nullptr;
  std::mutex adjusting_;
  CompactionPace pace_;        // guarded by adjusting_
  Clock::time_point ask_at_;  // guarded by adjusting_
};

// RocksDB calls these on the thread that does the work.
class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<Limiter> limiter) : limiter_(std::move(limiter)) {}
  void OnFlushBegin(rocksdb::DB* db, const rocksdb::FlushJobInfo&) override { limiter_->job_begins(db); }
  void OnCompactionBegin(rocksdb::DB* db, const rocksdb::CompactionJobInfo&) override { limiter_->job_begins(db); }

 private:
  const std::shared_ptr<Limiter> limiter_;
};

}  // namespace

PacedLimiter make_paced_limiter(std::uint64_t bound_bytes_per_s, std::uint64_t file_bytes,
                                std::shared_ptr<const std::atomic<std::uint64_t>> written) {
  auto limiter = std::make_shared<Limiter>(static_cast<std::int64_t>(bound_bytes_per_s), file_bytes, std::move(written));
  return {limiter, std::make_shared<Listener>(limiter)};
}

}  // namespace meridian
