// Does some order of the transactions over lists explain them all? Dependencies between them that form a cycle say no.
//
// Anomalies of the reads themselves (lists.h) come first, then cycles, by Adya's names (ICDE 2000), the worst first:
//   G0        of ww only: writes are interleaved
//   G1c       of ww and wr: information flows in a circle
//   G-single  with exactly one rw (read skew, lost update)
//   G2-item   with several (write skew)
// A strict check then adds what is known of time: first what one process or session did in turn (G0-process, ...), then
// what had returned before another was called (G0-realtime, G1c-realtime, G-single-realtime, G2-item-realtime).
// A transaction whose outcome is unknown counts if something of it was seen. One that only reads, at the level of
// any replica, may say what was true earlier.
//
// Dependencies that a history does not show can't be part of a cycle: keys must be read often. Predicates are not
// judged.
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

struct SerializabilityOptions {
  bool strict = true;
  // The operations are some of a history: what others may have appended is no phantom.
  bool part = false;
  // Of the search for the shortest cycle of each class; what is found by then is shown.
  std::uint64_t budget = 50'000'000;
};

Finding check_serializable(const std::vector<Operation>& operations, const SerializabilityOptions& options = {});

}  // namespace meridian::check
