// Does harm: at random moments one of the run's kinds of fault, each undone after a while.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/cluster.h"

namespace meridian::sim {

class Nemesis {
 public:
  Nemesis(SimWorld& world, SimCluster& cluster, const RunOptions& options);

  void start();
  void stop() { stopped_ = true; }
  // How often each kind happened.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void plan();
  void strike(const std::string& kind);
  void crash_nodes(int count);
  void crash_node(int i, double power_loss, std::int64_t extra_down_us);
  void cut(const std::string& kind);
  void isolate(const std::vector<bool>& side, bool both_ways);
  void ring();
  void mute(int node);
  void power_cut();
  void transfer(bool then_deafen);
  void deafen_at_election(int old_leader, Term term, std::int64_t deadline);
  int draw_node() { return static_cast<int>(rng_.below(static_cast<std::uint64_t>(cluster_.nodes()))); }
  int draw_leader();
  std::int64_t draw_us(std::int64_t longest) { return rng_.between(std::min(options_.shortest_us, longest), longest); }
  void later(std::int64_t delay_us, Callback callback);

  SimWorld& world_;
  SimCluster& cluster_;
  const RunOptions& options_;
  Rng rng_;
  bool stopped_ = false;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace meridian::sim
