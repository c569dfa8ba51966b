// Who the other nodes are: where each is reached, and which process may speak for it. On the node's loop.
//
// Two processes with one identity (a copied data directory) are told apart by incarnation and a random
// number per start: of two, the newer incarnation is believed, of equals the one heard first; the other is
// told, and stops.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/transport.h"
#include "base/types.h"
#include "shard/api/api.pb.h"
#include "shard/wire/wire.pb.h"

namespace meridian {

class Peers {
 public:
  explicit Peers(wire::Sender self) : self_(std::move(self)) {}

  const wire::Sender& self() const { return self_; }
  void set_self(wire::Sender self) { self_ = std::move(self); }

  enum class Verdict { kAccept, kOtherCluster, kImpostor, kOtherTiming };
  // Two nodes with different election timeouts must not speak: leases would not be safe.
  // Judges a message's sender and remembers an accepted one.
  Verdict hear(const wire::Sender& sender, std::uint64_t to_node);
  // Whether a process was heard for the first time since this was last asked.
  bool heard_new() { return std::exchange(heard_new_, false); }
  // Whom we know under that identity instead. Requires: kImpostor was the verdict.
  const wire::Sender& known(NodeId node) const { return heard_.at(node); }

  void follow(const api::ClusterState& cluster);
  // The replica of `sender` speaks from there; how a new replica answers before it has the topology.
  void replica_at(ReplicaId replica, NodeId node) { node_of_[replica] = node; }
  // All that the topology names.
  std::vector<NodeId> nodes() const;
  std::optional<NodeId> node_of(ReplicaId replica) const;
  // The address a node last spoke from, else the recorded one; our own.
  std::optional<Address> address_of(NodeId node) const;

 private:
  wire::Sender self_;
  std::map<NodeId, wire::Sender> heard_;
  bool heard_new_ = false;
  std::map<NodeId, Address> recorded_;
  std::map<ReplicaId, NodeId> node_of_;
};

}  // namespace meridian
