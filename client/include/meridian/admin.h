// Administration of a cluster, as meridianctl does it. Errors as in client.h. A change whose answer is
// lost ends with kUnknownOutcome: look at status() before repeating it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meridian/client.h>

MERIDIAN_SDK_BEGIN

// A node to take in: where proxies and other nodes reach it ("host:port"), and its region.
struct NodeSpec {
  NodeSpec(std::string node_address, std::string node_region)
      : address(std::move(node_address)), region(std::move(node_region)) {}
  std::string address;
  std::string region;
};

enum class NodeState : std::uint8_t { kUnknown, kJoining, kActive, kLeaving, kRemoved };
// "joining", ...
std::string_view to_string(NodeState state);

struct NodeStatus {
  NodeStatus() {}
  std::uint64_t id = 0;
  std::string address;
  std::string region;
  NodeState state = NodeState::kUnknown;
  std::uint64_t replica_id = 0;

  // As last heard; zero where the node does not answer.
  bool reachable = false;
  Role role = Role::kUnknown;
  std::uint64_t term = 0;
  std::uint64_t last_index = 0;
  std::uint64_t applied_index = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t data_bytes = 0;
  std::string version;
  std::uint64_t incarnation = 0;
  std::string trouble;                 // why it refuses writes or reads; empty: it does not
  std::uint64_t closed_timestamp = 0;  // up to here it answers Consistency::kAnyReplica
};

// A change of the cluster that goes on by itself.
struct OperationStatus {
  OperationStatus() {}
  std::uint64_t id = 0;
  std::string kind;  // "add node", "remove node", "replace node"
  std::uint64_t node_id = 0;
  std::uint64_t replaced_node_id = 0;
  std::string progress;  // for people
  bool done = false;
  std::string error;  // why it gave up; empty: it did not
};

struct ClusterStatus {
  ClusterStatus() {}
  std::uint64_t cluster_id = 0;  // 0: not initialised
  std::vector<NodeStatus> nodes;
  std::uint64_t leader_node_id = 0;  // 0: none known
  std::vector<OperationStatus> operations;
  bool healthy = false;               // a quorum answers and there is a leader
  std::vector<std::string> problems;  // for people
  std::uint64_t topology_version = 0;
  std::vector<std::string> keyspaces;
};

struct InitClusterResult {
  InitClusterResult() {}
  std::uint64_t cluster_id = 0;
  std::vector<NodeStatus> nodes;
};

// Of a change that was recorded and goes on; follow it in ClusterStatus::operations.
struct StartedOperation {
  StartedOperation() {}
  std::uint64_t operation_id = 0;
  std::uint64_t node_id = 0;
};

// What a proxy says about itself.
struct ProxyInfo {
  ProxyInfo() {}
  std::uint64_t cluster_id = 0;       // 0: the cluster has not been initialised yet
  std::uint64_t cluster_time_us = 0;  // microseconds since 1970
  std::string region;
  std::string version;
};

// Shares the connection of a Client. Thread-safe, copyable.
//
//   meridian::Admin admin(*client);
//   auto status = admin.status();
//   if (status && !status->healthy) for (const auto& problem : status->problems) ...
class Admin {
 public:
  explicit Admin(Client client) : client_(std::move(client)) {}
  // Client::connect() and Admin in one.
  static Result<Admin> connect(const ConnectOptions& options);

  // Which proxy answers, and its view of the time.
  Result<ProxyInfo> hello(CallOptions options = CallOptions());
  Future<ProxyInfo> hello_async(CallOptions options = CallOptions());

  // Forms a cluster of 1 to 9 empty nodes. Asked again with the same nodes it answers the same cluster.
  //   admin.init_cluster({meridian::NodeSpec("10.0.0.1:7401", "us-east"), ...});
  // kAlreadyExists: a cluster of other nodes; kFailedPrecondition: a node is not empty; kInvalidArgument.
  Result<InitClusterResult> init_cluster(std::vector<NodeSpec> nodes, CallOptions options = CallOptions());
  Future<InitClusterResult> init_cluster_async(std::vector<NodeSpec> nodes, CallOptions options = CallOptions());

  // The cluster as the proxy sees it. Answers also while it is not healthy or not initialised.
  //   if (auto status = admin.status(); status && status->healthy) ...
  Result<ClusterStatus> status(CallOptions options = CallOptions());
  Future<ClusterStatus> status_async(CallOptions options = CallOptions());

  // Takes in a node that is running, empty and reachable. Answers when the change is recorded.
  //   auto started = admin.add_node(meridian::NodeSpec("10.0.0.4:7401", "us-east"));
  // kFailedPrecondition: not empty, or not reachable; kAlreadyExists: in the cluster already.
  Result<StartedOperation> add_node(NodeSpec node, CallOptions options = CallOptions());
  Future<StartedOperation> add_node_async(NodeSpec node, CallOptions options = CallOptions());

  // Removes a node. force: also where too few would remain to keep the data safe.
  //   admin.remove_node(2, /*force=*/false);
  // kFailedPrecondition: refused for safety; kNotFound: no such node.
  Result<StartedOperation> remove_node(std::uint64_t node_id, bool force, CallOptions options = CallOptions());
  Future<StartedOperation> remove_node_async(std::uint64_t node_id, bool force, CallOptions options = CallOptions());

  // Adds the new node, and removes the old one once the new one holds everything.
  //   admin.replace_node(2, meridian::NodeSpec("10.0.0.5:7401", "eu-west"));
  // Errors as add_node() and remove_node().
  Result<StartedOperation> replace_node(std::uint64_t old_node_id, NodeSpec node, CallOptions options = CallOptions());
  Future<StartedOperation> replace_node_async(std::uint64_t old_node_id, NodeSpec node,
                                              CallOptions options = CallOptions());

  // Hands leadership of the shard to a node.
  //   admin.transfer_leader(3);
  // kFailedPrecondition: it cannot lead (not a voter, too far behind); kNotFound: no such node.
  Result<void> transfer_leader(std::uint64_t node_id, CallOptions options = CallOptions());
  Future<void> transfer_leader_async(std::uint64_t node_id, CallOptions options = CallOptions());

  const Client& client() const { return client_; }

 private:
  Client client_;
};

MERIDIAN_SDK_END

#ifdef MERIDIAN_SDK_NESTED
namespace meridian {
using sdk::Admin;
}  // namespace meridian
#endif
