// How a node becomes part of a cluster. Order matters: the decision (JOIN, then IDENTITY) is durable first;
// then the data it leads to is created, which a start repeats if it was cut short; only then does the node
// speak. So a node never speaks for data it does not have, and never takes two sides.
#include <algorithm>
#include <ranges>
#include <utility>

#include "base/fault.h"
#include "base/log.h"
#include "shard/node/node.h"
#include "shard/node/recovery.h"

namespace meridian {
namespace {

constexpr std::size_t kMaxInitialNodes = 9;
constexpr Duration kBootstrapTimeout{15'000'000};
constexpr std::uint32_t kBusyRetryMs = 100;
constexpr Duration kResumeInterval{500'000};

Result<> check_specs(const api::BootstrapRequest& request) {
  const int count = request.nodes_size();
  if (count < 1 || static_cast<std::size_t>(count) > kMaxInitialNodes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} nodes; a cluster starts with 1 to {}", count, kMaxInitialNodes));
  }
  for (int i = 0; i < count; ++i) {
    if (request.nodes(i).address().empty() || request.nodes(i).region().empty()) {
      return fail(ErrorCode::kInvalidArgument, "a node has an address and a region");
    }
    for (int j = 0; j < i; ++j) {
      if (request.nodes(i).address() == request.nodes(j).address()) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("{} is named twice", request.nodes(i).address()));
      }
    }
  }
  return {};
}

bool same_nodes(const api::ClusterState& plan, const api::BootstrapRequest& request) {
  if (plan.nodes_size() != request.nodes_size()) return false;
  for (int i = 0; i < plan.nodes_size(); ++i) {
    if (plan.nodes(i).address() != request.nodes(i).address() || plan.nodes(i).region() != request.nodes(i).region()) return false;
  }
  return true;
}

// Who has been told and has answered is ACTIVE in the stored plan, and is never told again; nor is who turned out to have
// lost its disk since the plan was made, which is REMOVED there.
bool complete(const api::ClusterState& plan) {
  return std::ranges::all_of(plan.nodes(), [](const api::NodeDescriptor& n) { return n.state() != api::JOINING; });
}

}  // namespace

void Node::join(api::JoinRequest request, JoinReply reply) {
  const wire::Identity& identity = directory_->identity();
  if (forming_) return reply(fail(ErrorCode::kBusy, "this node is joining a cluster"));
  if (request.cluster_id() == 0 || request.node_id() == 0 || request.replica_id() == 0) {
    return reply(fail(ErrorCode::kInvalidArgument, "cluster, node and replica must be named"));
  }
  if (identity.cluster_id() != 0) {
    const bool same = identity.cluster_id() == request.cluster_id() && identity.node_id() == request.node_id() &&
                      identity.replica_id() == request.replica_id();
    if (same && replica_) return reply(api::JoinResponse());
    if (!same || removed_) {
      return reply(fail(ErrorCode::kAlreadyExists,
                        fmt::format("{} is node {} of cluster {:016x} already; a new node needs an empty directory",
                                    peers_.self().address(), identity.node_id(), identity.cluster_id())));
    }
    // Decided, but its data could not be created (a full disk, say): once more.
  }
  const bool decided = identity.cluster_id() != 0;
  if (!decided && request.directory_id() != 0 && request.directory_id() != identity.directory_id()) {
    PROBE("node.join_of_another_disk");
    return reply(fail(ErrorCode::kFailedPrecondition,
                      fmt::format("{} has another data directory than when it was to become node {}; replace that node",
                                  peers_.self().address(), request.node_id())));
  }
  if (request.region() != options_.region) {
    return reply(fail(ErrorCode::kInvalidArgument, fmt::format("{} is started in region {}, not {}",
                                                               peers_.self().address(), options_.region, request.region())));
  }
  forming_ = true;
  spawn(deps_.runtime,
        [](Node* self, api::JoinRequest request, bool decided, JoinReply reply, std::weak_ptr<char> alive) -> Task<void> {
          Result<> joined = co_await self->join_now(std::move(request), decided);
          if (alive.expired()) co_return;
          self->forming_ = false;
          if (!joined) co_return reply(fail(std::move(joined).error()));
          reply(api::JoinResponse());
        }(this, std::move(request), decided, std::move(reply), lifetime_.token()));
}

Task<Result<>> Node::join_now(api::JoinRequest request, bool decided) {
  if (decided) co_return co_await create_initial(std::move(request));
  wire::Identity identity = directory_->identity();
  identity.set_cluster_id(request.cluster_id());
  identity.set_node_id(request.node_id());
  identity.set_replica_id(request.replica_id());
  identity.set_region(request.region());
  const std::weak_ptr<char> alive = lifetime_.token();
  Result<> kept = co_await offload(deps_.runtime, [directory = directory_.get(), identity, request]() -> Result<> {
    RETURN_IF_ERROR(directory->store_join(request));
    return directory->store(identity);
  });
  if (!kept) co_return kept;
  if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
  directory_->adopt(identity);
  co_return co_await create_initial(std::move(request));
}

