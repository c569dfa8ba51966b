#include "shard/applied_state.h"

#include "shard/wire/codec.h"
#include "txn/mvcc.h"

namespace meridian {

std::string encode_applied_state(const AppliedState& state) {
  wire::AppliedState out;
  out.set_index(state.index.value());
  out.set_term(state.term.value());
  out.set_closed_timestamp(state.closed.packed());
  out.set_ceiling(state.ceiling.packed());
  wire::to_wire(state.membership, out.mutable_membership());
  out.set_epoch(state.epoch.value());
  return out.SerializeAsString();
}

Result<AppliedState> decode_applied_state(std::string_view bytes) {
  wire::AppliedState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::kCorruption, "a replica's applied state does not parse");
  }
  AppliedState state;
  state.index = LogIndex(in.index());
  state.term = Term(in.term());
  state.closed = Timestamp(in.closed_timestamp());
  state.ceiling = Timestamp(in.ceiling());
  state.membership = wire::from_wire(in.membership());
  state.epoch = Epoch(in.epoch());
  if (state.closed > state.ceiling) {
    return fail(ErrorCode::kCorruption, fmt::format("closed timestamp {} is above the ceiling {}", state.closed, state.ceiling));
  }
  return state;
}

Result<std::optional<AppliedState>> load_applied_state(Engine& engine, ShardId shard, const EngineReadOptions& options) {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, engine.get(txn::local_key(shard), options));
  if (!stored) return std::nullopt;
  ASSIGN_OR_RETURN(AppliedState state, decode_applied_state(*stored));
  return state;
}

}  // namespace meridian
