#include "shard/node/operations.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"

namespace meridian {
namespace {

constexpr Duration kStepInterval{100'000};
constexpr Duration kJoinTimeout{5'000'000};
constexpr Duration kAskTimeout{2'000'000};
// A learner this close behind becomes a voter: it will not hold commits up for long.
constexpr std::uint64_t kCaughtUpEntries = 64;
constexpr int kKeptOperations = 16;
constexpr std::size_t kSafeVoters = 3;

const api::NodeDescriptor* find_node(const api::ClusterState& state, std::uint64_t id) {
  for (const api::NodeDescriptor& node : state.nodes()) {
    if (node.id() == id) return &node;
  }
  return nullptr;
}

api::NodeDescriptor* find_node(api::ClusterState& state, std::uint64_t id) {
  return const_cast<api::NodeDescriptor*>(find_node(std::as_const(state), id));
}

// The node's newest replica; 0: none.
ReplicaId replica_of(const api::ClusterState& state, std::uint64_t node) {
  ReplicaId found;
  for (const api::ShardDescriptor& shard : state.shards()) {
    for (const api::ReplicaDescriptor& r : shard.replicas()) {
      if (r.node_id() == node) found = std::max(found, ReplicaId(r.replica_id()));
    }
  }
  return found;
}

std::vector<ReplicaId> without(std::vector<ReplicaId> ids, ReplicaId id) {
  std::erase(ids, id);
  return ids;
}

std::vector<ReplicaId> with(std::vector<ReplicaId> ids, ReplicaId id) {
  ids.insert(std::upper_bound(ids.begin(), ids.end(), id), id);
  return ids;
}

const api::Operation* unfinished(const api::ClusterState& state) {
  for (const api::Operation& operation : state.operations()) {
    if (!operation.done()) return &operation;
  }
  return nullptr;
}

}  // namespace

void Operations::submit(const api::ChangeRequest& request, ChangeReply reply) {
  if (request.has_transfer_to_node_id()) {
    if (Result<> moved = transfer(NodeId(request.transfer_to_node_id())); !moved) return reply(fail(moved.error()));
    return reply(api::ChangeResponse());
  }
  api::ChangeResponse response;
  if (Result<api::ClusterState> state = planned(request, 0, response); !state) return reply(fail(std::move(state).error()));
  if (!request.has_add() && !request.has_replace_with()) return record(request, 0, std::move(reply));
  ask_new_node(request, std::move(reply));
}

// One that does not answer, or has data, would stand in the way of every later change.
void Operations::ask_new_node(const api::ChangeRequest& request, ChangeReply reply) {
  const Address address = request.has_add() ? request.add().address() : request.replace_with().address();
  CallOptions options{.deadline = deps_.runtime.now() + kAskTimeout};
  call(deps_.transport, address, api::kNodeStatus, api::NodeStatusRequest(), std::move(options),
       lifetime_.guard([this, request, address, reply = std::move(reply)](Result<api::NodeStatusResponse> node) mutable {
         if (!node) {
           return reply(fail(Error(ErrorCode::kFailedPrecondition, fmt::format("no node answers at {}; start it first", address))
                                 .with_cause(std::move(node).error())));
         }
         if (node->cluster_id() != 0) {
           return reply(fail(ErrorCode::kFailedPrecondition,
                             fmt::format("{} is node {} of cluster {:016x} already; a new node needs an empty directory",
                                         address, node->node_id(), node->cluster_id())));
         }
         record(request, node->directory_id(), std::move(reply));
       }));
}

void Operations::record(const api::ChangeRequest& request, std::uint64_t directory_id, ChangeReply reply) {
  // What is planned now follows from a topology that is about to be another.
  if (recording_) return reply(fail(ErrorCode::kFailedPrecondition, "another change is being recorded; try again"));
  api::ChangeResponse response;
  Result<api::ClusterState> state = planned(request, directory_id, response);
  if (!state) return reply(fail(std::move(state).error()));
  record_state(std::move(*state), [response, reply = std::move(reply)](Result<> done) mutable {
    if (!done) return reply(fail(std::move(done).error()));
    reply(std::move(response));
  });
}

void Operations::record_state(api::ClusterState state, std::move_only_function<void(Result<>)> done) {
  recording_ = true;
  deps_.replica.change_cluster_state(
      std::move(state), [this, alive = lifetime_.token(), done = std::move(done)](Result<> recorded) mutable {
        if (!alive.expired()) {
          recording_ = false;
          again();
        }
        done(std::move(recorded));
      });
}

Result<> Operations::transfer(NodeId to) {
  const api::ClusterState& state = *deps_.replica.cluster();
  const api::NodeDescriptor* node = find_node(state, to.value());
  if (node == nullptr) return fail(ErrorCode::kNotFound, fmt::format("there is no node {}", to));
  if (to == deps_.self) return {};
  return deps_.replica.transfer_leadership(replica_of(state, to.value()));
}

Result<api::ClusterState> Operations::planned(const api::ChangeRequest& request, std::uint64_t directory_id,
                                              api::ChangeResponse& response) const {
  api::ClusterState state = *deps_.replica.cluster();
  const api::Operation* running = unfinished(state);
  if (running != nullptr && running->kind() != api::Operation::REMOVE && request.has_remove_node_id() &&
      request.remove_node_id() == running->node_id()) {
    RETURN_IF_ERROR(plan_cancel(state, running->id()));
    running = nullptr;
  }
  if (running != nullptr) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("operation {} on node {} is not finished; one change at a time", running->id(), running->node_id()));
  }
  api::Operation operation;
  operation.set_id(state.next_operation_id());
  state.set_next_operation_id(operation.id() + 1);
  if (request.has_add()) {
    operation.set_kind(api::Operation::ADD);
    RETURN_IF_ERROR(plan_add(state, request.add(), directory_id, operation));
  } else if (request.has_remove_node_id()) {
    RETURN_IF_ERROR(plan_remove(state, request, operation));
  } else if (request.has_replace_with()) {
    const api::NodeDescriptor* old = find_node(state, request.replace_node_id());
    if (old == nullptr || old->state() == api::REMOVED) {
      return fail(ErrorCode::kNotFound, fmt::format("there is no node {} to replace", request.replace_node_id()));
    }
    operation.set_kind(api::Operation::REPLACE);
    operation.set_replaced_node_id(request.replace_node_id());
    RETURN_IF_ERROR(plan_add(state, request.replace_with(), directory_id, operation));
    find_node(state, request.replace_node_id())->set_state(api::LEAVING);
  } else {
    return fail(ErrorCode::kInvalidArgument, "the change says nothing");
  }
  response.set_operation_id(operation.id());
  response.set_node_id(operation.node_id());
  *state.add_operations() = std::move(operation);
  while (state.operations_size() > kKeptOperations) state.mutable_operations()->DeleteSubrange(0, 1);
  state.set_version(state.version() + 1);
  return state;
}

