#include "meridian/admin.h"

#include <utility>

#include "client/grpc/connection.h"

namespace meridian::sdk {
namespace {
constexpr auto kToPublic = [](auto&& response) { return detail::to_public(std::move(response)); };
}  // namespace

Result<Admin> Admin::connect(const ConnectOptions& options) {
  auto client = Client::connect(options);
  if (!client) return std::move(client).error();
  return Admin(*std::move(client));
}

Future<ProxyInfo> Admin::hello_async(CallOptions options) {
  return client_.connection()->call<ProxyInfo>(v1::kHello, v1::HelloRequest(), options, kToPublic);
}
Result<ProxyInfo> Admin::hello(CallOptions options) { return hello_async(std::move(options)).get(); }

Future<InitClusterResult> Admin::init_cluster_async(std::vector<NodeSpec> nodes, CallOptions options) {
  v1::InitClusterRequest request;
  for (NodeSpec& node : nodes) *request.add_nodes() = detail::to_proto(std::move(node));
  return client_.connection()->call<InitClusterResult>(v1::kInitCluster, std::move(request), options, kToPublic);
}
Result<InitClusterResult> Admin::init_cluster(std::vector<NodeSpec> nodes, CallOptions options) {
  return init_cluster_async(std::move(nodes), std::move(options)).get();
}

Future<ClusterStatus> Admin::status_async(CallOptions options) {
  return client_.connection()->call<ClusterStatus>(v1::kGetStatus, v1::GetStatusRequest(), options, kToPublic);
}
Result<ClusterStatus> Admin::status(CallOptions options) { return status_async(std::move(options)).get(); }

Future<StartedOperation> Admin::add_node_async(NodeSpec node, CallOptions options) {
  v1::AddNodeRequest request;
  *request.mutable_node() = detail::to_proto(std::move(node));
  return client_.connection()->call<StartedOperation>(v1::kAddNode, std::move(request), options, kToPublic);
}
Result<StartedOperation> Admin::add_node(NodeSpec node, CallOptions options) {
  return add_node_async(std::move(node), std::move(options)).get();
}

Future<StartedOperation> Admin::remove_node_async(std::uint64_t node_id, bool force, CallOptions options) {
  v1::RemoveNodeRequest request;
  request.set_node_id(node_id);
  request.set_force(force);
  return client_.connection()->call<StartedOperation>(v1::kRemoveNode, std::move(request), options, kToPublic);
}
Result<StartedOperation> Admin::remove_node(std::uint64_t node_id, bool force, CallOptions options) {
  return remove_node_async(node_id, force, std::move(options)).get();
}

Future<StartedOperation> Admin::replace_node_async(std::uint64_t old_node_id, NodeSpec node, CallOptions options) {
  v1::ReplaceNodeRequest request;
  request.set_old_node_id(old_node_id);
  *request.mutable_node() = detail::to_proto(std::move(node));
  return client_.connection()->call<StartedOperation>(v1::kReplaceNode, std::move(request), options, kToPublic);
}
Result<StartedOperation> Admin::replace_node(std::uint64_t old_node_id, NodeSpec node, CallOptions options) {
  return replace_node_async(old_node_id, std::move(node), std::move(options)).get();
}

Future<void> Admin::transfer_leader_async(std::uint64_t node_id, CallOptions options) {
  v1::TransferLeaderRequest request;
  request.set_node_id(node_id);
  return client_.connection()->call<void>(v1::kTransferLeader, std::move(request), options,
                                          [](v1::TransferLeaderResponse&&) { return Result<void>(); });
}
Result<void> Admin::transfer_leader(std::uint64_t node_id, CallOptions options) {
  return transfer_leader_async(node_id, std::move(options)).get();
}

}  // namespace meridian::sdk
