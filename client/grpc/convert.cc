#include "client/grpc/convert.h"

#include <utility>

namespace meridian::sdk::detail {
namespace {

Role to_public(v1::ReplicaRole role) {
  switch (role) {
    case v1::REPLICA_ROLE_LEADER: return Role::kLeader;
    case v1::REPLICA_ROLE_FOLLOWER: return Role::kFollower;
    case v1::REPLICA_ROLE_LEARNER: return Role::kLearner;
    default: return Role::kUnknown;
  }
}

NodeState to_public(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_JOINING: return NodeState::kJoining;
    case v1::NODE_STATE_ACTIVE: return NodeState::kActive;
    case v1::NODE_STATE_LEAVING: return NodeState::kLeaving;
    case v1::NODE_STATE_REMOVED: return NodeState::kRemoved;
    default: return NodeState::kUnknown;
  }
}

// What applications never see by itself has a neighbour that says the same to them.
ErrorCode to_public(meridian::ErrorCode code) {
  switch (code) {
    case meridian::ErrorCode::kNotLeader: return ErrorCode::kUnavailable;
    case meridian::ErrorCode::kConnectionLost: return ErrorCode::kUnknownOutcome;
    case meridian::ErrorCode::kWouldBlock: return ErrorCode::kBusy;
    default: return static_cast<ErrorCode>(code);
  }
}
static_assert(static_cast<int>(ErrorCode::kBusy) == static_cast<int>(meridian::ErrorCode::kBusy));
static_assert(static_cast<int>(ErrorCode::kUnknownOutcome) == static_cast<int>(meridian::ErrorCode::kUnknownOutcome));
static_assert(static_cast<int>(ErrorCode::kUnavailable) == static_cast<int>(meridian::ErrorCode::kUnavailable));
static_assert(static_cast<int>(ErrorCode::kIo) == static_cast<int>(meridian::ErrorCode::kIo));
static_assert(static_cast<int>(ErrorCode::kInternal) == static_cast<int>(meridian::ErrorCode::kInternal));

NodeStatus to_public(v1::Node&& from) {
  NodeStatus node;
  node.id = from.id();
  node.address = std::move(*from.mutable_address());
  node.region = std::move(*from.mutable_region());
  node.state = to_public(from.state());
  node.replica_id = from.replica_id();
  node.reachable = from.reachable();
  node.role = to_public(from.role());
  node.term = from.term();
  node.last_index = from.last_index();
  node.applied_index = from.applied_index();
  node.log_bytes = from.log_bytes();
  node.data_bytes = from.data_bytes();
  node.version = std::move(*from.mutable_version());
  node.incarnation = from.incarnation();
  node.trouble = std::move(*from.mutable_trouble());
  node.closed_timestamp = from.closed_timestamp();
  return node;
}

}  // namespace

Error to_public(const meridian::Error& error, bool is_read) {
  std::vector<std::string> causes;
  for (const meridian::Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) {
    causes.push_back(std::string(meridian::to_string(cause->code())) + ": " + cause->message());
  }
  return Error(to_public(error.code()), error.message(), is_read || meridian::is_definite(error), std::move(causes),
               std::chrono::milliseconds(error.retry_after_ms()));
}

ReadInfo to_public(const v1::ReadInfo& from) {
  ReadInfo info;
  info.timestamp = from.timestamp();
  info.node_id = from.node_id();
  info.region = from.region();
  info.role = to_public(from.role());
  return info;
}

ReadResult to_public(v1::GetResponse&& response) {
  ReadResult read;
  read.found = response.found();
  read.value = std::move(*response.mutable_value());
  read.version = response.version();
  read.info = to_public(response.info());
  return read;
}

MultiReadResult to_public(v1::MultiGetResponse&& response) {
  MultiReadResult read;
  read.items.reserve(static_cast<std::size_t>(response.items_size()));
  for (auto& from : *response.mutable_items()) {
    ReadItem& item = read.items.emplace_back();
    item.found = from.found();
    item.value = std::move(*from.mutable_value());
    item.version = from.version();
  }
  read.info = to_public(response.info());
  return read;
}

