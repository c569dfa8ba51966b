// Transport over gRPC: one per Runtime, used on that runtime's loop; handlers and callbacks run there. To each peer
// and priority it keeps one stream on a connection of its own, made by the first call and again, after a jittered
// back-off, by the first call after it broke. Until a GrpcServer serves its service() it can only call.
//
// Which error says what (base/transport.h has the contract):
//   kUnavailable       no connection, or it broke while this was still queued, or the peer is shutting down
//   kBusy              too many bytes wait for this peer and priority, or an answer found no room (answer_budget.h)
//   kInvalidArgument   larger than frame_bytes
// An answer larger than frame_bytes reaches the caller as kInternal: what it answers has happened.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/transport.h"

namespace grpc {
class ChannelCredentials;
}

namespace meridian {

class AnswerBudget;
class GrpcReactor;

namespace link {
class Service;
}

struct GrpcTransportOptions {
  Address address;   // see local_address(); may be set later
  std::string zone;  // told to peers, for their answer_delay

  std::size_t frame_bytes = 16u << 20;   // the largest message; the same on all nodes of a cluster
  std::size_t batch_bytes = 1u << 20;    // a batch is not filled beyond this
  std::size_t queue_bytes = 64u << 20;   // per peer and priority, waiting to be written
  // Per stream: read and not handled yet; also of answers not taken by their caller, beyond which nothing more of it is
  // read or handled.
  std::size_t intake_bytes = 16u << 20;
  std::size_t max_streams = 0;            // of callers, at the same time; more are refused. 0: no limit
  std::shared_ptr<AnswerBudget> answers;  // what all answers of the process together may hold; null: one of its own

  Duration connect_timeout = std::chrono::seconds(1);
  Duration backoff_min = std::chrono::milliseconds(50);
  Duration backoff_max = std::chrono::seconds(1);
  Duration backoff_max_high = std::chrono::milliseconds(200);  // Priority::kHigh: elections must not wait
  // A silent peer is pinged after the first, and given up after the second.
  Duration keepalive = std::chrono::seconds(2);
  Duration keepalive_timeout = std::chrono::seconds(2);

  // Injected latency, one way each; empty: none. Order is kept per peer and priority.
  std::function<Duration(const Address& to)> request_delay;
  std::function<Duration(const std::string& peer_zone)> answer_delay;

  std::shared_ptr<grpc::ChannelCredentials> credentials;  // null: plain text
  std::shared_ptr<GrpcReactor> reactor;                   // the loop's; null: one, and a thread, of its own
};

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(Runtime& runtime, GrpcTransportOptions options = {});
  // On the loop, or when it no longer runs. Callbacks of calls in flight are destroyed uncalled, streams of peers
  // are broken. Whoever serves service() may outlive this.
  ~GrpcTransport() override;

  void call(const Address& to, MethodId method, std::string request, CallOptions options,
            ResponseCallback done) override;
  void send(const Address& to, MethodId method, std::string message, CallOptions options) override;
  void handle(MethodId method, CallHandler handler) override;
  Address local_address() const override { return options_.address; }

  // For a server that listens on a port the system chose. Before others use local_address().
  void set_local_address(Address address) { options_.address = std::move(address); }
  // What a GrpcServer serves so that others reach this end.
  std::shared_ptr<link::Service> service();

 private:
  class Impl;
  GrpcTransportOptions options_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian
