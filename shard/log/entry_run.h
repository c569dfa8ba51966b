// Where a log's entries stand: runs of them, each stated one after the other from some batch on. So what is retained
// costs memory by the 64 KiB and not by the entry, and any of it can be read back (log_reader.h).
#pragma once

#include <cstdint>

#include "base/types.h"

namespace meridian {

// Invariant: scanning the log from batch `sequence` on, record by record as LogReplay does, states first to last, in
// order; nothing behind them, up to the end of the batch that states `last`, takes any of them back.
struct EntryRun {
  LogIndex first, last;
  Term term;
  std::uint64_t sequence = 0;  // at or before the batch that states `first`
  std::uint64_t bytes = 0;     // of the entries; after a cut an estimate
  bool open = false;           // what is appended next may become part of it

  std::uint64_t count() const { return last - first + 1; }
  // What this many of its entries take, about.
  std::uint64_t part(std::uint64_t entries) const { return bytes * entries / count(); }
  // A long one would be read for little of it, and moved for little that is live; one of a shard that is seldom written
  // would be looked for among the batches of all others.
  static constexpr std::uint64_t kMaxBytes = 64 << 10;
  static constexpr std::uint64_t kMaxBatches = 256;
  // May an entry that batch `in` states go on with this run?
  bool takes(LogIndex index, Term of, std::uint64_t in) const {
    return open && index == last.next() && of == term && bytes < kMaxBytes && in < sequence + kMaxBatches;
  }
};

}  // namespace meridian
