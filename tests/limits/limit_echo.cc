// limit_echo: calls over one batched gRPC stream (base/grpc), so many in flight, both ends in this process: what a hop
// between two processes could carry if nobody did anything with a call but to answer it.
#include <future>
#include <memory>
#include <utility>

#include "base/event_loop.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"
#include "base/grpc/reactor.h"
#include "tests/limits/limit.h"

namespace meridian::limits {
namespace {

constexpr MethodId kEcho = 1;
constexpr Duration kWarmUp{500'000};  // the connection is made, buffers have their size

// On the client's loop.
class EchoLoad {
 public:
  EchoLoad(EventLoop& runtime, GrpcTransport& transport, Address to, const LimitOptions& options)
      : runtime_(runtime),
        transport_(transport),
        to_(std::move(to)),
        payload_(options.value_bytes, 'x'),
        duration_(options.duration()) {}

  void start(std::uint64_t in_flight) {
    warm_until_ = runtime_.now() + kWarmUp;
    end_ = warm_until_ + duration_;
    for (std::uint64_t i = 0; i < in_flight; ++i) next();
  }
  std::promise<void> finished;
  Figures figures;

 private:
  void next() {
    const MonoTime start = runtime_.now();
    if (start >= end_) {
      if (!std::exchange(ended_, true)) finished.set_value();
      return;
    }
    transport_.call(to_, kEcho, payload_, {.deadline = start + std::chrono::seconds(10)},
                    [this, start](const Result<std::string>& result) {
                      const MonoTime now = runtime_.now();
                      if (start >= warm_until_ && !ended_) {
                        figures.took = now - warm_until_;
                        if (result) {
                          ++figures.operations;
                          figures.latency_us.record(static_cast<std::uint64_t>((now - start).count()));
                        } else {
                          ++figures.failed;
                        }
                      }
                      next();
                    });
  }

  EventLoop& runtime_;
  GrpcTransport& transport_;
  const Address to_;
  const std::string payload_;
  const Duration duration_;
  MonoTime warm_until_, end_;
  bool ended_ = false;
};

Result<Figures> measure(const LimitOptions& options) {
  const auto server_reactor = std::make_shared<GrpcReactor>(GrpcReactor::Use::kServesToo);
  const auto client_reactor = std::make_shared<GrpcReactor>();
  EventLoop server_loop({.name = "server", .reactor = server_reactor});
  EventLoop client_loop({.name = "client", .reactor = client_reactor});
  GrpcTransport server(server_loop, {.reactor = server_reactor}), client(client_loop, {.reactor = client_reactor});
  server.handle(kEcho, [](IncomingCall call) { call.respond(std::move(call.payload)); });
  ASSIGN_OR_RETURN(const auto listening, GrpcServer::start({.listen = "127.0.0.1:0", .link = server.service(), .reactor = server_reactor}));
  server_loop.start_thread();
  EchoLoad load(client_loop, client, listening->address(), options);
  client_loop.post([&] { load.start(options.batch); });
  client_loop.start_thread();
  load.finished.get_future().wait();
  client_loop.stop();
  client_loop.join();
  listening->shutdown(Duration::zero());
  server_loop.stop();
  server_loop.join();
  return std::move(load.figures);
}

}  // namespace
}  // namespace meridian::limits

int main(int argc, char** argv) {
  using namespace meridian::limits;
  LimitOptions options;
  if (const auto code = parse("limit_echo", "Echoes over one batched gRPC stream.", OnDisk::kNo, argc, argv, options)) {
    return *code;
  }
  const meridian::Result<Figures> figures = measure(options);
  return figures ? report("echo", options, *figures) : report_failure("limit_echo", figures.error());
}
