#include "shard/wire/codec.h"

namespace meridian::wire {
namespace {

void ids_to_wire(const std::vector<ReplicaId>& from, google::protobuf::RepeatedField<std::uint64_t>* to) {
  for (const ReplicaId id : from) to->Add(id.value());
}

std::vector<ReplicaId> ids_from_wire(const google::protobuf::RepeatedField<std::uint64_t>& from) {
  std::vector<ReplicaId> out;
  out.reserve(from.size());
  for (const std::uint64_t id : from) out.emplace_back(id);
  return out;
}

}  // namespace

void to_wire(const raft::Membership& from, Membership* to) {
  ids_to_wire(from.voters, to->mutable_voters());
  ids_to_wire(from.outgoing, to->mutable_outgoing());
  ids_to_wire(from.learners, to->mutable_learners());
  ids_to_wire(from.learners_next, to->mutable_learners_next());
}

raft::Membership from_wire(const Membership& from) {
  return {ids_from_wire(from.voters()), ids_from_wire(from.outgoing()), ids_from_wire(from.learners()),
          ids_from_wire(from.learners_next())};
}

void to_wire(const raft::Message& from, RaftMessage* to) {
  to->set_type(static_cast<std::uint32_t>(from.type));
  to->set_from(from.from.value());
  to->set_to(from.to.value());
  to->set_term(from.term.value());
  to->set_log_index(from.log_index.value());
  to->set_log_term(from.log_term.value());
  to->set_commit(from.commit.value());
  for (const raft::Entry& entry : from.entries) {
    Entry* out = to->add_entries();
    out->set_index(entry.index.value());
    out->set_term(entry.term.value());
    out->set_type(static_cast<std::uint32_t>(entry.type));
    if (entry.data) out->set_data(*entry.data);
  }
  to->set_reject(from.reject);
  to->set_transfer(from.transfer);
  to->set_hint_index(from.hint_index.value());
  to->set_hint_term(from.hint_term.value());
  to->set_round(from.round);
  to->set_priority(from.priority);
  to->set_answered(from.answered);
  if (from.type == raft::MessageType::kSnapshot) {
    SnapshotMeta* meta = to->mutable_snapshot();
    meta->set_index(from.snapshot.index.value());
    meta->set_term(from.snapshot.term.value());
    to_wire(from.snapshot.membership, meta->mutable_membership());
  }
}

Result<raft::Message> from_wire(RaftMessage&& from) {
  if (from.type() < 1 || from.type() > static_cast<std::uint32_t>(raft::MessageType::kLostMemory)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("unknown raft message type {}", from.type()));
  }
  raft::Message to;
  to.type = static_cast<raft::MessageType>(from.type());
  to.from = ReplicaId(from.from());
  to.to = ReplicaId(from.to());
  to.term = Term(from.term());
  to.log_index = LogIndex(from.log_index());
  to.log_term = Term(from.log_term());
  to.commit = LogIndex(from.commit());
  to.entries.reserve(from.entries_size());
  LogIndex expected = to.log_index.next();
  for (Entry& entry : *from.mutable_entries()) {
    if (entry.type() > static_cast<std::uint32_t>(raft::EntryType::kMembership)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("unknown log entry type {}", entry.type()));
    }
    if (LogIndex(entry.index()) != expected) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("log entry {} where {} was expected", entry.index(), expected));
    }
    expected = expected.next();
    to.entries.push_back({LogIndex(entry.index()), Term(entry.term()), static_cast<raft::EntryType>(entry.type()),
                          std::make_shared<const std::string>(std::move(*entry.mutable_data()))});
  }
  to.reject = from.reject();
  to.transfer = from.transfer();
  to.hint_index = LogIndex(from.hint_index());
  to.hint_term = Term(from.hint_term());
  to.round = from.round();
  to.priority = from.priority();
  to.answered = from.answered();
  if (to.type == raft::MessageType::kSnapshot) {
    to.snapshot = {LogIndex(from.snapshot().index()), Term(from.snapshot().term()),
                   from_wire(from.snapshot().membership())};
  }
  return to;
}

void to_wire(txn::Command&& from, Command* to) {
  to->set_id_time_us(from.id.time_us);
  to->set_id_client(from.id.client);
  to->set_id_sequence(from.id.sequence);
  to->set_payload_hash(from.payload_hash);
  to->set_keyspace_id(from.keyspace.value());
  to->set_stamp(from.stamp.packed());
  for (txn::Mutation& m : from.mutations) {
    api::Mutation* out = to->add_mutations();
    out->set_key(std::move(m.key));
    if (m.value) {
      out->set_value(std::move(*m.value));
    } else {
      out->set_remove(true);
    }
  }
  if (!from.outcome.applied) {
    to->set_anchor(std::move(from.anchor));
    to->set_found_version(from.outcome.version.packed());
  }
}

}  // namespace meridian::wire
