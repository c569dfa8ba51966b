// shard/wire: what replicas say to each other, and raft's memberships.
#include "raft/membership.h"
#include "shard/wire/codec.h"
#include "tests/fuzz/messages.h"

namespace meridian::fuzz {
namespace {

void message(wire::RaftMessage&& from) {
  const Result<raft::Message> first = wire::from_wire(std::move(from));
  if (!first) return;
  wire::RaftMessage once;
  wire::to_wire(*first, &once);
  const std::string bytes = once.SerializeAsString();
  const Result<raft::Message> second = wire::from_wire(std::move(once));
  CHECK(second.has_value());
  wire::RaftMessage twice;
  wire::to_wire(*second, &twice);
  CHECK(twice.SerializeAsString() == bytes);
}

void batch(std::string_view bytes) {
  Result<wire::RaftBatch> batch = wire::decode(bytes, static_cast<wire::RaftBatch*>(nullptr));
  if (!batch) return;
  require_stable(*batch);
  for (wire::RaftMessage& m : *batch->mutable_messages()) message(std::move(m));
}

void single(std::string_view bytes) {
  wire::RaftMessage m;
  if (m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) message(std::move(m));
}

void chunk(std::string_view bytes) {
  Result<wire::SnapshotChunk> chunk = wire::decode(bytes, static_cast<wire::SnapshotChunk*>(nullptr));
  if (!chunk) return;
  require_stable(*chunk);
  message(std::move(*chunk->mutable_message()));
}

void conflict(std::string_view bytes) {
  if (const auto m = wire::decode(bytes, static_cast<wire::IdentityConflict*>(nullptr))) require_stable(*m);
}

void membership(std::string_view bytes) {
  const Result<raft::Membership> m = raft::decode_membership(bytes);
  if (!m) return;
  CHECK(raft::well_formed(*m));
  CHECK(raft::decode_membership(raft::encode(*m)) == *m);
  if (m->joint()) raft::leave_joint(*m);
}

constexpr Decoder kDecoders[] = {batch, single, chunk, conflict, membership};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
