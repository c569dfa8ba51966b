// A cluster for one story: formed, spoken to, and harmed on purpose. Single-threaded, under virtual time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/cluster.h"

namespace meridian::stories {

using sim::RunOptions;

// Healthy networks, disks and clocks; nodes of one region, one proxy, two clients.
RunOptions quiet_cluster(int nodes, std::uint64_t seed = 1);

class Bed {
 public:
  // Formed when it returns. bug: a deliberate one.
  explicit Bed(RunOptions options, std::string bug = {});
  ~Bed();

  struct Answer {  // of a read
    std::optional<std::string> value;
    std::uint64_t version = 0;
    std::uint64_t timestamp = 0;  // as of when
  };
  using Written = std::function<void(const Result<v1::WriteResponse>&)>;
  void start_put(int client, const std::string& key, const std::string& value, Written done,
                 std::int64_t timeout_us = 10'000'000, std::optional<v1::RequestId> id = {});
  void start_get(int client, const std::string& key, std::function<void(const Result<Answer>&)> done,
                 std::int64_t timeout_us = 10'000'000, v1::Consistency consistency = v1::CONSISTENCY_LINEARIZABLE);
  // The same, waited for. put: the version.
  Result<std::uint64_t> put(const std::string& key, const std::string& value, int client = 0,
                            std::int64_t timeout_us = 10'000'000, std::optional<v1::RequestId> id = {});
  Result<Answer> get(const std::string& key, int client = 0, std::int64_t timeout_us = 10'000'000,
                     v1::Consistency consistency = v1::CONSISTENCY_LINEARIZABLE);
  v1::RequestId new_id(int client = 0);
  void start_transfer(int node, std::int64_t timeout_us = 5'000'000);

  void crash_all(bool power_loss);
  void start_all();
  // One direction each: what the node sends is lost, or what is sent to it.
  void mute(int node);
  void deafen(int node);
  // Both, from and to the other nodes; clients and proxies still reach it.
  void isolate(int node);

  // A node that leads, other than `but` (-1: whichever).
  int await_leader(int but = -1);
  // A node that does not lead.
  int a_follower();
  // Everything healed, all replicas hold the same bytes; fails the test with why otherwise.
  void expect_convergence();
  // Every key has exactly its value on every node.
  void expect_stored(const std::map<std::string, std::string>& values);
  bool run_until(const std::function<bool()>& condition, std::int64_t within_us = 60'000'000) {
    return world.run_until(condition, world.now() + within_us);
  }

  sim::SimWorld world;
  sim::SimFaults faults;
  sim::SimCluster cluster;
};

// Clients that write, each one key after another, until stop(); and what they were told.
class Writers {
 public:
  // Keys start with name; each client has several writes under way, and waits between them.
  Writers(Bed& bed, std::string name, int per_client = 3, std::int64_t pause_us = 0);
  void stop() { state_->go = false; }
  bool idle() const { return state_->open == 0; }
  // By key: what was acknowledged.
  const std::map<std::string, std::string>& acknowledged() const { return state_->acknowledged; }

 private:
  struct State {
    std::int64_t pause_us = 0;
    bool go = true;
    int open = 0;
    std::map<std::string, std::string> acknowledged;
  };
  static void next(Bed& bed, int client, std::string prefix, int n, std::shared_ptr<State> state);
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace meridian::stories
