// A node whose answers a test decides; where it has no say, whoever leads writes the cluster's one map, and all read
// it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shard/api/methods.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_transport.h"

namespace meridian::proxy {

template <class M>
using Respond = std::move_only_function<void(Result<M>)>;

struct FakeCluster;

struct FakeNode {
  FakeNode(FakeCluster& cluster, std::uint64_t id, std::string region);
  ~FakeNode() { crash(true); }
  void start();
  void crash(bool abrupt);
  bool leads() const { return leader == id; }
  api::NotLeader where() const;

  FakeCluster& cluster;
  const std::uint64_t id;
  const std::string region;
  const Address address;
  sim::SimClocks clocks;
  sim::SimDisk disk;
  std::unique_ptr<sim::SimRuntime> runtime;
  std::unique_ptr<sim::SimTransport> transport;

  // What it believes.
  bool initialised = true;
  std::uint64_t leader = 1;
  std::uint64_t term = 5;
  std::optional<api::ClusterState> own_state;  // another than the cluster's
  std::string trouble;

  // Answers instead of the node where they return true.
  std::function<bool(const api::WriteRequest&, Respond<api::WriteResponse>&)> on_write;
  std::function<bool(const api::ReadRequest&, Respond<api::ReadResponse>&)> on_read;
  std::function<bool(const api::ScanRequest&, Respond<api::ScanResponse>&)> on_scan;
  std::function<bool(const api::ChangeRequest&, Respond<api::ChangeResponse>&)> on_change;

  std::vector<api::WriteRequest> writes;
  std::vector<api::ReadRequest> reads;
  std::vector<api::ScanRequest> scans;
  std::vector<api::ChangeRequest> changes;
  std::vector<api::BootstrapRequest> bootstraps;
  int topologies = 0;
  std::vector<Respond<api::WriteResponse>> kept;  // never answered

 private:
  void serve_topology();
  void serve_writes();
  void serve_reads();
  void serve_scans();
  void serve_admin();
  void fill(api::ReadInfo* info, std::uint64_t at) const;
  std::uint64_t time() const { return static_cast<std::uint64_t>(runtime->wall_now().us()); }
};

}  // namespace meridian::proxy
