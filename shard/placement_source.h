// The port behind which placement lives: where the parts of a node learn the topology, and to whom an
// operator's changes of it go. On the node's loop. Implementations: shard/node/shard_placement.h, which keeps
// the topology in the first shard's own state; the placement service will be another.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "base/types.h"
#include "shard/api/api.pb.h"

namespace meridian {

class PlacementSource {
 public:
  virtual ~PlacementSource() = default;

  // The newest topology known here: never null, and empty (cluster_id 0) while none is known. Its version never goes
  // back. It may be old: whoever acts on it must be safe with that.
  virtual std::shared_ptr<const api::ClusterState> topology() const = 0;
  // Called after topology() has become another one. One subscriber: the node.
  virtual void on_change(std::function<void()> callback) = 0;

  using ChangeReply = std::move_only_function<void(Result<api::ChangeResponse>)>;
  // Answered when the change is recorded and will be carried out, whatever fails from then on; or refused, having
  // changed nothing; or, where another node decides, with who that is.
  virtual void change(const api::ChangeRequest& request, ChangeReply reply) = 0;
};

// Where the node that holds a replica of the shard is reached; nullptr: the topology does not know it.
const api::NodeDescriptor* find_node_of(const api::ClusterState& topology, ShardId shard, ReplicaId replica);
// 0: the topology does not know the node.
RegionId find_region_of(const api::ClusterState& topology, NodeId node);

}  // namespace meridian
