// Transport under virtual time: messages as bytes over a network that delays, loses, duplicates and
// reorders them, whose links can be cut (each direction by itself) or clogged.
//
// The semantics are base/transport.h's; where a real connection would hide a fault, the fault shows as what a
// program can see of it: a lost call ends in kUnknownOutcome at its deadline or, as a broken connection,
// in kConnectionLost; what was never sent ends in kUnavailable or kDeadlineExceeded. A message that is late, out of
// order or double is one of an earlier connection between the same ends. A duplicated call reaches the handler twice;
// one answer reaches the caller, and an error only as kConnectionLost: of the other copy nothing is known.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/transport.h"
#include "tests/sim/sim_runtime.h"

namespace meridian::sim {

struct NetworkOptions {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;
  double break_on_loss = 0.3;      // a lost message is seen as a broken connection
  std::int64_t local_min_us = 50;  // one way, inside a region
  std::int64_t local_max_us = 500;
  std::int64_t connect_timeout_us = 1'000'000;
  std::int64_t straggler_max_us = 2'000'000;  // how late a reordered or doubled message may be
  bool hash_contents = true;  // of messages, into the run's hash; else their sizes only
};

struct NetworkStats {
  std::uint64_t messages = 0, lost = 0, duplicated = 0, reordered = 0, cut = 0;
};

class SimTransport;

class SimNetwork {
 public:
  SimNetwork(SimWorld& world, NetworkOptions options);
  ~SimNetwork();

  NetworkOptions& options() { return options_; }
  const NetworkStats& stats() const { return stats_; }

  void set_region(const Address& address, const std::string& region) { regions_[address] = region; }
  // One way, both directions of the pair.
  void set_delay(const std::string& a, const std::string& b, std::int64_t min_us, std::int64_t max_us);

  // Messages from -> to are lost, or some held until the link heals. One direction.
  void cut(const Address& from, const Address& to);
  // Nothing arrives on from -> to for a while; then everything does.
  void clog(const Address& from, const Address& to, std::int64_t duration_us);
  void mend(const Address& from, const Address& to);  // this one, and delivers what it held
  void heal();                                        // every link
  bool is_cut(const Address& from, const Address& to) const { return cut_.contains({from, to}); }

 private:
  friend class SimTransport;
  struct Endpoint;
  struct Connection;
  struct Envelope;

  std::shared_ptr<Endpoint> listening(const Address& address) const;
  std::int64_t draw_delay(const Address& from, const Address& to);
  // Decides the envelope's fate and schedules its arrivals. False: lost.
  bool transmit(Envelope envelope, std::int64_t* last_arrival);
  void arrive_at(std::int64_t when, Envelope envelope);
  void arrive(Envelope envelope);
  void draw(const Envelope& envelope, std::int64_t arrives) const;
  void deliver_request(const std::shared_ptr<Endpoint>& target, Envelope& envelope);

  SimWorld& world_;
  NetworkOptions options_;
  Rng rng_;
  NetworkStats stats_;
  std::map<Address, std::weak_ptr<Endpoint>> endpoints_;
  std::map<Address, std::string> regions_;
  std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::int64_t>> delays_;
  std::set<std::pair<Address, Address>> cut_;
  std::map<std::pair<Address, Address>, std::int64_t> clogged_until_;
  std::vector<Envelope> held_;
};

class SimTransport final : public Transport {
 public:
  // Listens at address, which nobody else alive does.
  SimTransport(SimNetwork& network, SimRuntime& runtime, Address address);
  ~SimTransport() override;

  void call(const Address& to, MethodId method, std::string request, CallOptions options,
            ResponseCallback done) override;
  void send(const Address& to, MethodId method, std::string message, CallOptions options) override;
  void handle(MethodId method, CallHandler handler) override;
  Address local_address() const override;

  // Part of a crash, after SimRuntime::kill() and before the node is destroyed: handlers and waiting
  // callbacks are dropped. abrupt: the peers' connections break soon (the process died); otherwise they
  // hear nothing (the machine did).
  void kill(bool abrupt);

 private:
  SimNetwork::Connection* connect(const Address& to);
  void fail_unsent(const Address& to, MonoTime deadline, ResponseCallback done);

  SimNetwork& network_;
  std::shared_ptr<SimNetwork::Endpoint> self_;
};

}  // namespace meridian::sim
