#include "shard/log/log_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace meridian {
namespace {

template <class Runs>
auto find_run(Runs& runs, LogIndex index) {
  return std::partition_point(runs.begin(), runs.end(), [&](const EntryRun& run) { return run.last < index; });
}

}  // namespace

std::deque<EntryRun>::iterator ShardLog::run_of(LogIndex index) { return find_run(runs, index); }
std::deque<EntryRun>::const_iterator ShardLog::run_of(LogIndex index) const { return find_run(runs, index); }

void LogTable::load(std::map<ShardId, ShardLog> shards) {
  shards_ = std::move(shards);
  for (auto& [shard, log] : shards_) {
    for (EntryRun& run : log.runs) {
      run.open = false;
      live_.add_live(run.sequence, static_cast<std::int64_t>(run.bytes));
    }
  }
}

void LogTable::set_bytes(EntryRun& run, std::uint64_t bytes) {
  live_.add_live(run.sequence, static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(run.bytes));
  run.bytes = bytes;
}

void LogTable::append(ShardLog& log, const raft::Entry& entry, std::uint64_t sequence) {
  if (log.runs.empty() || !log.runs.back().takes(entry.index, entry.term, sequence)) {
    log.runs.push_back({entry.index, entry.index.previous(), entry.term, sequence, 0, true});
  }
  EntryRun& run = log.runs.back();
  run.last = entry.index;
  set_bytes(run, run.bytes + entry.bytes());
}

void LogTable::cut_front(ShardLog& log, LogIndex to) {
  while (!log.runs.empty() && log.runs.front().last <= to) {
    set_bytes(log.runs.front(), 0);
    log.runs.pop_front();
  }
  if (log.runs.empty() || log.runs.front().first > to) return;
  EntryRun& run = log.runs.front();
  set_bytes(run, run.part(run.last - to));
  run.first = to.next();
}

void LogTable::cut_back(ShardLog& log, LogIndex from) {
  while (!log.runs.empty() && log.runs.back().first >= from) {
    set_bytes(log.runs.back(), 0);
    log.runs.pop_back();
  }
  if (log.runs.empty()) return;
  EntryRun& run = log.runs.back();
  // What comes next stands behind what was cut off here.
  run.open = false;
  if (run.last < from) return;
  set_bytes(run, run.part(from - run.first));
  run.last = from.previous();
}

void LogTable::update(const LogUpdate& update, std::uint64_t sequence) {
  ShardLog& log = shards_[update.shard];
  CHECK_F(update.replica >= log.min_allowed && update.replica.value() != 0,
          "shard {}: replica {} writes to the log; the smallest allowed is {}", update.shard, update.replica,
          log.min_allowed);
  if (log.replica.value() == 0) {
    log.replica = update.replica;
    log.base_sequence = sequence;
  }
  CHECK_F(log.replica == update.replica, "shard {}: replica {} writes to the log of replica {}", update.shard,
          update.replica, log.replica);
  if (update.reset) {
    cut_back(log, log.base.index.next());
    log.base = *update.reset;
    log.base_sequence = sequence;
  }
  if (update.truncate_from) {
    CHECK_F(*update.truncate_from > log.base.index, "shard {}: truncation from {} at base {}", update.shard,
            *update.truncate_from, log.base.index);
    cut_back(log, *update.truncate_from);
  }
  for (const raft::Entry& entry : update.entries) {
    CHECK_F(entry.index == log.last_index().next(), "shard {}: entry {} after {}", update.shard, entry.index,
            log.last_index());
    append(log, entry, sequence);
  }
  if (update.hard_state) {
    log.hard_state = update.hard_state;
    log.hard_state_sequence = sequence;
  }
}

bool LogTable::truncate_prefix(ShardId shard, const LogBase& base, std::uint64_t sequence) {
  const auto found = shards_.find(shard);
  if (found == shards_.end() || found->second.replica.value() == 0) return false;
  ShardLog& log = found->second;
  if (base.index <= log.base.index) return false;
  CHECK_F(base.index <= log.last_index(), "shard {}: the log ends at {}, its prefix cannot at {}", shard,
          log.last_index(), base.index);
  const Term term = log.run_of(base.index)->term;
  CHECK_F(term == base.term, "shard {}: entry {} has term {}, not {}", shard, base.index, term, base.term);
  cut_front(log, base.index);
  log.base = base;
  log.base_sequence = sequence;
  return true;
}

