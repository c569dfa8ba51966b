#include "shard/log/replay.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace meridian {

using log_format::Record;

namespace {

// Entries are counted; nothing that was ever written is near where an addition would overflow.
constexpr LogIndex kLargest{std::uint64_t{1} << 62};

}  // namespace

Result<LogReplay::Shard*> LogReplay::shard_of(ShardId id, ReplicaId replica, std::uint64_t sequence) {
  Shard& shard = shards_[id];
  if (replica.value() == 0 || replica < shard.log.min_allowed ||
      (shard.log.replica.value() != 0 && shard.log.replica != replica)) {
    return fail(
        ErrorCode::kCorruption,
        fmt::format("shard {}: a record of replica {} where the log is of replica {} and the smallest allowed {}", id,
                    replica, shard.log.replica, shard.log.min_allowed));
  }
  if (shard.log.replica.value() == 0) {
    shard.log.replica = replica;
    shard.log.base_sequence = sequence;
    if (applied_) shard.kept_from = applied_(id);
  }
  return &shard;
}

Result<> LogReplay::check_index(LogIndex index) {
  if (index <= kLargest) return {};
  return fail(ErrorCode::kCorruption, fmt::format("entry {}: no log is that long", index));
}

void LogReplay::set_base(Shard& shard, const LogBase& base, std::uint64_t sequence) {
  erase(shard, LogIndex(), base.index);
  shard.log.base = base;
  shard.log.base_sequence = sequence;
}

// Entries from one to another are no part of the log any more; what is left of a run stays where it was.
void LogReplay::erase(Shard& shard, LogIndex from, LogIndex to) {
  shard.entries.erase(shard.entries.lower_bound(from), shard.entries.upper_bound(to));
  auto run = shard.runs.upper_bound(from);
  if (run != shard.runs.begin() && std::prev(run)->second.last >= from) --run;
  while (run != shard.runs.end() && run->second.first <= to) {
    const EntryRun old = run->second;
    run = shard.runs.erase(run);
    EntryRun left = old, right = old;
    left.last = from.previous();
    right.first = to.next();
    left.open = right.open = false;
    if (old.first < from) {
      left.bytes = old.part(left.count());
      shard.runs.emplace(left.first, left);
    }
    if (old.last > to) {
      right.bytes = old.part(right.count());
      run = shard.runs.emplace(right.first, right).first;
      ++run;
    }
  }
}

void LogReplay::set_run(Shard& shard, const raft::Entry& entry, std::uint64_t sequence) {
  auto after = shard.runs.lower_bound(entry.index);
  if (after == shard.runs.begin() || !std::prev(after)->second.takes(entry.index, entry.term, sequence)) {
    after = std::next(
        shard.runs.emplace_hint(after, entry.index, EntryRun{entry.index, entry.index, entry.term, sequence, 0, true}));
  }
  EntryRun& run = std::prev(after)->second;
  run.last = entry.index;
  run.bytes += entry.bytes();
}

void LogReplay::set_entries(Shard& shard, const std::vector<raft::Entry>& entries, std::uint64_t sequence) {
  if (entries.empty()) return;
  erase(shard, entries.front().index, entries.back().index);
  // A run that was begun elsewhere does not go on in these, unless they follow it in the log, too.
  for (const raft::Entry& entry : entries) {
    set_run(shard, entry, sequence);
    if (entry.index > shard.kept_from) shard.entries.insert_or_assign(entry.index, entry);
  }
}

Result<> LogReplay::apply(const Record& record, std::uint64_t sequence) {
  return std::visit([&](const auto& alternative) { return apply(alternative, sequence); }, record);
}

Result<> LogReplay::apply(const LogUpdate& record, std::uint64_t sequence) {
  ASSIGN_OR_RETURN(Shard* const shard, shard_of(record.shard, record.replica, sequence));
  if (record.reset) RETURN_IF_ERROR(check_index(record.reset->index));
  for (const raft::Entry& entry : record.entries) RETURN_IF_ERROR(check_index(entry.index));
  if (record.reset) {
    erase(*shard, LogIndex(), kLargest);
    set_base(*shard, *record.reset, sequence);
  }
  if (record.truncate_from) {
    erase(*shard, *record.truncate_from, kLargest);
    if (!shard->runs.empty()) std::prev(shard->runs.end())->second.open = false;
  }
  set_entries(*shard, record.entries, sequence);
  if (record.hard_state) {
    shard->log.hard_state = record.hard_state;
    shard->log.hard_state_sequence = sequence;
  }
  return {};
}

Result<> LogReplay::apply(const log_format::TruncatePrefix& record, std::uint64_t sequence) {
  RETURN_IF_ERROR(check_index(record.base.index));
  ASSIGN_OR_RETURN(Shard* const shard, shard_of(record.shard, record.replica, sequence));
  set_base(*shard, record.base, sequence);
  return {};
}

Result<> LogReplay::apply(const log_format::Tombstone& record, std::uint64_t sequence) {
  Shard& shard = shards_[record.shard];
  const ReplicaId min_allowed = std::max(shard.log.min_allowed, record.min_allowed);
  if (shard.log.replica < min_allowed) shard = Shard();
  shard.log.min_allowed = min_allowed;
  shard.log.tombstone_sequence = sequence;
  return {};
}

Result<> LogReplay::apply(const log_format::State& record, std::uint64_t sequence) {
  RETURN_IF_ERROR(check_index(record.base.index));
  ASSIGN_OR_RETURN(Shard* const shard, shard_of(record.shard, record.replica, sequence));
  set_base(*shard, record.base, sequence);
  shard->log.hard_state = record.hard_state;
  shard->log.hard_state_sequence = record.hard_state ? sequence : 0;
  return {};
}

Result<> LogReplay::apply(const log_format::Entries& record, std::uint64_t sequence) {
  for (const raft::Entry& entry : record.entries) RETURN_IF_ERROR(check_index(entry.index));
  ASSIGN_OR_RETURN(Shard* const shard, shard_of(record.shard, record.replica, sequence));
  set_entries(*shard, record.entries, sequence);
  return {};
}

Result<> LogReplay::apply(const log_format::FirstSegment& record, std::uint64_t) {
  first_segment_ = std::max(first_segment_, record.number);
  return {};
}

Result<LogReplay::Logs> LogReplay::finish() {
  Logs out;
  for (auto& [id, shard] : shards_) {
    for (const auto& [first, run] : shard.runs) {
      if (first != shard.log.last_index().next()) {
        return fail(ErrorCode::kCorruption, fmt::format("shard {}: entry {} is followed by {}; what is between is lost",
                                                        id, shard.log.last_index(), first));
      }
      shard.log.runs.push_back(run);
    }
    std::vector<raft::Entry>& entries = out.entries[id];
    for (auto& [index, entry] : shard.entries) entries.push_back(std::move(entry));
    out.logs.emplace(id, std::move(shard.log));
  }
  shards_.clear();
  return out;
}

}  // namespace meridian
