#include "shard/node/peers.h"

namespace meridian {

Peers::Verdict Peers::hear(const wire::Sender& sender, std::uint64_t to_node) {
  if (sender.cluster_id() != self_.cluster_id() || sender.node_id() == 0 || to_node != self_.node_id()) {
    return Verdict::kOtherCluster;
  }
  const NodeId node(sender.node_id());
  if (node == NodeId(self_.node_id())) return sender.process() == self_.process() ? Verdict::kAccept : Verdict::kImpostor;
  if (sender.election_timeout_us() != self_.election_timeout_us()) return Verdict::kOtherTiming;
  const auto it = heard_.find(node);
  if (it != heard_.end()) {
    const wire::Sender& known = it->second;
    const bool older = sender.incarnation() < known.incarnation();
    const bool twin = sender.incarnation() == known.incarnation() && sender.process() != known.process();
    if (older || twin) return Verdict::kImpostor;
    if (sender.process() == known.process()) return Verdict::kAccept;
  }
  heard_[node] = sender;
  heard_new_ = true;
  return Verdict::kAccept;
}

void Peers::follow(const api::ClusterState& cluster) {
  for (const api::NodeDescriptor& node : cluster.nodes()) recorded_[NodeId(node.id())] = node.address();
  for (const api::ShardDescriptor& shard : cluster.shards()) {
    for (const api::ReplicaDescriptor& r : shard.replicas()) node_of_[ReplicaId(r.replica_id())] = NodeId(r.node_id());
  }
}

std::vector<NodeId> Peers::nodes() const {
  std::vector<NodeId> out;
  for (const auto& [node, address] : recorded_) out.push_back(node);
  return out;
}

std::optional<NodeId> Peers::node_of(ReplicaId replica) const {
  const auto it = node_of_.find(replica);
  return it == node_of_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<Address> Peers::address_of(NodeId node) const {
  if (node == NodeId(self_.node_id())) return self_.address();
  if (const auto heard = heard_.find(node); heard != heard_.end()) return heard->second.address();
  if (const auto recorded = recorded_.find(node); recorded != recorded_.end()) return recorded->second;
  return std::nullopt;
}

}  // namespace meridian
