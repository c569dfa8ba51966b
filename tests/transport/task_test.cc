#include "base/task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;

TEST(Task, SleepsSuspendsAndOffloadsInALine) {
  EventLoop runtime;
  std::vector<std::string> story;
  std::thread other;
  auto body = [&]() -> Task<> {
    const MonoTime start = runtime.now();
    co_await sleep_for(runtime, 5ms);
    EXPECT_GE(runtime.now() - start, 5ms);
    const int n = co_await offload(runtime, [] { return 42; });
    story.push_back(std::to_string(n));
    co_await offload(runtime, [&] { EXPECT_FALSE(runtime.on_loop()); });
    EXPECT_TRUE(runtime.on_loop());
    // The completion is called on another thread; a Result has no default constructor to fall back on.
    Result<std::string> answer =
        co_await suspend<Result<std::string>>(runtime, [&](Completion<Result<std::string>> done) {
          other = std::thread([done = std::move(done)]() mutable { done(std::string("answer")); });
        });
    EXPECT_TRUE(runtime.on_loop());
    story.push_back(*answer);
    co_await suspend<void>(runtime, [](Completion<void> done) { done(); });
    story.push_back("end");
    runtime.stop();
  };
  spawn(runtime, body());
  runtime.run();
  other.join();
  EXPECT_EQ(story, (std::vector<std::string>{"42", "answer", "end"}));
}

Task<int> add(Runtime& runtime, int a, int b) {
  co_await sleep_for(runtime, 0ms);
  co_return a + b;
}

TEST(Task, ResumesNestedTasksOnTheLoopsExecutor) {
  EventLoop runtime;
  int sum = 0;
  bool same_executor = false;
  auto body = [&]() -> Task<> {
    for (int i = 0; i < 100; ++i) sum = co_await add(runtime, sum, i);
    same_executor = co_await boost::asio::this_coro::executor == runtime.executor();
    runtime.stop();
  };
  spawn(runtime, body());
  runtime.run();
  EXPECT_EQ(sum, 4950);
  EXPECT_TRUE(same_executor);
}

struct Unwound {
  std::atomic<int>* count;
  EventLoop* runtime;
  ~Unwound() {
    ++*count;
    EXPECT_TRUE(runtime->on_loop());
  }
};

TEST(Task, DestroysSuspendedCoroutinesWhenTheRuntimeStops) {
  std::atomic<int> unwound = 0;
  {
    EventLoop runtime;
    runtime.start_thread();
    auto inner = [](EventLoop& runtime, std::atomic<int>& unwound) -> Task<> {
      Unwound witness{&unwound, &runtime};
      co_await sleep_for(runtime, 1h);
      ADD_FAILURE();
    };
    auto outer = [inner](EventLoop& runtime, std::atomic<int>& unwound) -> Task<> {
      Unwound witness{&unwound, &runtime};
      co_await inner(runtime, unwound);
      ADD_FAILURE();
    };
    auto blocked = [](EventLoop& runtime, std::atomic<int>& unwound) -> Task<> {
      Unwound witness{&unwound, &runtime};
      int owned = 0;  // the work uses the frame while it is on the pool: the frame must outlive it
      co_await offload(runtime, [&] {
        std::this_thread::sleep_for(10ms);
        owned = 1;
        runtime.stop();
        std::this_thread::sleep_for(20ms);
        owned = 2;
      });
      ADD_FAILURE();
    };
    spawn(runtime, outer(runtime, unwound));
    spawn(runtime, blocked(runtime, unwound));
    runtime.join();
    EXPECT_EQ(unwound, 3);
  }
  EXPECT_EQ(unwound, 3);
}

// A service outside of the runtime (a transport) that holds completions and dies between the loop and the runtime.
TEST(Task, DestroysACoroutineWhoseCompletionIsDroppedAfterTheLoopEnded) {
  std::atomic<int> unwound = 0;
  EventLoop runtime;
  std::vector<Completion<int>> held;
  auto body = [&]() -> Task<> {
    Unwound witness{&unwound, &runtime};
    co_await suspend<int>(runtime, [&](Completion<int> done) {
      held.push_back(std::move(done));
      runtime.stop();
    });
    ADD_FAILURE();
  };
  spawn(runtime, body());
  runtime.run();
  EXPECT_EQ(unwound, 0);
  held.clear();
  EXPECT_EQ(unwound, 1);
}

TEST(Task, DestroysACoroutineWhoseCompletionIsDroppedOnARunningLoop) {
  std::atomic<int> unwound = 0;
  EventLoop runtime;
  auto body = [&]() -> Task<> {
    Unwound witness{&unwound, &runtime};
    co_await suspend<int>(runtime, [](Completion<int>) {});
    ADD_FAILURE();
  };
  spawn(runtime, body());
  runtime.after(5ms, [&] { runtime.stop(); });
  runtime.run();
  EXPECT_EQ(unwound, 1);
}

TEST(TaskDeathTest, AnExceptionThatLeavesATaskIsABug) {
  EXPECT_DEATH(
      {
        EventLoop runtime;
        spawn(runtime, []() -> Task<> {
          throw std::runtime_error("library trouble");
          co_return;
        }());
        runtime.run();
      },
      "library trouble");
}

}  // namespace
}  // namespace meridian
