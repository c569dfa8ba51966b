// Transport between loops of one process: what `meridian local` runs its nodes on. A message is moved into the
// other loop's queue; nothing is copied, framed or written. Whoever is not in this process is reached through the
// transport underneath, which also hands in what comes from outside.
//
// Errors as base/transport.h promises them: kUnavailable where nobody is at the address any more; kUnknownOutcome at
// the deadline, and where the other end ends with the call unanswered. kBusy and kInvalidArgument at the limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/lifetime.h"
#include "base/transport.h"

namespace meridian {

class LocalTransport;

// The ends of one process. Thread-safe.
class LocalNetwork {
 public:
  LocalNetwork();
  ~LocalNetwork();

 private:
  friend class LocalTransport;
  struct End;
  class Ends;
  std::shared_ptr<Ends> ends_;
};

struct LocalTransportOptions {
  std::string zone;                     // told to others, for their answer_delay
  std::size_t frame_bytes = 16u << 20;  // the largest message
  std::size_t queue_bytes = 64u << 20;  // handed to one end and not handled yet
  // Injected latency, one way each; empty: none. Order is kept.
  std::function<Duration(const Address& to)> request_delay;
  std::function<Duration(const std::string& peer_zone)> answer_delay;
};

// On its runtime's loop.
class LocalTransport final : public Transport {
 public:
  // Joins under outside.local_address(). outside and runtime outlive this.
  LocalTransport(Runtime& runtime, std::shared_ptr<LocalNetwork> network, Transport& outside,
                 LocalTransportOptions options);
  // Leaves. Callbacks of calls in flight are destroyed uncalled.
  ~LocalTransport() override;

  void call(const Address& to, MethodId method, std::string request, CallOptions options,
            ResponseCallback done) override;
  void send(const Address& to, MethodId method, std::string message, CallOptions options) override;
  void handle(MethodId method, CallHandler handler) override;
  Address local_address() const override { return outside_.local_address(); }

 private:
  struct Pending {
    ResponseCallback done;
    TimerId timer = 0;
  };
  // Why a message does not leave; nullopt: it does.
  std::optional<Error> refusal(const LocalNetwork::End& to, std::size_t bytes) const;
  void deliver(std::shared_ptr<LocalNetwork::End> to, const Address& address, std::size_t bytes, Callback arrive);
  // On the loop of this, the called end.
  void receive(MethodId method, IncomingCall call, const std::string& zone,
               std::function<void(Result<std::string>)> report);
  void answered(std::uint64_t id, Result<std::string> answer);

  Runtime& runtime_;
  const std::shared_ptr<LocalNetwork> network_;
  Transport& outside_;
  const LocalTransportOptions options_;
  std::shared_ptr<LocalNetwork::End> self_;
  std::uint64_t next_id_ = 0;
  std::unordered_map<std::uint64_t, Pending> pending_;  // never iterated
  Lifetime lifetime_;
};

}  // namespace meridian