// After the identity is durable. A node that joins a running cluster starts with nothing and gets a snapshot.
Task<Result<>> Node::create_initial(api::JoinRequest request) {
  const std::weak_ptr<char> alive = lifetime_.token();
  RecoveredLog fresh;
  fresh.shard = kOnlyShard;
  fresh.replica = ReplicaId(request.replica_id());
  if (request.has_initial()) {
    Result<> created = co_await offload(deps_.runtime, [&engine = deps_.engine, initial = request.initial()] {
      return create_initial_state(engine, kOnlyShard, KeyspaceId(api::kDefaultKeyspaceId), initial);
    });
    if (!created) co_return created;
    if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
    fresh.base = kInitialBase;
    LogUpdate reset;
    reset.shard = fresh.shard;
    reset.replica = fresh.replica;
    reset.reset = fresh.base;
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(reset));
    co_await suspend<bool>(deps_.runtime, [this, &updates](std::move_only_function<void(bool)> done) {
      log_->append(std::move(updates), [done = std::move(done)]() mutable { done(true); });
    });
    if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
  }
  wire::Identity identity = directory_->identity();
  identity.set_initialised(true);
  Result<> stored =
      co_await offload(deps_.runtime, [directory = directory_.get(), identity] { return directory->store(identity); });
  if (!stored) co_return stored;
  if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
  directory_->adopt(identity);
  wire::Sender self = peers_.self();
  self.set_cluster_id(identity.cluster_id());
  self.set_node_id(identity.node_id());
  peers_.set_self(std::move(self));
  co_return start_replica(&fresh);
}

Result<api::ClusterState> Node::plan_cluster(const api::BootstrapRequest& request) {
  api::ClusterState state;
  state.set_cluster_id(deps_.runtime.random() | 1);
  state.set_version(1);
  api::KeyspaceDescriptor* keyspace = state.add_keyspaces();
  keyspace->set_id(api::kDefaultKeyspaceId);
  keyspace->set_name(std::string(api::kDefaultKeyspace));
  api::ShardDescriptor* shard = state.add_shards();
  shard->set_id(kOnlyShard.value());
  shard->set_keyspace_id(keyspace->id());
  shard->set_epoch(1);
  std::vector<std::string> regions;
  for (int i = 0; i < request.nodes_size(); ++i) {
    const api::NodeSpec& spec = request.nodes(i);
    auto region = std::find(regions.begin(), regions.end(), spec.region());
    if (region == regions.end()) region = regions.insert(regions.end(), spec.region());
    api::NodeDescriptor* node = state.add_nodes();
    node->set_id(static_cast<std::uint64_t>(i) + 1);
    node->set_address(spec.address());
    node->set_region(spec.region());
    node->set_region_id(static_cast<std::uint32_t>(region - regions.begin()) + 1);
    node->set_state(api::JOINING);
    api::ReplicaDescriptor* replica = shard->add_replicas();
    replica->set_replica_id(node->id());
    replica->set_node_id(node->id());
  }
  state.set_next_node_id(static_cast<std::uint64_t>(request.nodes_size()) + 1);
  state.set_next_replica_id(state.next_node_id());
  state.set_next_region_id(static_cast<std::uint32_t>(regions.size()) + 1);
  state.set_next_operation_id(1);
  return state;
}

void Node::bootstrap(api::BootstrapRequest request, BootstrapReply reply) {
  if (Result<> ok = check_specs(request); !ok) return reply(fail(std::move(ok).error()));
  if (removed_) return reply(fail(ErrorCode::kFailedPrecondition, "this node was removed from its cluster"));
  // Two at a time would make two plans, and so two clusters.
  if (bootstrapping_) {
    return reply(fail(Error(ErrorCode::kBusy, "this node is forming a cluster already").with_retry_after(kBusyRetryMs)));
  }
  bootstrapping_ = true;
  spawn(deps_.runtime,
        [](Node* self, api::BootstrapRequest request, BootstrapReply reply, std::weak_ptr<char> alive) -> Task<void> {
          auto formed = co_await self->bootstrap_now(std::move(request), self->deps_.runtime.now() + kBootstrapTimeout);
          if (!alive.expired()) {
            self->bootstrapping_ = false;
            if (!formed) self->resume_formation();
          }
          reply(std::move(formed));
        }(this, std::move(request), std::move(reply), lifetime_.token()));
}

// Which data directory the node has. It is told to join with this one alone: late, or again, after it was removed and
// wiped, it would come back under its old id (M6).
Task<Result<std::uint64_t>> Node::ask_directory(const Address& address, MonoTime deadline) {
  if (address == peers_.self().address()) co_return directory_->identity().directory_id();
  auto status = co_await suspend<Result<api::NodeStatusResponse>>(deps_.runtime, [this, &address, deadline](auto done) {
    CallOptions options{.deadline = deadline};
    call(deps_.transport, address, api::kNodeStatus, api::NodeStatusRequest(), std::move(options), std::move(done));
  });
  if (!status) co_return fail(std::move(status).error());
  co_return status->directory_id();
}

