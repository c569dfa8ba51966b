// The port through which everything waits, reads clocks and draws randomness. One Runtime is one event
// loop of one node incarnation: base/event_loop.h under real time, the simulator under virtual time.
// Whatever a crashed incarnation still had queued is dropped, never run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "base/types.h"

namespace meridian {

using Callback = std::move_only_function<void()>;
using TimerId = std::uint64_t;  // 0: no timer

// What blocks waits only behind its own kind (S7a): nothing stands in front of an fsync, and reads, however many there
// are, hold up no flush.
enum class Lane : std::uint8_t {
  kLog,   // writes of the log with their fsyncs, one after the other
  kRead,  // reads on behalf of callers; bounded by whoever submits them
  kBulk,  // flushes, snapshots, files that come and go
};
inline constexpr std::size_t kLanes = 3;
// How many works of a lane run at the same time, in production and in the simulator.
constexpr std::size_t lane_workers(Lane lane) { return lane == Lane::kLog ? 1 : lane == Lane::kRead ? 2 : 4; }

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

  // Runs what blocks on another thread, then done on the loop. Works of a lane begin in order, and may run at the same
  // time, those of kLog excepted. From the loop.
  virtual void run_blocking(Lane lane, Callback work, Callback done) = 0;
  void run_blocking(Callback work, Callback done) { run_blocking(Lane::kBulk, std::move(work), std::move(done)); }

  TimerId after(Duration delay, Callback callback) { return at(now() + delay, std::move(callback)); }
  // Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t random_below(std::uint64_t bound) { return random() % bound; }
};

}  // namespace meridian
