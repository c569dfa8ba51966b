// Reading entries back.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "shard/log/segmented_log.h"

namespace meridian {

// What was asked for, and where it stood when the job began.
struct SegmentedLog::ReadJob {
  ShardId shard;
  LogIndex from, to;
  std::uint64_t max_bytes = 0;
  ReadDone done;
  std::vector<EntryRun> runs;
  std::unique_ptr<LogReader> reader;
  std::uint64_t oldest_segment = 0;
  std::vector<raft::Entry> entries;
  Result<> result;

  void run() { result = gather(); }
  Result<> gather() {
    std::uint64_t bytes = 0;
    for (const EntryRun& run : runs) {
      ASSIGN_OR_RETURN(LogReader::Read read, reader->read(shard, run, max_bytes - bytes));
      if (read.entries.empty()) {
        return meridian::fail(ErrorCode::kCorruption, fmt::format("shard {}: entry {} of term {} is not in the log",
                                                                  shard, run.first, run.term));
      }
      const bool whole = read.entries.back().index == run.last;
      for (raft::Entry& entry : read.entries) {
        bytes += entry.bytes();
        entries.push_back(std::move(entry));
      }
      if (!whole || bytes >= max_bytes) break;
    }
    return {};
  }
};

// Over the segments that hold the runs, up to what is synced.
std::unique_ptr<LogReader> SegmentedLog::reader_for(std::span<const EntryRun> runs) const {
  const auto [first, last] = std::ranges::minmax(runs, {}, &EntryRun::sequence);
  std::vector<SegmentView> views;
  for (auto segment = segments_.begin(); segment != segments_.end(); ++segment) {
    const auto next = std::next(segment);
    if (next != segments_.end() && next->first_sequence <= first.sequence) continue;
    views.push_back({segment->number, segment->bytes, segment->mileposts});
    if (segment->first_sequence > last.sequence + EntryRun::kMaxBatches) break;
  }
  return std::make_unique<LogReader>(fs_, directory_, salt_, std::move(views));
}

void SegmentedLog::read(ShardId shard, LogIndex from, LogIndex to, std::uint64_t max_bytes, ReadDone done) {
  auto job = std::make_shared<ReadJob>();
  job->shard = shard;
  job->from = from;
  job->to = to;
  job->max_bytes = std::max<std::uint64_t>(max_bytes, 1);
  job->done = std::move(done);
  read_again(std::move(job));
}

void SegmentedLog::read_again(std::shared_ptr<ReadJob> job) {
  const ShardLog* log = table_.find(job->shard);
  if (log == nullptr || job->from <= log->base.index || job->from > log->last_index()) {
    job->result = meridian::fail(ErrorCode::kNotFound,
                                 fmt::format("shard {}: entry {} is not in the log any more", job->shard, job->from));
    runtime_.post([alive = std::weak_ptr<bool>(alive_), job] {
      if (const auto lock = alive.lock(); lock && *lock) job->done(meridian::fail(job->result.error()));
    });
    return;
  }
  job->runs.clear();
  job->entries.clear();
  std::uint64_t bytes = 0;
  for (auto run = log->run_of(job->from); run != log->runs.end() && run->first <= job->to && bytes < job->max_bytes;
       ++run) {
    EntryRun wanted = *run;
    wanted.first = std::max(run->first, job->from);
    wanted.last = std::min(run->last, job->to);
    bytes += run->part(wanted.count());
    job->runs.push_back(wanted);
  }
  // What is being restated is found at its new place, which may not be on the disk yet.
  if (std::ranges::any_of(job->runs, [this](const EntryRun& run) { return run.sequence > synced_; })) {
    PROBE("log.read_waits_for_restatement");
    return wait_for([this, alive = std::weak_ptr<bool>(alive_), job] {
      if (const auto lock = alive.lock(); lock && *lock) read_again(job);
    });
  }
  job->oldest_segment = segments_.front().number;
  job->reader = reader_for(job->runs);
  PROBE("log.read_back");
  runtime_.run_blocking(
      Lane::kRead, [job] { job->run(); },
      [this, alive = std::weak_ptr<bool>(alive_), job] {
        if (const auto lock = alive.lock(); lock && *lock) read_done(job);
      });
}

void SegmentedLog::read_done(std::shared_ptr<ReadJob> job) {
  if (failed_) return;
  if (!job->result && removed_meanwhile(job->oldest_segment)) {
    PROBE("log.read_of_removed_segment");
    return read_again(std::move(job));
  }
  if (!job->result) return fail(job->result.error());
  job->done(std::move(job->entries));
}

}  // namespace meridian