Task<Result<api::JoinResponse>> Node::tell_to_join(const api::NodeDescriptor& node, const api::ClusterState& initial,
                                                   MonoTime deadline) {
  api::JoinRequest request;
  request.set_cluster_id(initial.cluster_id());
  request.set_node_id(node.id());
  request.set_replica_id(node.id());
  request.set_region(node.region());
  request.set_directory_id(node.directory_id());
  *request.mutable_initial() = initial;
  co_return co_await suspend<Result<api::JoinResponse>>(deps_.runtime, [this, &request, &node, deadline](JoinReply done) {
    if (node.address() == peers_.self().address()) return join(std::move(request), std::move(done));
    CallOptions options{.deadline = deadline};
    call(deps_.transport, node.address(), api::kJoin, request, std::move(options), std::move(done));
  });
}

// A plan that was begun is carried through by this node, whether or not anybody asks again.
void Node::resume_formation() {
  if (resume_timer_ != 0 || bootstrapping_ || removed_) return;
  const Result<std::optional<api::ClusterState>> plan = directory_->load_plan();
  if (!plan || !*plan || complete(**plan)) return;
  api::BootstrapRequest request;
  for (const api::NodeDescriptor& node : (*plan)->nodes()) {
    api::NodeSpec* spec = request.add_nodes();
    spec->set_address(node.address());
    spec->set_region(node.region());
  }
  resume_timer_ = deps_.runtime.after(kResumeInterval, lifetime_.guard([this, request] {
    resume_timer_ = 0;
    bootstrap(request, [](const Result<api::BootstrapResponse>&) {});
  }));
}

// The plan is durable before anybody hears of it, so that asking again goes on with the same cluster.
Task<Result<api::BootstrapResponse>> Node::bootstrap_now(api::BootstrapRequest request, MonoTime deadline) {
  const std::weak_ptr<char> alive = lifetime_.token();
  Result<std::optional<api::ClusterState>> stored = directory_->load_plan();
  if (!stored) co_return fail(std::move(stored).error());
  api::ClusterState plan;
  const auto keep = [this, &plan] {
    return offload(deps_.runtime, [directory = directory_.get(), plan] { return directory->store_plan(plan); });
  };
  if (*stored && same_nodes(**stored, request)) {
    plan = std::move(**stored);
  } else if (directory_->in_cluster() || forming_) {
    co_return fail(ErrorCode::kAlreadyExists,
                   fmt::format("{} is part of cluster {:016x} already, which was formed of other nodes",
                               peers_.self().address(), directory_->identity().cluster_id()));
  } else {
    Result<api::ClusterState> made = plan_cluster(request);
    if (!made) co_return fail(std::move(made).error());
    plan = std::move(*made);
    Result<> kept = co_await keep();
    if (!kept) co_return fail(std::move(kept).error());
    if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
  }
  api::ClusterState initial = plan;
  for (api::NodeDescriptor& node : *initial.mutable_nodes()) {
    node.set_state(api::ACTIVE);
    node.clear_directory_id();  // the same for all, whenever each is told
  }
  for (api::NodeDescriptor& node : *plan.mutable_nodes()) {
    if (node.state() != api::JOINING) continue;
    const auto failed = [&node](Error error) {
      const ErrorCode code = error.code();
      return Error(code, fmt::format("node {} at {} did not join; ask again when it is up", node.id(), node.address()))
          .with_cause(std::move(error));
    };
    if (node.directory_id() == 0) {
      Result<std::uint64_t> asked = co_await ask_directory(node.address(), deadline);
      if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
      if (!asked) co_return fail(failed(std::move(asked).error()));
      node.set_directory_id(*asked);
      Result<> kept = co_await keep();
      if (!kept) co_return fail(std::move(kept).error());
      if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
    }
    Result<api::JoinResponse> joined = co_await tell_to_join(node, initial, deadline);
    if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
    const bool lost = !joined && joined.error().code() == ErrorCode::kFailedPrecondition;
    if (lost) {
      LOG_WARNING("a node lost its disk while its cluster was formed",
                  {{"node", node.id()}, {"error", joined.error().to_string()}});
    }
    if (!joined && !lost) co_return fail(failed(std::move(joined).error()));
    node.set_state(lost ? api::REMOVED : api::ACTIVE);
    Result<> kept = co_await keep();
    if (!kept) co_return fail(std::move(kept).error());
    if (alive.expired()) co_return fail(ErrorCode::kCancelled, "the node stops");
  }
  api::BootstrapResponse response;
  *response.mutable_state() = std::move(initial);
  co_return response;
}

}  // namespace meridian
