// What a replica has applied, stored in the engine in the same batch as the data it speaks of.
#pragma once

#include <optional>
#include <string>

#include "base/engine.h"
#include "base/hlc.h"
#include "base/types.h"
#include "raft/types.h"

namespace meridian {

// Invariant: closed <= ceiling.
struct AppliedState {
  LogIndex index;
  Term term;
  Timestamp closed;   // nothing will be written at or below it any more
  Timestamp ceiling;  // nobody was answered with a timestamp above it
  raft::Membership membership;
  Epoch epoch{1};
};

std::string encode_applied_state(const AppliedState& state);
// kCorruption.
Result<AppliedState> decode_applied_state(std::string_view bytes);

// nullopt: no replica of the shard has ever applied anything here. options may name a snapshot.
Result<std::optional<AppliedState>> load_applied_state(Engine& engine, ShardId shard, const EngineReadOptions& options);

}  // namespace meridian
