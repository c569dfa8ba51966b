// The caller's end towards one peer at one priority: the calls that wait for an answer, and the current stream.
// On the loop. Every call ends exactly once; which error it ends with follows from whether the stream had taken it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/grpc/client_stream.h"
#include "base/grpc/grpc_transport.h"
#include "base/grpc/sender.h"

namespace meridian::link {

// What all links of a transport share.
struct LinkDeps {
  Runtime& runtime;
  const GrpcTransportOptions& options;
  std::shared_ptr<LoopGate> gate;
  std::shared_ptr<StreamCount> count;
  grpc::CompletionQueue* queue;
};

class ClientLink final : public ClientStream::Listener, public std::enable_shared_from_this<ClientLink> {
 public:
  ClientLink(const LinkDeps& deps, Address to, Priority priority);

  void call(MethodId method, std::string request, CallOptions options, ResponseCallback done);
  void send(MethodId method, std::string message, CallOptions options);
  // Breaks the stream; calls in flight are destroyed uncalled.
  void close();

  void on_open(ClientStream& stream) override;
  void on_batch(ClientStream& stream, InBatch& batch) override;
  void on_closed(ClientStream& stream, const std::string& why) override;

 private:
  struct Pending {
    ResponseCallback done;  // null: it has been told, and an answer goes to late
    MonoTime deadline;
    std::function<void(std::string)> late;
    MonoTime late_until;
  };

  // Why nothing can be sent now; opens a stream if that is all that is missing.
  Result<> admit(const OutFrame& frame);
  void enqueue(OutFrame frame);
  void open_stream();
  void finish_later(ResponseCallback done, Error error);
  void finish(std::uint64_t id, Result<std::string> result);
  void give_up_waiting(std::uint64_t id, MonoTime now);
  void watch_deadline(MonoTime deadline);
  void expire();
  Duration backoff_max() const;

  const LinkDeps deps_;
  const Address to_;
  const Priority priority_;
  bool closed_ = false;

  std::uint64_t last_id_ = 0;
  boost::unordered_flat_map<std::uint64_t, Pending> pending_;
  std::shared_ptr<Sender> sender_;
  std::shared_ptr<ClientStream> stream_;
  bool stream_open_ = false;
  TimerId connect_timer_ = 0;

  Duration backoff_{0};
  MonoTime retry_at_;
  std::string last_failure_;

  // One timer for all deadlines, at or before the first of them.
  TimerId deadline_timer_ = 0;
  MonoTime deadline_timer_at_ = MonoTime::max();
};

}  // namespace meridian::link
