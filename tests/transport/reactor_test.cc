// A loop that sleeps in gRPC's completion queue. What it does with streams is in grpc_transport_test.cc.
#include "base/grpc/reactor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "base/event_loop.h"
#include "tests/transport/harness.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;

TEST(GrpcReactor, IsWokenByTimers) {
  const auto reactor = std::make_shared<GrpcReactor>();
  EventLoop loop({.reactor = reactor});
  const MonoTime start = loop.now();
  std::vector<int> order;
  loop.at(start + 20ms, [&] {
    order.push_back(2);
    loop.stop();
  });
  loop.at(start + 10ms, [&] { order.push_back(1); });
  loop.at(start + 1h, [&] { order.push_back(3); });
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(loop.now() - start, 20ms);
}

// Every post finds the loop asleep, or just about to be.
TEST(GrpcReactor, IsWokenByEachPost) {
  const auto reactor = std::make_shared<GrpcReactor>();
  EventLoop loop({.reactor = reactor});
  loop.start_thread();
  for (int i = 0; i < 5'000; ++i) {
    std::promise<void> done;
    loop.post([&] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(10s), std::future_status::ready) << i;
  }
}

TEST(GrpcReactor, LosesNoPostOfManyThreads) {
  constexpr int kThreads = 4, kPosts = 5'000;
  const auto reactor = std::make_shared<GrpcReactor>();
  EventLoop loop({.reactor = reactor});
  loop.start_thread();
  std::latch done(kThreads * kPosts);
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kPosts; ++i) loop.post([&] { done.count_down(); });
    });
  }
  for (std::thread& poster : posters) poster.join();
  done.wait();
}

TEST(GrpcReactor, StopsAnIdleLoop) {
  const auto reactor = std::make_shared<GrpcReactor>();
  for (int i = 0; i < 50; ++i) {  // one after the other: the reactor outlives its loops
    EventLoop loop({.reactor = reactor});
    loop.start_thread();
    loop.stop();
    loop.join();
  }
}

TEST(GrpcReactor, ServesStreamsWithNoLoopAtAll) {
  test::End server;
  server.serve();
  EventLoop loop;  // sleeps elsewhere; the transport's reactor has no loop
  GrpcTransport transport(loop);
  std::promise<Result<std::string>> answer;
  loop.post([&] {
    transport.call(server.address, test::kEcho, "there", {.deadline = loop.now() + 10s},
                   [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  });
  loop.start_thread();
  const Result<std::string> result = answer.get_future().get();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(*result, "there");
  loop.stop();
  loop.join();
}

}  // namespace
}  // namespace meridian
