#include "shard/log/replay.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace meridian {

using log_format::Record;

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
  }
  return &shard;
}

// Entries are counted; nothing that was ever written is near where an addition would overflow.
Result<> LogReplay::check_index(LogIndex index) {
  constexpr LogIndex kLargest{std::uint64_t{1} << 62};
  if (index <= kLargest) return {};
  return fail(ErrorCode::kCorruption, fmt::format("entry {}: no log is that long", index));
}

void LogReplay::set_base(Shard& shard, const LogBase& base, std::uint64_t sequence) {
  shard.entries.erase(shard.entries.begin(), shard.entries.upper_bound(base.index));
  shard.log.base = base;
  shard.log.base_sequence = sequence;
}

void LogReplay::set_entries(Shard& shard, const std::vector<raft::Entry>& entries, std::uint64_t sequence) {
  for (const raft::Entry& entry : entries) shard.entries.insert_or_assign(entry.index, StoredEntry{entry, sequence});
}

Result<> LogReplay::apply(const Record& record, std::uint64_t sequence) {
  return std::visit([&](const auto& alternative) { return apply(alternative, sequence); }, record);
}

Result<> LogReplay::apply(const LogUpdate& record, std::uint64_t sequence) {
  ASSIGN_OR_RETURN(Shard* const shard, shard_of(record.shard, record.replica, sequence));
  if (record.reset) RETURN_IF_ERROR(check_index(record.reset->index));
  for (const raft::Entry& entry : record.entries) RETURN_IF_ERROR(check_index(entry.index));
  if (record.reset) {
    shard->entries.clear();
    set_base(*shard, *record.reset, sequence);
  }
  if (record.truncate_from) {
    shard->entries.erase(shard->entries.lower_bound(*record.truncate_from), shard->entries.end());
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

Result<std::map<ShardId, ShardLog>> LogReplay::finish() {
  std::map<ShardId, ShardLog> logs;
  for (auto& [id, shard] : shards_) {
    for (auto& [index, stored] : shard.entries) {
      if (index != shard.log.last_index().next()) {
        return fail(ErrorCode::kCorruption, fmt::format("shard {}: entry {} is followed by {}; what is between is lost",
                                                        id, shard.log.last_index(), index));
      }
      shard.log.entries.push_back(std::move(stored));
    }
    logs.emplace(id, std::move(shard.log));
  }
  shards_.clear();
  return logs;
}

}  // namespace meridian