WriteResult to_public(v1::WriteResponse&& response) {
  WriteResult written;
  written.version = response.version();
  return written;
}

CompareAndSetResult to_public(v1::CompareAndSetResponse&& response) {
  CompareAndSetResult result;
  result.succeeded = response.succeeded();
  result.version = response.version();
  return result;
}

RequestId to_public(const v1::RequestId& id) { return RequestId(id.time_us(), id.client(), id.sequence()); }

ProxyInfo to_public(v1::HelloResponse&& response) {
  ProxyInfo info;
  info.cluster_id = response.cluster_id();
  info.cluster_time_us = response.cluster_time_us();
  info.region = std::move(*response.mutable_region());
  info.version = std::move(*response.mutable_version());
  return info;
}

InitClusterResult to_public(v1::InitClusterResponse&& response) {
  InitClusterResult result;
  result.cluster_id = response.cluster_id();
  for (auto& node : *response.mutable_nodes()) result.nodes.push_back(to_public(std::move(node)));
  return result;
}

ClusterStatus to_public(v1::GetStatusResponse&& response) {
  ClusterStatus status;
  status.cluster_id = response.cluster_id();
  for (auto& node : *response.mutable_nodes()) status.nodes.push_back(to_public(std::move(node)));
  status.leader_node_id = response.leader_node_id();
  for (auto& from : *response.mutable_operations()) {
    OperationStatus& operation = status.operations.emplace_back();
    operation.id = from.id();
    operation.kind = std::move(*from.mutable_kind());
    operation.node_id = from.node_id();
    operation.replaced_node_id = from.replaced_node_id();
    operation.progress = std::move(*from.mutable_progress());
    operation.done = from.done();
    operation.error = std::move(*from.mutable_error());
  }
  status.healthy = response.healthy();
  for (auto& problem : *response.mutable_problems()) status.problems.push_back(std::move(problem));
  status.topology_version = response.topology_version();
  for (auto& keyspace : *response.mutable_keyspaces()) status.keyspaces.push_back(std::move(keyspace));
  return status;
}

StartedOperation to_public(v1::NodeOperationResponse&& response) {
  StartedOperation started;
  started.operation_id = response.operation_id();
  started.node_id = response.node_id();
  return started;
}

v1::RequestId to_proto(const RequestId& from) {
  v1::RequestId id;
  id.set_time_us(from.time_us());
  id.set_client(from.client());
  id.set_sequence(from.sequence());
  return id;
}

v1::ReadOptions read_options(const CallOptions& options) {
  v1::ReadOptions read;
  read.set_consistency(options.consistency() == Consistency::kAnyReplica ? v1::CONSISTENCY_ANY_REPLICA
                                                                         : v1::CONSISTENCY_LINEARIZABLE);
  read.set_at_timestamp(options.at_timestamp());
  return read;
}

v1::CompareAndSetRequest to_proto(Expected expected, Desired desired) {
  v1::CompareAndSetRequest request;
  switch (expected.kind()) {
    case Expected::Kind::kAbsent: request.set_expected_absent(true); break;
    case Expected::Kind::kValue: request.set_expected_value(expected.expected_value()); break;
    case Expected::Kind::kVersion: request.set_expected_version(expected.expected_version()); break;
  }
  if (desired.desired_value()) {
    request.set_value(*desired.desired_value());
  } else {
    request.set_remove(true);
  }
  return request;
}

v1::WriteBatchRequest to_proto(const WriteBatch& batch) {
  v1::WriteBatchRequest request;
  request.mutable_mutations()->Reserve(static_cast<int>(batch.size()));
  for (const auto& [key, value] : batch.mutations()) {
    v1::Mutation& mutation = *request.add_mutations();
    mutation.set_key(key);
    if (value) {
      mutation.set_value(*value);
    } else {
      mutation.set_remove(true);
    }
  }
  return request;
}

v1::NodeSpec to_proto(NodeSpec node) {
  v1::NodeSpec spec;
  spec.set_address(std::move(node.address));
  spec.set_region(std::move(node.region));
  return spec;
}

}  // namespace meridian::sdk::detail
