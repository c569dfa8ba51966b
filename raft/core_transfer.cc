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
#include <tuple>

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
  transferee_ = ReplicaId();
  timeout_now_sent_ = false;
}

void Core::Impl::give_up_transfer() {
  PROBE("raft.transfer_given_up");
  if (Progress* p = progress_of(transferee_); p != nullptr) p->refuse(now_, options_.election_timeout * 8);
  stop_transfer();
}

// Who takes over, whatever for: a voter that was heard a moment ago, says that it would (it keeps no silence and has
// room), and has not let a hand-over pass lately (L9). First those that have all that is committed, of these the most
// preferred, then who is furthest. ReplicaId(): nobody.
ReplicaId Core::Impl::successor(const Successor& wanted) const {
  const Progress* best = nullptr;
  const auto rank = [&](const Progress& p) {
    const bool caught_up = p.match >= commit_;
    return std::tuple(caught_up, caught_up ? UINT32_MAX - p.priority : 0, p.match);
  };
  for (const Progress& p : progress_) {
    if (!std::ranges::binary_search(wanted.of.voters, p.id) || p.priority >= wanted.priority_below) continue;
    if (p.match < wanted.at_least || p.lost != LogIndex() || now_ < p.refused_until) continue;
    if (now_ - p.last_active > options_.heartbeat_interval * 2) continue;
    if (std::ranges::find(wanted.passed_over, p.id) != wanted.passed_over.end()) continue;
    if (best == nullptr || rank(p) > rank(*best)) best = &p;
  }
  return best == nullptr ? ReplicaId() : best->id;
}

// Requires: neither a transfer nor a change of the members is under way.
void Core::Impl::hand_over_to(ReplicaId to) {
  // A failed one costs this term's lease (L3), and proposals wait meanwhile.
  hand_over_after_ = now_ + options_.election_timeout * 2;
  CHECK(transfer_leadership(to).has_value());
}

bool Core::Impl::may_prefer_another() const {
  return transferee_ == ReplicaId() && now_ >= hand_over_after_ && commit_ >= term_start_ && !membership().joint();
}

// A leader that is not the most preferred looks for one that is.
void Core::Impl::maybe_hand_over() {
  if (!may_prefer_another()) return;
  const ReplicaId to = successor({.of = membership(), .at_least = commit_, .priority_below = options_.priority});
  if (to == ReplicaId()) return;
  PROBE("raft.priority_hand_over");
  hand_over_to(to);
}

// What a quorum has kept is committed, but a leader applies, and so answers, only what is durable here too: where its
// own disk takes longer than T for that, everybody waits for this disk. One who has what this one has not may lead
// instead.
void Core::Impl::maybe_leave_slow_disk() {
  if (own_lag_.index <= own_match()) {
    own_lag_ = own_match() < commit_ ? OwnLag{commit_, now_} : OwnLag{};
    return;
  }
  if (now_ - own_lag_.since < options_.election_timeout || !may_prefer_another()) return;
  const ReplicaId to = successor({.of = membership(), .at_least = own_lag_.index});
  if (to == ReplicaId()) return;
  PROBE("raft.slow_disk_hand_over");
  hand_over_to(to);
  // However much it is preferred: it is to stay away for longer each time.
  reluctant_until_ = now_ + options_.election_timeout * 8 * (1 << std::min(slow_disk_left_++, 5U));
}

// The committed membership has no vote for this leader any more. It tells what is committed, asks one of its voters to
// take over, and stops leading.
void Core::Impl::step_down_for(const Membership& after) {
  for (Progress& p : progress_) send_heartbeat(p, false);
  const ReplicaId to = successor({.of = after, .at_least = log_.last_index()});
  if (to != ReplicaId()) send_timeout_now(to);  // as a follower it answers nothing more
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
  if (!has_room_) {
    PROBE("raft.timeout_now_without_room");
    return;
  }
  start_election(true);
  // Between this and its election its log does not change: only a leader of this very term could change it.
  const bool same_log = log_.last_index() == m.log_index && log_.last_term() == m.log_term;
  if (same_log && m.log_term.next() == term_ && m.answered != 0) inherited_ = m.answered;
}

}  // namespace meridian::raft
