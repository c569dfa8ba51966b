// Rebuilds what the log says from its records, in their order. Pure.
//
// The oldest segments are gone, so a record may speak of what was stated only there; whatever of that is
// still live is restated further on. Hence records are applied without asking whether they fit, each
// overrides what earlier ones said of the same index, and only the result is judged. Why that is right: a
// segment goes only when it is the oldest and everything live in it has been restated, so what a remaining
// record says is overridden by another only if that one stands after it, and such a one is never older.
#pragma once

#include <cstdint>
#include <map>

#include "base/result.h"
#include "shard/log/format.h"
#include "shard/log/log_table.h"

namespace meridian {

class LogReplay {
 public:
  // kCorruption: a record that no writer would have written there.
  Result<> apply(const log_format::Record& record, std::uint64_t sequence);
  // kCorruption: entries are missing.
  Result<std::map<ShardId, ShardLog>> finish();
  // The largest that a record named; 0: none.
  std::uint64_t first_segment() const { return first_segment_; }

 private:
  struct Shard {
    ShardLog log;  // but its entries
    std::map<LogIndex, StoredEntry> entries;
  };
  Result<Shard*> shard_of(ShardId shard, ReplicaId replica, std::uint64_t sequence);
  static Result<> check_index(LogIndex index);
  static void set_base(Shard& shard, const LogBase& base, std::uint64_t sequence);
  static void set_entries(Shard& shard, const std::vector<raft::Entry>& entries, std::uint64_t sequence);

  Result<> apply(const LogUpdate& record, std::uint64_t sequence);
  Result<> apply(const log_format::TruncatePrefix& record, std::uint64_t sequence);
  Result<> apply(const log_format::Tombstone& record, std::uint64_t sequence);
  Result<> apply(const log_format::State& record, std::uint64_t sequence);
  Result<> apply(const log_format::Entries& record, std::uint64_t sequence);
  Result<> apply(const log_format::FirstSegment& record, std::uint64_t sequence);

  std::map<ShardId, Shard> shards_;
  std::uint64_t first_segment_ = 0;
};

}  // namespace meridian
