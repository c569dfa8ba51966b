// What the proxy knows of the cluster: its descriptors, who leads, which nodes answer and how fast. On the loop.
//
// Learnt from any node's kTopology: at the start, when asked to refresh(), and now and then while requests are going.
// Each node is asked at most one thing at a time, so that one that is silent holds nobody up. Of two states the one
// with the higher version is newer. Nodes of another cluster than the first one learnt are not listened to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/runtime.h"
#include "base/transport.h"
#include "proxy/cluster_clock.h"
#include "proxy/leader_tracker.h"
#include "proxy/proxy.h"
#include "shard/api/methods.h"

namespace meridian::proxy {

class TopologyCache {
 public:
  struct Node {
    std::uint64_t id = 0;
    Address address;
    std::string region;
    api::NodeState state = api::NODE_STATE_UNSPECIFIED;
  };
  struct Shard {
    std::uint32_t keyspace = 0;
    std::uint64_t id = 0;
  };
  using Waiter = std::move_only_function<void(Result<>)>;

  TopologyCache(Runtime& runtime, Transport& transport, ClusterClock& clock, const ProxyOptions& options);

  // Called after every answer that made a leader known.
  void on_leader(Callback callback) { on_leader_ = std::move(callback); }
  void start();
  // Asks every node that is not being asked, and was not a moment ago.
  void refresh();
  void refresh_if_old();

  bool known() const { return state_.cluster_id() != 0; }
  // Every node was asked, and those that answered say that there is no cluster yet.
  bool uninitialised() const;
  const api::ClusterState& state() const { return state_; }
  const std::vector<Node>& nodes() const { return nodes_; }  // but removed ones
  const Node* node(std::uint64_t id) const;
  // Seeds, until there is a topology; then its nodes too.
  std::vector<Address> addresses() const;
  // kNotFound names the keyspace. Requires: known().
  Result<Shard> locate(std::string_view keyspace) const;

  // Where the leader is reached; nullopt: no leader is known, or not where it is.
  struct Route {
    std::uint64_t node = 0;
    std::uint64_t term = 0;
    Address address;
  };
  std::optional<Route> leader() const;
  const LeaderTracker::Leader& last_leader() const { return leader_.last(); }
  void learn_leader(const api::NotLeader& hint) {
    learn_leader(hint.leader_node_id(), hint.term(), hint.leader_address(), false);
  }
  void learn_leader(std::uint64_t node, std::uint64_t term, Address address, bool own_word);
  void suspect_leader(std::uint64_t node, std::uint64_t term) { leader_.suspect(node, term); }
  void learn_state(const api::ClusterState& state);

  // The replica to read from: of those not tried yet a healthy one, near before far; nullptr: all were tried.
  const Node* nearest(const std::vector<std::uint64_t>& tried);
  void answered(const Address& address, Duration latency);
  void failed(const Address& address);
  bool any_reachable() const;
  // A leader is known, answered when last asked, and did not say that it no longer leads.
  bool leader_answers() const;
  // What is the matter where nothing is known, for people.
  std::string describe_unknown() const;
  Error not_initialised() const;
  std::vector<Address> silent() const;  // who did not answer when last asked

  // Done once a topology is known, at once if it is; kUnavailable once every node was asked and none knows one.
  void when_known(MonoTime deadline, Waiter waiter);
  // Done once the leader has told its topology, or every node was asked.
  void when_fresh(MonoTime deadline, Waiter waiter);
  // Done once every node was asked.
  void when_all_asked(MonoTime deadline, Waiter waiter);

 private:
  enum class Verdict { kUnasked, kKnows, kUninitialised, kFailed };
  struct Endpoint {
    bool asking = false;
    MonoTime last_asked;
    Verdict verdict = Verdict::kUnasked;
    bool reachable = false;
    bool follows = false;  // it said so when last asked, and nobody named it since
    MonoTime failed_until;
    Duration latency{0};  // smoothed; 0: not measured
  };
  enum class Until { kKnown, kLeaderSpoke, kAllAsked };
  struct Waiting {
    Until until;
    MonoTime deadline;
    std::vector<Address> left;  // still to be heard
    Waiter waiter;
  };

  void ask(const Address& address, bool at_once);
  void on_topology(const Address& address, MonoTime sent, Result<api::TopologyResponse> answer);
  void wait(Until until, MonoTime deadline, Waiter waiter);
  void finish_waiting(const Address& heard, bool leader_spoke);
  void end_waiting(const std::function<bool(Waiting&)>& ended);
  void arm_timer();
  void on_timer();

  Runtime& runtime_;
  Transport& transport_;
  ClusterClock& clock_;
  const ProxyOptions& options_;
  Callback on_leader_;
  api::ClusterState state_;
  std::vector<Node> nodes_;
  LeaderTracker leader_;
  std::map<Address, Endpoint> endpoints_;
  MonoTime last_refresh_;
  MonoTime said_uninitialised_;  // when a node last did
  bool started_ = false;
  bool warned_of_other_cluster_ = false;
  TimerId timer_ = 0;
  std::vector<Waiting> waiting_;
  Lifetime lifetime_;
};

}  // namespace meridian::proxy
