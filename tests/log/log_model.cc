#include "tests/log/log_model.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "shard/log/recovery.h"

namespace meridian {
namespace {

const std::string kDirectory = "disk/log";
constexpr std::uint64_t kShards = 4;

bool same_entry(const raft::Entry& a, const raft::Entry& b) {
  const std::string empty;
  return a.index == b.index && a.term == b.term && a.type == b.type &&
         (a.data ? *a.data : empty) == (b.data ? *b.data : empty);
}

}  // namespace

LogLife::LogLife(std::uint64_t seed) : rng_(seed), fs_([this] { return rng_(); }) { states_.push_back({}); }

bool LogLife::equal(const Shard& a, const Shard& b) {
  return a.min_allowed == b.min_allowed && a.replica == b.replica && a.base == b.base && a.hard_state == b.hard_state &&
         std::ranges::equal(a.entries, b.entries, same_entry);
}

bool LogLife::equal(const Model& a, const Model& b) {
  for (std::uint64_t id = 1; id <= kShards; ++id) {
    const auto in_a = a.find(ShardId(id)), in_b = b.find(ShardId(id));
    if (!equal(in_a == a.end() ? Shard() : in_a->second, in_b == b.end() ? Shard() : in_b->second)) return false;
  }
  return true;
}

void LogLife::fail(std::string what) {
  if (!failure_) failure_ = std::move(what);
}

LogOptions LogLife::options() {
  LogOptions options;
  options.segment_bytes = 200 + below(4000);
  options.reserve_bytes = below(2) * below(2000);
  options.max_batch_bytes = one_in(3) ? 100 : 2000;
  options.rewrite_below = one_in(3) ? 0.9 : 0.3;
  options.max_bytes = 1000 + below(8000);
  options.on_fatal = [this](const Error&) { fatal_ = true; };
  return options;
}

void LogLife::break_after(std::uint64_t operations) {
  fs_.set_injector([left = operations](SimFileSystem::Operation, const std::string&) mutable -> std::optional<Error> {
    if (left == 0) return Error(ErrorCode::kIo, "broken");
    --left;
    return std::nullopt;
  });
}

void LogLife::mend() { fs_.set_injector(nullptr); }

std::optional<std::string> LogLife::live(int incarnations) {
  for (int i = 0; i < incarnations && !failure_; ++i) {
    open();
    for (std::uint64_t n = below(60); n > 0 && !fatal_ && !failure_; --n) act();
    end();
  }
  return failure_;
}

void LogLife::open() {
  while (one_in(3)) {  // first with a crash in the middle of it
    FakeRuntime runtime([this] { return rng_(); });
    break_after(below(12));
    const auto opened = open_segmented_log(runtime, fs_, kDirectory, options());
    mend();
    fs_.crash();
    if (!opened && opened.error().code() != ErrorCode::kIo) return fail(opened.error().to_string());
  }
  if (one_in(3)) flip_a_bit();
  fatal_ = false;
  runtime_ = std::make_unique<FakeRuntime>([this] { return rng_(); });
  LogOptions some_applied = options();
  if (one_in(2)) some_applied.applied = [this](ShardId) { return LogIndex(below(40)); };
  auto opened = open_segmented_log(*runtime_, fs_, kDirectory, std::move(some_applied));
  if (!opened) return fail(opened.error().to_string());
  judge(*opened);
  store_ = std::move(opened->store);
}

void LogLife::judge(const OpenedLog& opened) {
  Model found;
  for (std::uint64_t id = 1; id <= kShards; ++id) {
    found[ShardId(id)].min_allowed = opened.store->smallest_allowed(ShardId(id));
  }
  for (const RecoveredLog& log : opened.logs) {
    Shard& shard = found[log.shard];
    shard.replica = log.replica;
    shard.base = log.base;
    shard.hard_state = log.hard_state;
    if (!log.stored.empty()) {
      shard.entries = read_back(*opened.store, log.shard, log.stored.front().first, log.stored.back().last);
      if (failure_) return;
    }
    for (const raft::TermRun& run : log.stored) {
      for (LogIndex i = run.first; i <= run.last; i = i.next()) {
        if (!log.holds(i, shard.entries[i - log.base.index - 1].term))
          return fail(fmt::format("entry {} was told with another term", i));
      }
    }
    shard.entries.insert(shard.entries.end(), log.entries.begin(), log.entries.end());
  }
  // The latest that fits: calls that change nothing leave equal states.
  for (std::size_t i = states_.size(); i > 0; --i) {
    if (!equal(states_[i - 1], found)) continue;
    if (i < states_.size()) ++restarts_behind_;
    calls_ = first_state_ + i - 1;
    model_ = states_[i - 1];
    states_ = {model_};
    first_state_ = acknowledged_ = last_waiting_ = calls_;
    return;
  }
  std::string differs;
  for (auto& [id, shard] : found) {
    const Shard& last = states_.back()[id];
    if (equal(shard, last)) continue;
    differs += fmt::format("; shard {}: ({}, {}] is found, ({}, {}] is the last requested", id, shard.base.index,
                           shard.last(), last.base.index, last.last());
  }
  fail(fmt::format("the log is nothing that was requested since call {}, the last acknowledged of {}{}", acknowledged_,
                   calls_, differs));
}

// In as many steps as it takes. Requires: the entries are durable, and nothing is under way that would change them.
std::vector<raft::Entry> LogLife::read_back(LogStore& store, ShardId shard, LogIndex from, LogIndex to) {
  std::vector<raft::Entry> entries;
  while (!failure_ && from <= to) {
    bool answered = false;
    store.read(shard, from, to, 1 + below(300), [&](Result<std::vector<raft::Entry>> read) {
      answered = true;
      if (!read) return fail("reading back: " + read.error().to_string());
      if (read->empty() || read->front().index != from) return fail(fmt::format("entry {} was not read back", from));
      entries.insert(entries.end(), read->begin(), read->end());
    });
    runtime_->settle();
    if (!answered) fail(fmt::format("the read from entry {} was never answered", from));
    if (!failure_) from = entries.back().index.next();
  }
  entries_read_back_ += entries.size();
  return entries;
}

void LogLife::read_some() {
  fs_.set_capacity(std::nullopt);
  runtime_->run_until_idle();
  if (fatal_ || failure_) return;
  const ShardId id(1 + below(kShards));
  const Shard& shard = model_[id];
  if (shard.entries.empty()) return;
  const std::uint64_t first = below(shard.entries.size());
  const std::uint64_t last = first + below(shard.entries.size() - first);
  const auto found = read_back(*store_, id, shard.entries[first].index, shard.entries[last].index);
  if (failure_) return;
  const auto begin = shard.entries.begin() + static_cast<std::ptrdiff_t>(first);
  if (!std::ranges::equal(found, std::ranges::subrange(begin, begin + static_cast<std::ptrdiff_t>(last - first + 1)),
                          same_entry)) {
    fail(fmt::format("entries {} to {} were read back as others", first, last));
  }
}

void LogLife::flip_a_bit() {
  if (!fs_.exists(kDirectory).value_or(false)) return;
  const auto scan = scan_log(fs_, kDirectory);
  if (!scan) return fail(scan.error().to_string());
  std::vector<const RecoveredSegment*> marked;
  for (const RecoveredSegment& segment : scan->segments) {
    if (segment.marked_bytes > 0) marked.push_back(&segment);
  }
  if (marked.empty()) return;
  const RecoveredSegment& segment = *marked[below(marked.size())];
  const std::uint64_t offset = below(segment.marked_bytes);
  const int bit = static_cast<int>(below(8));
  fs_.flip_bit(segment.path, offset, bit);
  FakeRuntime runtime([this] { return rng_(); });
  const auto opened = open_segmented_log(runtime, fs_, kDirectory, options());
  if (opened) return fail(fmt::format("bit {} of byte {} of {} was flipped, unnoticed", bit, offset, segment.path));
  if (opened.error().code() != ErrorCode::kCorruption) return fail("flipped bit: " + opened.error().to_string());
  ++flips_found_;
  fs_.flip_bit(segment.path, offset, bit);
}

void LogLife::act() {
  const std::uint64_t what = below(20);
  if (what < 11) {
    append();
  } else if (what < 13) {
    truncate_prefix();
  } else if (what == 13 && one_in(2)) {
    remove();
  } else if (what == 14 && one_in(4)) {
    fs_.set_capacity(one_in(2) ? std::optional<std::uint64_t>() : fs_.used_bytes() + below(600));
  } else if (what == 15 && one_in(30)) {
    fs_.fail_next_syncs(1);
  } else if (what == 16) {
    read_some();
  }
  pump();
}

void LogLife::pump() {
  for (std::uint64_t n = below(4); n > 0; --n) {
    if (runtime_->works() > 0) runtime_->run_work(below(runtime_->works()));
    if (one_in(2)) runtime_->run_posted();
    if (one_in(6)) runtime_->advance(Duration(below(30'000)));
  }
  if (one_in(10)) runtime_->advance(Duration(2'000'000));
}

// The end of an incarnation: some of what the pool has is done, the last of it perhaps in part.
void LogLife::end() {
  if (store_ && !failure_) {
    const auto stats = store_->stats();
    segments_removed_ += stats.segments_removed;
    if (one_in(4) && !fatal_) {
      fs_.set_capacity(std::nullopt);
      runtime_->run_until_idle();
      if (!fatal_ && acknowledged_ < last_waiting_) {
        fail(fmt::format("call {} was never acknowledged, {} is the last", last_waiting_, acknowledged_));
      }
    }
    if (runtime_->works() > 0 && one_in(2)) {
      break_after(below(5));
      runtime_->run_work(0, false);
      mend();
    }
  }
  store_.reset();
  runtime_.reset();
  fs_.set_capacity(std::nullopt);
  fs_.fail_next_syncs(0);
  if (one_in(3)) {
    fs_.kill();
  } else {
    fs_.crash();
  }
}

void LogLife::requested() {
  ++calls_;
  states_.push_back(model_);
}

// Of the call that is about to be made.
Callback LogLife::acknowledge() {
  last_waiting_ = calls_ + 1;
  return [this, call = calls_ + 1] {
    if (call <= acknowledged_) fail(fmt::format("call {} is acknowledged after {}", call, acknowledged_));
    acknowledged_ = call;
    ++acknowledged_in_all_;
    const auto drop = static_cast<std::ptrdiff_t>(call - first_state_);
    states_.erase(states_.begin(), states_.begin() + drop);
    first_state_ = call;
  };
}

LogUpdate LogLife::random_update(ShardId id, Shard& shard) {
  LogUpdate update{.shard = id};
  if (shard.replica.value() == 0)
    shard.replica = ReplicaId(std::max<std::uint64_t>(1, shard.min_allowed.value()) + below(2));
  update.replica = shard.replica;
  if (one_in(15)) {
    update.reset = LogBase{LogIndex(below(100)), Term(below(9))};
    shard.base = *update.reset;
    shard.entries.clear();
  }
  if (!shard.entries.empty() && one_in(5)) {
    update.truncate_from = shard.base.index + 1 + below(shard.entries.size());
    shard.entries.resize(*update.truncate_from - shard.base.index - 1);
  }
  for (std::uint64_t n = below(5); n > 0; --n) {
    raft::Entry entry{shard.last().next(), Term(1 + below(9)), static_cast<raft::EntryType>(below(3)), nullptr};
    if (!one_in(6)) {
      entry.data =
          std::make_shared<const std::string>(fmt::format("{}-{}", ++next_payload_, std::string(below(90), 'x')));
    }
    update.entries.push_back(entry);
    shard.entries.push_back(std::move(entry));
  }
  if (one_in(4)) {
    update.hard_state = raft::HardState{Term(below(50)), ReplicaId(below(4)), LogIndex(below(50))};
    shard.hard_state = update.hard_state;
  }
  if (update.empty()) {
    update.hard_state = raft::HardState{Term(1), ReplicaId(), LogIndex()};
    shard.hard_state = update.hard_state;
  }
  return update;
}

void LogLife::append() {
  std::vector<LogUpdate> updates;
  for (std::uint64_t n = 1 + below(3); n > 0; --n) {
    const ShardId id(1 + below(kShards));
    updates.push_back(random_update(id, model_[id]));
  }
  Callback durable = acknowledge();
  requested();
  store_->append(std::move(updates), std::move(durable));
}

void LogLife::truncate_prefix() {
  const ShardId id(1 + below(kShards));
  Shard& shard = model_[id];
  if (shard.entries.empty()) return;
  const std::uint64_t n = 1 + below(shard.entries.size());
  shard.base = {shard.entries[n - 1].index, shard.entries[n - 1].term};
  shard.entries.erase(shard.entries.begin(), shard.entries.begin() + static_cast<std::ptrdiff_t>(n));
  requested();
  store_->truncate_prefix(id, shard.base);
}

void LogLife::remove() {
  const ShardId id(1 + below(kShards));
  Shard& shard = model_[id];
  const ReplicaId replica = shard.replica.value() != 0 ? shard.replica : shard.min_allowed;
  Shard removed;
  removed.min_allowed = replica + 1 + below(2);
  shard = removed;
  Callback durable = acknowledge();
  requested();
  store_->remove(id, replica, removed.min_allowed, std::move(durable));
}

}  // namespace meridian
