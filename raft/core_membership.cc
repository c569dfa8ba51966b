// Changing who decides: joint consensus (paper §6, thesis §4.3), learners (§4.2.1), and those who leave (§4.2.2).
//
//   propose_membership → entry {new voters, outgoing: old voters} in force at once → committed by majorities of
//   both → the leader appends {new voters} by itself → committed by the new majority → the removed are told.
#include <algorithm>

#include <fmt/format.h>

#include "raft/impl.h"

namespace meridian::raft {
namespace {

void sort_unique(std::vector<ReplicaId>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

Result<LogIndex> Core::Impl::propose_membership(std::vector<ReplicaId> voters, std::vector<ReplicaId> learners) {
  if (!is_leader()) return fail(ErrorCode::kNotLeader, "not the leader");
  sort_unique(voters);
  sort_unique(learners);
  if (voters.empty()) return fail(ErrorCode::kInvalidArgument, "no voters");
  if (voters.front() == ReplicaId() || (!learners.empty() && learners.front() == ReplicaId())) {
    return fail(ErrorCode::kInvalidArgument, "replica 0");
  }
  if (voters.size() > kMaxReplicas || learners.size() > kMaxReplicas) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} voters and {} learners; the limit is {} each",
                                                         voters.size(), learners.size(), kMaxReplicas));
  }
  for (const ReplicaId id : learners) {
    if (std::binary_search(voters.begin(), voters.end(), id)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("replica {} is both voter and learner", id));
    }
  }
  // Ongaro's correction of single-server changes holds here too: a leader that has not committed in its own
  // term may not know of a change that a predecessor made.
  if (commit_ < term_start_) return fail(ErrorCode::kFailedPrecondition, "no entry of this term is committed yet");
  if (membership().joint() || memberships_.index() > commit_) {
    return fail(ErrorCode::kFailedPrecondition, "a membership change is not finished");
  }
  if (transferee_ != ReplicaId()) return fail(ErrorCode::kFailedPrecondition, "leadership is being handed over");
  return append_membership(membership_towards(membership(), std::move(voters), std::move(learners)));
}

LogIndex Core::Impl::append_membership(Membership next) {
  const LogIndex index = append_own(EntryType::kMembership, std::make_shared<const std::string>(raft::encode(next)));
  note_appended(log_.at(index));
  return index;
}

// Every entry that enters the log passes here. A membership is in force from now on, committed or not.
void Core::Impl::note_appended(const Entry& entry) {
  if (entry.type != EntryType::kMembership) return;
  Result<Membership> decoded = decode_membership(entry.data ? std::string_view(*entry.data) : std::string_view());
  CHECK_F(decoded.has_value(), "entry {}: {}", entry.index, decoded.error().to_string());
  memberships_.append(entry.index, std::move(*decoded));
  membership_changed();
}

void Core::Impl::membership_changed() {
  if (!is_leader()) return;
  std::vector<Progress> next;
  for (const ReplicaId id : members(membership())) {
    if (id == options_.id) continue;
    Progress* known = progress_of(id);
    next.push_back(known != nullptr ? std::move(*known) : Progress(id, false, log_.last_index(), now_));
    next.back().learner = membership().is_learner(id);
  }
  progress_ = std::move(next);
  std::erase_if(stored_needed_, [&](const StoredRead& read) { return progress_of(read.to) == nullptr; });
  std::erase_if(snapshots_needed_, [&](ReplicaId id) { return progress_of(id) == nullptr; });
  if (transferee_ != ReplicaId() && !membership().is_voter(transferee_)) stop_transfer();
  confirm_rounds();  // the lease now needs a quorum of these
}

void Core::Impl::membership_committed(LogIndex before) {
  if (memberships_.as_of(commit_).index <= before) return;
  const Membership& now = memberships_.as_of(commit_).membership;
  if (is_leader()) {
    // Best effort: who misses it asks (was_removed).
    for (const ReplicaId id : members(memberships_.as_of(before).membership)) {
      if (now.contains(id) || id == options_.id) continue;
      Message m = make(MessageType::kRemoved, id);
      m.log_index = commit_;
      messages_.push_back(std::move(m));
    }
    if (memberships_.index() <= commit_ && !now.is_voter(options_.id)) step_down_for(now);
  }
  if (!now.contains(options_.id) && memberships_.was_member_before(commit_)) removed_ = true;
}

// By whichever leader finds it committed: the one that proposed the change may be gone.
void Core::Impl::maybe_leave_joint() {
  if (!membership().joint() || memberships_.index() > commit_ || commit_ < term_start_) return;
  append_membership(leave_joint(membership()));
}

}  // namespace meridian::raft
