// What a node answers about itself and the topology, and how it speaks with its peers.
#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "shard/node/node.h"

namespace meridian {
namespace {

constexpr Duration kChunkTimeout{10'000'000};
constexpr std::size_t kMessageOverhead = 8;      // of one in a batch
constexpr std::size_t kBatchOverhead = 4 << 10;  // sender, and what the transport adds

}  // namespace

void Node::serve_topology() {
  handle(deps_.transport, api::kTopology, [this](const api::TopologyRequest&, MonoTime, auto reply) {
    api::TopologyResponse response;
    response.set_node_id(directory_->identity().node_id());
    response.set_cluster_time_us(clock_.told_us());
    const auto topology = replica_ ? placement_->topology() : nullptr;
    if (topology && topology->cluster_id() != 0) {
      response.set_initialised(true);
      *response.mutable_state() = *topology;
      const api::NotLeader where = replica_->where();
      response.set_leader_term(where.term());
      response.set_leader_node_id(replica_->is_leader() ? directory_->identity().node_id() : where.leader_node_id());
    }
    reply(std::move(response));
  });
  handle(deps_.transport, api::kNodeStatus,
         [this](const api::NodeStatusRequest&, MonoTime, auto reply) { reply(status()); });
  handle(deps_.transport, api::kChange, [this](const api::ChangeRequest& request, MonoTime, PlacementSource::ChangeReply reply) {
    if (!replica_) return reply(fail(ErrorCode::kUnavailable, "this node is not part of a cluster"));
    placement_->change(request, std::move(reply));
  });
  handle(deps_.transport, api::kJoin,
         [this](api::JoinRequest request, MonoTime, JoinReply reply) { join(std::move(request), std::move(reply)); });
  handle(deps_.transport, api::kBootstrap, [this](api::BootstrapRequest request, MonoTime, BootstrapReply reply) {
    bootstrap(std::move(request), std::move(reply));
  });
}

api::NodeStatusResponse Node::status() {
  api::NodeStatusResponse out;
  const wire::Identity& identity = directory_->identity();
  out.set_node_id(identity.node_id());
  out.set_cluster_id(identity.cluster_id());
  out.set_incarnation(identity.incarnation());
  out.set_directory_id(identity.directory_id());
  out.set_version(options_.version);
  out.set_trouble(removed_ || !replica_ || replica_->trouble() || log_->is_full() || draining_ ? not_ready() : replica_->snapshot_trouble());
  out.set_log_bytes(log_->stats().bytes_on_disk);
  out.set_data_bytes(deps_.engine.stats().disk_bytes);
  if (!replica_) return out;
  clock_watch_->describe(out);
  const raft::Status raft = replica_->raft_status();
  const bool learner = raft.membership.is_learner(raft.id);
  out.set_role(raft.role == raft::Role::kLeader ? api::LEADER : learner ? api::LEARNER : api::FOLLOWER);
  out.set_term(raft.term.value());
  out.set_leader_node_id(replica_->is_leader() ? identity.node_id() : replica_->where().leader_node_id());
  out.set_last_index(raft.last_index.value());
  out.set_commit_index(raft.commit.value());
  out.set_applied_index(replica_->applied().index.value());
  out.set_closed_timestamp(replica_->applied().closed.packed());
  for (const ReplicaId id : raft.membership.voters) out.add_voters(id.value());
  for (const ReplicaId id : raft.membership.learners) out.add_learners(id.value());
  for (const raft::FollowerStatus& f : raft.followers) {
    auto* progress = out.add_progress();
    progress->set_replica_id(f.id.value());
    progress->set_match_index(f.match.value());
    progress->set_active(f.recently_active);
    progress->set_lost_memory(f.lost_memory);
  }
  return out;
}

void Node::serve_peers() {
  deps_.transport.handle(wire::kRaftBatch, [this](IncomingCall call) {
    Result<wire::RaftBatch> batch = wire::decode(call.payload, static_cast<wire::RaftBatch*>(nullptr));
    if (batch) return receive_raft(std::move(*batch));
    LOG_WARNING("a malformed consensus message", {{"error", batch.error().to_string()}});
  });
  deps_.transport.handle(wire::kIdentityConflict, [this](IncomingCall call) {
    const auto conflict = wire::decode(call.payload, static_cast<wire::IdentityConflict*>(nullptr));
    if (!conflict || conflict->refused_process() != peers_.self().process()) return;  // of an earlier process
    stop_with(Error(ErrorCode::kFailedPrecondition,
                    fmt::format("another process speaks as node {} of this cluster, from {}: two nodes have one identity",
                                conflict->seen().node_id(), conflict->seen().address())));
  });
  handle(deps_.transport, wire::kClock, [this](const wire::ClockRequest& request, MonoTime, auto reply) {
    const wire::Sender& self = peers_.self();
    if (request.sender().cluster_id() != self.cluster_id() || request.to_node() != self.node_id()) {
      return reply(fail(ErrorCode::kFailedPrecondition, "not a node of this cluster, or not this one"));
    }
    const ClockReading reading = clock_.reading();
    wire::ClockResponse response;
    response.set_node_id(self.node_id());
    response.set_time_us(reading.time.us());
    response.set_error_us(reading.error.count());
    response.set_wall_us(reading.wall.us());
    reply(std::move(response));
  });
  handle(deps_.transport, wire::kSnapshotChunk,
         [this](wire::SnapshotChunk chunk, MonoTime, SnapshotReceiver::Reply reply) {
           if (!replica_ || peers_.hear(chunk.sender(), chunk.to_node()) != Peers::Verdict::kAccept) {
             return reply(fail(ErrorCode::kFailedPrecondition, "this node takes no snapshots from that sender"));
           }
           replica_->receive_snapshot(std::move(chunk), std::move(reply));
         });
}

void Node::send_raft(std::vector<raft::Message> messages) {
  struct Outgoing {
    wire::RaftBatch batch;
    std::size_t bytes = 0;
  };
  std::map<NodeId, Outgoing> batches;
  for (const raft::Message& message : messages) {
    const std::optional<NodeId> node = peers_.node_of(message.to);
    if (!node) continue;
    Outgoing& to = batches[*node];
    wire::RaftMessage out;
    wire::to_wire(message, &out);
    // A full window is several appends: what the transport would not take in one goes in the next.
    const std::size_t bytes = out.ByteSizeLong() + kMessageOverhead;
    if (to.bytes > 0 && to.bytes + bytes + kBatchOverhead > options_.frame_bytes) {
      PROBE("node.batch_split");
      send_batch(*node, std::exchange(to.batch, {}));
      to.bytes = 0;
    }
    to.bytes += bytes;
    *to.batch.add_messages() = std::move(out);
  }
  for (auto& [node, to] : batches) send_batch(node, std::move(to.batch));
}

void Node::send_batch(NodeId node, wire::RaftBatch batch) {
  const std::optional<Address> address = peers_.address_of(node);
  if (!address) return;
  *batch.mutable_sender() = peers_.self();
  batch.set_to_node(node.value());
  batch.set_shard_id(kOnlyShard.value());
  deps_.transport.send(*address, wire::kRaftBatch, batch.SerializeAsString(), {.priority = Priority::kHigh});
}

void Node::receive_raft(wire::RaftBatch batch) {
  if (!replica_) return;
  switch (peers_.hear(batch.sender(), batch.to_node())) {
    case Peers::Verdict::kAccept: break;
    case Peers::Verdict::kOtherCluster: PROBE("node.message_of_another_cluster"); return;
    case Peers::Verdict::kImpostor: return refuse_impostor(batch.sender());
    case Peers::Verdict::kOtherTiming: return refuse_other_timing(batch.sender());
  }
  if (peers_.heard_new()) {
    other_timings_.erase(NodeId(batch.sender().node_id()));
    placement_->heard_of_process();
  }
  for (wire::RaftMessage& m : *batch.mutable_messages()) {
    Result<raft::Message> message = wire::from_wire(std::move(m));
    if (!message) {
      LOG_WARNING("a malformed consensus message", {{"error", message.error().to_string()}});
      continue;
    }
    if (message->to != ReplicaId(directory_->identity().replica_id()) || message->type == raft::MessageType::kSnapshot) continue;
    peers_.replica_at(message->from, NodeId(batch.sender().node_id()));
    if (message->type == raft::MessageType::kPreVote) introduce(batch.sender());
    replica_->receive(std::move(*message));
  }
}

// It misses a leader. Where both were started at other addresses, each may know only an old one of the other: whoever
// hears the one tells all others of it, in its name and with nothing said. It asks for as long as it misses a leader, so
// an introduction may be lost.
void Node::introduce(const wire::Sender& sender) {
  PROBE("node.introduced");
  for (const NodeId node : peers_.nodes()) {
    const std::optional<Address> address = peers_.address_of(node);
    if (!address || node == NodeId(sender.node_id()) || node == NodeId(peers_.self().node_id())) continue;
    wire::RaftBatch introduction;
    *introduction.mutable_sender() = sender;
    introduction.set_to_node(node.value());
    introduction.set_shard_id(kOnlyShard.value());
    deps_.transport.send(*address, wire::kRaftBatch, introduction.SerializeAsString(), {.priority = Priority::kHigh});
  }
}

void Node::refuse_impostor(const wire::Sender& sender) {
  PROBE("node.impostor_refused");
  wire::IdentityConflict conflict;
  *conflict.mutable_seen() = sender.node_id() == peers_.self().node_id() ? peers_.self() : peers_.known(NodeId(sender.node_id()));
  conflict.set_refused_process(sender.process());
  deps_.transport.send(sender.address(), wire::kIdentityConflict, conflict.SerializeAsString(), {.priority = Priority::kHigh});
}

// A leader sizes its lease by its own T; a follower with a smaller one would vote for another leader within it.
void Node::refuse_other_timing(const wire::Sender& sender) {
  PROBE("node.other_timing_refused");
  std::string said = fmt::format(
      "node {} at {} has raft.election_timeout = {} ms, this node {} ms: all nodes need the same", sender.node_id(),
      sender.address(), sender.election_timeout_us() / 1000, peers_.self().election_timeout_us() / 1000);
  std::string& known = other_timings_[NodeId(sender.node_id())];
  if (known == said) return;
  known = std::move(said);
  LOG_WARNING("a node is not listened to", {{"why", known}});
}

void Node::ship_snapshot(ReplicaId to, wire::SnapshotChunk chunk,
                         std::move_only_function<void(Result<wire::SnapshotChunkResponse>)> done) {
  const std::optional<NodeId> node = peers_.node_of(to);
  const std::optional<Address> address = node ? peers_.address_of(*node) : std::nullopt;
  if (!address) return done(fail(ErrorCode::kUnavailable, fmt::format("nobody knows where replica {} is", to)));
  *chunk.mutable_sender() = peers_.self();
  chunk.set_to_node(node->value());
  chunk.set_shard_id(kOnlyShard.value());
  call(deps_.transport, *address, wire::kSnapshotChunk, chunk,
       {.deadline = deps_.runtime.now() + kChunkTimeout, .priority = Priority::kBulk}, std::move(done));
}

}  // namespace meridian
