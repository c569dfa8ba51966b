// The replicated state machine of one shard: turns committed entries into one batch for the engine, and
// knows the state they lead to. Applying is blind: everything was decided by the leader that proposed.
// Lives on the shard's loop.
//
// Invariant: state() and cluster() describe exactly what the engine holds of this shard, as soon as the
// batches that prepare() handed out are written.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/engine.h"
#include "raft/types.h"
#include "shard/api/api.pb.h"
#include "shard/applied_state.h"
#include "txn/mvcc.h"

namespace meridian {

// What applying one entry did, for whoever waits for it.
struct AppliedEntry {
  LogIndex index;
  Term term;
  std::vector<Timestamp> stamps;  // of its commands, in order
};

// A version as an entry writes it.
struct AppliedVersion {
  std::string key;
  txn::VersionedValue value;
};

struct PreparedApply {
  WriteBatch batch;
  std::vector<AppliedVersion> versions;  // all that the batch writes, in order
  AppliedState state;  // after it
  std::vector<AppliedEntry> entries;
  std::shared_ptr<const api::ClusterState> cluster;  // null: unchanged
};

class StateMachine {
 public:
  StateMachine(ShardId shard, AppliedState state, std::shared_ptr<const api::ClusterState> cluster)
      : shard_(shard), state_(std::move(state)), cluster_(std::move(cluster)) {}

  // Requires: entries follow state().index. Does not change this object.
  PreparedApply prepare(const std::vector<raft::Entry>& entries) const;
  // The batch of `prepared` is in the engine.
  void written(PreparedApply& prepared);

  // A snapshot was installed: this is what the engine holds now.
  void replace(StateMachine other) {
    CHECK(other.shard_ == shard_ && other.state_.index > state_.index);
    state_ = std::move(other.state_);
    cluster_ = std::move(other.cluster_);
  }

  const AppliedState& state() const { return state_; }
  // Never null; empty before the cluster is known.
  const std::shared_ptr<const api::ClusterState>& cluster() const { return cluster_; }

 private:
  const ShardId shard_;
  AppliedState state_;
  std::shared_ptr<const api::ClusterState> cluster_;
};

// The engine ranges that make up the shard: what a snapshot of it holds. (One shard is everything but
// the other shards' local state.)
std::vector<KeyRange> shard_ranges(ShardId shard, KeyspaceId keyspace);

// Reads both parts of the state from the engine; what is not there is empty.
Result<StateMachine> load_state_machine(Engine& engine, ShardId shard);

// The batch by which a new cluster's first replicas start: all with the same state.
WriteBatch initial_state(ShardId shard, const AppliedState& state, const api::ClusterState& cluster);

inline constexpr std::string_view kClusterRecord = "cluster";

}  // namespace meridian
