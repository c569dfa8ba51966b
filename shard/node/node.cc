#include "shard/node/node.h"

#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "shard/node/recovery.h"

namespace meridian {
namespace {

wire::Sender make_sender(const wire::Identity& identity, std::uint64_t process, const Address& address, Duration t) {
  wire::Sender sender;
  sender.set_cluster_id(identity.cluster_id());
  sender.set_node_id(identity.node_id());
  sender.set_incarnation(identity.incarnation());
  sender.set_process(process);
  sender.set_address(address);
  sender.set_election_timeout_us(static_cast<std::uint64_t>(t.count()));
  return sender;
}

// L2 lasts as long as what was promised under another T, by any earlier process of this node. Durable before a new,
// longer promise is made.
Result<> remember_promises(DataDirectory& directory, ReplicaOptions& options) {
  wire::Identity identity = directory.identity();
  const auto t = static_cast<std::uint64_t>(options.election_timeout.count());
  if (t > identity.longest_promise_us()) {
    identity.set_longest_promise_us(t);
    RETURN_IF_ERROR(directory.store(identity));
    directory.adopt(identity);
  }
  options.restart_silence = Duration(static_cast<std::int64_t>(identity.longest_promise_us()));
  return {};
}

Error lost_memory(const DataDirectory& directory, const std::string& why) {
  return Error(ErrorCode::kCorruption,
               fmt::format("{} is older than what node {} has promised, as if restored from a copy: {}. Its vote and its data "
                           "count for nothing any more; it comes back by `meridianctl node replace` with an empty directory",
                           directory.path(), directory.identity().node_id(), why));
}

// Named before anybody can ask for it.
Result<> name_directory(DataDirectory& directory, Runtime& runtime) {
  wire::Identity identity = directory.identity();
  if (identity.directory_id() != 0) return {};
  identity.set_directory_id(runtime.random() | 1);
  RETURN_IF_ERROR(directory.store(identity));
  directory.adopt(std::move(identity));
  return {};
}

}  // namespace

Node::Node(Deps deps, std::unique_ptr<DataDirectory> directory, NodeOptions options)
    : deps_(std::move(deps)),
      directory_(std::move(directory)),
      options_(std::move(options)),
      clock_(deps_.runtime, {options_.replica.max_clock_offset, options_.replica.clock_drift}),
      peers_(make_sender(directory_->identity(), deps_.runtime.random(), deps_.transport.local_address(),
                         options_.replica.election_timeout)) {}

Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::open(Deps deps, std::unique_ptr<DataDirectory> directory, NodeOptions options) {
  const std::string& region = directory->identity().region();
  if (!region.empty() && region != options.region) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} belongs to a node of region {}, not {}", directory->path(), region, options.region));
  }
  if (const std::string& why = directory->identity().lost_memory(); !why.empty()) return fail(lost_memory(*directory, why));
  RETURN_IF_ERROR(name_directory(*directory, deps.runtime));
  RETURN_IF_ERROR(remember_promises(*directory, options.replica));
  std::unique_ptr<Node> node(new Node(std::move(deps), std::move(directory), std::move(options)));
  RETURN_IF_ERROR(node->recover());
  node->serve();
  node->resume_formation();
  return node;
}

Result<> Node::recover() {
  const wire::Identity& identity = directory_->identity();
  LogOptions log_options = options_.log;
  log_options.must_exist = identity.initialised();
  // An error is told when the replica is recovered.
  log_options.applied = [&engine = deps_.engine](ShardId shard) {
    const auto state = load_applied_state(engine, shard, {});
    return state && *state ? (*state)->index : LogIndex();
  };
  log_options.on_fatal = [this](const Error& error) { stop_with(error); };
  ASSIGN_OR_RETURN(OpenedLog opened,
                   open_segmented_log(deps_.runtime, deps_.fs, directory_->path() + "/log", std::move(log_options)));
  log_ = std::move(opened.store);
  if (!directory_->in_cluster()) return {};
  if (log_->smallest_allowed(kOnlyShard) > ReplicaId(identity.replica_id())) {
    removed_ = true;
    return {};
  }
  const RecoveredLog* log = nullptr;
  for (const RecoveredLog& found : opened.logs) {
    if (found.shard == kOnlyShard) log = &found;
  }
  if (!identity.initialised()) {
    // The node knew whom it belongs to, and stopped before its data was created.
    RETURN_IF_ERROR(start_over());
    return {};
  }
  return start_replica(log);
}

