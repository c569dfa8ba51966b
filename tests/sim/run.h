// One run of a scenario: forms a cluster, works under faults, heals everything, requires progress and
// convergence, and judges the history.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/checkers/history.h"
#include "tests/sim/scenario.h"

namespace meridian::sim {

struct RunResult {
  std::string failure;  // empty: it passed
  std::uint64_t hash = 0;
  std::uint64_t answered = 0, unknown = 0, events = 0, messages = 0, faults = 0;
  std::int64_t virtual_us = 0;
  std::int64_t working_us = 0;  // of those, while clients worked
  std::uint64_t bug_hits = 0;
  std::map<std::string, std::uint64_t> kinds, probes, buggified;
  std::vector<std::string> last_events;  // of a failed run
  check::History history;
  std::string picture;  // HTML

  bool ok() const { return failure.empty(); }
};

RunResult run(const RunOptions& options);

}  // namespace meridian::sim
