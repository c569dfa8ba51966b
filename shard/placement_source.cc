#include "shard/placement_source.h"

namespace meridian {

const api::NodeDescriptor* find_node_of(const api::ClusterState& topology, ShardId shard, ReplicaId replica) {
  for (const api::ShardDescriptor& s : topology.shards()) {
    if (ShardId(s.id()) != shard) continue;
    for (const api::ReplicaDescriptor& r : s.replicas()) {
      if (ReplicaId(r.replica_id()) != replica) continue;
      for (const api::NodeDescriptor& node : topology.nodes()) {
        if (node.id() == r.node_id()) return &node;
      }
    }
  }
  return nullptr;
}

RegionId find_region_of(const api::ClusterState& topology, NodeId node) {
  for (const api::NodeDescriptor& n : topology.nodes()) {
    if (NodeId(n.id()) == node) return RegionId(static_cast<std::uint16_t>(n.region_id()));
  }
  return RegionId();
}

}  // namespace meridian
