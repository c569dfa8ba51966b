// Handing leadership over (thesis §3.10): on request, to a more preferred replica, or when leaving.
//
//   transfer_leadership(to) → no proposals → `to` has the whole log → TimeoutNow → it campaigns at once, and
//   its votes bypass stickiness. From TimeoutNow on this leader has no lease for the rest of its term (L3):
//   the message may be late, and nothing takes it back.
//
// TimeoutNow of term t also says what was answered in t and before: HandOver{i, a}, of the log that ends with (i, t). A
// leader of term t + 1 whose log ends just there relies on it, however late the message was. It may:
//   - between t and t + 1 nobody leads, so only the sender can have answered more, in t, after it was sent;
//   - the sender answers nothing above a before an entry behind i, which is of term t, is committed (handed_over());
//   - once it is, every leader of a later term has that entry (leader completeness), and no log that wins ends with i.
// Of two TimeoutNow of one term only the newer one needs to be kept to: it says no more than an older one that is not
// void, for no more was answered, and it is void no sooner.
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
  send_timeout_now(transferee_);
  timeout_now_sent_ = true;
  lease_barred_ = !DELIBERATE_BUG("lease_after_timeout_now");  // L3
}

void Core::Impl::send_timeout_now(ReplicaId to) {
  Message m = make(MessageType::kTimeoutNow, to);
  m.log_index = log_.last_index();
  m.log_term = log_.last_term();
  m.answered = handed_over() ? std::min(answered_, handed_over()->answered) : answered_;
  if (m.answered != 0) handed_over_ = HandOver{m.log_index, m.answered};
  messages_.push_back(std::move(m));
}

std::optional<HandOver> Core::Impl::handed_over() const {
  if (!is_leader() || !handed_over_ || commit_ > handed_over_->index) return std::nullopt;
  return handed_over_;
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
  if (best != nullptr) send_timeout_now(best->id);  // as a follower it answers nothing more
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
  // Between this and its election its log does not change: only a leader of this very term could change it.
  const bool same_log = log_.last_index() == m.log_index && log_.last_term() == m.log_term;
  if (same_log && m.log_term.next() == term_ && m.answered != 0) inherited_ = m.answered;
}

}  // namespace meridian::raft
