// A whole cluster in the virtual world: machines with their disks and clocks, the nodes and proxies that run
// on them, made of production code, and the clients. Faults act on it through the functions below.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/core/client_core.h"
#include "raft/core.h"
#include "tests/checkers/history.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_transport.h"
#include "tests/sim/sim_world.h"

namespace meridian {
class SimFileSystem;
namespace api {
class ClusterState;
}
}  // namespace meridian

namespace meridian::sim {

// A process that only calls: a client core, or the operator.
struct SimClient {
  std::unique_ptr<SimClocks> clocks;
  std::unique_ptr<SimRuntime> runtime;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<client::ClientCore> core;
  ~SimClient();
};

class SimCluster {
 public:
  SimCluster(SimWorld& world, const RunOptions& options);
  ~SimCluster();

  // Forms the cluster; false, with why, if that takes too long.
  bool form(std::string* why);

  // Machines with a node on them: the members of the cluster, and spare ones, empty or removed.
  int nodes() const;
  // Those whom the topology names, by what the leader, else the best informed node says.
  std::vector<int> members() const;
  // 0: not a member.
  std::uint64_t member_id(int i) const;
  // It knows that it was removed from its cluster.
  bool removed(int i) const;
  bool changing_members() const;
  // Up, empty, and of no cluster.
  std::vector<int> free_nodes() const;
  const std::string& node_region(int i) const;
  int proxies() const;
  Address node_address(int i) const;
  Address proxy_address(int i) const;
  // Every address messages travel between: nodes, proxies, clients.
  std::vector<Address> addresses() const;
  SimNetwork& network() { return network_; }
  SimClient& client(int i) { return *clients_[static_cast<std::size_t>(i)]; }
  SimClient& admin() { return *admin_; }

  bool node_up(int i) const;
  bool proxy_up(int i) const;
  // Power loss takes what was not synced; otherwise only the process dies.
  void crash_node(int i, bool power_loss);
  // As SIGTERM does: hands leadership over, flushes, and ends; then ended. A crash may come first: then never.
  void end_node(int i, Callback ended);
  void start_node(int i);
  void crash_proxy(int i);
  void start_proxy(int i);
  void pause_node(int i, std::int64_t duration_us);
  void adjust_clock(int i);
  // From now on the wall clock is that far from true time, whatever the bound; 0 also ends what that did.
  void set_clock(int i, std::int64_t offset_us);
  // A node goes by a clock that is wrong, or does not by one that is right; empty: all know which is which.
  std::string clock_misjudged();
  void slow_disk(int i, double factor);  // 1: healthy
  // The node's disk, to damage it.
  SimFileSystem& files(int i);
  // What happens to the disk next ends the process, rightly. halted(): it did, and nobody started it again.
  void expect_death(int i, bool expected);
  bool halted(int i) const;
  bool death_expected(int i) const;
  bool disk_is_full(int i) const;
  void fill_disk(int i, bool full);
  // The data have a disk of their own.
  void fill_data_disk(int i, bool full);
  // As a machine with a new disk. Requires: the node is down.
  void wipe_node(int i);
  // Which node believes that it leads, in the highest term.
  std::optional<int> leader() const;
  // nullopt: its replica does not run.
  std::optional<raft::Status> raft_status(int i) const;
  // The highest term that any node is in.
  Term term() const;
  // Of the node, 0 while it is not known.
  std::uint64_t node_id(int i) const;

  // Everything is up and connected, disks are fast.
  void heal();
  // All members have applied the same and hold the same bytes, and no change of the members is under way.
  bool converged(std::string* why) const;
  // Each node's view of its log, one a line, for a failure's report.
  std::string describe() const;
  // Every stored version of a key on a node's machine.
  std::vector<std::pair<std::uint64_t, check::Value>> stored(int node, const std::string& key) const;
  // A node stopped by itself although no fault gave it a reason.
  const std::string& died() const { return died_; }

 private:
  struct NodeMachine;
  struct ProxyMachine;
  void draw(int i, const char* what, bool begins);
  std::shared_ptr<const api::ClusterState> topology() const;
  std::unique_ptr<SimClient> make_client(const std::string& name, int region);

  SimWorld& world_;
  const RunOptions options_;
  SimNetwork network_;
  std::vector<std::unique_ptr<NodeMachine>> nodes_;
  std::vector<std::unique_ptr<ProxyMachine>> proxies_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::unique_ptr<SimClient> admin_;
  std::uint64_t machines_ = 0;
  std::string died_;
  bool ending_ = false;
};

}  // namespace meridian::sim
