// The port to the node's log: hard states and entries of all its shards in one append-only store, one
// fsync for all that waits (protocols S1, S3, S4). shard/log/segmented_log.h is the implementation.
//
// Lives on one loop (that of the Runtime it was opened with): every call comes from there, every callback
// runs there. The raft cores keep the newest entries in memory and read older ones back from here. What a start
// found on disk is handed out once, by open_segmented_log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/runtime.h"
#include "base/types.h"
#include "raft/types.h"

namespace meridian {

// Where a log starts: its entries follow index, which had this term. (0, 0): at the beginning.
struct LogBase {
  LogIndex index;
  Term term;
  friend bool operator==(const LogBase&, const LogBase&) = default;
};

// A change of one replica's log, carried out in the order of the members below. Only what is set changes.
struct LogUpdate {
  ShardId shard;
  ReplicaId replica;
  std::optional<LogBase> reset;  // discard all entries and start after this base: bootstrap, snapshot installed
  std::optional<LogIndex> truncate_from;  // drop entries at and after it; above the base
  std::vector<raft::Entry> entries;       // contiguous, and following the last one
  std::optional<raft::HardState> hard_state;

  bool empty() const { return !reset && !truncate_from && entries.empty() && !hard_state; }
};

struct RecoveredLog {
  ShardId shard;
  ReplicaId replica;
  std::optional<raft::HardState> hard_state;  // nullopt: none was ever stored (raft::InitialState::fresh)
  LogBase base;
  std::vector<raft::TermRun> stored;  // contiguous from base.index + 1: what can be read back (LogStore::read)
  std::vector<raft::Entry> entries;   // contiguous after those

  LogIndex last_index() const {
    if (!entries.empty()) return entries.back().index;
    return stored.empty() ? base.index : stored.back().last;
  }
  // Does it hold (index, term), as its base or as an entry? If not for what the data has applied, the
  // log is older than an installed snapshot: reset it, keep term and vote (S5).
  bool holds(LogIndex index, Term term) const;
};

struct LogStats {
  std::uint64_t segments = 0;
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t bytes_live = 0;   // entries that are still needed
  std::uint64_t queue_bytes = 0;  // appended, not yet durable: refuse new work (busy) before it is large
  std::uint64_t syncs = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_rewritten = 0;  // of those, moved out of old segments
  std::uint64_t segments_removed = 0;
};

class LogStore {
 public:
  virtual ~LogStore() = default;

  // Queues; all updates of one call become durable together or not at all. `durable` (may be empty) runs
  // after the fsync that covers it, in order of the calls, never inside this one.
  // Requires: replica is at least smallest_allowed(shard), and the shard's log is this replica's or none.
  virtual void append(std::vector<LogUpdate> updates, Callback durable) = 0;

  // Entries up to new_base.index are not needed any more: they are durable in the data (S4). Written with
  // the next batch, so a crash may bring them back. A base that is not above the present one is ignored.
  virtual void truncate_prefix(ShardId shard, LogBase new_base) = 0;

  // Entries from `from` on, as many as max_bytes take but one at least, up to `to`; never inside this call. Those asked
  // for are durable. kNotFound: the log was cut, reset or removed meanwhile. Damage is fatal to the node, and never
  // answered.
  using ReadDone = std::move_only_function<void(Result<std::vector<raft::Entry>>)>;
  virtual void read(ShardId shard, LogIndex from, LogIndex to, std::uint64_t max_bytes, ReadDone done) = 0;
  // Of the entries after index, about.
  virtual std::uint64_t bytes_after(ShardId shard, LogIndex index) const = 0;
  // The lowest index after which there are at most so many bytes; that of the base where all are fewer.
  virtual LogIndex index_before_last(ShardId shard, std::uint64_t bytes) const = 0;

  // Removes the shard's log, hard state included, and leaves a tombstone: no replica below min_allowed
  // can ever have a log here again. Also right where there is no log. Requires: replica < min_allowed.
  virtual void remove(ShardId shard, ReplicaId replica, ReplicaId min_allowed, Callback durable) = 0;
  // 0 where nothing was removed.
  virtual ReplicaId smallest_allowed(ShardId shard) const = 0;

  // The disk is full: what is queued waits (nothing is lost, nothing acknowledged) and is tried again
  // every second. Replicas refuse writes with kDiskFull while it lasts.
  virtual bool is_full() const = 0;
  virtual LogStats stats() const = 0;
};

struct LogOptions {
  std::uint64_t segment_bytes = 64 << 20;
  std::uint64_t max_batch_bytes = 8 << 20;  // a batch this large takes no more; the next begins
  std::uint64_t reserve_bytes =
      4 << 20;                  // the file is grown in such steps, so that few syncs change its size; 0: never
  Duration mark_delay{10'000};  // how long a completed sync waits for a batch to record it (S1)
  Duration full_retry{1'000'000};
  // The oldest segment is emptied when less than this part of it is live, or when the log is over
  // max_bytes and over three times its live bytes.
  double rewrite_below = 0.25;
  std::uint64_t max_bytes = 1 << 30;
  // Up to which entry a shard's data is on disk. A start hands out the entries after it, and of the others where they
  // stand; unset: all entries.
  std::function<LogIndex(ShardId)> applied;
  // The node has stored its identity, so a log must be there: none is kCorruption, not a fresh start.
  bool must_exist = false;
  // A write or a sync failed: nothing is known about the log any more, and nothing is acknowledged from
  // now on (S, and "Can Applications Recover from fsync Failures?"). Must stop the process; the default aborts.
  std::function<void(const Error&)> on_fatal;
  std::function<void(bool full)> on_full;                             // is_full() changed
  std::function<void(Duration took, std::uint64_t bytes)> on_synced;  // each write with its fsync; for metrics
};

struct OpenedLog {
  std::unique_ptr<LogStore> store;
  std::vector<RecoveredLog> logs;  // by shard
};

// Opens or creates the log in its own directory, and repairs what a crash left. Blocks; for start-up.
// The caller holds the lock of the data directory. runtime and fs outlive the store.
//   kCorruption: damage below the last recorded sync, or a missing segment; names file and offset. The node
//     halts and comes back by `node replace`.
//   kFailedPrecondition: a newer format.   kDiskFull, kIo: of the file system.
Result<OpenedLog> open_segmented_log(Runtime& runtime, FileSystem& fs, const std::string& directory,
                                     LogOptions options);

}  // namespace meridian