Result<> Node::start_over() {
  ASSIGN_OR_RETURN(const std::optional<api::JoinRequest> join, directory_->load_join());
  if (!join) return fail(ErrorCode::kCorruption, directory_->path() + "/JOIN is missing");
  forming_ = true;
  spawn(deps_.runtime, [](Node* self, api::JoinRequest request, std::weak_ptr<char> alive) -> Task<void> {
    Result<> created = co_await self->create_initial(std::move(request));
    if (alive.expired()) co_return;
    self->forming_ = false;
    if (!created) self->stop_with(std::move(created).error());
  }(this, *join, lifetime_.token()));
  return {};
}

Result<> Node::start_replica(const RecoveredLog* log) {
  const wire::Identity& identity = directory_->identity();
  ASSIGN_OR_RETURN(Recovered recovered, recover_replica(deps_.engine, kOnlyShard, log));
  const api::ClusterState& cluster = *recovered.machine.cluster();
  if (cluster.cluster_id() != 0 && cluster.cluster_id() != identity.cluster_id()) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} holds data of cluster {:016x} under an identity of cluster {:016x}", directory_->path(),
                            cluster.cluster_id(), identity.cluster_id()));
  }
  ReplicaOptions options = options_.replica;
  options.shard = kOnlyShard;
  options.replica = ReplicaId(identity.replica_id());
  options.node = NodeId(identity.node_id());
  options.region = options_.region;
  options.seed = deps_.runtime.random();
  if (recovered.discard_log) {
    PROBE("node.log_older_than_snapshot");
    LogUpdate reset;
    reset.shard = options.shard;
    reset.replica = options.replica;
    reset.reset = LogBase{recovered.initial.applied, recovered.machine.state().term};
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(reset));
    log_->append(std::move(updates), nullptr);
  }
  peers_.follow(cluster);
  placement_ = std::make_unique<ShardPlacement>(recovered.machine.cluster());
  Replica::Deps deps{deps_.runtime,
                     deps_.engine,
                     *log_,
                     deps_.fs,
                     clock_,
                     *placement_,
                     [this](std::vector<raft::Message> messages) { send_raft(std::move(messages)); },
                     [this](ReplicaId to, wire::SnapshotChunk chunk, auto done) {
                       ship_snapshot(to, std::move(chunk), std::move(done));
                     },
                     [this](Error error) { stop_with(std::move(error)); },
                     directory_->path() + "/snapshots"};
  // What a snapshot that was cut short has left: copies of the data.
  RETURN_IF_ERROR(deps_.fs.remove_all(directory_->path() + "/snapshots"));
  replica_ = std::make_unique<Replica>(std::move(deps), std::move(options), std::move(recovered.machine),
                                       std::move(recovered.initial));
  placement_->attach({deps_.runtime, deps_.transport, *replica_, NodeId(identity.node_id()),
                      [this](NodeId node) { return peers_.address_of(node); }});
  placement_->on_change([this] { peers_.follow(*placement_->topology()); });
  replica_->on_removed([this] { handle_removed(); });
  replica_->on_lost_memory([this](const Error& error) { handle_lost_memory(error); });
  clock_watch_ = std::make_unique<ClockWatch>(
      ClockWatch::Deps{deps_.runtime, deps_.transport, clock_, peers_, *placement_, options_.replica.max_clock_offset});
  LOG_INFO("replica started", {{"node", identity.node_id()},
                               {"replica", identity.replica_id()},
                               {"incarnation", identity.incarnation()},
                               {"applied", replica_->applied().index.value()}});
  return {};
}

