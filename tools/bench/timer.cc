#include "tools/bench/timer.h"

#include "base/check.h"

namespace meridian::bench {

Timer::Timer() : thread_([this] { run(); }) {}

Timer::~Timer() {
  {
    std::lock_guard lock(mutex_);
    CHECK(waiting_.empty());
    stopped_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void Timer::add(TimePoint time, std::coroutine_handle<> waiter) {
  std::lock_guard lock(mutex_);
  const auto added = waiting_.emplace(time, waiter);
  if (added == waiting_.begin()) changed_.notify_one();
}

void Timer::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
    } else if (const TimePoint first = waiting_.begin()->first; first > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, first);
    } else {
      const std::coroutine_handle<> waiter = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      lock.unlock();
      waiter.resume();
      lock.lock();
    }
  }
}

}  // namespace meridian::bench
