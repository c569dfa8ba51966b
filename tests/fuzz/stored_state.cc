// What a replica stores in its log's entries and beside its data: commands and applied state.
#include "shard/applied_state.h"
#include "shard/wire/codec.h"
#include "tests/fuzz/messages.h"

namespace meridian::fuzz {
namespace {

void payload(std::string_view bytes) {
  wire::EntryPayload m;
  if (m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) require_stable(m);
}

void applied_state(std::string_view bytes) {
  const Result<AppliedState> state = decode_applied_state(bytes);
  if (!state) return;
  CHECK(state->closed <= state->ceiling);
  const std::string once = encode_applied_state(*state);
  const Result<AppliedState> again = decode_applied_state(once);
  CHECK(again && encode_applied_state(*again) == once);
}

void cluster_state(std::string_view bytes) {
  api::ClusterState m;
  if (m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) require_stable(m);
}

// A command as the evaluator makes it, through its encoding.
void command(std::string_view bytes) {
  Input in(bytes);
  txn::Command from;
  from.id = {in.number(), in.u64(), in.number()};
  from.payload_hash = in.u64();
  from.keyspace = KeyspaceId(static_cast<std::uint32_t>(in.number()));
  from.stamp = Timestamp(in.number());
  for (int n = in.byte() % 8; n > 0; --n) {
    txn::Mutation& m = from.mutations.emplace_back();
    m.key = in.string();
    if (in.byte() % 2 == 0) m.value = std::string(in.string());
  }
  if (in.byte() % 2 == 0) {
    from.anchor = in.string();
    from.outcome.applied = false;
    from.outcome.version = Timestamp(in.number());
  }
  const txn::Command expected = from;
  wire::Command to;
  wire::to_wire(std::move(from), &to);
  wire::Command read;
  CHECK(read.ParseFromString(to.SerializeAsString()));
  CHECK(read.stamp() == expected.stamp.packed() && read.payload_hash() == expected.payload_hash &&
        read.mutations_size() == static_cast<int>(expected.mutations.size()));
  for (int i = 0; i < read.mutations_size(); ++i) {
    const txn::Mutation& m = expected.mutations[static_cast<std::size_t>(i)];
    CHECK(read.mutations(i).key() == m.key && read.mutations(i).remove() == !m.value &&
          read.mutations(i).value() == m.value.value_or(""));
  }
}

constexpr Decoder kDecoders[] = {payload, applied_state, cluster_state, command};

}  // namespace
}  // namespace meridian::fuzz

FUZZ_TARGET(bytes) { meridian::fuzz::decode_one_of(meridian::fuzz::kDecoders, bytes); }
