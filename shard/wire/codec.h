// Between the plain structs of raft/ and txn/ and their messages on the wire and on disk.
#pragma once

#include "base/result.h"
#include "base/transport.h"
#include "raft/types.h"
#include "shard/wire/wire.pb.h"
#include "txn/evaluator.h"

namespace meridian::wire {

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

// One way: consensus. Answered: snapshots.
inline constexpr MethodId kRaftBatch = 0x320;
inline constexpr MethodId kIdentityConflict = 0x321;
inline constexpr Method<SnapshotChunk, SnapshotChunkResponse> kSnapshotChunk{0x322, "raft.snapshot_chunk"};
inline constexpr Method<ClockRequest, ClockResponse> kClock{0x323, "node.clock"};

void to_wire(const raft::Membership& from, Membership* to);
raft::Membership from_wire(const Membership& from);
void to_wire(const raft::Message& from, RaftMessage* to);
// kInvalidArgument for a message type or an entry type that does not exist, or entries that are not contiguous.
Result<raft::Message> from_wire(RaftMessage&& from);
void to_wire(txn::Command&& from, Command* to);

}  // namespace meridian::wire
