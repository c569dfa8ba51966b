// Opening a log: scanning it, repairing what a crash left, handing out what is retained.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "shard/log/log_store.h"
#include "shard/log/recovery.h"
#include "shard/log/segment_file.h"
#include "shard/log/segmented_log.h"

namespace meridian {
namespace {

// Makes the last segment durable as far as it was read, and cuts off what follows.
//
// What was read may be in the page cache only: the process may have been killed before its fsync, or the
// fsync may have failed, after which the kernel calls the pages clean and a new fsync answers "fine" without
// writing them. So the bytes are written anew, beside the old ones. At every start: the last batch, or the
// header of a segment without one, is never recorded as synced.
Result<> rewrite_tail(FileSystem& fs, const RecoveredSegment& segment, bool tail) {
  ASSIGN_OR_RETURN(std::string bytes, read_file(fs, segment.path));
  bytes.resize(segment.bytes);
  auto written = write_file_atomically(fs, segment.path, bytes);
  if (written || written.error().code() != ErrorCode::kDiskFull) return written;
  // No room for a copy. The batches are whole; only after a failed fsync could they be missing on the disk.
  PROBE("log.opened_on_full_disk");
  ASSIGN_OR_RETURN(const bool begun, fs.exists(segment.path + ".tmp"));
  if (begun) RETURN_IF_ERROR(fs.remove(segment.path + ".tmp"));
  ASSIGN_OR_RETURN(const auto file, fs.open(segment.path, FileSystem::Open::kExisting));
  if (tail) RETURN_IF_ERROR(file->truncate(segment.bytes));
  return file->sync();
}

// The terms of a log's entries up to `last`.
std::vector<raft::TermRun> terms_of(const ShardLog& log, LogIndex last) {
  std::vector<raft::TermRun> terms;
  for (const EntryRun& run : log.runs) {
    if (run.first > last) break;
    const LogIndex end = std::min(run.last, last);
    if (!terms.empty() && terms.back().term == run.term) {
      terms.back().last = end;
    } else {
      terms.push_back({run.first, end, run.term});
    }
  }
  return terms;
}

std::vector<RecoveredLog> retained(LogRecovery& recovery) {
  std::vector<RecoveredLog> logs;
  for (const auto& [shard, log] : recovery.shards) {
    if (log.replica.value() == 0) continue;
    std::vector<raft::Entry> entries = std::move(recovery.entries[shard]);
    const LogIndex stored = entries.empty() ? log.last_index() : entries.front().index.previous();
    logs.push_back({shard, log.replica, log.hard_state, log.base, terms_of(log, stored), std::move(entries)});
  }
  return logs;
}

}  // namespace

bool RecoveredLog::holds(LogIndex index, Term term) const {
  if (index == base.index) return term == base.term;
  if (index < base.index || index > last_index()) return false;
  if (!entries.empty() && index >= entries.front().index) return entries[index - entries.front().index].term == term;
  return std::ranges::any_of(
      stored, [&](const raft::TermRun& run) { return run.first <= index && index <= run.last && run.term == term; });
}

Result<OpenedLog> open_segmented_log(Runtime& runtime, FileSystem& fs, const std::string& directory,
                                     LogOptions options) {
  RETURN_IF_ERROR(fs.create_directories(directory));
  ASSIGN_OR_RETURN(LogRecovery recovery, scan_log(fs, directory, options.applied));
  for (const std::string& path : recovery.leftovers) RETURN_IF_ERROR(fs.remove(path));
  std::shared_ptr<File> file;
  if (recovery.segments.empty()) {
    if (options.must_exist) {
      return fail(ErrorCode::kCorruption, fmt::format("{} holds no log, but this node had one: its disk was lost or "
                                                      "another is mounted; replace the node",
                                                      directory));
    }
    recovery.salt = static_cast<std::uint32_t>(runtime.random());
    const log_format::SegmentHeader header{recovery.salt, recovery.first_segment, 1, recovery.first_segment};
    ASSIGN_OR_RETURN(file, create_segment(fs, directory, header));
    recovery.segments.push_back(
        {.number = header.number, .first_sequence = header.first_sequence, .bytes = log_format::kSegmentHeaderBytes});
  } else {
    const RecoveredSegment& last = recovery.segments.back();
    RETURN_IF_ERROR(rewrite_tail(fs, last, recovery.tail));
    ASSIGN_OR_RETURN(file, fs.open(last.path, FileSystem::Open::kExisting));
    // A crash came between the segment and its note. Without room the note waits for the next segment.
    if (recovery.noted_newest < last.number) {
      auto noted = note_newest(fs, directory, last.number);
      if (!noted && noted.error().code() != ErrorCode::kDiskFull) return fail(std::move(noted).error());
    }
  }
  RETURN_IF_ERROR(fs.sync_directory(directory));
  OpenedLog opened;
  opened.logs = retained(recovery);
  opened.store =
      std::make_unique<SegmentedLog>(runtime, fs, directory, std::move(options), std::move(recovery), std::move(file));
  return opened;
}

}  // namespace meridian
