// A workload: what one kind of client does to a cluster, and how that is written down for the checkers. Several
// run side by side in a run, each under a key prefix of its own and all in one history (workload_mix.h).
//
// A workload does one operation at a time for each slot, with the SDK's core as an application would, and says
// of each operation what it knows: ok, fail, or unknown. An operation may be as many calls as it likes: a
// paged scan, a loop around a compare-and-set, a transaction of several keys recorded as its micro-operations.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "tests/sim/recorder.h"

namespace meridian::sim {

// One logical client. Lives for the whole run, on a machine that does not crash.
struct Slot {
  Rng rng;
  SimClient* client;
  std::uint64_t session;  // 1, 2, ..
  std::uint64_t process;  // in the history; another one after each unknown outcome
  double profile;         // [0, 1): who it is; 0 does everything
};

struct WorkloadDeps {
  SimWorld& world;
  SimCluster& cluster;
  const RunOptions& options;
  Recorder& recorder;
};

class Workload {
 public:
  virtual ~Workload() = default;

  // One operation, recorded. Several slots are inside at once.
  virtual Task<> operate(Slot& slot) = 0;
  // When everything has healed and come to rest: the last reads.
  virtual Task<> finish(Slot& slot) = 0;
  // Of these keys every stored version is to be listed at the end. Only keys all of whose writes were recorded
  // as such (write, cas, remove, batch).
  virtual std::vector<std::string> listed_keys() const { return {}; }
};

// All there are, in order.
const std::vector<std::string>& workload_names();
// null: there is none of that name.
std::unique_ptr<Workload> make_workload(std::string_view name, const WorkloadDeps& deps);

// By every checker, and by what the workloads promise besides. A function of the history alone. Empty: nothing is
// wrong.
std::string judge(const check::History& history);

}  // namespace meridian::sim
