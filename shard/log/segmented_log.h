// The log writer of a node. Lives on one loop; the disk work runs on the pool, one write with its fsync at
// a time. What gathers meanwhile becomes the next batch, so one fsync serves all that wait.
//
//   append ─► pending_ ─► in_flight_ (WriteJob on the pool: append, fsync) ─► callbacks, in order
//
// Invariants: batches are numbered without gaps in order of append, and written in that order; a batch is
// written only when every earlier one is synced; a segment is begun only then, too, and its header is
// synced before its first batch. Nothing is acknowledged but by a finished fsync.
//
// A full disk: the batch is kept, what was written of it is cut off, and it is tried again. Any other
// failure is fatal: what a failed fsync left on the disk is unknown, and trying again would hide that.
//
// Old segments: always the oldest goes first. What is still live in it is read back and restated at the end of the
// log, as part of the ordinary batches, followed by the record that it is not needed any more; when that is
// synced, the file is removed. (log/replay.h says why that is right.)
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shard/log/log_reader.h"
#include "shard/log/log_store.h"
#include "shard/log/log_table.h"
#include "shard/log/recovery.h"

namespace meridian {

class SegmentedLog final : public LogStore, private LiveBytes {
 public:
  // The directory has been repaired: file is the last segment's, ends with its last whole batch and is synced.
  SegmentedLog(Runtime& runtime, FileSystem& fs, std::string directory, LogOptions options, LogRecovery recovery,
               std::shared_ptr<File> file);
  ~SegmentedLog() override;

  void append(std::vector<LogUpdate> updates, Callback durable) override;
  void truncate_prefix(ShardId shard, LogBase new_base) override;
  void remove(ShardId shard, ReplicaId replica, ReplicaId min_allowed, Callback durable) override;
  void read(ShardId shard, LogIndex from, LogIndex to, std::uint64_t max_bytes, ReadDone done) override;
  std::uint64_t bytes_after(ShardId shard, LogIndex index) const override { return table_.bytes_after(shard, index); }
  LogIndex index_before_last(ShardId shard, std::uint64_t bytes) const override {
    return table_.index_before_last(shard, bytes);
  }
  ReplicaId smallest_allowed(ShardId shard) const override { return table_.smallest_allowed(shard); }
  bool is_full() const override { return full_; }
  LogStats stats() const override;

 private:
  struct Batch {
    std::uint64_t sequence = 0;
    std::string bytes;  // room for the header, then the records
    std::int64_t live = 0;
    std::vector<Callback> waiters;
    bool rewrite_step = false;     // its completion lets the rewriting go on
    std::uint64_t drop_below = 0;  // it says that segments below this one are not needed any more
    bool has_records() const;
  };
  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t first_sequence = 0;
    std::uint64_t bytes = 0;
    std::int64_t live = 0;
    std::vector<Milepost> mileposts;
  };
  struct WriteJob;    // segmented_log.cc
  struct ReadJob;     // segmented_log_read.cc
  struct RewriteJob;  // segmented_log_rewrite.cc

  void add_live(std::uint64_t sequence, std::int64_t bytes) override;
  bool has_queued_records() const;
  Batch& open_batch();  // the pending batch that takes the next record
  void wait_for(Callback durable);
  void write_soon();  // starts a write unless one is going on or callbacks are being run
  void start_write();
  std::uint64_t reserved_for(std::uint64_t end) const;
  void run(std::shared_ptr<WriteJob> job);
  void written(const std::shared_ptr<WriteJob>& job);
  void set_full(bool full);
  void fail(const Error& error);
  void run_waiters(std::vector<Callback> waiters);
  void schedule_mark();

  // segmented_log_read.cc
  std::unique_ptr<LogReader> reader_for(std::span<const EntryRun> runs) const;
  void read_again(std::shared_ptr<ReadJob> job);
  void read_done(std::shared_ptr<ReadJob> job);
  // A read of segments from `oldest` on failed: is it because some were removed meanwhile?
  bool removed_meanwhile(std::uint64_t oldest) const { return segments_.front().number > oldest; }

  // segmented_log_rewrite.cc
  void maybe_rewrite();
  bool worth_rewriting() const;
  bool find_what_is_left();
  void rewrite_some();
  void restate(RewriteJob& job);
  void finish_rewrite_step();
  void drop_oldest();
  void remove_segments_below(std::uint64_t number);

  Runtime& runtime_;
  FileSystem& fs_;
  const std::string directory_;
  LogOptions options_;
  const std::uint32_t salt_;
  LogTable table_;
  std::deque<Segment> segments_;  // oldest first; the last is being written
  std::shared_ptr<File> file_;    // of the last segment; the job's while one is in flight

  std::deque<Batch> pending_;  // only the last one is open
  std::optional<Batch> in_flight_;
  std::uint64_t next_sequence_;  // of the next pending batch to be opened
  std::uint64_t synced_;         // the last batch that is on disk
  std::uint64_t unrecorded_;     // the last batch with records that is on disk and not recorded as synced; 0: none
  std::uint64_t first_segment_;  // durably the oldest that is needed
  bool urgent_ = false;          // something in pending_ is waited for
  bool in_callbacks_ = false;
  bool full_ = false;
  bool failed_ = false;
  TimerId mark_timer_ = 0;
  TimerId retry_timer_ = 0;
  MonoTime write_started_;
  std::uint64_t in_flight_bytes_ = 0;

  // The segment being emptied, 0: none; what of it is left to restate; whether the record that drops it, or
  // a part of what is restated, is being read or on its way.
  std::uint64_t rewriting_ = 0;
  std::deque<LogTable::Item> rewrite_items_;
  bool dropping_ = false;
  bool rewrite_step_pending_ = false;
  // Restating much of a segment to drop it gains little, and where segments are small nothing: it would go on for ever.
  // After such a one, as much must be appended first.
  std::uint64_t restated_of_it_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t rewrite_after_ = 0;  // so much is appended

  LogStats totals_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace meridian
