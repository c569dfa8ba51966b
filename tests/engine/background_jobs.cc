#include "tests/engine/background_jobs.h"

#include <algorithm>
#include <vector>

namespace meridian {

BackgroundJobs::BackgroundJobs() : thread_([this] { work(); }) {}

BackgroundJobs::~BackgroundJobs() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundJobs::add(const BackgroundJob& job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  changed_.notify_all();
}

int BackgroundJobs::remove(void* tag, rocksdb::Env::Priority priority) {
  std::vector<BackgroundJob> removed;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(jobs_, [&](const BackgroundJob& job) {
      if (job.tag != tag || job.priority != priority) return false;
      removed.push_back(job);
      return true;
    });
  }
  changed_.notify_all();
  for (const BackgroundJob& job : removed) {
    if (job.unscheduled != nullptr) job.unscheduled(job.argument);
  }
  return static_cast<int>(removed.size());
}

std::size_t BackgroundJobs::waiting(rocksdb::Env::Priority priority) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(jobs_, [&](const BackgroundJob& job) { return job.priority == priority; }));
}

void BackgroundJobs::allow() {
  {
    const std::lock_guard lock(mutex_);
    allowed_ = true;
    finishing_ = paused_ = false;
  }
  changed_.notify_all();
}

void BackgroundJobs::finish() {
  std::unique_lock lock(mutex_);
  allowed_ = finishing_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !running_ && (jobs_.empty() || paused_); });
  allowed_ = finishing_ = paused_ = false;
}

void BackgroundJobs::paused() {
  if (std::this_thread::get_id() != thread_.get_id()) return;
  const std::lock_guard lock(mutex_);
  paused_ = true;
}

void BackgroundJobs::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || (allowed_ && !jobs_.empty() && !(finishing_ && paused_)); });
    if (ending_) return;
    // The most urgent; of those, the first that came.
    const auto next = std::ranges::max_element(jobs_, {}, &BackgroundJob::priority);
    const BackgroundJob job = *next;
    jobs_.erase(next);
    running_ = true;
    lock.unlock();
    job.run(job.argument);
    lock.lock();
    running_ = false;
    changed_.notify_all();
  }
}

}  // namespace meridian
