// A whole node, assembled from ports: the data directory, the log, the replica, the calls it serves. Lives
// on one loop. A node starts empty or with an identity; an empty one waits to be told to form a cluster
// (bootstrap) or to join one, and remembers that durably before it acts on it.
#pragma once

#include <functional>
#include <memory>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/engine.h"
#include "base/file.h"
#include "base/lifetime.h"
#include "base/node_clock.h"
#include "base/runtime.h"
#include "base/task.h"
#include "base/transport.h"
#include "shard/log/log_store.h"
#include "shard/node/clock_watch.h"
#include "shard/node/data_directory.h"
#include "shard/node/peers.h"
#include "shard/node/shard_placement.h"
#include "shard/options.h"
#include "shard/replica.h"

namespace meridian {

struct NodeOptions {
  std::string region;
  std::string version;    // for status
  ReplicaOptions replica;  // shard, replica, node and region are filled in
  LogOptions log;         // on_fatal and must_exist are filled in
  std::size_t frame_bytes = 16 << 20;  // the transport's: no message is larger
};

class Node {
 public:
  struct Deps {
    Runtime& runtime;
    Transport& transport;
    Engine& engine;
    FileSystem& fs;
    // Nothing may be trusted or answered any more: stop the process. Called at most once.
    std::function<void(Error)> fatal;
  };

  // Recovers what the directory and the engine hold and begins to serve. On the loop; blocks while it
  // reads. The errors of DataDirectory::open, open_segmented_log and recover_replica.
  static Result<std::unique_ptr<Node>> open(Deps deps, std::unique_ptr<DataDirectory> directory, NodeOptions options);
  ~Node();

  // Refuses new requests, hands leadership over (if asked to), flushes the data; then done.
  void shut_down(bool hand_over, Callback done);

  bool in_cluster() const { return replica_ != nullptr; }
  bool is_leader() const { return replica_ && replica_->is_leader(); }
  // Why it should get no requests; empty: it is ready.
  std::string not_ready() const;
  // Null before the node is part of a cluster.
  Replica* replica() { return replica_.get(); }
  const DataDirectory& directory() const { return *directory_; }
  LogStats log_stats() const { return log_->stats(); }
  VersionCache::Stats version_cache() const { return replica_ ? replica_->version_cache() : VersionCache::Stats(); }
  ReplicaMemory memory() const { return replica_ ? replica_->memory() : ReplicaMemory(); }
  api::NodeStatusResponse status();
  // Why this node does not go by its clock. nullopt: it does.
  std::optional<Error> clock_fault() { return clock_.fault(); }
  bool clock_wrong() const { return clock_.wrong(); }

 private:
  Node(Deps deps, std::unique_ptr<DataDirectory> directory, NodeOptions options);
  Result<> recover();
  Result<> start_replica(const RecoveredLog* log);
  // As the join request that it once took says, with nothing.
  Result<> start_over();
  void serve();
  void serve_data();
  void serve_topology();
  void serve_peers();
  void stop_with(Error error);

  // formation.cc
  using JoinReply = std::move_only_function<void(Result<api::JoinResponse>)>;
  using BootstrapReply = std::move_only_function<void(Result<api::BootstrapResponse>)>;
  void join(api::JoinRequest request, JoinReply reply);
  Task<Result<>> join_now(api::JoinRequest request, bool decided);
  Task<Result<>> create_initial(api::JoinRequest request);
  void bootstrap(api::BootstrapRequest request, BootstrapReply reply);
  Task<Result<api::BootstrapResponse>> bootstrap_now(api::BootstrapRequest request, MonoTime deadline);
  void resume_formation();
  Task<Result<std::uint64_t>> ask_directory(const Address& address, MonoTime deadline);
  Task<Result<api::JoinResponse>> tell_to_join(const api::NodeDescriptor& node, const api::ClusterState& initial,
                                               MonoTime deadline);
  Result<api::ClusterState> plan_cluster(const api::BootstrapRequest& request);

  void send_raft(std::vector<raft::Message> messages);
  void send_batch(NodeId node, wire::RaftBatch batch);
  void receive_raft(wire::RaftBatch batch);
  void introduce(const wire::Sender& sender);
  void refuse_impostor(const wire::Sender& sender);
  void refuse_other_timing(const wire::Sender& sender);
  void ship_snapshot(ReplicaId to, wire::SnapshotChunk chunk,
                     std::move_only_function<void(Result<wire::SnapshotChunkResponse>)> done);
  void handle_removed();
  void handle_lost_memory(const Error& error);
  Result<> check_shard(std::uint64_t shard, std::uint32_t keyspace) const;

  Deps deps_;
  std::unique_ptr<DataDirectory> directory_;
  NodeOptions options_;
  NodeClock clock_;
  Peers peers_;
  std::unique_ptr<LogStore> log_;
  // Built on each other: the port, the replica, what makes the replica's state the port's.
  std::unique_ptr<ShardPlacement> placement_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<ClockWatch> clock_watch_;
  bool forming_ = false;        // a join is under way
  bool bootstrapping_ = false;  // one plan at a time
  TimerId resume_timer_ = 0;
  bool draining_ = false;
  std::map<NodeId, std::string> other_timings_;  // who is not listened to, and why
  bool removed_ = false;
  bool stopped_ = false;
  std::optional<Error> fatal_;
  Lifetime lifetime_;
};

// The only one there is until the placement service splits it.
inline constexpr ShardId kOnlyShard{api::kFirstShardId};

}  // namespace meridian
