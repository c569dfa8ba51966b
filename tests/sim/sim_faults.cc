#include "tests/sim/sim_faults.h"

#include "base/check.h"

namespace meridian::sim {

SimFaults::SimFaults(SimWorld& world, std::string deliberate_bug)
    : world_(world), deliberate_bug_(std::move(deliberate_bug)), rng_(world.rng("buggify")) {
  CHECK(g_fault_hooks == nullptr);
  g_fault_hooks = this;
}

SimFaults::~SimFaults() { g_fault_hooks = nullptr; }

bool SimFaults::buggify(std::string_view point) {
  if (!buggify_on_) return false;
  auto [it, inserted] = awake_.try_emplace(std::string(point));
  // From the seed and the name alone: which points a run meets first does not matter.
  if (inserted) it->second = world_.rng("awake", hash_bytes(point)).chance(0.25);
  if (!it->second || !rng_.chance(0.25)) return false;
  ++buggified_[it->first];
  return true;
}

void SimFaults::failpoint(std::string_view point) {
  const auto it = scripts_.find(std::string(point));
  if (it != scripts_.end()) it->second();
}

bool SimFaults::deliberate_bug(std::string_view name) {
  if (name != deliberate_bug_) return false;
  ++bug_hits_;
  return true;
}

}  // namespace meridian::sim
