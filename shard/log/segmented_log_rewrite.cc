// Emptying and removing the oldest segment.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "shard/log/format.h"
#include "shard/log/segmented_log.h"

namespace meridian {
namespace {

// Of one batch: small enough not to hold up what others wait for.
constexpr std::size_t kSmallRewriteBytes = 256;
constexpr std::size_t kRewriteBytes = 1 << 20;

}  // namespace

bool SegmentedLog::worth_rewriting() const {
  if (appended_ < rewrite_after_) return false;
  const Segment& oldest = segments_.front();
  if (static_cast<double>(oldest.live) < options_.rewrite_below * static_cast<double>(oldest.bytes)) return true;
  if (BUGGIFY("log.rewrite_eagerly")) return true;
  const LogStats now = stats();
  return now.bytes_on_disk > options_.max_bytes && now.bytes_on_disk > 3 * now.bytes_live;
}

// One step, when something may have changed: choose a segment, or restate some more of it. A step ends with
// a batch whose completion comes back here.
void SegmentedLog::maybe_rewrite() {
  if (failed_ || full_ || dropping_ || rewrite_step_pending_) return;
  if (rewriting_ == 0) {
    // The last segment is never the one: it is being written.
    if (segments_.size() < 2 || !worth_rewriting()) return;
    rewriting_ = segments_.front().number;
    restated_of_it_ = 0;
  }
  if (find_what_is_left()) {
    rewrite_some();
  } else {
    drop_oldest();
  }
}

// False: all that is live in the oldest segment has been restated.
bool SegmentedLog::find_what_is_left() {
  if (!rewrite_items_.empty()) return true;
  // Also of runs whose end was not synced yet when the rest was restated.
  auto items = table_.stated_below(segments_[1].first_sequence);
  rewrite_items_.assign(std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  return !rewrite_items_.empty();
}

// The entries of some items, read back.
struct SegmentedLog::RewriteJob {
  std::vector<LogTable::Item> items;
  std::vector<LogReader::Read> reads;  // one for each item; of state: empty
  std::unique_ptr<LogReader> reader;
  Result<> result;

  void run() { result = read_all(); }
  Result<> read_all() {
    reads.resize(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!items[i].run) continue;
      ASSIGN_OR_RETURN(reads[i], reader->read(items[i].shard, *items[i].run, UINT64_MAX));
    }
    return {};
  }
};

void SegmentedLog::rewrite_some() {
  const std::size_t step = BUGGIFY("log.small_rewrite_steps") ? kSmallRewriteBytes : kRewriteBytes;
  rewrite_step_pending_ = true;
  auto job = std::make_shared<RewriteJob>();
  std::vector<EntryRun> runs;
  for (std::uint64_t bytes = 0; !rewrite_items_.empty() && bytes < step; rewrite_items_.pop_front()) {
    LogTable::Item& item = rewrite_items_.front();
    if (item.run) {
      bytes += item.run->bytes;
      runs.push_back(*item.run);
    }
    job->items.push_back(std::move(item));
  }
  if (runs.empty()) {
    job->reads.resize(job->items.size());
    return restate(*job);
  }
  job->reader = reader_for(runs);
  runtime_.run_blocking(
      Lane::kBulk, [job] { job->run(); },
      [this, alive = std::weak_ptr<bool>(alive_), job] {
        if (const auto lock = alive.lock(); !lock || !*lock || failed_) return;
        // Nobody but this removes segments.
        if (!job->result) return fail(job->result.error());
        restate(*job);
        write_soon();
      });
}

// All in one batch: with a batch for each kind, small segments would be filled with what is to be moved next.
void SegmentedLog::restate(RewriteJob& job) {
  Batch& batch = open_batch();
  const std::size_t before = batch.bytes.size();
  for (std::size_t i = 0; i < job.items.size(); ++i) {
    const LogTable::Item& item = job.items[i];
    LogReader::Read& read = job.reads[i];
    if (item.run) {
      table_.restate(item.shard, *item.run, std::move(read.entries), read.next, batch.sequence, batch.bytes);
    } else {
      table_.restate_state(item.shard, segments_[1].first_sequence, batch.sequence, batch.bytes);
    }
  }
  restated_of_it_ += batch.bytes.size() - before;
  totals_.bytes_rewritten += batch.bytes.size() - before;
  finish_rewrite_step();
}

// What was restated goes with the batch that is open, whose completion lets the rewriting go on.
void SegmentedLog::finish_rewrite_step() {
  rewrite_step_pending_ = false;
  if (!find_what_is_left()) return drop_oldest();
  rewrite_step_pending_ = true;
  PROBE("log.rewrite_in_steps");
  open_batch().rewrite_step = true;
  urgent_ = true;
}

void SegmentedLog::drop_oldest() {
  CHECK_F(segments_.front().live == 0, "segment {} is to be removed with {} live bytes", rewriting_,
          segments_.front().live);
  const std::uint64_t gone = segments_.front().bytes;
  if (2 * restated_of_it_ > gone) rewrite_after_ = appended_ + gone;
  Batch& batch = open_batch();
  log_format::append_record(batch.bytes, log_format::Record(log_format::FirstSegment{rewriting_ + 1}));
  batch.drop_below = rewriting_ + 1;
  dropping_ = true;
  urgent_ = true;
}

// The record that says so is on disk, and with it all that was restated.
void SegmentedLog::remove_segments_below(std::uint64_t number) {
  PROBE("log.segment_removed");
  std::vector<std::string> paths;
  for (; segments_.front().number < number; segments_.pop_front()) {
    paths.push_back(directory_ + "/" + log_format::segment_name(segments_.front().number));
  }
  first_segment_ = number;
  rewriting_ = 0;
  dropping_ = false;
  totals_.segments_removed += paths.size();
  auto result = std::make_shared<Result<>>();
  runtime_.run_blocking(
      // In whatever order these reach the disk: a start removes what is left of them.
      [&fs = fs_, directory = directory_, paths = std::move(paths), result] {
        for (const std::string& path : paths) {
          if (*result) *result = fs.remove(path);
        }
        if (*result) *result = fs.sync_directory(directory);
      },
      [this, alive = std::weak_ptr<bool>(alive_), result] {
        if (const auto lock = alive.lock(); lock && *lock && !*result) fail(result->error());
      });
}

}  // namespace meridian
