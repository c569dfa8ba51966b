// Log entries as a leader makes them: single-key puts, so many to an entry, of uniformly drawn keys.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "base/hlc.h"
#include "raft/types.h"
#include "shard/wire/wire.pb.h"

namespace meridian::limits {

inline constexpr std::uint64_t kKeys = 100'000;
inline constexpr ShardId kShard{1};
inline constexpr ReplicaId kReplica{1};
inline constexpr KeyspaceId kKeyspace{1};
inline constexpr Term kTerm{1};

class Puts {
 public:
  Puts(std::uint64_t batch, std::uint64_t value_bytes);

  // The next entry; indexes count from 1, stamps grow.
  raft::Entry next(WallTime wall);
  LogIndex last() const { return index_; }

 private:
  wire::EntryPayload payload_;  // all of its commands, of which only ids, keys and stamps change
  Hlc node_hlc_;
  FlooredHlc hlc_{node_hlc_, Timestamp()};
  LogIndex index_;
  std::uint64_t sequence_ = 0;
  std::mt19937_64 rng_{1};
};

}  // namespace meridian::limits
