// Runtime under real time: one event loop on one thread.
//
// What is posted goes through one queue: a burst costs one wake-up, and a loop that stops can drop all of it.
// Coroutines run through the same queue (executor() is ours, too), so a stopped loop never resumes one; their frames
// are destroyed instead. With nothing to run the loop sleeps in its Reactor, whose events are handled on this thread.
//
// stop(): the callback that runs is the last one. Then, on the loop's thread, in this order: works on
// the pool that have begun are waited for (they may use what a suspended frame owns), and everything
// queued is destroyed unrun: callbacks, timers, suspended coroutines they hold. From then on whatever is
// posted is destroyed at once on the poster's thread.
//
// Timers are due by CLOCK_BOOTTIME; they fire up to a millisecond late, and after a suspend of the machine by up to
// what had been left of them.
#pragma once

#include <memory>
#include <string>

#include "base/blocking_pool.h"
#include "base/reactor.h"
#include "base/runtime.h"

namespace meridian {

class EventLoop final : public Runtime {
 public:
  struct Options {
    std::string name = "loop";  // of the thread, at most 15 bytes
    // For kBulk, shared by the loops of a process; null: one of its own. The other lanes' threads are always a loop's
    // own, made when first used.
    std::shared_ptr<BlockingPool> pool;
    std::shared_ptr<Reactor> reactor;  // null: there is nothing but timers and what is posted
  };

  EventLoop();
  explicit EventLoop(Options options);
  // Stops and joins. Not from the loop.
  ~EventLoop() override;

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

  MonoTime now() const override;
  WallTime wall_now() const override;
  std::uint64_t random() override;
  boost::asio::any_io_executor executor() override;
  void post(Callback callback) override;
  TimerId at(MonoTime when, Callback callback) override;
  void cancel(TimerId timer) override;
  using Runtime::run_blocking;
  void run_blocking(Lane lane, Callback work, Callback done) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
