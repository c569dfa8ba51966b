// One replica's log as the core sees it: the newest entries in memory, of those before them the terms alone (the
// driver reads them back from the disk), and what the disk already holds.
// Lives on the replica's loop; not thread-safe; copying it shares the payloads.
//
// Invariants: terms and entries are contiguous after base_index(); terms never decrease;
//   base_index() <= evicted() <= stable() <= last_index(); stable() < next_unsaved <= last_index() + 1.
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
  // What a start found: all of it is durable, and `stored`, which follows the base, not in memory.
  LogTail(LogIndex base, Term base_term, std::vector<TermRun> stored, std::vector<Entry> entries);

  LogIndex base_index() const { return base_; }
  LogIndex first_index() const { return base_.next(); }
  LogIndex last_index() const { return evicted_ + entries_.size(); }
  Term last_term() const { return entries_.empty() ? evicted_term() : entries_.back().term; }
  // Entries up to it are not in memory.
  LogIndex evicted() const { return evicted_; }
  bool in_memory(LogIndex index) const { return index > evicted_ && index <= last_index(); }
  // nullopt: compacted, or after the end.
  std::optional<Term> term_at(LogIndex index) const;
  bool holds(LogIndex index, Term term) const { return term_at(index) == term; }
  // Requires: in_memory(index).
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
  // Lets go of the oldest entries, up to `up_to`, until what stays takes at most so many bytes. Requires: up_to is
  // durable.
  void evict(LogIndex up_to, std::size_t bytes);
  // Appends entries [from, to], which are in memory, to out until max_bytes are reached, at least one; answers their
  // bytes.
  std::size_t copy(LogIndex from, LogIndex to, std::size_t max_bytes, std::vector<Entry>& out) const;
  std::size_t bytes_after(LogIndex index) const;
  // Of what is in memory.
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
    h.add(base_.value(), base_term_.value(), stable_.value(), next_unsaved_.value(), entries_.size(), evicted_.value());
    for (const TermRun& run : terms_) h.add(run.last.value(), run.term.value());
    h.add(truncate_from_.value_or(LogIndex()).value());
    for (const Entry& e : entries_) h.add(e.term.value(), static_cast<std::uint64_t>(e.type)), h.add_bytes(e.data);
    for (const Flight& f : flights_) h.add(f.sequence, f.last.value());
  }

 private:
  struct Flight {  // handed to the disk, not reported back yet
    std::uint64_t sequence;
    LogIndex last;  // of what it makes durable and is still part of this log
  };

  void evict_to(LogIndex index);
  Term evicted_term() const { return terms_.empty() ? base_term_ : terms_.back().term; }

  LogIndex base_;
  Term base_term_;
  std::deque<TermRun> terms_;  // of (base_, evicted_]
  LogIndex evicted_;
  std::deque<Entry> entries_;  // after evicted_
  std::size_t bytes_ = 0;      // of entries_
  LogIndex stable_;
  LogIndex next_unsaved_{1};
  std::optional<LogIndex> truncate_from_;
  std::deque<Flight> flights_;
};

}  // namespace meridian::raft
