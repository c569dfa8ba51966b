// Ends of a transport on loops of their own, for tests from outside of them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/grpc/answer_budget.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"
#include "base/grpc/reactor.h"

namespace meridian::test {

using namespace std::chrono_literals;

inline constexpr MethodId kEcho = 1;      // answers the request
inline constexpr MethodId kHold = 2;      // keeps the Responder in held
inline constexpr MethodId kFail = 3;      // a busy error with a chain of causes
inline constexpr MethodId kNote = 4;      // one-way: appends to notes
inline constexpr MethodId kDeadline = 5;  // answers how many microseconds are left
inline constexpr MethodId kBig = 6;       // answers as many bytes as the request says
inline constexpr MethodId kNobody = 99;

// A runtime, its transport and, if it serves, its server.
class End {
 public:
  explicit End(GrpcTransportOptions options = {}) : runtime_({.name = "end", .reactor = reactor_}) {
    options.reactor = reactor_;
    transport_ = std::make_unique<GrpcTransport>(runtime_, std::move(options));
    runtime_.start_thread();
  }
  ~End() { stop(); }

  void stop() {
    stop_server(0ms);
    if (!transport_) return;
    on_loop([this] {
      transport_.reset();
      held.clear();
    });
    runtime_.stop();
    runtime_.join();
  }
  void stop_server(Duration grace) {
    if (server_) server_->shutdown(grace);
    server_.reset();
  }

  // Serves the methods above. port 0: any.
  void serve(int port = 0) {
    on_loop([this] { add_handlers(); });
    auto server = GrpcServer::start({.listen = "127.0.0.1:" + std::to_string(port), .link = transport_->service(), .reactor = reactor_});
    ASSERT_TRUE(server) << server.error().to_string();
    server_ = std::move(*server);
    on_loop([this] { transport_->set_local_address(server_->address()); });
    address = server_->address();
  }

  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    runtime_.post([&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }

  std::future<Result<std::string>> start_call(const Address& to, MethodId method, std::string request,
                                              Duration timeout = 10s, Priority priority = Priority::kNormal) {
    auto promise = std::make_shared<std::promise<Result<std::string>>>();
    auto future = promise->get_future();
    runtime_.post([this, to, method, request = std::move(request), timeout, priority, promise]() mutable {
      transport_->call(to, method, std::move(request),
                       {.deadline = runtime_.now() + timeout, .priority = priority, .trace = "trace"},
                       [this, promise](Result<std::string> result) {
                         EXPECT_TRUE(runtime_.on_loop());
                         promise->set_value(std::move(result));
                       });
    });
    return future;
  }
  Result<std::string> call(const Address& to, MethodId method, std::string request, Duration timeout = 10s,
                           Priority priority = Priority::kNormal) {
    return start_call(to, method, std::move(request), timeout, priority).get();
  }

  EventLoop& runtime() { return runtime_; }
  GrpcTransport& transport() { return *transport_; }
  GrpcServer& server() { return *server_; }

  Address address;
  std::vector<IncomingCall> held;  // on the loop
  std::vector<std::string> notes;  // on the loop
  std::size_t answered_bytes = 0;  // of kBig; on the loop

 private:
  void add_handlers() {
    transport_->handle(kEcho, [this](IncomingCall call) {
      EXPECT_TRUE(runtime_.on_loop());
      call.respond(std::move(call.payload));
    });
    transport_->handle(kHold, [this](IncomingCall call) { held.push_back(std::move(call)); });
    transport_->handle(kFail, [](IncomingCall call) {
      call.respond(fail(Error(ErrorCode::kBusy, "too much")
                            .with_retry_after(17)
                            .with_cause(Error(ErrorCode::kDiskFull, "why").with_cause(Error(ErrorCode::kIo, "deep")))));
    });
    transport_->handle(kNote, [this](IncomingCall call) {
      notes.push_back(call.payload);
      call.respond(std::string("nobody hears this"));
    });
    transport_->handle(kDeadline, [this](IncomingCall call) {
      call.respond(std::to_string((call.deadline - runtime_.now()).count()) + " " + call.trace);
    });
    transport_->handle(kBig, [this](IncomingCall call) {
      std::string answer(std::stoul(call.payload), 'x');
      answered_bytes += answer.size();
      call.respond(std::move(answer));
    });
  }

  const std::shared_ptr<GrpcReactor> reactor_ = std::make_shared<GrpcReactor>(GrpcReactor::Use::kServesToo);
  EventLoop runtime_;
  std::unique_ptr<GrpcTransport> transport_;
  std::unique_ptr<GrpcServer> server_;
};

// Waits for a condition that the loop of an end will make true.
template <class F>
[[nodiscard]] bool eventually(End& end, F condition, Duration limit = 5s) {
  const MonoTime deadline = end.runtime().now() + limit;
  bool holds = false;
  while (!holds && end.runtime().now() < deadline) {
    end.on_loop([&] { holds = condition(); });
    if (!holds) std::this_thread::sleep_for(1ms);
  }
  return holds;
}

inline ErrorCode code_of(const Result<std::string>& result) { return result ? ErrorCode(0) : result.error().code(); }

}  // namespace meridian::test
