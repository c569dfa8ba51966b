#include "shard/log/segmented_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/fault.h"
#include "shard/log/format.h"
#include "shard/log/segment_file.h"

namespace meridian {

// All that the pool touches while a write is going on; the loop leaves it alone until it is done. It shares
// the file, so it may outlive the log.
struct SegmentedLog::WriteJob {
  FileSystem& fs;
  std::string directory;
  std::optional<log_format::SegmentHeader> begin;  // a segment to create first
  std::shared_ptr<File> file;
  std::uint64_t offset = 0;   // where the file's batches end
  std::uint64_t reserve = 0;  // where the file is to end
  std::uint32_t salt = 0;
  std::uint64_t sequence = 0;
  std::uint64_t synced = 0;
  std::string bytes;
  Result<> result;

  void run() { result = write(); }
  Result<> write() {
    if (begin) {
      ASSIGN_OR_RETURN(file, create_segment(fs, directory, *begin));
      begin.reset();
    }
    log_format::seal_batch(bytes, sequence, synced, salt);
    file->reserve(reserve);
    return append_synced(*file, offset, bytes);
  }
};

bool SegmentedLog::Batch::has_records() const { return bytes.size() > log_format::kBatchHeaderBytes; }

SegmentedLog::SegmentedLog(Runtime& runtime, FileSystem& fs, std::string directory, LogOptions options,
                           LogRecovery recovery, std::shared_ptr<File> file)
    : runtime_(runtime),
      fs_(fs),
      directory_(std::move(directory)),
      options_(std::move(options)),
      salt_(recovery.salt),
      table_(*this),
      file_(std::move(file)),
      next_sequence_(recovery.last_sequence + 1),
      synced_(recovery.last_sequence),
      unrecorded_(recovery.last_sequence > recovery.recorded && !recovery.last_is_empty ? recovery.last_sequence : 0),
      first_segment_(recovery.first_segment) {
  if (BUGGIFY("log.tiny_segments")) options_.segment_bytes = 4096;
  if (BUGGIFY("log.tiny_batches")) options_.max_batch_bytes = 256;
  for (const RecoveredSegment& segment : recovery.segments) {
    segments_.push_back({.number = segment.number,
                         .first_sequence = segment.first_sequence,
                         .bytes = segment.bytes,
                         .mileposts = segment.mileposts});
  }
  table_.load(std::move(recovery.shards));
  schedule_mark();
}

SegmentedLog::~SegmentedLog() {
  *alive_ = false;
  runtime_.cancel(mark_timer_);
  runtime_.cancel(retry_timer_);
}

void SegmentedLog::add_live(std::uint64_t sequence, std::int64_t bytes) {
  if (!pending_.empty() && sequence >= pending_.front().sequence) {
    pending_[sequence - pending_.front().sequence].live += bytes;
    return;
  }
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), sequence,
                       [](std::uint64_t s, const Segment& segment) { return s < segment.first_sequence; });
  CHECK_F(after != segments_.begin(), "batch {} is in no segment", sequence);
  std::prev(after)->live += bytes;
}

SegmentedLog::Batch& SegmentedLog::open_batch() {
  if (pending_.empty() || pending_.back().bytes.size() >= options_.max_batch_bytes) {
    pending_.push_back({.sequence = next_sequence_++, .bytes = std::string(log_format::kBatchHeaderBytes, '\0')});
  }
  return pending_.back();
}

void SegmentedLog::append(std::vector<LogUpdate> updates, Callback durable) {
  std::erase_if(updates, [](const LogUpdate& update) { return update.empty(); });
  if (!updates.empty()) {
    Batch& batch = open_batch();
    const std::size_t before = batch.bytes.size();
    for (const LogUpdate& update : updates) {
      table_.update(update, batch.sequence);
      log_format::append_record(batch.bytes, update);
    }
    appended_ += batch.bytes.size() - before;
  }
  wait_for(std::move(durable));
}

void SegmentedLog::truncate_prefix(ShardId shard, LogBase new_base) {
  const ReplicaId replica = table_.replica_of(shard);
  Batch& batch = open_batch();
  if (!table_.truncate_prefix(shard, new_base, batch.sequence)) return;
  log_format::append_record(batch.bytes, log_format::TruncatePrefix{shard, replica, new_base});
  maybe_rewrite();
  write_soon();
}

void SegmentedLog::remove(ShardId shard, ReplicaId replica, ReplicaId min_allowed, Callback durable) {
  Batch& batch = open_batch();
  table_.remove(shard, replica, min_allowed, batch.sequence);
  log_format::append_record(batch.bytes, log_format::Tombstone{shard, min_allowed});
  wait_for(std::move(durable));
}

bool SegmentedLog::has_queued_records() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const Batch& batch) { return batch.has_records(); });
}

// Waits for everything appended so far.
void SegmentedLog::wait_for(Callback durable) {
  if (has_queued_records()) {
    if (durable) pending_.back().waiters.push_back(std::move(durable));
    urgent_ = true;
    write_soon();
  } else if (in_flight_) {
    if (durable) in_flight_->waiters.push_back(std::move(durable));
  } else if (durable && !failed_) {
    runtime_.post([alive = std::weak_ptr<bool>(alive_), durable = std::move(durable)]() mutable {
      if (const auto lock = alive.lock(); lock && *lock) durable();
    });
  }
}

void SegmentedLog::write_soon() {
  if (urgent_ && !in_flight_ && !in_callbacks_ && !failed_) start_write();
}

