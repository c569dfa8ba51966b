#include "raft/log_tail.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault.h"

namespace meridian::raft {

LogTail::LogTail(LogIndex base, Term base_term, std::vector<TermRun> stored, std::vector<Entry> entries)
    : base_(base), base_term_(base_term), terms_(stored.begin(), stored.end()), evicted_(base) {
  if (!terms_.empty()) evicted_ = terms_.back().last;
  for (Entry& entry : entries) append(std::move(entry));
  stable_ = last_index();
  next_unsaved_ = stable_.next();
}

std::optional<Term> LogTail::term_at(LogIndex index) const {
  if (index == base_) return base_term_;
  if (index < base_ || index > last_index()) return std::nullopt;
  if (index > evicted_) return entries_[index - evicted_ - 1].term;
  return std::ranges::partition_point(terms_, [&](const TermRun& run) { return run.last < index; })->term;
}

const Entry& LogTail::at(LogIndex index) const {
  CHECK_F(in_memory(index), "{} is not in ({}, {}]", index, evicted_, last_index());
  return entries_[index - evicted_ - 1];
}

bool LogTail::not_newer_than(LogIndex index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last_index());
}

LogIndex LogTail::last_that_may_match(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  while (index > evicted_ && at(index).term > term) index = index.previous();
  if (index > evicted_) return index;
  for (auto run = terms_.rbegin(); run != terms_.rend(); ++run) {
    if (run->first <= index && run->term <= term) return std::min(index, run->last);
  }
  return base_;
}

void LogTail::append(Entry entry) {
  CHECK_F(entry.index == last_index().next(), "entry {} after {}", entry.index, last_index());
  CHECK_F(entry.term >= last_term(), "term {} after {}", entry.term, last_term());
  bytes_ += entry.bytes();
  entries_.push_back(std::move(entry));
}

void LogTail::truncate(LogIndex from) {
  CHECK_F(from > evicted_, "truncating from {}: entries up to {} were applied", from, evicted_);
  if (from > last_index()) return;
  bytes_ -= bytes_after(from.previous());
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(from - evicted_ - 1), entries_.end());
  stable_ = std::min(stable_, from.previous());
  if (from < next_unsaved_) {  // the disk has been given what is dropped here
    truncate_from_ = std::min(truncate_from_.value_or(from), from);
    next_unsaved_ = from;
  }
  // Writes under way hold entries that are replaced now: their reports vouch only for what is left of them.
  if (DELIBERATE_BUG("count_replaced_entries")) return;
  for (Flight& flight : flights_) flight.last = std::min(flight.last, from.previous());
}

void LogTail::compact(LogIndex index) {
  if (index <= base_) return;
  CHECK_F(index <= stable_, "compacting {} above the durable {}", index, stable_);
  base_term_ = term_at(index).value();
  base_ = index;
  if (index > evicted_) evict_to(index);
  while (!terms_.empty() && terms_.front().last <= index) terms_.pop_front();
  if (!terms_.empty()) terms_.front().first = index.next();
}

void LogTail::evict_to(LogIndex index) {
  for (; evicted_ < index; evicted_ = evicted_.next(), entries_.pop_front()) {
    const Entry& entry = entries_.front();
    bytes_ -= entry.bytes();
    if (terms_.empty() || terms_.back().term != entry.term) terms_.push_back({entry.index, entry.index, entry.term});
    terms_.back().last = entry.index;
  }
}

void LogTail::evict(LogIndex up_to, std::size_t bytes) {
  CHECK_F(up_to <= stable_, "evicting {} above the durable {}", up_to, stable_);
  LogIndex to = evicted_;
  for (std::size_t left = bytes_; left > bytes && to < up_to; to = to.next()) left -= at(to.next()).bytes();
  evict_to(to);
}

void LogTail::reset(LogIndex base, Term base_term) {
  entries_.clear();
  terms_.clear();
  bytes_ = 0;
  base_ = evicted_ = base;
  base_term_ = base_term;
  stable_ = base;
  next_unsaved_ = base.next();
  truncate_from_.reset();
  for (Flight& flight : flights_) flight.last = LogIndex();
}

std::size_t LogTail::copy(LogIndex from, LogIndex to, std::size_t max_bytes, std::vector<Entry>& out) const {
  std::size_t bytes = 0;
  LogIndex end = from;
  for (; end <= to; end = end.next()) {
    const std::size_t size = at(end).bytes();
    if (bytes > 0 && bytes + size > max_bytes) break;
    bytes += size;
  }
  if (end > from) {
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(from - evicted_ - 1);
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(end - from));
  }
  return bytes;
}

std::size_t LogTail::bytes_after(LogIndex index) const {
  std::size_t bytes = 0;
  for (LogIndex i = std::max(index, evicted_).next(); i <= last_index(); i = i.next()) bytes += at(i).bytes();
  return bytes;
}

void LogTail::begin_persist(Persist& persist) {
  persist.truncate_from = std::exchange(truncate_from_, std::nullopt);
  if (next_unsaved_ <= last_index()) copy(next_unsaved_, last_index(), SIZE_MAX, persist.entries);
  next_unsaved_ = last_index().next();
  flights_.push_back({persist.sequence, last_index()});
}

void LogTail::finish_persist(std::uint64_t sequence) {
  // In order of sequence: a report about one is a report about all before it.
  while (!flights_.empty() && flights_.front().sequence <= sequence) {
    stable_ = std::max(stable_, std::min(flights_.front().last, last_index()));
    flights_.pop_front();
  }
}

void LogTail::check_invariants() const {
  CHECK(base_ <= evicted_ && evicted_ <= stable_ && stable_ <= last_index());
  CHECK_F(stable_ < next_unsaved_ && next_unsaved_ <= last_index().next(), "{} {} {}", stable_, next_unsaved_,
          last_index());
  LogIndex index = base_;
  Term term = base_term_;
  for (const TermRun& run : terms_) {
    CHECK(run.first == index.next() && run.last >= run.first && run.term >= term);
    index = run.last;
    term = run.term;
  }
  CHECK(index == evicted_);
  for (const Entry& entry : entries_) {
    index = index.next();
    CHECK(entry.index == index && entry.term >= term);
    term = entry.term;
  }
  CHECK(bytes_ == bytes_after(base_));
  for (const Flight& flight : flights_) CHECK(flight.last < next_unsaved_);
}

}  // namespace meridian::raft