// It learnt that its shard goes on without it: its log goes, and a tombstone says that this replica can
// never come back (S4, M6).
void Node::handle_removed() {
  if (std::exchange(removed_, true)) return;
  LOG_WARNING("this node was removed from its cluster", {{"node", directory_->identity().node_id()}});
  const ReplicaId replica(directory_->identity().replica_id());
  deps_.runtime.post(lifetime_.guard([this, replica] {
    clock_watch_.reset();
    replica_.reset();
    placement_.reset();
    if (DELIBERATE_BUG("removed_replica_votes")) {
      removed_ = false;
      if (start_over()) return;
    }
    log_->remove(kOnlyShard, replica, replica.next(), nullptr);
  }));
}

// Noted before the process ends: started again, it might meet only those who know nothing of what it has forgotten.
void Node::handle_lost_memory(const Error& error) {
  PROBE("node.lost_memory");
  wire::Identity identity = directory_->identity();
  identity.set_lost_memory(error.message());
  if (Result<> stored = directory_->store(identity); !stored) {
    LOG_ERROR("that this replica lost its memory could not be noted", {{"error", stored.error().to_string()}});
  }
  stop_with(lost_memory(*directory_, error.message()));
}

void Node::stop_with(Error error) {
  if (fatal_) return;
  fatal_ = error;
  LOG_ERROR("this node stops", {{"error", error.to_string()}});
  deps_.fatal(std::move(error));
}

void Node::shut_down(bool hand_over, Callback done) {
  draining_ = true;
  auto shared = std::make_shared<Callback>(std::move(done));
  auto flush = lifetime_.guard([this, shared] {
    auto flushed = std::make_shared<Result<>>();
    deps_.runtime.run_blocking([flushed, &engine = deps_.engine] { *flushed = engine.flush(); },
                               [flushed, shared] {
                                 // What could not be flushed is in the log.
                                 if (!*flushed)
                                   LOG_WARNING("the data was not flushed", {{"error", flushed->error().to_string()}});
                                 (*shared)();
                               });
  });
  if (replica_ && hand_over) return replica_->step_aside(std::move(flush));
  flush();
}

std::string Node::not_ready() const {
  if (fatal_) return fatal_->to_string();
  if (draining_) return "shutting down";
  if (removed_) return "removed from the cluster";
  if (!replica_) return "not part of a cluster yet: meridianctl cluster init, or node add";
  if (replica_->trouble()) return replica_->trouble()->to_string();
  if (log_->is_full()) return "the log's disk is full";
  if (!replica_->is_leader() && replica_->raft_status().leader == ReplicaId()) {
    return other_timings_.empty() ? "no leader is known" : other_timings_.begin()->second;
  }
  return "";
}

Result<> Node::check_shard(std::uint64_t shard, std::uint32_t keyspace) const {
  if (removed_) return fail(ErrorCode::kUnavailable, "this node was removed from its cluster");
  if (!replica_) return fail(ErrorCode::kUnavailable, "this node is not part of a cluster yet");
  if (ShardId(shard) != kOnlyShard) return fail(ErrorCode::kNotFound, fmt::format("there is no shard {} here", shard));
  if (keyspace != api::kDefaultKeyspaceId) {
    return fail(ErrorCode::kNotFound, fmt::format("shard {} holds no keyspace {}", shard, keyspace));
  }
  return {};
}

void Node::serve() {
  serve_data();
  serve_topology();
  serve_peers();
}

void Node::serve_data() {
  handle(deps_.transport, api::kRead, [this](api::ReadRequest request, MonoTime deadline, ReadReply reply) {
    if (Result<> ok = check_shard(request.shard_id(), request.keyspace_id()); !ok) return reply(fail(ok.error()));
    replica_->read(std::move(request), deadline, std::move(reply));
  });
  handle(deps_.transport, api::kScan, [this](api::ScanRequest request, MonoTime deadline, ScanReply reply) {
    if (Result<> ok = check_shard(request.shard_id(), request.keyspace_id()); !ok) return reply(fail(ok.error()));
    replica_->scan(std::move(request), deadline, std::move(reply));
  });
  handle(deps_.transport, api::kWrite, [this](api::WriteRequest request, MonoTime deadline, WriteReply reply) {
    if (Result<> ok = check_shard(request.shard_id(), request.keyspace_id()); !ok) return reply(fail(ok.error()));
    replica_->write(std::move(request), deadline, std::move(reply));
  });
}

}  // namespace meridian
