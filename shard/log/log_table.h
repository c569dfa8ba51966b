// What the log says at this moment, queued batches included: per shard the state, and where its entries stand. It
// knows what must be restated when an old segment goes; the entries themselves are read back for that. Pure.
//
// Invariant of each shard: its runs are contiguous from base.index + 1.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "shard/log/entry_run.h"
#include "shard/log/format.h"
#include "shard/log/log_store.h"

namespace meridian {

// Told how many bytes of a batch became or ceased to be live entries.
class LiveBytes {
 public:
  virtual ~LiveBytes() = default;
  virtual void add_live(std::uint64_t sequence, std::int64_t bytes) = 0;
};

struct ShardLog {
  ReplicaId replica;      // 0: no log, perhaps a tombstone
  ReplicaId min_allowed;  // 0: no tombstone
  LogBase base;
  std::optional<raft::HardState> hard_state;
  std::deque<EntryRun> runs;
  // The batches that last stated base, hard state and tombstone; 0 where there is none.
  std::uint64_t base_sequence = 0;
  std::uint64_t hard_state_sequence = 0;
  std::uint64_t tombstone_sequence = 0;

  LogIndex last_index() const { return runs.empty() ? base.index : runs.back().last; }
  // The run that holds it. Requires: base.index < index <= last_index().
  std::deque<EntryRun>::iterator run_of(LogIndex index);
  std::deque<EntryRun>::const_iterator run_of(LogIndex index) const;
  bool state_within(std::uint64_t end) const {
    return replica.value() != 0 && (base_sequence < end || (hard_state && hard_state_sequence < end));
  }
  bool tombstone_within(std::uint64_t end) const { return tombstone_sequence != 0 && tombstone_sequence < end; }
};

class LogTable {
 public:
  explicit LogTable(LiveBytes& live) : live_(live) {}

  // Sets what recovery found. Counts its bytes.
  void load(std::map<ShardId, ShardLog> shards);

  // CHECK what LogStore requires: a caller that breaks it would make a log that no start can read.
  void update(const LogUpdate& update, std::uint64_t sequence);
  // False: nothing to do.
  bool truncate_prefix(ShardId shard, const LogBase& base, std::uint64_t sequence);
  void remove(ShardId shard, ReplicaId replica, ReplicaId min_allowed, std::uint64_t sequence);

  ReplicaId smallest_allowed(ShardId shard) const;
  ReplicaId replica_of(ShardId shard) const;  // 0: no log
  // Null: the shard has no log.
  const ShardLog* find(ShardId shard) const;
  // Of the entries after index.
  std::uint64_t bytes_after(ShardId shard, LogIndex index) const;
  // The lowest index after which there are at most so many bytes.
  LogIndex index_before_last(ShardId shard, std::uint64_t bytes) const;

  // What a removal of all batches below end would lose.
  struct Item {
    ShardId shard;
    std::optional<EntryRun> run;  // nullopt: state and tombstone
  };
  std::vector<Item> stated_below(std::uint64_t end) const;
  // Restates state and tombstone, what of them is still stated below end only, as part of batch `sequence`.
  void restate_state(ShardId shard, std::uint64_t end, std::uint64_t sequence, std::string& out);
  // Restates entries that were read back from a run, as part of batch `sequence`: what of them is live and still
  // stated in that run. next: the run's other entries stand in this batch or behind it.
  void restate(ShardId shard, const EntryRun& from, std::vector<raft::Entry> entries, std::uint64_t next,
               std::uint64_t sequence, std::string& out);

 private:
  void set_bytes(EntryRun& run, std::uint64_t bytes);
  void append(ShardLog& log, const raft::Entry& entry, std::uint64_t sequence);
  void cut_front(ShardLog& log, LogIndex to);   // entries up to it go
  void cut_back(ShardLog& log, LogIndex from);  // entries from it on go

  LiveBytes& live_;
  std::map<ShardId, ShardLog> shards_;
};

}  // namespace meridian
