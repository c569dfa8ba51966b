// The port through which everything waits, reads clocks and draws randomness. One Runtime is one event
// loop of one node incarnation: base/event_loop.h under real time, the simulator under virtual time.
// Whatever a crashed incarnation still had queued is dropped, never run.
#pragma once

#include <cstdint>
#include <functional>

#include <boost/asio/any_io_executor.hpp>

#include "base/types.h"

namespace meridian {

using Callback = std::move_only_function<void()>;
using TimerId = std::uint64_t;  // 0: no timer

class Runtime {
 public:
  virtual ~Runtime() = default;

  // Monotonic, advances through suspends (CLOCK_BOOTTIME). Any thread.
  virtual MonoTime now() const = 0;
  // May jump. Any thread.
  virtual WallTime wall_now() const = 0;
  // Seeded in the simulator. On the loop only.
  virtual std::uint64_t random() = 0;

  // The loop's executor, for coroutines (base/task.h).
  virtual boost::asio::any_io_executor executor() = 0;
  // Runs the callback on the loop, later, in order of posting. Any thread.
  virtual void post(Callback callback) = 0;

  // Timers: on the loop only. cancel() of a timer that fired or never was does nothing.
  virtual TimerId at(MonoTime when, Callback callback) = 0;
  virtual void cancel(TimerId timer) = 0;

  // Runs work on a pool for what blocks (fsync, cold reads, snapshots), then done on the loop.
  // Works of one Runtime may run at the same time and in any order. From the loop.
  virtual void run_blocking(Callback work, Callback done) = 0;

  TimerId after(Duration delay, Callback callback) { return at(now() + delay, std::move(callback)); }
  // Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t random_below(std::uint64_t bound) { return random() % bound; }
};

}  // namespace meridian
