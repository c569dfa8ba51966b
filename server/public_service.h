// The public unary gRPC services, meridian.v1.KeyValue and meridian.v1.Admin, for languages without an
// SDK. They hold no logic: bytes go to the handlers that the proxy registered for the streams, on the
// proxy's loop, and an Error becomes a status with an ErrorDetail in the trailer "meridian-error-bin".
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/transport.h"

namespace grpc {
class Service;
}

namespace meridian::server {

// Forwards everything to another transport and remembers the handlers, so that calls that came
// another way can be given to them. Lives on the loop of the transport.
class HandlerTap final : public Transport {
 public:
  HandlerTap(Runtime& runtime, Transport& inner) : runtime_(runtime), inner_(inner) {}

  void call(const Address& to, MethodId method, std::string request, CallOptions options,
            ResponseCallback done) override {
    inner_.call(to, method, std::move(request), std::move(options), std::move(done));
  }
  void send(const Address& to, MethodId method, std::string message, CallOptions options) override {
    inner_.send(to, method, std::move(message), std::move(options));
  }
  void handle(MethodId method, CallHandler handler) override {
    handlers_[method] = handler;
    inner_.handle(method, std::move(handler));
  }
  Address local_address() const override { return inner_.local_address(); }

  // Any thread. Where the loop has stopped, call.respond is dropped, and so answered kUnknownOutcome.
  void dispatch(MethodId method, IncomingCall call);

  Runtime& runtime() { return runtime_; }

 private:
  Runtime& runtime_;
  Transport& inner_;
  std::map<MethodId, CallHandler> handlers_;
};

struct PublicServiceOptions {
  // More at the same time are refused as busy.
  std::size_t max_in_flight = 16'384;
};

// The tap must outlive the services' server.
std::vector<std::shared_ptr<grpc::Service>> make_public_services(HandlerTap& tap, PublicServiceOptions options = {});

}  // namespace meridian::server