// The node that enters is not wanted any more, or will never come: what it was added for ends, and removing it is
// an operation like any other. Not once it is about to vote: that will be over in a moment.
Result<> Operations::plan_cancel(api::ClusterState& state, std::uint64_t operation_id) const {
  const raft::Membership& members = deps_.replica.raft_status().membership;
  for (api::Operation& operation : *state.mutable_operations()) {
    if (operation.id() != operation_id) continue;
    if (members.joint() || members.is_voter(replica_of(state, operation.node_id()))) {
      return fail(Error(ErrorCode::kFailedPrecondition,
                        fmt::format("operation {} is ending: node {} becomes a voter; remove it after that",
                                    operation.id(), operation.node_id())));
    }
    operation.set_done(true);
    operation.set_error("cancelled: the node was removed while it was being added");
    if (operation.kind() == api::Operation::REPLACE) {
      find_node(state, operation.replaced_node_id())->set_state(api::ACTIVE);
    }
  }
  return {};
}

Result<> Operations::plan_add(api::ClusterState& state, const api::NodeSpec& spec, std::uint64_t directory_id,
                              api::Operation& operation) const {
  if (spec.address().empty() || spec.region().empty()) {
    return fail(ErrorCode::kInvalidArgument, "a node has an address and a region");
  }
  std::uint32_t region_id = 0;
  for (const api::NodeDescriptor& node : state.nodes()) {
    if (node.region() == spec.region()) region_id = node.region_id();
    if (node.address() == spec.address() && node.state() != api::REMOVED) {
      return fail(ErrorCode::kAlreadyExists, fmt::format("{} is node {} of this cluster", spec.address(), node.id()));
    }
  }
  if (region_id == 0) {
    region_id = state.next_region_id();
    state.set_next_region_id(region_id + 1);
  }
  api::NodeDescriptor* node = state.add_nodes();
  node->set_id(state.next_node_id());
  node->set_address(spec.address());
  node->set_region(spec.region());
  node->set_region_id(region_id);
  node->set_state(api::JOINING);
  node->set_directory_id(directory_id);
  state.set_next_node_id(node->id() + 1);
  api::ReplicaDescriptor* replica = state.mutable_shards(0)->add_replicas();
  replica->set_replica_id(state.next_replica_id());
  replica->set_node_id(node->id());
  state.set_next_replica_id(replica->replica_id() + 1);
  operation.set_node_id(node->id());
  return {};
}

