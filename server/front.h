// What nodes and proxies have in common: the loop's thread, transport, gRPC server, HTTP and metrics.
// Used from the main thread, but for what says otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/event_loop.h"
#include "base/grpc/answer_budget.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"
#include "base/grpc/reactor.h"
#include "base/local_transport.h"
#include "base/metrics.h"
#include "server/config.h"
#include "server/http_server.h"

namespace meridian::server {

class Front {
 public:
  struct Options {
    std::string name;  // "n1", or empty
    std::string role;  // "node", "proxy"
    std::string listen;
    std::string advertise;
    std::string http;
    std::string region;
    std::string latency;
    std::vector<std::string> latency_peers;
    std::size_t frame_bytes = 16 << 20;
    std::uint64_t answer_bytes = 0;  // 0: AnswerBudget's
    std::int64_t max_streams = 0;
    bool reflection = false;
    std::shared_ptr<BlockingPool> pool;
    std::shared_ptr<LocalNetwork> network;  // of the parts of this process; null: there is no other
  };

  // Probes the ports, starts the loop and makes the transport; nothing listens yet.
  static Result<std::unique_ptr<Front>> start(Options options);
  // The loop ends if it has not; then the transport goes.
  ~Front();

  Runtime& runtime() { return runtime_; }
  Transport& transport() { return local_ ? static_cast<Transport&>(*local_) : *transport_; }
  Metrics& metrics() { return metrics_; }
  const Address& address() const { return address_; }
  const std::shared_ptr<AnswerBudget>& answers() const { return answers_; }

  // not_ready: on HTTP's threads; what keeps it from serving, or empty.
  Result<> listen(std::vector<std::shared_ptr<ExtraService>> services, std::function<std::string()> not_ready);
  // From now on /readyz and gRPC's health say no.
  void drain();
  // Answers what is in flight, for so long, then ends the loop; nothing runs on it afterwards. release destroys what
  // may still hold calls, whereby they are answered: the server waits for that. Idempotent.
  void stop(Duration grace, const std::function<void()>& release = [] {});

  // Runs f on the loop and waits for it. Not from the loop; not after stop().
  template <class F>
  std::invoke_result_t<F> on_loop(F f) {
    std::promise<std::invoke_result_t<F>> promise;
    auto future = promise.get_future();
    runtime_.post([&] {
      if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
        f();
        promise.set_value();
      } else {
        promise.set_value(f());
      }
    });
    return future.get();
  }
  // The same for HTTP's threads: at most for so long; nullopt: the loop does not answer. Not after stop().
  template <class F>
  std::optional<std::invoke_result_t<F>> ask_loop(F f, Duration timeout) {
    using T = std::invoke_result_t<F>;
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    runtime_.post([promise, f = std::move(f)]() mutable { promise->set_value(f()); });
    if (future.wait_for(timeout) != std::future_status::ready) return std::nullopt;
    return future.get();
  }
  // Starts something on the loop and waits for its callback; false: it takes longer.
  bool wait_for(std::function<void(Callback done)> start, Duration timeout);

 private:
  explicit Front(Options options);
  void register_process_metrics();

  const Options options_;
  Address listen_;
  Address address_;
  Metrics metrics_;
  const std::shared_ptr<AnswerBudget> answers_;
  const std::shared_ptr<GrpcReactor> reactor_ = std::make_shared<GrpcReactor>(GrpcReactor::Use::kServesToo);
  EventLoop runtime_;
  std::unique_ptr<GrpcTransport> transport_;
  std::unique_ptr<LocalTransport> local_;  // over transport_
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<HttpServer> http_;
  std::shared_ptr<void> process_metrics_;
  std::atomic<bool> draining_{false};
  bool stopped_ = false;
};

}  // namespace meridian::server
