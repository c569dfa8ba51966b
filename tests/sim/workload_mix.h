// The workloads of a run, side by side: so many slots, each of which does one operation after the other, of whatever
// workload it draws; then their last reads; in one history.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/workload.h"

namespace meridian::sim {

class WorkloadMix {
 public:
  // Requires: options.workloads are known names.
  WorkloadMix(SimWorld& world, SimCluster& cluster, const RunOptions& options, check::History& history);

  void start();
  // Every slot ends after the operation it is in.
  void stop() { stopping_ = true; }
  bool idle() const { return busy_ == 0; }
  // The last reads; idle() again when done. Then every stored version is listed.
  void finish();
  void list_versions();

  std::uint64_t answered() const { return recorder_.answered(); }  // ok
  std::uint64_t unknown() const { return recorder_.unknown(); }
  // What was seen to be wrong while it ran; empty: nothing.
  const std::string& violation() const { return recorder_.violation(); }

 private:
  struct Entry {
    std::unique_ptr<Workload> workload;
    double weight;
  };
  Task<> run(Slot* slot);
  Task<> run_finish(Slot* slot, Workload* workload);
  Workload& draw(Slot& slot);
  Slot* new_slot(int client);

  SimWorld& world_;
  SimCluster& cluster_;
  const RunOptions& options_;
  Recorder recorder_;
  std::vector<Entry> entries_;
  double weights_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;
  int busy_ = 0;
  bool stopping_ = false;
};

}  // namespace meridian::sim
