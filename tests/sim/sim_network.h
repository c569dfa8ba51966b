// What a SimTransport and the network between them share. Private to sim_transport.cc and sim_network.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tests/sim/sim_transport.h"

namespace meridian::sim {

// A caller's end of a connection. It breaks late: messages to a dead peer vanish until it does.
struct SimNetwork::Connection {
  std::weak_ptr<Endpoint> target;
  std::uint64_t number = 0;
  std::array<std::int64_t, 3> last_arrival{};  // by priority: what is sent later arrives later
};

struct SimNetwork::Endpoint : std::enable_shared_from_this<Endpoint> {
  struct Pending {
    ResponseCallback done;  // null: it has been told, and an answer goes to late
    std::function<void(std::string)> late;
    EventId deadline = 0;
    Address to;
    std::uint64_t connection = 0;
  };
  Address address;
  SimRuntime* runtime = nullptr;  // valid while alive()
  std::shared_ptr<SimRuntime::State> state;
  std::map<MethodId, CallHandler> handlers;
  std::map<std::uint64_t, Pending> pending;
  std::map<Address, Connection> connections;
  std::uint64_t last_call = 0;
  std::uint64_t last_connection = 0;

  bool alive() const { return state->actor.alive; }
  Actor* actor() const { return &state->actor; }
  void finish(std::uint64_t call, Result<std::string> result);
  // The deadline has passed.
  void give_up_waiting(std::uint64_t call, std::int64_t late_until);
  // Its calls end in kConnectionLost; the next call connects anew.
  void break_connection(const Address& to, std::uint64_t number);
};

struct SimNetwork::Envelope {
  enum class Kind : std::uint8_t { kRequest, kOneWay, kResponse } kind = Kind::kRequest;
  std::weak_ptr<Endpoint> from, to;
  Address from_address, to_address;
  MethodId method = 0;
  std::uint64_t call = 0;
  std::uint64_t connection = 0;
  std::string payload;
  std::optional<Error> error;      // of a response, instead of the payload
  std::int64_t remaining_us = -1;  // until the deadline, when sent; -1: none
  std::string trace;
  bool doubled = false;  // of a call, and of its answers: it was sent twice

  // The caller, who sees the connection break.
  std::weak_ptr<Endpoint>& caller() { return kind == Kind::kResponse ? to : from; }
  const Address& callee() const { return kind == Kind::kResponse ? from_address : to_address; }
};

}  // namespace meridian::sim