Result<> Operations::plan_remove(api::ClusterState& state, const api::ChangeRequest& request,
                                 api::Operation& operation) const {
  api::NodeDescriptor* node = find_node(state, request.remove_node_id());
  if (node == nullptr || node->state() == api::REMOVED) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no node {} to remove", request.remove_node_id()));
  }
  const raft::Status status = deps_.replica.raft_status();
  node->set_state(api::LEAVING);
  operation.set_kind(api::Operation::REMOVE);
  operation.set_node_id(node->id());
  // Who does not vote is not missed.
  if (!status.membership.is_voter(replica_of(state, node->id()))) return {};
  const std::vector<ReplicaId> rest = without(status.membership.voters, replica_of(state, node->id()));
  if (rest.empty()) {
    return fail(ErrorCode::kFailedPrecondition, fmt::format("node {} is the last one; its data would be lost", node->id()));
  }
  std::size_t active = 0;
  for (const ReplicaId id : rest) {
    if (id == status.id) ++active;
    for (const raft::FollowerStatus& f : status.followers) active += f.id == id && f.recently_active;
  }
  if (active <= rest.size() / 2) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("without node {} only {} of {} voters would be alive: no majority", node->id(), active, rest.size()));
  }
  if (rest.size() < kSafeVoters && !request.force()) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("without node {} there would be {} voters, too few to survive the loss of one; replace the node, or force it",
                            node->id(), rest.size()));
  }
  return {};
}

void Operations::poke() {
  if (timer_ != 0 || busy_ || recording_ || !deps_.replica.leads()) return;
  look_at_addresses_ |= looked_in_ != deps_.replica.term();
  if (look_at_addresses_ || unfinished(*deps_.replica.cluster()) != nullptr) again();
}

void Operations::again() {
  if (timer_ != 0) return;
  timer_ = deps_.runtime.after(kStepInterval, lifetime_.guard([this] {
    timer_ = 0;
    step();
  }));
}

void Operations::step() {
  if (busy_ || recording_ || !deps_.replica.leads()) return;
  if (record_addresses()) return;
  const std::shared_ptr<const api::ClusterState> state = deps_.replica.cluster();
  const api::Operation* operation = unfinished(*state);
  if (operation == nullptr) return;
  if (operation->kind() == api::Operation::REMOVE) {
    step_remove(*operation);
  } else {
    step_add(*operation);
  }
  if (!busy_ && !recording_) again();
}

bool Operations::record_addresses() {
  if (!std::exchange(look_at_addresses_, false)) return false;
  looked_in_ = deps_.replica.term();
  api::ClusterState state = *deps_.replica.cluster();
  bool moved = false;
  for (api::NodeDescriptor& node : *state.mutable_nodes()) {
    const std::optional<Address> now = node.state() == api::REMOVED ? std::nullopt : deps_.address_of(NodeId(node.id()));
    if (!now || *now == node.address()) continue;
    LOG_INFO("a node has another address now", {{"node", node.id()}, {"before", node.address()}, {"now", *now}});
    node.set_address(*now);
    moved = true;
  }
  if (!moved) return false;
  state.set_version(state.version() + 1);
  record_state(std::move(state), lifetime_.guard([this](const Result<>& done) { look_at_addresses_ |= !done; }));
  return true;
}

