// Brings requests to the node that can answer them, and tries again where that is safe. On the loop.
//
//   go ──► leader, or nearest replica ──► answered
//    ▲         │ "not the leader, but that one is": one hop
//    │         │ silence, broken connection, busy: suspect it, ask around
//    └─ wait ◄─┘ jittered back-off inside the caller's deadline; who waits for a leader is woken by its becoming known
//
// How a call ends: with a node's answer; a read, or a write that certainly nobody received, with the last error; a
// write of which any attempt may have been received, and that got no answer, with kUnknownOutcome, whatever a later
// attempt was told: the first may still be on its way.
#pragma once

#include <map>
#include <memory>

#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "proxy/cluster_clock.h"
#include "proxy/proxy.h"
#include "proxy/routed_call.h"
#include "proxy/topology_cache.h"

namespace meridian::proxy {

class Router {
 public:
  Router(Runtime& runtime, Transport& transport, TopologyCache& topology, ClusterClock& clock, Traffic& traffic,
         const ProxyOptions& options);

  // Requires: the topology is known.
  void start(std::unique_ptr<RoutedCall> call);

 private:
  using Call = std::unique_ptr<RoutedCall>;
  struct Waiting {
    Call call;
    bool for_leader;
  };

  void go(Call call);
  void send(Call call, TopologyCache::Route to);
  void on_answer(Call call, TopologyCache::Route from, MonoTime sent, Result<std::string> answer);
  void on_not_leader(Call call, const TopologyCache::Route& from);
  void on_error(Call call, const TopologyCache::Route& from, MonoTime sent, Error error);
  void on_silence(Call call, const TopologyCache::Route& from, MonoTime sent, ErrorCode code);
  bool forgotten(const RoutedCall& call) const;
  Duration back_off(int round, std::uint32_t retry_after_ms);
  void wait(Call call, bool for_leader);
  void wake_for_leader();
  void arm_timer();
  void on_timer();
  void give_up(Call call);
  Error conclusion(const RoutedCall& call) const;

  Runtime& runtime_;
  Transport& transport_;
  TopologyCache& topology_;
  ClusterClock& clock_;
  Traffic& traffic_;
  const ProxyOptions& options_;
  std::multimap<MonoTime, Waiting> waiting_;
  TimerId timer_ = 0;
  MonoTime timer_at_;
  Lifetime lifetime_;
};

}  // namespace meridian::proxy
