#include "client/grpc/connection.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

namespace meridian::sdk::detail {

namespace {
thread_local bool t_on_client_thread = false;
}

bool on_client_thread() { return t_on_client_thread; }

Error would_deadlock() {
  return Error(ErrorCode::kFailedPrecondition,
               "waiting on the client's own thread would never end: use then() or co_await there");
}

void die_of_deadlock() {
  std::fprintf(stderr, "meridian: Task::get() on the client's own thread would never end: co_await it there\n");
  std::abort();
}

Connection::Connection(const ConnectOptions& options)
    : loop_(std::make_shared<Loop>()), default_timeout_(std::max(options.timeout(), std::chrono::milliseconds(1))) {
  client::Options core;
  core.default_timeout = default_timeout_;
  core.max_in_flight = options.max_in_flight();
  core.inject_faults = options.inject_faults();
  loop_->runtime.post([loop = loop_.get(), proxies = options.proxies(), core, throttle = throttle_] {
    t_on_client_thread = true;
    // Not the cluster's two seconds: of clients there are thousands, idle for most of the time, and a call that gets no
    // answer goes elsewhere by itself.
    constexpr auto kKeepalive = std::chrono::seconds(20);
    loop->transport.emplace(loop->runtime, GrpcTransportOptions{.keepalive = kKeepalive,
                                                                .keepalive_timeout = kKeepalive,
                                                                .reactor = loop->reactor});
    loop->core.emplace(client::ClientCore::Deps{loop->runtime, *loop->transport, proxies, core, throttle});
  });
  loop_->runtime.start_thread();
}

Connection::~Connection() {
  // Posts are run in order: the answers that shut_down() posts come before the end.
  loop_->runtime.post([loop = loop_.get()] {
    loop->core->shut_down();
    loop->runtime.post([loop] {
      loop->core.reset();
      loop->transport.reset();
      loop->runtime.stop();
    });
  });
  if (!t_on_client_thread) {
    loop_->runtime.join();
    return;
  }
  // The last handle went in a callback. The loop goes on to the two posts above, and ends.
  std::thread([loop = std::move(loop_)]() mutable {
    loop->runtime.join();
    loop.reset();
  }).detach();
}

double Connection::draw() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>()(generator);
}

client::Call Connection::call_of(const CallOptions& options) const {
  client::Call call;
  const std::chrono::milliseconds timeout =
      std::clamp(options.timeout().value_or(default_timeout_), std::chrono::milliseconds(1),
                 std::chrono::milliseconds(std::chrono::hours(24 * 365)));
  call.deadline = loop_->runtime.now() + timeout;
  call.fail_when_busy = options.fail_when_busy();
  call.passed_throttle = true;  // start() has asked
  if (options.request_id()) call.id = to_proto(*options.request_id());
  return call;
}

Future<RequestId> Connection::new_request_id(const CallOptions& options) {
  return start<RequestId, v1::RequestId>(
      options, true, [](v1::RequestId id) { return to_public(id); },
      [](client::ClientCore& core, client::Call call, client::Done<v1::RequestId> done) {
        return core.new_request_id(std::move(call), std::move(done));
      });
}

}  // namespace meridian::sdk::detail
