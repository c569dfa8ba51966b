#include "shard/state_machine.h"

#include "base/check.h"
#include "base/keys.h"
#include "raft/membership.h"
#include "shard/wire/codec.h"
#include "txn/mvcc.h"

namespace meridian {
namespace {

void apply_command(wire::Command& command, RegionId origin, PreparedApply& out) {
  const KeyspaceId keyspace(command.keyspace_id());
  const Timestamp stamp(command.stamp());
  txn::VersionHeader header;
  header.id = {command.id_time_us(), command.id_client(), command.id_sequence()};
  header.payload_hash = command.payload_hash();
  for (api::Mutation& m : *command.mutable_mutations()) {
    header.tombstone = m.remove();
    out.batch.put(txn::version_key(keyspace, m.key(), stamp, origin), txn::version_value(header, m.value()));
    AppliedVersion& version = out.versions.emplace_back();
    version.key = std::move(*m.mutable_key());
    version.value = {!m.remove(), std::move(*m.mutable_value()), stamp};
  }
  if (command.mutations().empty()) {
    out.batch.put(txn::outcome_key(keyspace, command.anchor(), header.id),
                  txn::outcome_value(header.payload_hash, Timestamp(command.found_version())));
  }
}

}  // namespace

PreparedApply StateMachine::prepare(const std::vector<raft::Entry>& entries) const {
  PreparedApply out;
  out.state = state_;
  out.entries.reserve(entries.size());
  for (const raft::Entry& entry : entries) {
    CHECK_F(entry.index == out.state.index.next(), "entry {} is applied after {}", entry.index, out.state.index);
    CHECK_F(entry.term >= out.state.term, "an entry of term {} is applied after one of {}", entry.term, out.state.term);
    out.state.index = entry.index;
    out.state.term = entry.term;
    AppliedEntry& applied = out.entries.emplace_back(AppliedEntry{entry.index, entry.term, {}});
    if (entry.type == raft::EntryType::kMembership) {
      Result<raft::Membership> membership = raft::decode_membership(entry.data ? *entry.data : std::string());
      CHECK_F(membership.has_value(), "log entry {} holds no membership", entry.index);
      out.state.membership = std::move(*membership);
    } else if (entry.type == raft::EntryType::kCommand) {
      wire::EntryPayload payload;
      CHECK_F(entry.data && payload.ParseFromString(*entry.data), "log entry {} does not parse", entry.index);
      const Timestamp closed(payload.closed_timestamp());
      CHECK_F(closed >= out.state.closed, "log entry {} closes {} after {}", entry.index, closed, out.state.closed);
      for (wire::Command& command : *payload.mutable_commands()) {
        const Timestamp stamp(command.stamp());
        // The promise of a closed timestamp, and that followers may serve at it.
        CHECK_F(stamp > out.state.closed && stamp <= closed, "log entry {} writes at {} outside ({}, {}]", entry.index,
                stamp, out.state.closed, closed);
        applied.stamps.push_back(stamp);
        apply_command(command, RegionId(static_cast<std::uint16_t>(payload.origin_region())), out);
      }
      out.state.closed = closed;
      out.state.ceiling = std::max({out.state.ceiling, Timestamp(payload.ceiling()), closed});
      if (payload.has_cluster_state()) {
        out.cluster = std::make_shared<const api::ClusterState>(std::move(*payload.mutable_cluster_state()));
      }
    }
  }
  if (out.cluster) out.batch.put(txn::system_key(kClusterRecord), out.cluster->SerializeAsString());
  out.batch.put(txn::local_key(shard_), encode_applied_state(out.state));
  return out;
}

void StateMachine::written(PreparedApply& prepared) {
  CHECK(prepared.state.index > state_.index);
  state_ = std::move(prepared.state);
  if (prepared.cluster) cluster_ = std::move(prepared.cluster);
}

std::vector<KeyRange> shard_ranges(ShardId shard, KeyspaceId keyspace) {
  const std::string local = txn::local_key(shard);
  const std::string system = txn::system_key("");
  return {KeyRange{local, key_after(local)}, txn::outcome_range(keyspace, "", ""), txn::version_range(keyspace, "", ""),
          KeyRange{system, prefix_end(system)}};
}

Result<StateMachine> load_state_machine(Engine& engine, ShardId shard) {
  ASSIGN_OR_RETURN(std::optional<AppliedState> state, load_applied_state(engine, shard, {}));
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, engine.get(txn::system_key(kClusterRecord)));
  auto cluster = std::make_shared<api::ClusterState>();
  if (stored && !cluster->ParseFromString(*stored)) {
    return fail(ErrorCode::kCorruption, "the stored cluster state does not parse");
  }
  return StateMachine(shard, state ? std::move(*state) : AppliedState{}, std::move(cluster));
}

WriteBatch initial_state(ShardId shard, const AppliedState& state, const api::ClusterState& cluster) {
  WriteBatch batch;
  batch.put(txn::system_key(kClusterRecord), cluster.SerializeAsString());
  batch.put(txn::local_key(shard), encode_applied_state(state));
  return batch;
}

}  // namespace meridian
