// Two loops of one process that speak without sockets.
#include "base/local_transport.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "base/event_loop.h"

namespace meridian {
namespace {

using namespace std::chrono_literals;

constexpr MethodId kEcho = 1, kHold = 2, kNote = 3, kBig = 4;

// What is not in this process: remembers where calls went.
class Outside final : public Transport {
 public:
  explicit Outside(Address address) : address_(std::move(address)) {}
  void call(const Address& to, MethodId, std::string, CallOptions, ResponseCallback done) override {
    done("outside " + to);
  }
  void send(const Address&, MethodId, std::string, CallOptions) override {}
  void handle(MethodId method, CallHandler) override { handled.push_back(method); }
  Address local_address() const override { return address_; }
  std::vector<MethodId> handled;

 private:
  const Address address_;
};

struct End {
  End(const Address& address, std::shared_ptr<LocalNetwork> network, LocalTransportOptions options = {})
      : outside(address), transport(new LocalTransport(runtime, std::move(network), outside, std::move(options))) {
    transport->handle(kEcho, [this](IncomingCall call) {
      EXPECT_TRUE(runtime.on_loop());
      call.respond(call.payload + "!");
    });
    transport->handle(kHold, [this](IncomingCall call) { held.push_back(std::move(call)); });
    transport->handle(kNote, [this](IncomingCall call) { notes += call.payload; });
    transport->handle(kBig, [](IncomingCall call) { call.respond(std::string(std::stoul(call.payload), 'x')); });
    runtime.start_thread();
  }
  ~End() { stop(); }
  void stop() {
    runtime.stop();
    runtime.join();
    held.clear();
    transport.reset();
  }
  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    runtime.post([&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::future<Result<std::string>> start_call(const Address& to, MethodId method, std::string request,
                                              Duration timeout = 10s) {
    auto promise = std::make_shared<std::promise<Result<std::string>>>();
    runtime.post([this, to, method, request = std::move(request), timeout, promise]() mutable {
      transport->call(to, method, std::move(request), {.deadline = runtime.now() + timeout},
                      [this, promise](Result<std::string> answer) {
                        EXPECT_TRUE(runtime.on_loop());
                        promise->set_value(std::move(answer));
                      });
    });
    return promise->get_future();
  }
  ErrorCode code(const Address& to, MethodId method, std::string request, Duration timeout = 10s) {
    const Result<std::string> answer = start_call(to, method, std::move(request), timeout).get();
    return answer ? ErrorCode(0) : answer.error().code();
  }

  EventLoop runtime;
  Outside outside;
  std::unique_ptr<LocalTransport> transport;
  std::vector<IncomingCall> held;  // on the loop
  std::string notes;               // on the loop
};

class LocalTransportTest : public ::testing::Test {
 protected:
  std::shared_ptr<LocalNetwork> network_ = std::make_shared<LocalNetwork>();
  End a_{"a", network_}, b_{"b", network_};
};

TEST_F(LocalTransportTest, CallsReachTheOtherLoopAndOthersGoOutside) {
  EXPECT_EQ(a_.start_call("b", kEcho, "hello").get().value(), "hello!");
  EXPECT_EQ(a_.start_call("a", kEcho, "oneself").get().value(), "oneself!");
  EXPECT_EQ(a_.start_call("elsewhere", kEcho, "x").get().value(), "outside elsewhere");
  // Served to the outside, too.
  EXPECT_EQ(a_.outside.handled, (std::vector<MethodId>{kEcho, kHold, kNote, kBig}));
}

TEST_F(LocalTransportTest, EveryCallIsAnsweredAsThePortPromises) {
  EXPECT_EQ(a_.code("b", 99, ""), ErrorCode::kUnimplemented);
  EXPECT_EQ(a_.code("b", kEcho, "", -1s), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(a_.code("b", kEcho, std::string((16 << 20) + 1, 'x')), ErrorCode::kInvalidArgument);
  EXPECT_EQ(a_.code("b", kBig, std::to_string((16 << 20) + 1)), ErrorCode::kInternal);
  EXPECT_EQ(a_.code("b", kHold, "", 20ms), ErrorCode::kUnknownOutcome);
  auto dropped = a_.start_call("b", kHold, "");
  while (dropped.wait_for(0s) != std::future_status::ready) b_.on_loop([this] { b_.held.clear(); });
  EXPECT_EQ(dropped.get().error().code(), ErrorCode::kUnknownOutcome);
}

TEST_F(LocalTransportTest, MessagesKeepTheirOrder) {
  std::string sent;
  a_.on_loop([&] {
    for (int i = 0; i < 1000; ++i) {
      const std::string note(1, static_cast<char>('a' + i % 26));
      sent += note;
      a_.transport->send("b", kNote, note, {});
    }
  });
  EXPECT_EQ(a_.start_call("b", kEcho, "").get().value(), "!");  // behind them
  b_.on_loop([&] { EXPECT_EQ(b_.notes, sent); });
}

TEST_F(LocalTransportTest, WhereTheOtherEndHasLeftNothingIsLost) {
  auto held = a_.start_call("b", kHold, "");
  for (std::size_t n = 0; n == 0;) b_.on_loop([&] { n = b_.held.size(); });
  b_.stop();
  EXPECT_EQ(held.get().error().code(), ErrorCode::kUnknownOutcome);  // it was received
  EXPECT_EQ(a_.start_call("b", kEcho, "").get().value(), "outside b");
}

// A loop that stops drops what it has not run: that was certainly not received.
TEST_F(LocalTransportTest, WhatNeverArrivedIsUnavailable) {
  std::promise<void> stuck, go;
  b_.runtime.post([&] {
    stuck.set_value();
    go.get_future().wait();
  });
  stuck.get_future().wait();
  auto late = a_.start_call("b", kEcho, "x");
  a_.on_loop([] {});
  b_.runtime.stop();
  go.set_value();
  b_.runtime.join();
  EXPECT_EQ(late.get().error().code(), ErrorCode::kUnavailable);
}

// Also where it is the caller's own loop that has stopped: what was posted answers nobody, and nothing hangs.
TEST_F(LocalTransportTest, ACallToOneselfEndsWithTheLoop) {
  a_.on_loop([&] { a_.runtime.stop(); });
  a_.runtime.join();
  bool answered = false;
  a_.transport->call("a", kEcho, "x", {}, [&](const Result<std::string>&) { answered = true; });
  EXPECT_FALSE(answered);
}

TEST_F(LocalTransportTest, TooMuchOnTheWayIsRefused) {
  std::promise<void> stuck, go;
  b_.runtime.post([&] {
    stuck.set_value();
    go.get_future().wait();
  });
  stuck.get_future().wait();
  std::vector<std::future<Result<std::string>>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(a_.start_call("b", kEcho, std::string(15 << 20, 'x')));
  EXPECT_EQ(calls[4].get().error().code(), ErrorCode::kBusy);
  go.set_value();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(calls[static_cast<std::size_t>(i)].get().has_value());
  EXPECT_TRUE(a_.start_call("b", kEcho, std::string(15 << 20, 'x')).get().has_value());
}

TEST(LocalTransport, LatencyIsInjectedBothWays) {
  auto network = std::make_shared<LocalNetwork>();
  LocalTransportOptions slow;
  slow.zone = "far";
  slow.request_delay = [](const Address& to) { return to == "b" ? Duration(20'000) : Duration(0); };
  slow.answer_delay = [](const std::string& zone) { return zone == "far" ? Duration(30'000) : Duration(0); };
  End a("a", network, slow), b("b", network, slow);
  const MonoTime began = a.runtime.now();
  EXPECT_EQ(a.start_call("b", kEcho, "x").get().value(), "x!");
  EXPECT_GE(a.runtime.now() - began, Duration(50'000));
}

}  // namespace
}  // namespace meridian
