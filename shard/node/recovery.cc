#include "shard/node/recovery.h"

namespace meridian {

Result<Recovered> recover_replica(Engine& engine, ShardId shard, const RecoveredLog* log) {
  ASSIGN_OR_RETURN(StateMachine machine, load_state_machine(engine, shard));
  const AppliedState& applied = machine.state();
  raft::InitialState initial;
  initial.applied = applied.index;
  initial.membership = applied.membership;
  if (log != nullptr && log->hard_state) {
    initial.fresh = false;
    initial.hard_state = *log->hard_state;
  }
  bool discard = log == nullptr && applied.index > LogIndex();
  if (log != nullptr) {
    if (log->base.index > applied.index) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("shard {}: the data ends at entry {}, but the log starts after entry {}; replace this node",
                              shard, applied.index, log->base.index));
    }
    discard = !log->holds(applied.index, applied.term);
    if (!discard) {
      initial.base = {log->base.index, log->base.term, {}};
      initial.stored = log->stored;
      initial.entries = log->entries;
    }
  }
  if (discard) initial.base = {applied.index, applied.term, {}};
  return Recovered{std::move(machine), std::move(initial), discard};
}

Result<> create_initial_state(Engine& engine, ShardId shard, KeyspaceId keyspace, const api::ClusterState& cluster) {
  AppliedState state;
  state.index = kInitialBase.index;
  state.term = kInitialBase.term;
  for (const api::ShardDescriptor& s : cluster.shards()) {
    if (ShardId(s.id()) != shard) continue;
    for (const api::ReplicaDescriptor& r : s.replicas()) state.membership.voters.emplace_back(r.replica_id());
  }
  std::sort(state.membership.voters.begin(), state.membership.voters.end());
  WriteBatch clear;  // what an attempt that was cut short has left
  for (KeyRange& range : shard_ranges(shard, keyspace)) clear.remove_range(std::move(range));
  RETURN_IF_ERROR(engine.write(clear, MayBlock::kYes));
  RETURN_IF_ERROR(engine.write(initial_state(shard, state, cluster), MayBlock::kYes));
  return engine.flush();
}

}  // namespace meridian
