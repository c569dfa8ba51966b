#include "base/grpc/grpc_server.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "base/grpc/health_service.h"
#include "base/grpc/reactor.h"
#include "base/grpc/service.h"

namespace meridian {

namespace {

void set_arguments(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  // A port in use must be an error, not a share of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
  int port = 0;
  builder.AddListeningPort(options.listen,
                           options.credentials ? options.credentials : grpc::InsecureServerCredentials(), &port);
  for (const auto& service : options.services) builder.RegisterService(service->grpc_service());
  if (options.link) builder.RegisterService(options.link->grpc_service());
  result->server_ = builder.BuildAndStart();
  if (!result->server_ || port == 0) {
    return fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("cannot listen on {}: in use, not an address of this machine, or not allowed", options.listen));
  }
  const std::size_t colon = options.listen.rfind(':');
  result->address_ = fmt::format("{}:{}", options.listen.substr(0, colon), port);
  grpc::ServerCompletionQueue* queue = options.reactor->server_queue();
  if (options.link) options.link->serve(queue);
  for (const auto& service : options.services) service->serve(queue);
  result->options_ = std::move(options);
  return result;
}

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
  server_->Shutdown(deadline);
  for (const auto& service : options_.services) service->abort();
  for (const auto& service : options_.services) service->wait_for_end();
  if (options_.link) options_.link->wait_for_end();
  server_.reset();
}

}  // namespace meridian
