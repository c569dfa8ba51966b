// One gRPC server on one address: the Link service of a transport and whatever other services the process offers
// there, with gRPC's health service. Thread-safe.
//
//   auto server = GrpcServer::start({.listen = "0.0.0.0:7400", .link = transport.service(), .services = {kv}});
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/grpc/extra_service.h"
#include "base/result.h"
#include "base/transport.h"

namespace grpc {
class Server;
class ServerCredentials;
}  // namespace grpc

namespace meridian {

class GrpcReactor;

namespace link {
class HealthService;
class Listener;
class Service;
}  // namespace link

struct GrpcServerOptions {
  Address listen;  // port 0: one that the system chooses
  std::shared_ptr<link::Service> link;
  std::vector<std::shared_ptr<ExtraService>> services;
  std::shared_ptr<grpc::ServerCredentials> credentials;  // null: plain text
  std::size_t message_bytes = 17u << 20;                 // larger ones are refused; at least what link needs
  // Of the loop that answers; it serves one server. Null: the server has one, and a thread, of its own.
  std::shared_ptr<GrpcReactor> reactor;
};

class GrpcServer {
 public:
  // kFailedPrecondition if it cannot listen there; the message names the address.
  static Result<std::unique_ptr<GrpcServer>> start(GrpcServerOptions options);
  // shutdown(0).
  ~GrpcServer();

  // As in options.listen, with the port that it really listens on.
  const Address& address() const { return address_; }
  // What the health service answers; true from the start.
  void set_serving(bool serving);
  // Stops accepting calls, gives those in flight so long to be answered, then breaks them. Blocks; answers need
  // their loops to run, so with a grace it is not for a loop's thread. Idempotent.
  void shutdown(Duration grace);

 private:
  GrpcServer();
  void shutdown_now(Duration grace);

  GrpcServerOptions options_;
  Address address_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<link::Listener> listener_;
  std::shared_ptr<link::HealthService> health_;
};

}  // namespace meridian
