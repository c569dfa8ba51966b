// One proxy: Proxy between the loop and the sockets, with the public unary services.

#include <utility>

#include "proxy/proxy.h"
#include "server/command_line.h"
#include "server/front.h"
#include "server/parts.h"
#include "server/public_service.h"

namespace meridian::server {

namespace {

constexpr Duration kLoopPatience = 1s;

class ProxyInProcess final : public ProxyPart {
 public:
  ProxyInProcess(ProxyConfig config, std::unique_ptr<Front> front)
      : config_(std::move(config)), front_(std::move(front)) {}

  ~ProxyInProcess() override { stop(Duration(0)); }

  Result<> start() {
    front_->on_loop([this] {
      ProxyOptions options;
      options.nodes = config_.nodes;
      options.region = config_.region;
      options.version = version_text();
      options.limits = config_.limits.to_api();
      options.max_clock_offset = config_.limits.clock_offset;
      options.request_window = config_.limits.request_window;
      proxy_ =
          std::make_unique<Proxy>(Proxy::Deps{front_->runtime(), front_->transport(), &front_->metrics()}, options);
      proxy_->start();
    });
    auto dispatch = [this](MethodId method, IncomingCall call) { proxy_->dispatch(method, std::move(call)); };
    return front_->listen(make_public_services(front_->runtime(), dispatch, {.answers = front_->answers()}), [this] {
      return front_->ask_loop([this] { return proxy_->not_ready(); }, kLoopPatience)
          .value_or("its loop does not answer");
    });
  }

  const Address& address() const override { return front_->address(); }

  Result<std::string> call(MethodId method, std::string request, Duration timeout) override {
    auto promise = std::make_shared<std::promise<Result<std::string>>>();
    auto future = promise->get_future();
    const MonoTime deadline = front_->runtime().now() + timeout;
    front_->runtime().post([this, method, request = std::move(request), deadline, promise]() mutable {
      proxy_->dispatch(method, std::move(request), deadline,
                       [promise](Result<std::string> answer) { promise->set_value(std::move(answer)); });
    });
    if (future.wait_for(timeout + 1s) != std::future_status::ready) {
      return fail(ErrorCode::kUnknownOutcome, "the proxy did not answer");
    }
    return future.get();
  }

  // Requests under way are answered; they need no more than their deadlines.
  Result<> shut_down(Duration bound, bool) override {
    front_->drain();
    front_->on_loop([this] { proxy_->drain(); });
    stop(bound);
    return {};
  }

 private:
  void stop(Duration grace) {
    front_->stop(grace, [this] { proxy_.reset(); });
  }

  const ProxyConfig config_;
  std::unique_ptr<Front> front_;
  std::unique_ptr<Proxy> proxy_;
};

}  // namespace

Result<std::unique_ptr<ProxyPart>> start_proxy(ProxyConfig config, std::shared_ptr<BlockingPool> pool,
                                               const std::string& name, std::shared_ptr<LocalNetwork> network) {
  ASSIGN_OR_RETURN(auto front, Front::start({.name = name,
                                             .role = "proxy",
                                             .listen = config.listen,
                                             .advertise = config.advertise,
                                             .http = config.http,
                                             .region = config.region,
                                             .latency = config.latency,
                                             .latency_peers = config.latency_peers,
                                             .frame_bytes = config.limits.frame,
                                             .answer_bytes = config.limits.answers,
                                             .max_streams = config.limits.streams,
                                             .reflection = config.reflection,
                                             .pool = std::move(pool),
                                             .network = std::move(network)}));
  auto proxy = std::make_unique<ProxyInProcess>(std::move(config), std::move(front));
  RETURN_IF_ERROR(proxy->start());
  return proxy;
}

}  // namespace meridian::server
