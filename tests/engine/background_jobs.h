// RocksDB's background jobs on one thread of our own, one after the other, and only while they are allowed: so that
// a single-threaded simulation knows that nothing goes on behind its back between two requests.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

#include <rocksdb/env.h>

namespace meridian {

// As rocksdb::Env::Schedule takes it.
struct BackgroundJob {
  void (*run)(void*) = nullptr;
  void* argument = nullptr;
  rocksdb::Env::Priority priority = rocksdb::Env::LOW;
  void* tag = nullptr;
  void (*unscheduled)(void*) = nullptr;
};

// Thread-safe.
class BackgroundJobs {
 public:
  BackgroundJobs();
  // Waits for the job that runs; the others are dropped.
  ~BackgroundJobs();
  BackgroundJobs(const BackgroundJobs&) = delete;
  BackgroundJobs& operator=(const BackgroundJobs&) = delete;

  void add(const BackgroundJob& job);
  // Those with this tag and priority which have not begun.
  int remove(void* tag, rocksdb::Env::Priority priority);
  std::size_t waiting(rocksdb::Env::Priority priority) const;

  void allow();  // they run from now on
  // Allows them, waits until there are none, and then allows none. A job that pauses has failed, and would be tried
  // again without end: what is left then waits, too.
  void finish();
  // Someone pauses. Counts on the jobs' own thread only.
  void paused();

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BackgroundJob> jobs_;
  bool allowed_ = false, finishing_ = false, paused_ = false, running_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace meridian
