// Runtime under real time: one event loop on one thread, over one io_context.
//
// What is posted goes through one queue of our own, not through the io_context: a burst costs one
// wake-up, and a loop that stops can drop all of it. Coroutines run through the same queue (executor()
// is ours, too), so a stopped loop never resumes one; their frames are destroyed instead.
//
// stop(): the callback that runs is the last one. Then, on the loop's thread, in this order: works on
// the pool that have begun are waited for (they may use what a suspended frame owns), and everything
// queued is destroyed unrun: callbacks, timers, suspended coroutines they hold. From then on whatever is
// posted is destroyed at once on the poster's thread.
//
// An idle loop sleeps in the kernel: timers share one timerfd on CLOCK_BOOTTIME.
#pragma once

#include <memory>
#include <string>

#include "base/blocking_pool.h"
#include "base/runtime.h"

namespace boost::asio {
class io_context;
}

namespace meridian {

class AsioRuntime final : public Runtime {
 public:
  struct Options {
    std::string name = "loop";           // of the thread, at most 15 bytes
    std::shared_ptr<BlockingPool> pool;  // null: a pool of its own, made at the first use
  };

  AsioRuntime();
  explicit AsioRuntime(Options options);
  // Stops and joins. Not from the loop.
  ~AsioRuntime() override;

  // The caller's thread becomes the loop's until stop(). Once.
  void run();
  // Runs the loop on a thread of its own.
  void start_thread();
  // Any thread, the loop's included; returns at once.
  void stop();
  // Waits for the thread of start_thread().
  void join();
  // True on the loop's thread, and on any while no thread runs the loop (set-up, tear-down).
  bool on_loop() const;

  // For sockets and signals; their handlers run on the loop's thread.
  boost::asio::io_context& context();

  MonoTime now() const override;
  WallTime wall_now() const override;
  std::uint64_t random() override;
  boost::asio::any_io_executor executor() override;
  void post(Callback callback) override;
  TimerId at(MonoTime when, Callback callback) override;
  void cancel(TimerId timer) override;
  void run_blocking(Callback work, Callback done) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
