// FaultHooks of one simulated run: which buggify points are awake, which deliberate bug is on, which script
// waits at which failpoint, and how often each probe was hit.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/fault.h"
#include "tests/sim/sim_world.h"

namespace meridian::sim {

// Installs itself as g_fault_hooks for as long as it lives.
class SimFaults final : public FaultHooks {
 public:
  explicit SimFaults(SimWorld& world, std::string deliberate_bug = {});
  ~SimFaults() override;

  // A quarter of the points is awake in a run; an awake one fires a quarter of the time.
  bool buggify(std::string_view point) override;
  void failpoint(std::string_view point) override;
  void probe(std::string_view point) override { ++probes_[std::string(point)]; }
  bool deliberate_bug(std::string_view name) override;

  void set_buggify(bool on) { buggify_on_ = on; }
  // Runs script at each passage of the point; it must not crash the running node but may schedule that.
  void script(std::string point, std::function<void()> script) { scripts_[std::move(point)] = std::move(script); }

  // How often each was hit; of buggify points, how often they fired.
  const std::map<std::string, std::uint64_t>& probes() const { return probes_; }
  const std::map<std::string, std::uint64_t>& buggified() const { return buggified_; }
  std::uint64_t bug_hits() const { return bug_hits_; }

 private:
  SimWorld& world_;
  const std::string deliberate_bug_;
  Rng rng_;
  bool buggify_on_ = true;
  std::map<std::string, bool> awake_;
  std::map<std::string, std::uint64_t> probes_, buggified_;
  std::map<std::string, std::function<void()>> scripts_;
  std::uint64_t bug_hits_ = 0;
};

}  // namespace meridian::sim
