#include "base/grpc/grpc_server.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "base/grpc/health_service.h"
#include "base/grpc/listener.h"
#include "base/grpc/reactor.h"
#include "base/grpc/service.h"

namespace meridian {

namespace {

void set_arguments(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  // Callers that vanished are noticed; those that ping often (see GrpcTransportOptions::keepalive) are welcome. Not so soon
  // that thousands of idle ones are work, or that a pause of a few seconds drops them all.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Of one connection; a caller's gRPC holds back what is more.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1'024);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  std::size_t message_bytes = options.message_bytes;
  if (options.link) message_bytes = std::max(message_bytes, options.link->message_bytes());
  builder.SetMaxReceiveMessageSize(static_cast<int>(message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(message_bytes));
}

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(GrpcServerOptions options) {
  std::unique_ptr<GrpcServer> result(new GrpcServer());
  result->health_ = std::make_shared<link::HealthService>();
  options.services.push_back(result->health_);
  std::unique_ptr<grpc::ServerBuilder> made = options.reactor ? options.reactor->take_server_builder() : nullptr;
  if (!made) {
    options.reactor = std::make_shared<GrpcReactor>(GrpcReactor::Use::kServesToo);
    made = options.reactor->take_server_builder();
  }
  grpc::ServerBuilder& builder = *made;
  set_arguments(builder, options);
  Result<std::unique_ptr<link::Listener>> listener = link::Listener::listen(options.listen);
  if (!listener) return fail(std::move(listener).error());
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
          options.credentials ? options.credentials : grpc::InsecureServerCredentials());
  for (const auto& service : options.services) builder.RegisterService(service->grpc_service());
  if (options.link) builder.RegisterService(options.link->grpc_service());
  result->server_ = builder.BuildAndStart();
  if (!result->server_) return fail(ErrorCode::kInternal, fmt::format("gRPC cannot serve on {}", options.listen));
  const std::size_t colon = options.listen.rfind(':');
  result->address_ = fmt::format("{}:{}", options.listen.substr(0, colon), (*listener)->port());
  grpc::ServerCompletionQueue* queue = options.reactor->server_queue();
  if (options.link) options.link->serve(queue);
  for (const auto& service : options.services) service->serve(queue);
  result->options_ = std::move(options);
  result->listener_ = std::move(*listener);
  result->listener_->start([acceptor = std::move(acceptor)](int socket, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = socket;
    parameters.fd = connection;
    acceptor->HandleNewConnection(&parameters);
  });
  return result;
}

GrpcServer::GrpcServer() = default;
GrpcServer::~GrpcServer() { shutdown(Duration::zero()); }

void GrpcServer::set_serving(bool serving) { health_->set_serving(serving); }

void GrpcServer::shutdown(Duration grace) {
  if (!server_) return;
  options_.reactor->serve_during([this, grace] { shutdown_now(grace); });
}

void GrpcServer::shutdown_now(Duration grace) {
  const auto deadline = std::chrono::system_clock::now() + grace;
  if (options_.link) {
    options_.link->drain(grace);
    options_.link->abort();
  }
  health_->abort();  // who watches would hold the shutdown up for the whole grace
  listener_.reset();  // until here newcomers are told why they are refused
  server_->Shutdown(deadline);
  for (const auto& service : options_.services) service->abort();
  for (const auto& service : options_.services) service->wait_for_end();
  if (options_.link) options_.link->wait_for_end();
  server_.reset();
}

}  // namespace meridian
