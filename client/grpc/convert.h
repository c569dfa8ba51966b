// Between the public types and the protocol's messages.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "client/proto/methods.h"
#include "meridian/admin.h"
#include "meridian/client.h"

namespace meridian::sdk::detail {

// A read takes no effect, so every error of it is definite.
Error to_public(const meridian::Error& error, bool is_read);

ReadInfo to_public(const v1::ReadInfo& info);
ReadResult to_public(v1::GetResponse&& response);
MultiReadResult to_public(v1::MultiGetResponse&& response);
WriteResult to_public(v1::WriteResponse&& response);
CompareAndSetResult to_public(v1::CompareAndSetResponse&& response);
RequestId to_public(const v1::RequestId& id);
ProxyInfo to_public(v1::HelloResponse&& response);
InitClusterResult to_public(v1::InitClusterResponse&& response);
ClusterStatus to_public(v1::GetStatusResponse&& response);
StartedOperation to_public(v1::NodeOperationResponse&& response);

v1::RequestId to_proto(const RequestId& id);
v1::ReadOptions read_options(const CallOptions& options);
v1::CompareAndSetRequest to_proto(Expected expected, Desired desired);
v1::WriteBatchRequest to_proto(const WriteBatch& batch);
v1::NodeSpec to_proto(NodeSpec node);

}  // namespace meridian::sdk::detail
