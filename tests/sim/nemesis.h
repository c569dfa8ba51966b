// Does harm: at random moments one of the run's kinds of fault, each undone after a while.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace meridian::sim {

class Nemesis {
 public:
  Nemesis(SimWorld& world, SimCluster& cluster, const RunOptions& options);

  void start();
  void stop() { stopped_ = true; }
  // What the faults themselves brought to light; empty: nothing.
  const std::string& violation() const { return not_noticed_; }
  // How often each kind happened.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  void plan();
  // False: there was no occasion.
  bool strike(const std::string& kind);
  void strike_network_or_nodes(const std::string& kind);

  // nemesis_clocks.cc
  bool jump_clocks(bool all);
  void watch_clocks();

  // nemesis_disk.cc
  bool fill_disk();
  std::optional<int> snapshot_receiver() const;
  bool fail_sync();
  void start_after_failed_sync(int i, bool power_too);
  bool flip_bit();

  // nemesis_elections.cc
  // Looks until the condition holds, and then goes on; gives up, and heals the network, after a while.
  void when(std::function<bool()> condition, Callback then);
  void look(std::function<bool()> condition, std::int64_t deadline, Callback then);
  void end_staging();
  void cut_pair(int a, int b);
  void mend_pair(int a, int b);
  void cut_one_way(int from, int to);
  std::optional<std::array<int, 3>> leader_and_two() const;
  bool old_term_on_majority();
  bool vote_within_lease();
  bool leader_with_learner();

  // nemesis_members.cc
  bool busy_with_members() const;
  bool change_members(const std::string& kind);
  void add(int spare);
  void remove(int leaving, std::uint64_t id);
  void replace(int old, std::uint64_t id, int spare);
  client::Call admin_call();
  void asked(const char* what, const Result<v1::NodeOperationResponse>& answer);
  void tend_members();
  void replace_damaged();

  void crash_nodes(int count);
  void crash_node(int i, double power_loss, std::int64_t extra_down_us);
  void cut(const std::string& kind);
  void isolate(const std::vector<bool>& side, bool both_ways);
  void ring();
  void mute(int node);
  void power_cut();
  void transfer(bool then_deafen);
  void deafen_at_election(int old_leader, Term term, std::int64_t deadline);
  int draw_node() {
    const std::vector<int> members = cluster_.members();
    return members[rng_.below(members.size())];
  }
  int draw_leader();
  std::int64_t draw_us(std::int64_t longest) { return rng_.between(std::min(options_.shortest_us, longest), longest); }
  void later(std::int64_t delay_us, Callback callback);

  SimWorld& world_;
  SimCluster& cluster_;
  const RunOptions& options_;
  Rng rng_;
  bool stopped_ = false;
  std::uint64_t struck_ = 0;
  bool staging_ = false;        // a fault of nemesis_elections.cc is under way
  bool clocks_jumped_ = false, all_jumped_ = false;  // and are not repaired yet
  bool asking_ = false;         // an operator's request is under way
  std::optional<int> damaged_;  // a node whose log was spoilt, until it is replaced
  std::string not_noticed_;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace meridian::sim
