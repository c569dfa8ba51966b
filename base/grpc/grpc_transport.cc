#include "base/grpc/grpc_transport.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "base/grpc/client_link.h"
#include "base/grpc/reactor.h"
#include "base/grpc/service.h"

namespace meridian {

using link::ClientLink;

class GrpcTransport::Impl {
 public:
  Impl(Runtime& runtime, const GrpcTransportOptions& options)
      : gate_(std::make_shared<link::LoopGate>(runtime)),
        count_(std::make_shared<link::StreamCount>()),
        reactor_(options.reactor ? options.reactor : std::make_shared<GrpcReactor>()),
        dispatcher_(std::make_shared<link::Dispatcher>(
            runtime, options, gate_, options.answers ? options.answers : std::make_shared<AnswerBudget>())),
        service_(std::make_shared<link::Service>(dispatcher_)),
        deps_{runtime, dispatcher_->options, gate_, count_, reactor_->queue()} {}

  ~Impl() {
    // In this order: nothing reaches the loop any more; streams of either direction are told to end; those on our
    // queue have ended.
    gate_->close();
    dispatcher_->closed = true;
    dispatcher_->handlers.clear();
    service_->abort();
    for (auto& [peer, links] : links_) {
      for (auto& link : links) {
        if (link) link->close();
      }
    }
    reactor_->serve_during([this] { count_->wait_for_none(); });
  }

  ClientLink& link(const Address& to, Priority priority) {
    std::shared_ptr<ClientLink>& link = links_[to][static_cast<std::size_t>(priority)];
    if (!link) link = std::make_shared<ClientLink>(deps_, to, priority);
    return *link;
  }

  std::shared_ptr<link::LoopGate> gate_;
  std::shared_ptr<link::StreamCount> count_;
  std::shared_ptr<GrpcReactor> reactor_;
  std::shared_ptr<link::Dispatcher> dispatcher_;
  std::shared_ptr<link::Service> service_;

 private:
  const link::LinkDeps deps_;
  std::unordered_map<Address, std::array<std::shared_ptr<ClientLink>, 3>> links_;
};

GrpcTransport::GrpcTransport(Runtime& runtime, GrpcTransportOptions options)
    : options_(std::move(options)), impl_(std::make_unique<Impl>(runtime, options_)) {}

GrpcTransport::~GrpcTransport() = default;

void GrpcTransport::call(const Address& to, MethodId method, std::string request, CallOptions options,
                         ResponseCallback done) {
  impl_->link(to, options.priority).call(method, std::move(request), std::move(options), std::move(done));
}

void GrpcTransport::send(const Address& to, MethodId method, std::string message, CallOptions options) {
  impl_->link(to, options.priority).send(method, std::move(message), std::move(options));
}

void GrpcTransport::handle(MethodId method, CallHandler handler) {
  impl_->dispatcher_->handlers[method] = std::move(handler);
}

std::shared_ptr<link::Service> GrpcTransport::service() { return impl_->service_; }

}  // namespace meridian
