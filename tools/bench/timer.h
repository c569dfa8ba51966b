// Lets coroutines wait for a time, which the SDK does not offer. One thread of its own, on which they go on.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <map>
#include <mutex>
#include <thread>

#include "tools/bench/arrivals.h"

namespace meridian::bench {

class Timer {
 public:
  Timer();
  // Requires: nobody waits any more.
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  class Awaiter {
   public:
    Awaiter(Timer& timer, TimePoint time) : timer_(timer), time_(time) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { timer_.add(time_, waiter); }
    void await_resume() const {}

   private:
    Timer& timer_;
    TimePoint time_;
  };
  Awaiter until(TimePoint time) { return Awaiter(*this, time); }

 private:
  void add(TimePoint time, std::coroutine_handle<> waiter);
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<TimePoint, std::coroutine_handle<>> waiting_;
  bool stopped_ = false;
  std::thread thread_;  // the last: it uses the others
};

}  // namespace meridian::bench
