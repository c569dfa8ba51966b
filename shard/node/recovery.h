// From what a start found in the data and in the log to a replica that may speak again (S4 to S6).
#pragma once

#include "base/engine.h"
#include "raft/core.h"
#include "shard/log/log_store.h"
#include "shard/state_machine.h"

namespace meridian {

struct Recovered {
  StateMachine machine;
  raft::InitialState initial;
  bool discard_log = false;  // older than an installed snapshot: reset it to what is applied
};

// log: null if there is none. kCorruption: the data is older than the log's start, so acknowledged writes
// are missing from this node; it comes back by `node replace`.
Result<Recovered> recover_replica(Engine& engine, ShardId shard, const RecoveredLog* log);

// Creates the state that every first replica of a new cluster starts with. Idempotent; blocks.
Result<> create_initial_state(Engine& engine, ShardId shard, KeyspaceId keyspace, const api::ClusterState& cluster);

// Where a new cluster's logs start: the initial state counts as entry 1 of term 1.
inline constexpr LogBase kInitialBase{LogIndex(1), Term(1)};

}  // namespace meridian
