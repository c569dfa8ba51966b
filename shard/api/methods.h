// The calls that nodes serve, to proxies and to each other, as typed methods over Transport.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "base/transport.h"
#include "shard/api/api.pb.h"

namespace meridian::api {

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

// Numbers travel between versions and never change their meaning. 0x3nn: shards and nodes.
inline constexpr Method<ReadRequest, ReadResponse> kRead{0x301, "shard.read"};
inline constexpr Method<ScanRequest, ScanResponse> kScan{0x302, "shard.scan"};
inline constexpr Method<WriteRequest, WriteResponse> kWrite{0x303, "shard.write"};
inline constexpr Method<TopologyRequest, TopologyResponse> kTopology{0x310, "node.topology"};
inline constexpr Method<BootstrapRequest, BootstrapResponse> kBootstrap{0x311, "node.bootstrap"};
inline constexpr Method<JoinRequest, JoinResponse> kJoin{0x312, "node.join"};
inline constexpr Method<NodeStatusRequest, NodeStatusResponse> kNodeStatus{0x313, "node.status"};
inline constexpr Method<ChangeRequest, ChangeResponse> kChange{0x314, "node.change"};

// Limits that both proxies (early) and nodes (authoritatively) check.
struct Limits {
  std::size_t max_key_bytes = 4096;
  std::size_t max_value_bytes = 1 << 20;
  std::size_t max_request_bytes = 4 << 20;  // of one write, encoded: it is one log entry (S8)
  std::size_t max_batch_keys = 100'000;
  std::size_t max_read_keys = 1'000;
  std::size_t max_scan_limit = 10'000;
};

// kInvalidArgument naming the value and the limit.
Result<> check_key(std::string_view key, const Limits& limits);
Result<> check_value(std::string_view value, const Limits& limits);
Result<> check_write(const WriteRequest& request, const Limits& limits);
Result<> check_read(const ReadRequest& request, const Limits& limits);

inline constexpr std::string_view kDefaultKeyspace = "default";
inline constexpr std::uint32_t kDefaultKeyspaceId = 1;
inline constexpr std::uint64_t kFirstShardId = 1;

}  // namespace meridian::api
