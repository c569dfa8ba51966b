#include "raft/log_tail.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault.h"

namespace meridian::raft {

LogTail::LogTail(LogIndex base, Term base_term, std::vector<Entry> entries) : base_(base), base_term_(base_term) {
  for (Entry& entry : entries) append(std::move(entry));
  stable_ = last_index();
  next_unsaved_ = stable_.next();
}

std::optional<Term> LogTail::term_at(LogIndex index) const {
  if (index == base_) return base_term_;
  if (index < base_ || index > last_index()) return std::nullopt;
  return entries_[index - first_index()].term;
}

const Entry& LogTail::at(LogIndex index) const {
  CHECK_F(index > base_ && index <= last_index(), "{} is not in ({}, {}]", index, base_, last_index());
  return entries_[index - first_index()];
}

bool LogTail::not_newer_than(LogIndex index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last_index());
}

LogIndex LogTail::last_that_may_match(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  while (index > base_ && at(index).term > term) index = index.previous();
  return std::max(index, base_);
}

void LogTail::append(Entry entry) {
  CHECK_F(entry.index == last_index().next(), "entry {} after {}", entry.index, last_index());
  CHECK_F(entry.term >= last_term(), "term {} after {}", entry.term, last_term());
  bytes_ += entry.bytes();
  entries_.push_back(std::move(entry));
}

void LogTail::truncate(LogIndex from) {
  CHECK(from > base_);
  if (from > last_index()) return;
  bytes_ -= bytes_after(from.previous());
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(from - first_index()), entries_.end());
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
  const Term term = at(index).term;
  for (LogIndex i = first_index(); i <= index; i = i.next()) bytes_ -= at(i).bytes();
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(index - base_));
  base_ = index;
  base_term_ = term;
}

void LogTail::reset(LogIndex base, Term base_term) {
  entries_.clear();
  bytes_ = 0;
  base_ = base;
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
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(from - first_index());
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(end - from));
  }
  return bytes;
}

std::size_t LogTail::bytes_after(LogIndex index) const {
  std::size_t bytes = 0;
  for (LogIndex i = std::max(index, base_).next(); i <= last_index(); i = i.next()) bytes += at(i).bytes();
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
  CHECK(base_ <= stable_ && stable_ <= last_index());
  CHECK_F(stable_ < next_unsaved_ && next_unsaved_ <= last_index().next(), "{} {} {}", stable_, next_unsaved_,
          last_index());
  LogIndex index = base_;
  Term term = base_term_;
  for (const Entry& entry : entries_) {
    index = index.next();
    CHECK(entry.index == index && entry.term >= term);
    term = entry.term;
  }
  CHECK(bytes_ == bytes_after(base_));
  for (const Flight& flight : flights_) CHECK(flight.last < next_unsaved_);
}

}  // namespace meridian::raft