void Operations::step_add(const api::Operation& operation) {
  const api::ClusterState& state = *deps_.replica.cluster();
  const raft::Status status = deps_.replica.raft_status();
  const raft::Membership& members = status.membership;
  const ReplicaId added = replica_of(state, operation.node_id());
  const ReplicaId replaced =
      operation.kind() == api::Operation::REPLACE ? replica_of(state, operation.replaced_node_id()) : ReplicaId();
  if (members.joint()) return;  // the core ends it by itself
  if (!members.contains(added)) {
    busy_ = true;
    return tell_new_node(operation);
  }
  if (members.is_voter(added) && !members.contains(replaced)) return finish(operation, std::nullopt);
  const bool caught_up = added == status.id || std::ranges::any_of(status.followers, [&](const raft::FollowerStatus& f) {
    return f.id == added && f.recently_active && f.match + kCaughtUpEntries >= status.commit;
  });
  if (!caught_up) return;
  if (replaced == status.id) return leave_to(added, status);
  (void)deps_.replica.propose_membership(without(members.is_voter(added) ? members.voters : with(members.voters, added), replaced),
                                         without(without(members.learners, added), replaced));
}

// The leader itself is replaced: leadership goes to another first. Where it votes alone, the new one votes beside it
// before it leads.
void Operations::leave_to(ReplicaId added, const raft::Status& status) {
  const raft::Membership& members = status.membership;
  if (members.voters.size() > 1 || members.is_voter(added)) return (void)deps_.replica.hand_over();
  (void)deps_.replica.propose_membership(with(members.voters, added), without(members.learners, added));
}

// It may have been told before: that is answered the same way.
void Operations::tell_new_node(const api::Operation& operation) {
  const api::ClusterState& state = *deps_.replica.cluster();
  const api::NodeDescriptor* node = find_node(state, operation.node_id());
  api::JoinRequest join;
  join.set_cluster_id(state.cluster_id());
  join.set_node_id(node->id());
  join.set_replica_id(replica_of(state, node->id()).value());
  join.set_region(node->region());
  join.set_directory_id(node->directory_id());
  CallOptions options{.deadline = deps_.runtime.now() + kJoinTimeout};
  call(deps_.transport, node->address(), api::kJoin, join, options,
       lifetime_.guard([this, operation](Result<api::JoinResponse> joined) {
         busy_ = false;
         const api::Operation* running = unfinished(*deps_.replica.cluster());
         // Cancelled meanwhile, or about to be.
         if (recording_ || running == nullptr || running->id() != operation.id()) return again();
         if (joined) {
           const raft::Membership& members = deps_.replica.raft_status().membership;
           const ReplicaId added = replica_of(*deps_.replica.cluster(), operation.node_id());
           if (deps_.replica.leads() && !members.contains(added)) {
             (void)deps_.replica.propose_membership(members.voters, with(members.learners, added));
           }
         } else if (joined.error().code() == ErrorCode::kAlreadyExists ||
                    joined.error().code() == ErrorCode::kFailedPrecondition ||
                    joined.error().code() == ErrorCode::kInvalidArgument) {
           return finish(operation, joined.error().message());
         } else {
           LOG_WARNING("a node that is being added does not answer",
                       {{"node", operation.node_id()}, {"error", joined.error().to_string()}});
         }
         again();
       }));
}

void Operations::step_remove(const api::Operation& operation) {
  const raft::Status status = deps_.replica.raft_status();
  const ReplicaId leaving = replica_of(*deps_.replica.cluster(), operation.node_id());
  if (status.membership.joint()) return;
  if (!status.membership.contains(leaving)) return finish(operation, std::nullopt);
  if (leaving == status.id) return (void)deps_.replica.hand_over();
  (void)deps_.replica.propose_membership(without(status.membership.voters, leaving),
                                         without(status.membership.learners, leaving));
}

void Operations::finish(const api::Operation& operation, std::optional<std::string> error) {
  api::ClusterState state = *deps_.replica.cluster();
  for (api::Operation& o : *state.mutable_operations()) {
    if (o.id() != operation.id()) continue;
    o.set_done(true);
    if (error) o.set_error(*error);
  }
  const bool removes = operation.kind() == api::Operation::REMOVE;
  find_node(state, operation.node_id())->set_state(removes || error ? api::REMOVED : api::ACTIVE);
  if (operation.kind() == api::Operation::REPLACE) {
    find_node(state, operation.replaced_node_id())->set_state(error ? api::ACTIVE : api::REMOVED);
  }
  state.set_version(state.version() + 1);
  record_state(std::move(state), [](const Result<>&) {});  // where it fails, whoever leads decides again from what is
}

}  // namespace meridian
