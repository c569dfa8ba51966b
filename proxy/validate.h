// Public messages into nodes' messages, refused where they can never succeed. Pure.
#pragma once

#include "client/proto/methods.h"
#include "proxy/topology_cache.h"
#include "shard/api/methods.h"

namespace meridian::proxy {

using Shard = TopologyCache::Shard;

Result<api::WriteRequest> to_write(v1::PutRequest&& from, Shard shard, const api::Limits& limits);
Result<api::WriteRequest> to_write(v1::RemoveRequest&& from, Shard shard, const api::Limits& limits);
Result<api::WriteRequest> to_write(v1::CompareAndSetRequest&& from, Shard shard, const api::Limits& limits);
Result<api::WriteRequest> to_write(v1::WriteBatchRequest&& from, Shard shard, const api::Limits& limits);

Result<api::ReadRequest> to_read(v1::GetRequest&& from, Shard shard, const api::Limits& limits);
Result<api::ReadRequest> to_read(v1::MultiGetRequest&& from, Shard shard, const api::Limits& limits);
// Of the first page; what a token says is scan.cc's.
Result<api::ScanRequest> to_scan(const v1::ScanRequest& from, Shard shard, const api::Limits& limits);

// "host:port", a region that is not empty.
Result<> check_node_spec(const v1::NodeSpec& spec);
// 1 to 9 nodes, no address twice.
Result<> check_nodes(const v1::InitClusterRequest& request);

void to_public(api::ReadInfo&& from, v1::ReadInfo* to);

}  // namespace meridian::proxy