void LogTable::remove(ShardId shard, ReplicaId replica, ReplicaId min_allowed, std::uint64_t sequence) {
  ShardLog& log = shards_[shard];
  CHECK_F(replica < min_allowed, "shard {}: replica {} is removed, but {} allowed", shard, replica, min_allowed);
  CHECK_F(log.replica.value() == 0 || log.replica == replica || log.replica >= min_allowed,
          "shard {}: removal of replica {}, but the log is of replica {}", shard, replica, log.replica);
  if (log.replica < min_allowed) {
    cut_back(log, log.base.index.next());
    log = ShardLog{.min_allowed = log.min_allowed};
  }
  log.min_allowed = std::max(log.min_allowed, min_allowed);
  log.tombstone_sequence = sequence;
}

ReplicaId LogTable::smallest_allowed(ShardId shard) const {
  const auto found = shards_.find(shard);
  return found == shards_.end() ? ReplicaId() : found->second.min_allowed;
}

ReplicaId LogTable::replica_of(ShardId shard) const {
  const ShardLog* log = find(shard);
  return log == nullptr ? ReplicaId() : log->replica;
}

const ShardLog* LogTable::find(ShardId shard) const {
  const auto found = shards_.find(shard);
  return found == shards_.end() || found->second.replica.value() == 0 ? nullptr : &found->second;
}

std::uint64_t LogTable::bytes_after(ShardId shard, LogIndex index) const {
  const ShardLog* log = find(shard);
  if (log == nullptr) return 0;
  std::uint64_t bytes = 0;
  for (auto run = log->run_of(index.next()); run != log->runs.end(); ++run) {
    bytes += run->first > index ? run->bytes : run->part(run->last - index);
  }
  return bytes;
}

LogIndex LogTable::index_before_last(ShardId shard, std::uint64_t bytes) const {
  const ShardLog* log = find(shard);
  if (log == nullptr) return LogIndex();
  for (auto run = log->runs.rbegin(); run != log->runs.rend(); ++run) {
    if (run->bytes > bytes) return run->last;
    bytes -= run->bytes;
  }
  return log->base.index;
}

std::vector<LogTable::Item> LogTable::stated_below(std::uint64_t end) const {
  std::vector<Item> items;
  for (const auto& [shard, log] : shards_) {
    if (log.state_within(end) || log.tombstone_within(end)) items.push_back({shard, std::nullopt});
    for (const EntryRun& run : log.runs) {
      if (run.sequence < end) items.push_back({shard, run});
    }
  }
  return items;
}

void LogTable::restate_state(ShardId shard, std::uint64_t end, std::uint64_t sequence, std::string& out) {
  ShardLog& log = shards_[shard];
  if (log.tombstone_within(end)) {
    log_format::append_record(out, log_format::Tombstone{shard, log.min_allowed});
    log.tombstone_sequence = sequence;
  }
  if (log.state_within(end)) {
    log_format::append_record(out, log_format::State{shard, log.replica, log.base, log.hard_state});
    log.base_sequence = sequence;
    if (log.hard_state) log.hard_state_sequence = sequence;
  }
}

void LogTable::restate(ShardId shard, const EntryRun& from, std::vector<raft::Entry> entries, std::uint64_t next,
                       std::uint64_t sequence, std::string& out) {
  ShardLog& log = shards_[shard];
  // Since it was read, entries may have gone at both ends, or been replaced: the run says what it still states. Another
  // may have been stated by the same batch, but not of the same entries.
  auto run = log.run_of(std::max(from.first, log.base.index.next()));
  if (run == log.runs.end() || run->first > from.last || run->sequence != from.sequence || run->term != from.term)
    return;
  std::erase_if(entries, [&](const raft::Entry& e) { return e.index < run->first || e.index > run->last; });
  EntryRun rest = *run;
  set_bytes(*run, 0);
  run = log.runs.erase(run);
  if (!entries.empty() && entries.back().index < rest.last) rest.bytes = rest.part(rest.last - entries.back().index);
  if (!entries.empty()) rest.first = entries.back().index.next();
  if (rest.first <= rest.last) {
    run = log.runs.insert(run, {rest.first, rest.last, rest.term, next, 0, rest.open});
    set_bytes(*run, rest.bytes);
  }
  if (entries.empty()) return;
  std::uint64_t bytes = 0;
  for (const raft::Entry& entry : entries) bytes += entry.bytes();
  run = log.runs.insert(run, {entries.front().index, entries.back().index, rest.term, sequence, 0, false});
  set_bytes(*run, bytes);
  log_format::append_record(out, log_format::Entries{shard, log.replica, std::move(entries)});
}

}  // namespace meridian
