// Echo calls over the transport, both ends in this process: so many in flight, for so long.
//   transport_bench [in_flight = 1024] [payload_bytes = 256] [seconds = 5]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <vector>

#include "base/asio_runtime.h"
#include "base/grpc/grpc_server.h"
#include "base/grpc/grpc_transport.h"

namespace meridian {
namespace {

constexpr MethodId kEcho = 1;

class Load {
 public:
  Load(AsioRuntime& runtime, GrpcTransport& transport, Address to, std::string payload, Duration duration)
      : runtime_(runtime),
        transport_(transport),
        to_(std::move(to)),
        payload_(std::move(payload)),
        duration_(duration) {}

  void start(int in_flight) {
    warm_until_ = runtime_.now() + std::chrono::seconds(1);
    end_ = warm_until_ + duration_;
    for (int i = 0; i < in_flight; ++i) next();
  }
  void report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto percentile = [&](double p) {
      return latencies_.empty() ? 0
                                : latencies_[static_cast<std::size_t>(p * static_cast<double>(latencies_.size() - 1))];
    };
    std::printf("%.0f calls/s, p50 %u us, p99 %u us, %llu failed\n",
                static_cast<double>(latencies_.size()) * 1e6 / static_cast<double>(duration_.count()), percentile(0.5),
                percentile(0.99), static_cast<unsigned long long>(failed_));
  }
  std::promise<void> finished;

 private:
  void next() {
    const MonoTime start = runtime_.now();
    if (start >= end_) {
      if (!std::exchange(ended_, true)) finished.set_value();
      return;
    }
    transport_.call(to_, kEcho, payload_, {.deadline = start + std::chrono::seconds(10)},
                    [this, start](Result<std::string> result) {
                      if (!result) ++failed_;
                      if (start >= warm_until_) {
                        latencies_.push_back(static_cast<unsigned>((runtime_.now() - start).count()));
                      }
                      next();
                    });
  }

  AsioRuntime& runtime_;
  GrpcTransport& transport_;
  const Address to_;
  const std::string payload_;
  const Duration duration_;
  MonoTime warm_until_, end_;
  std::vector<unsigned> latencies_;
  unsigned long long failed_ = 0;
  bool ended_ = false;
};

int run(int in_flight, std::size_t payload_bytes, int seconds) {
  AsioRuntime server_loop({.name = "server"}), client_loop({.name = "client"});
  GrpcTransport server(server_loop), client(client_loop);
  server.handle(kEcho, [](IncomingCall call) { call.respond(std::move(call.payload)); });
  auto listening = GrpcServer::start({.listen = "127.0.0.1:0", .link = server.service()});
  if (!listening) {
    std::fprintf(stderr, "%s\n", listening.error().to_string().c_str());
    return 1;
  }
  server_loop.start_thread();
  Load load(client_loop, client, (*listening)->address(), std::string(payload_bytes, 'x'),
            std::chrono::seconds(seconds));
  client_loop.post([&] { load.start(in_flight); });
  client_loop.start_thread();
  load.finished.get_future().wait();
  client_loop.stop();
  client_loop.join();
  (*listening)->shutdown(Duration::zero());
  server_loop.stop();
  server_loop.join();
  load.report();
  return 0;
}

}  // namespace
}  // namespace meridian

int main(int argc, char** argv) {
  return meridian::run(argc > 1 ? std::atoi(argv[1]) : 1024, argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 256,
                       argc > 3 ? std::atoi(argv[3]) : 5);
}
