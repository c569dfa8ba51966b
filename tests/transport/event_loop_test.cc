#include "base/event_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace meridian {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, RunsCallbacksInOrderOfPosting) {
  EventLoop runtime;
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    runtime.post([&order, i] { order.push_back(i); });
  }
  runtime.post([&] { runtime.stop(); });
  runtime.run();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[i], i);
}

TEST(EventLoop, KeepsTheOrderOfEachOfManyPosters) {
  constexpr int kThreads = 4, kPosts = 20'000;
  EventLoop runtime;
  runtime.start_thread();
  std::vector<int> last(kThreads, -1);
  bool ordered = true;
  std::latch done(kThreads * kPosts);
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        runtime.post([&, t, i] {
          ordered = ordered && std::exchange(last[t], i) == i - 1;
          done.count_down();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  done.wait();
  runtime.stop();
  runtime.join();
  EXPECT_TRUE(ordered);
}

TEST(EventLoop, FiresTimersByTimeThenByAge) {
  EventLoop runtime;
  std::vector<int> order;
  const MonoTime start = runtime.now();
  runtime.at(start + 20ms, [&] {
    order.push_back(4);
    runtime.stop();
  });
  runtime.at(start + 10ms, [&] { order.push_back(2); });
  runtime.at(start + 10ms, [&] { order.push_back(3); });
  runtime.at(start - 10ms, [&] { order.push_back(1); });
  runtime.at(MonoTime::max(), [&] { order.push_back(5); });
  runtime.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_GE(runtime.now() - start, 20ms);
}

TEST(EventLoop, CancelsTimersEvenThoseDueInTheSameRound) {
  EventLoop runtime;
  std::vector<int> order;
  TimerId second = 0;
  const MonoTime due = runtime.now() + 1ms;
  runtime.at(due, [&] {
    order.push_back(1);
    runtime.cancel(second);
  });
  second = runtime.at(due, [&] { order.push_back(2); });
  const TimerId third = runtime.at(due, [&] { order.push_back(3); });
  runtime.at(due + 1ms, [&] { runtime.stop(); });
  runtime.cancel(third);
  runtime.cancel(third);
  runtime.cancel(12345);
  runtime.run();
  EXPECT_EQ(order, (std::vector<int>{1}));
}

TEST(EventLoop, RunsBlockingWorkOffTheLoopAndItsDoneOnTheLoop) {
  EventLoop runtime({.pool = std::make_shared<BlockingPool>(2)});
  std::thread::id worked, finished;
  runtime.post([&] {
    runtime.run_blocking([&] { worked = std::this_thread::get_id(); },
                         [&] {
                           finished = std::this_thread::get_id();
                           runtime.stop();
                         });
  });
  runtime.run();
  EXPECT_NE(worked, std::this_thread::get_id());
  EXPECT_EQ(finished, std::this_thread::get_id());
}

// S7a. The others end only when the log's work is done: it was not queued behind them.
TEST(EventLoop, WhatBlocksInOneLaneHoldsUpNoOther) {
  EventLoop runtime;
  std::promise<void> synced;
  const std::shared_future<void> log = synced.get_future().share();
  int ended = 0;
  const auto end = [&] {
    if (++ended == 7) runtime.stop();
  };
  runtime.post([&] {
    for (const Lane lane : {Lane::kRead, Lane::kBulk}) {
      for (std::size_t i = 0; i < 3; ++i) runtime.run_blocking(lane, [log] { log.wait(); }, end);
    }
    runtime.run_blocking(Lane::kLog, [&] { synced.set_value(); }, end);
  });
  runtime.run();
  EXPECT_EQ(ended, 7);
}

// What a callback holds tells where and when it is destroyed.
struct Witness {
  EventLoop* runtime;
  std::atomic<int>* destroyed;
  std::atomic<bool>* on_loop;
  TimerId timer = 0;
  ~Witness() {
    ++*destroyed;
    *on_loop = *on_loop && runtime->on_loop();
    // What a destructor of an owner does: none of this may hurt any more.
    runtime->cancel(timer);
    runtime->post([] { FAIL(); });
    runtime->at(runtime->now(), [] { FAIL(); });
  }
};

TEST(EventLoop, DropsWhatIsQueuedOnTheLoopsThreadWhenStopped) {
  std::atomic<int> destroyed = 0;
  std::atomic<bool> on_loop = true;
  auto pool = std::make_shared<BlockingPool>(1);
  std::promise<void> pool_entered;
  std::atomic<bool> work_finished = false, done_ran = false;
  {
    EventLoop runtime({.pool = pool});
    auto witness = [&] { return std::make_shared<Witness>(&runtime, &destroyed, &on_loop); };
    runtime.start_thread();
    runtime.post([&] {
      auto timed = witness();
      Witness* raw = timed.get();
      raw->timer = runtime.after(1h, [timed = std::move(timed)] { FAIL(); });
      runtime.run_blocking(
          [&] {
            pool_entered.set_value();
            std::this_thread::sleep_for(20ms);
            work_finished = true;
          },
          [w = witness(), &done_ran] { done_ran = true; });
      runtime.run_blocking([] { FAIL(); }, [w = witness()] { FAIL(); });
      runtime.post([&, w = witness()] {
        pool_entered.get_future().wait();
        runtime.post([w = witness()] { FAIL(); });
        runtime.stop();
      });
      runtime.post([w = witness()] { FAIL(); });
    });
    runtime.join();
    EXPECT_TRUE(work_finished);  // a work that has begun is waited for
    EXPECT_EQ(destroyed, 6);
    runtime.post([w = witness()] { FAIL(); });
    EXPECT_EQ(destroyed, 7);
  }
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(done_ran);
}

TEST(EventLoop, IsDestroyedUnrun) {
  std::atomic<int> destroyed = 0;
  std::atomic<bool> on_loop = true;
  {
    EventLoop runtime;
    runtime.post([w = std::make_shared<Witness>(&runtime, &destroyed, &on_loop)] { FAIL(); });
    runtime.after(0ms, [w = std::make_shared<Witness>(&runtime, &destroyed, &on_loop)] { FAIL(); });
  }
  EXPECT_EQ(destroyed, 2);
}

TEST(EventLoop, DrawsDifferentNumbersInEachIncarnation) {
  EventLoop a, b;
  EXPECT_NE(a.random(), b.random());
}

}  // namespace
}  // namespace meridian
