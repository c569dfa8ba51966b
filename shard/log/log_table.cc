#include "shard/log/log_table.h"

#include <utility>

#include "base/check.h"

namespace meridian {
namespace {

std::int64_t bytes_of(const raft::Entry& entry) { return static_cast<std::int64_t>(entry.bytes()); }

}  // namespace

void LogTable::load(std::map<ShardId, ShardLog> shards) {
  shards_ = std::move(shards);
  for (const auto& [shard, log] : shards_) {
    for (const StoredEntry& stored : log.entries) live_.add_live(stored.sequence, bytes_of(stored.entry));
  }
}

void LogTable::drop_front(ShardLog& log) {
  live_.add_live(log.entries.front().sequence, -bytes_of(log.entries.front().entry));
  log.entries.pop_front();
}

void LogTable::drop_back(ShardLog& log) {
  live_.add_live(log.entries.back().sequence, -bytes_of(log.entries.back().entry));
  log.entries.pop_back();
}

void LogTable::clear_entries(ShardLog& log) {
  while (!log.entries.empty()) drop_back(log);
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
    clear_entries(log);
    log.base = *update.reset;
    log.base_sequence = sequence;
  }
  if (update.truncate_from) {
    CHECK_F(*update.truncate_from > log.base.index, "shard {}: truncation from {} at base {}", update.shard,
            *update.truncate_from, log.base.index);
    while (log.last_index() >= *update.truncate_from) drop_back(log);
  }
  for (const raft::Entry& entry : update.entries) {
    CHECK_F(entry.index == log.last_index().next(), "shard {}: entry {} after {}", update.shard, entry.index,
            log.last_index());
    log.entries.push_back({entry, sequence});
    live_.add_live(sequence, bytes_of(entry));
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
  CHECK_F(log.at(base.index).entry.term == base.term, "shard {}: entry {} has term {}, not {}", shard, base.index,
          log.at(base.index).entry.term, base.term);
  for (std::uint64_t n = base.index - log.base.index; n > 0; --n) drop_front(log);
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
    clear_entries(log);
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
  const auto found = shards_.find(shard);
  return found == shards_.end() ? ReplicaId() : found->second.replica;
}

std::vector<LogTable::Item> LogTable::stated_below(std::uint64_t end) const {
  std::vector<Item> items;
  for (const auto& [shard, log] : shards_) {
    if (log.state_within(end) || log.tombstone_within(end)) items.push_back({shard, LogIndex(), LogIndex()});
    bool open = false;
    for (const StoredEntry& stored : log.entries) {
      const bool stated = stored.sequence < end;
      if (stated && open) {
        items.back().to = stored.entry.index;
      } else if (stated) {
        items.push_back({shard, stored.entry.index, stored.entry.index});
      }
      open = stated;
    }
  }
  return items;
}

void LogTable::restate_state(ShardId shard, ShardLog& log, std::uint64_t end, std::uint64_t sequence,
                             std::string& out) {
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

bool LogTable::restate(Item& item, std::uint64_t end, std::uint64_t sequence, std::size_t max_bytes, std::string& out) {
  ShardLog& log = shards_[item.shard];
  if (item.from.value() == 0) {
    restate_state(item.shard, log, end, sequence, out);
    return true;
  }
  // Since the item was made, entries may have gone, or been replaced by newer ones.
  log_format::Entries run{item.shard, log.replica, {}};
  std::size_t bytes = 0;
  item.from = std::max(item.from, log.base.index.next());
  const LogIndex to = std::min(item.to, log.last_index());
  for (; item.from <= to && bytes < max_bytes; item.from = item.from.next()) {
    StoredEntry& stored = log.at(item.from);
    if (stored.sequence >= end) {
      if (!run.entries.empty()) break;
      continue;
    }
    live_.add_live(stored.sequence, -bytes_of(stored.entry));
    stored.sequence = sequence;
    live_.add_live(sequence, bytes_of(stored.entry));
    bytes += stored.entry.bytes();
    run.entries.push_back(stored.entry);
  }
  if (!run.entries.empty()) log_format::append_record(out, std::move(run));
  return item.from > to;
}

}  // namespace meridian
