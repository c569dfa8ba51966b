// Makes a failing run simpler while it goes on failing: less is off that matters, and more that does not.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/scenario.h"

namespace meridian::sim {

// What --shrink takes away, and the command line gives: each narrows what the seed has drawn.
struct Narrowing {
  std::vector<std::string> without;    // kinds of fault
  std::vector<std::string> workloads;  // only these; empty: all
  std::uint64_t max_faults = UINT64_MAX;
  bool no_buggify = false;
  bool quiet_network = false;  // nothing is lost, doubled or reordered
  std::string store;           // "mem", "rocks"; empty: what the seed has drawn

  void apply(RunOptions* options) const;
  std::string flags() const;  // " --without ring --max-faults 3", or empty
};

// fails(): whether the seed still fails so; it may take the process down with it, so it runs elsewhere.
// tell: a line for people at every step.
Narrowing shrink(const RunOptions& options, Narrowing from, const std::function<bool(const Narrowing&)>& fails,
                 const std::function<void(const std::string&)>& tell);

}  // namespace meridian::sim
