// Handing leadership over (thesis §3.10): on request, to a more preferred replica, or when leaving.
//
//   transfer_leadership(to) → no proposals → `to` has the whole log → TimeoutNow → it campaigns at once, and
//   its votes bypass stickiness. From TimeoutNow on this leader has no lease for the rest of its term (L3):
//   the message may be late, and nothing takes it back.
#include <algorithm>

#include <fmt/format.h>

#include "raft/impl.h"

namespace meridian::raft {

Result<> Core::Impl::transfer_leadership(ReplicaId to) {
  if (!is_leader()) return fail(ErrorCode::kNotLeader, "not the leader");
  const std::vector<ReplicaId>& voters = membership().voters;
  if (!std::binary_search(voters.begin(), voters.end(), to)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("replica {} is not a voter", to));
  }
  if (to == options_.id || to == transferee_) return {};
  transferee_ = to;
  transfer_deadline_ = now_ + options_.election_timeout;
  timeout_now_sent_ = false;
  return {};
}

void Core::Impl::maybe_send_timeout_now() {
  if (transferee_ == ReplicaId() || timeout_now_sent_) return;
  const Progress* p = progress_of(transferee_);
  if (p == nullptr || p->match != log_.last_index()) return;
  messages_.push_back(make(MessageType::kTimeoutNow, transferee_));
  timeout_now_sent_ = true;
  lease_barred_ = !DELIBERATE_BUG("lease_after_timeout_now");  // L3
}

void Core::Impl::stop_transfer() {
  PROBE("raft.transfer_given_up");
  transferee_ = ReplicaId();
  timeout_now_sent_ = false;
}

// A leader that is not the most preferred looks for one that is, alive and caught up.
void Core::Impl::maybe_hand_over() {
  if (transferee_ != ReplicaId() || now_ < hand_over_after_ || commit_ < term_start_ || membership().joint()) return;
  const Progress* best = nullptr;
  for (const Progress& p : progress_) {
    if (p.learner || p.priority >= options_.priority || p.state != Progress::State::kReplicate) continue;
    if (p.match < commit_ || now_ - p.last_active > options_.heartbeat_interval * 2) continue;
    if (best == nullptr || p.priority < best->priority) best = &p;
  }
  if (best == nullptr) return;
  PROBE("raft.priority_hand_over");
  // A failed one costs this term's lease (L3): not again soon.
  hand_over_after_ = now_ + options_.election_timeout * 8;
  CHECK(transfer_leadership(best->id).has_value());
}

// What a quorum has kept is committed, but a leader applies, and so answers, only what is durable here too: where its
// own disk takes longer than T for that, everybody waits for this disk. One who has what this one has not may lead instead.
void Core::Impl::maybe_leave_slow_disk() {
  if (own_lag_.index <= own_match()) {
    own_lag_ = own_match() < commit_ ? OwnLag{commit_, now_} : OwnLag{};
    return;
  }
  if (now_ - own_lag_.since < options_.election_timeout || transferee_ != ReplicaId() || now_ < hand_over_after_ ||
      commit_ < term_start_ || membership().joint()) {
    return;
  }
  const Progress* best = nullptr;
  for (const Progress& p : progress_) {
    if (p.learner || p.match < own_lag_.index || now_ - p.last_active > options_.heartbeat_interval * 2) continue;
    if (best == nullptr || p.match > best->match) best = &p;
  }
  if (best == nullptr) return;
  PROBE("raft.slow_disk_hand_over");
  hand_over_after_ = now_ + options_.election_timeout * 8;
  CHECK(transfer_leadership(best->id).has_value());
}

// The committed membership has no vote for this leader any more. It tells what is committed, asks the best
// voter to take over, and stops leading.
void Core::Impl::step_down_for(const Membership& after) {
  const Progress* best = nullptr;
  for (Progress& p : progress_) {
    send_heartbeat(p, false);
    if (!after.is_voter(p.id) || p.match != log_.last_index()) continue;
    if (best == nullptr || p.priority < best->priority) best = &p;
  }
  if (best != nullptr) messages_.push_back(make(MessageType::kTimeoutNow, best->id));
  become_follower(term_, ReplicaId());
}

void Core::Impl::handle_timeout_now(const Message& m) {
  if (is_leader() || role_ == Role::kCandidate || !may_lead()) return;
  if (leader_ != ReplicaId() && leader_ != m.from) return;
  // L2 holds even here: this replica's own vote may be what a lease it has forgotten stands on.
  if (now_ < quiet_until_) {
    PROBE("raft.timeout_now_while_quiet");
    return;
  }
  start_election(true);
}

}  // namespace meridian::raft
