// The public calls as typed methods over Transport (base/transport.h), which the SDK speaks to proxies
// and proxies serve. The same messages are the unary gRPC services of kv.proto and admin.proto.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/transport.h"
#include "meridian/v1/admin.pb.h"
#include "meridian/v1/kv.pb.h"

namespace meridian::v1 {

template <class M>
  requires std::is_base_of_v<google::protobuf::MessageLite, M>
std::string encode(const M& message) {
  return message.SerializeAsString();
}

template <class M>
  requires std::is_base_of_v<google::protobuf::MessageLite, M>
Result<M> decode(std::string_view bytes, M*) {
  M message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::kInvalidArgument, "not a valid " + std::string(M::descriptor()->full_name()));
  }
  return message;
}

// Numbers travel between versions and never change their meaning. 0x1nn: data; 0x2nn: administration.
inline constexpr Method<GetRequest, GetResponse> kGet{0x101, "kv.get"};
inline constexpr Method<MultiGetRequest, MultiGetResponse> kMultiGet{0x102, "kv.multi_get"};
inline constexpr Method<PutRequest, WriteResponse> kPut{0x103, "kv.put"};
inline constexpr Method<RemoveRequest, WriteResponse> kRemove{0x104, "kv.remove"};
inline constexpr Method<CompareAndSetRequest, CompareAndSetResponse> kCompareAndSet{0x105, "kv.compare_and_set"};
inline constexpr Method<ScanRequest, ScanResponse> kScan{0x106, "kv.scan"};
inline constexpr Method<WriteBatchRequest, WriteResponse> kWriteBatch{0x107, "kv.write_batch"};
inline constexpr Method<HelloRequest, HelloResponse> kHello{0x108, "kv.hello"};

inline constexpr Method<InitClusterRequest, InitClusterResponse> kInitCluster{0x201, "admin.init_cluster"};
inline constexpr Method<GetStatusRequest, GetStatusResponse> kGetStatus{0x202, "admin.get_status"};
inline constexpr Method<AddNodeRequest, NodeOperationResponse> kAddNode{0x203, "admin.add_node"};
inline constexpr Method<RemoveNodeRequest, NodeOperationResponse> kRemoveNode{0x204, "admin.remove_node"};
inline constexpr Method<ReplaceNodeRequest, NodeOperationResponse> kReplaceNode{0x205, "admin.replace_node"};
inline constexpr Method<TransferLeaderRequest, TransferLeaderResponse> kTransferLeader{0x206, "admin.transfer_leader"};

}  // namespace meridian::v1
