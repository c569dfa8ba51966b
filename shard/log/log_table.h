// What the log says at this moment, queued batches included: per shard the state, and for each retained
// entry the batch that holds it. It is what is restated when an old segment goes, so nothing is ever read
// back. Pure; payloads are shared with the raft cores, so they cost no memory of their own.
//
// Invariant of each shard: entries are contiguous from base.index + 1.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "shard/log/format.h"
#include "shard/log/log_store.h"

namespace meridian {

// Told how many bytes of a batch became or ceased to be live entries.
class LiveBytes {
 public:
  virtual ~LiveBytes() = default;
  virtual void add_live(std::uint64_t sequence, std::int64_t bytes) = 0;
};

struct StoredEntry {
  raft::Entry entry;
  std::uint64_t sequence = 0;  // of the batch that last stated it
};

struct ShardLog {
  ReplicaId replica;      // 0: no log, perhaps a tombstone
  ReplicaId min_allowed;  // 0: no tombstone
  LogBase base;
  std::optional<raft::HardState> hard_state;
  std::deque<StoredEntry> entries;
  // The batches that last stated base, hard state and tombstone; 0 where there is none.
  std::uint64_t base_sequence = 0;
  std::uint64_t hard_state_sequence = 0;
  std::uint64_t tombstone_sequence = 0;

  LogIndex last_index() const { return base.index + entries.size(); }
  StoredEntry& at(LogIndex index) { return entries[index - base.index - 1]; }
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

  // What a removal of all batches below end would lose, one item per shard and run of entries.
  struct Item {
    ShardId shard;
    LogIndex from;  // 0: state and tombstone
    LogIndex to;    // included
  };
  std::vector<Item> stated_below(std::uint64_t end) const;
  // Restates into out, as part of batch `sequence`, what of the item is still stated below end only: at
  // most some max_bytes. Moves item.from on; true when the item is done.
  bool restate(Item& item, std::uint64_t end, std::uint64_t sequence, std::size_t max_bytes, std::string& out);

 private:
  void drop_front(ShardLog& log);
  void drop_back(ShardLog& log);
  void clear_entries(ShardLog& log);
  void restate_state(ShardId shard, ShardLog& log, std::uint64_t end, std::uint64_t sequence, std::string& out);

  LiveBytes& live_;
  std::map<ShardId, ShardLog> shards_;
};

}  // namespace meridian
