// The in-memory tail of one replica's log, and what of it the disk already holds.
// Lives on the replica's loop; not thread-safe; copying it shares the payloads.
//
// Invariants: entries are contiguous after base_index(); terms never decrease;
//   base_index() <= stable() <= last_index(); stable() < next_unsaved <= last_index() + 1.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "raft/core.h"
#include "raft/types.h"

namespace meridian::raft {

class LogTail {
 public:
  LogTail() = default;
  // What a start found: all of it is durable.
  LogTail(LogIndex base, Term base_term, std::vector<Entry> entries);

  LogIndex base_index() const { return base_; }
  LogIndex first_index() const { return base_.next(); }
  LogIndex last_index() const { return base_ + entries_.size(); }
  Term last_term() const { return entries_.empty() ? base_term_ : entries_.back().term; }
  // nullopt: compacted, or after the end.
  std::optional<Term> term_at(LogIndex index) const;
  bool holds(LogIndex index, Term term) const { return term_at(index) == term; }
  const Entry& at(LogIndex index) const;
  // Is a log that ends in (index, term) at least as new as this one? (paper §5.4.1)
  bool not_newer_than(LogIndex index, Term term) const;
  // The last index at or below `index` whose term is at most `term`: nothing after it can match a log that
  // holds (index, term). Never below base_index().
  LogIndex last_that_may_match(LogIndex index, Term term) const;

  void append(Entry entry);
  void truncate(LogIndex from);
  // Forgets entries up to and including index. Requires: they are durable.
  void compact(LogIndex index);
  void reset(LogIndex base, Term base_term);
  // Appends entries [from, to] to out until max_bytes are reached, at least one; answers their bytes.
  std::size_t copy(LogIndex from, LogIndex to, std::size_t max_bytes, std::vector<Entry>& out) const;
  std::size_t bytes_after(LogIndex index) const;
  std::size_t bytes() const { return bytes_; }

  // Durable in this node's log, as it stands now: a late report about entries that were replaced since
  // does not count (see truncate).
  LogIndex stable() const { return stable_; }
  bool has_unsaved() const { return truncate_from_.has_value() || next_unsaved_ <= last_index(); }
  // Hands what is new to the disk; finish_persist(sequence) says that it, and all before it, is there.
  void begin_persist(Persist& persist);
  void finish_persist(std::uint64_t sequence);

  void check_invariants() const;
  template <class Hasher>
  void hash_into(Hasher& h) const {
    h.add(base_.value(), base_term_.value(), stable_.value(), next_unsaved_.value(), entries_.size());
    h.add(truncate_from_.value_or(LogIndex()).value());
    for (const Entry& e : entries_) h.add(e.term.value(), static_cast<std::uint64_t>(e.type)), h.add_bytes(e.data);
    for (const Flight& f : flights_) h.add(f.sequence, f.last.value());
  }

 private:
  struct Flight {  // handed to the disk, not reported back yet
    std::uint64_t sequence;
    LogIndex last;  // of what it makes durable and is still part of this log
  };

  LogIndex base_;
  Term base_term_;
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;  // of entries_
  LogIndex stable_;
  LogIndex next_unsaved_{1};
  std::optional<LogIndex> truncate_from_;
  std::deque<Flight> flights_;
};

}  // namespace meridian::raft
