// Rebuilds what the log says from its records, in their order. Pure.
//
// The oldest segments are gone, so a record may speak of what was stated only there; whatever of that is
// still live is restated further on. Hence records are applied without asking whether they fit, each
// overrides what earlier ones said of the same index, and only the result is judged. Why that is right: a
// segment goes only when it is the oldest and everything live in it has been restated, so what a remaining
// record says is overridden by another only if that one stands after it, and such a one is never older.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "shard/log/format.h"
#include "shard/log/log_table.h"

namespace meridian {

class LogReplay {
 public:
  struct Logs {
    std::map<ShardId, ShardLog> logs;
    std::map<ShardId, std::vector<raft::Entry>> entries;  // those after what is applied
  };
  // applied: up to which entry a shard's entries are not kept, only where they stand; unset: all are kept.
  explicit LogReplay(std::function<LogIndex(ShardId)> applied = nullptr) : applied_(std::move(applied)) {}

  // kCorruption: a record that no writer would have written there.
  Result<> apply(const log_format::Record& record, std::uint64_t sequence);
  // kCorruption: entries are missing.
  Result<Logs> finish();
  // The largest that a record named; 0: none.
  std::uint64_t first_segment() const { return first_segment_; }

 private:
  struct Shard {
    ShardLog log;                             // but its runs
    std::map<LogIndex, EntryRun> runs;        // by their first; disjoint
    std::map<LogIndex, raft::Entry> entries;  // after kept_from
    LogIndex kept_from;
  };
  Result<Shard*> shard_of(ShardId shard, ReplicaId replica, std::uint64_t sequence);
  static Result<> check_index(LogIndex index);
  static void set_base(Shard& shard, const LogBase& base, std::uint64_t sequence);
  static void set_entries(Shard& shard, const std::vector<raft::Entry>& entries, std::uint64_t sequence);
  static void set_run(Shard& shard, const raft::Entry& entry, std::uint64_t sequence);
  static void erase(Shard& shard, LogIndex from, LogIndex to);

  Result<> apply(const LogUpdate& record, std::uint64_t sequence);
  Result<> apply(const log_format::TruncatePrefix& record, std::uint64_t sequence);
  Result<> apply(const log_format::Tombstone& record, std::uint64_t sequence);
  Result<> apply(const log_format::State& record, std::uint64_t sequence);
  Result<> apply(const log_format::Entries& record, std::uint64_t sequence);
  Result<> apply(const log_format::FirstSegment& record, std::uint64_t sequence);

  std::function<LogIndex(ShardId)> applied_;
  std::map<ShardId, Shard> shards_;
  std::uint64_t first_segment_ = 0;
};

}  // namespace meridian