void SegmentedLog::start_write() {
  runtime_.cancel(std::exchange(mark_timer_, 0));
  open_batch();
  in_flight_ = std::move(pending_.front());
  pending_.pop_front();
  urgent_ = has_queued_records();
  Batch& batch = *in_flight_;
  CHECK_F(batch.sequence == synced_ + 1, "batch {} is written after batch {}", batch.sequence, synced_);

  auto job = std::make_shared<WriteJob>(WriteJob{.fs = fs_, .directory = directory_});
  const std::uint64_t size = segments_.back().bytes;
  if (size > log_format::kSegmentHeaderBytes && size + batch.bytes.size() > options_.segment_bytes) {
    const std::uint64_t number = segments_.back().number + 1;
    job->begin = log_format::SegmentHeader{salt_, number, batch.sequence, first_segment_};
    segments_.push_back({.number = number, .first_sequence = batch.sequence, .bytes = log_format::kSegmentHeaderBytes});
    file_.reset();
  }
  segments_.back().live += batch.live;
  set_milepost(segments_.back().mileposts, batch.sequence, segments_.back().bytes);
  job->file = file_;
  job->offset = segments_.back().bytes;
  job->reserve = reserved_for(segments_.back().bytes + batch.bytes.size());
  job->salt = salt_;
  job->sequence = batch.sequence;
  job->synced = synced_;
  job->bytes = std::move(batch.bytes);
  in_flight_bytes_ = job->bytes.size();
  if (DELIBERATE_BUG("log_ack_before_fsync")) {
    for (Callback& waiter : std::exchange(batch.waiters, {})) runtime_.post(std::move(waiter));
  }
  run(std::move(job));
}

// In whole steps, so that most writes find it done.
std::uint64_t SegmentedLog::reserved_for(std::uint64_t end) const {
  const std::uint64_t step = options_.reserve_bytes;
  if (step == 0) return 0;
  return std::min((end / step + 1) * step, std::max(end, options_.segment_bytes));
}

void SegmentedLog::run(std::shared_ptr<WriteJob> job) {
  write_started_ = runtime_.now();  // before it is submitted: what stands in front of it counts
  runtime_.run_blocking(
      Lane::kLog, [job] { job->run(); },
      [this, alive = std::weak_ptr<bool>(alive_), job] {
        if (const auto lock = alive.lock(); lock && *lock) written(job);
      });
}

void SegmentedLog::written(const std::shared_ptr<WriteJob>& job) {
  if (!job->result) {
    if (job->result.error().code() != ErrorCode::kDiskFull) return fail(job->result.error());
    PROBE("log.disk_full");
    set_full(true);
    retry_timer_ = runtime_.after(options_.full_retry, [this, job] { run(job); });
    return;
  }
  set_full(false);
  file_ = job->file;
  const std::uint64_t bytes = job->bytes.size();
  segments_.back().bytes += bytes;
  totals_.bytes_written += bytes;
  ++totals_.syncs;
  if (options_.on_synced) options_.on_synced(runtime_.now() - write_started_, bytes);

  Batch done = *std::exchange(in_flight_, std::nullopt);
  synced_ = done.sequence;
  const bool records = bytes > log_format::kBatchHeaderBytes;
  unrecorded_ = records ? done.sequence : 0;
  if (done.drop_below != 0) remove_segments_below(done.drop_below);
  if (done.rewrite_step) rewrite_step_pending_ = false;
  maybe_rewrite();
  // The callbacks first: they take microseconds, and what they append joins the next batch, so that appenders
  // do not fall into two groups that wait for each other's fsync.
  const std::weak_ptr<bool> alive = alive_;
  run_waiters(std::move(done.waiters));
  if (const auto lock = alive.lock(); !lock || !*lock) return;
  write_soon();
  schedule_mark();
}

void SegmentedLog::run_waiters(std::vector<Callback> waiters) {
  const std::weak_ptr<bool> alive = alive_;
  in_callbacks_ = true;
  for (Callback& waiter : waiters) {
    waiter();
    if (const auto lock = alive.lock(); !lock || !*lock) return;  // it ended the log
  }
  in_callbacks_ = false;
}

// Records the last sync if nothing else is about to (S1). The batch that does it is empty, or carries what
// was in no hurry; after an empty one the log rests.
void SegmentedLog::schedule_mark() {
  if (unrecorded_ == 0 || in_flight_ || mark_timer_ != 0 || failed_) return;
  mark_timer_ = runtime_.after(options_.mark_delay, [this] {
    mark_timer_ = 0;
    if (!in_flight_ && !failed_) start_write();
  });
}

void SegmentedLog::set_full(bool full) {
  if (std::exchange(full_, full) != full && options_.on_full) options_.on_full(full);
}

void SegmentedLog::fail(const Error& error) {
  failed_ = true;
  const Error fatal = Error(error.code(), "the log cannot be written, this node must stop").with_cause(error);
  if (options_.on_fatal) return options_.on_fatal(fatal);
  CHECK_F(false, "{}", fatal.to_string());
}

LogStats SegmentedLog::stats() const {
  LogStats stats = totals_;
  stats.segments = segments_.size();
  stats.queue_bytes = in_flight_ ? in_flight_bytes_ : 0;
  for (const Segment& segment : segments_) {
    stats.bytes_on_disk += segment.bytes;
    stats.bytes_live += static_cast<std::uint64_t>(segment.live);
  }
  for (const Batch& batch : pending_) {
    stats.queue_bytes += batch.has_records() ? batch.bytes.size() : 0;
    stats.bytes_live += static_cast<std::uint64_t>(batch.live);
  }
  return stats;
}

}  // namespace meridian
