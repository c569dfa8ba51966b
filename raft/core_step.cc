// Who is heard at all: terms, stickiness (L1, L2), and replicas that are not members any more (M6).
#include "raft/impl.h"

namespace meridian::raft {
namespace {

bool is_answer(MessageType type) {
  switch (type) {
    case MessageType::kAppendResponse:
    case MessageType::kHeartbeatResponse:
    case MessageType::kPreVoteResponse:
    case MessageType::kVoteResponse: return true;
    default: return false;
  }
}

bool is_from_leader(MessageType type) {
  return type == MessageType::kAppend || type == MessageType::kHeartbeat || type == MessageType::kSnapshot;
}

}  // namespace

void Core::Impl::step(const Message& m) {
  if (m.to != options_.id || m.from == options_.id || m.from == ReplicaId() || removed_ || stop_) return;
  if (m.type == MessageType::kRemoved) return handle_removed(m);
  const bool vote = m.type == MessageType::kVote, prevote = m.type == MessageType::kPreVote;
  if ((vote || prevote) && was_removed(m)) {
    PROBE("raft.told_removed_replica");
    Message answer = make(MessageType::kRemoved, m.from);
    answer.log_index = commit_;
    messages_.push_back(std::move(answer));
    return;
  }
  if (installing_) {
    if (is_from_leader(m.type)) step_while_installing(m);
    return;
  }
  if (m.type == MessageType::kLostMemory) return handle_lost_memory(m);
  if (vote || prevote) remind_candidate(m);
  // Refused without even taking over the term: a candidate that no quorum can follow must not make a leader
  // that is followed step down (thesis §4.2.3). TimeoutNow's votes come with the leader's consent.
  if ((prevote || (vote && !m.transfer)) ? refuses_votes() : (vote && now_ < quiet_until_)) {
    PROBE("raft.vote_refused_by_promise");
    if (prevote) {
      Message answer = make(MessageType::kPreVoteResponse, m.from);
      answer.reject = true;
      messages_.push_back(std::move(answer));
    }
    return;
  }
  // Nobody who does not count may raise the term. Leaders and candidates are heard whoever they are: this
  // replica's membership may be the older one (thesis §4.1).
  if (is_answer(m.type) && !membership().contains(m.from)) return;
  if (m.term < term_) return step_stale(m);
  if (m.term > term_) {
    const bool hypothetical = prevote || (m.type == MessageType::kPreVoteResponse && !m.reject);
    if (!hypothetical) become_follower(m.term, ReplicaId());
  }
  dispatch(m);
}

void Core::Impl::dispatch(const Message& m) {
  switch (m.type) {
    case MessageType::kAppend: return handle_append(m);
    case MessageType::kAppendResponse: return handle_append_response(m);
    case MessageType::kHeartbeat: return handle_heartbeat(m);
    case MessageType::kHeartbeatResponse: return handle_heartbeat_response(m);
    case MessageType::kPreVote: return handle_prevote(m);
    case MessageType::kVote: return handle_vote(m);
    case MessageType::kPreVoteResponse:
    case MessageType::kVoteResponse: return handle_vote_response(m);
    case MessageType::kTimeoutNow: return handle_timeout_now(m);
    case MessageType::kSnapshot: return handle_snapshot(m);
    case MessageType::kReadIndex:
    case MessageType::kReadIndexResponse:
    case MessageType::kRemoved:
    case MessageType::kLostMemory: return;
  }
}

// From an older term: the sender learns the newer one, nothing else happens.
void Core::Impl::step_stale(const Message& m) {
  MessageType type;
  if (is_from_leader(m.type)) {
    type = MessageType::kAppendResponse;
  } else if (m.type == MessageType::kPreVote) {
    type = MessageType::kPreVoteResponse;
  } else if (m.type == MessageType::kVote) {
    type = MessageType::kVoteResponse;
  } else {
    return;
  }
  Message answer = make(type, m.from);
  answer.reject = true;
  messages_.push_back(std::move(answer));
}

bool Core::Impl::refuses_votes() const {
  if (now_ < quiet_until_) return true;  // L2
  if (is_leader()) return now_ < quorum_heard() + options_.election_timeout;
  return now_ < sticky_until_ && !DELIBERATE_BUG("vote_while_following");  // L1
}

// A candidate believes that it is a voter. One whose log ends before what is committed here, and whom the
// committed membership does not know, was removed by an entry it has not seen. One that is new has its own
// entry in its log, which is then longer than what is committed here.
bool Core::Impl::was_removed(const Message& m) const {
  const Membership& committed = memberships_.as_of(commit_).membership;
  if (committed.voters.empty() || committed.contains(m.from)) return false;
  const Term commit_term = *log_.term_at(commit_);
  return m.log_term < commit_term || (m.log_term == commit_term && m.log_index < commit_);
}

void Core::Impl::handle_removed(const Message& m) {
  if (commit_ >= m.log_index && memberships_.as_of(commit_).membership.contains(options_.id)) return;
  PROBE("raft.learned_removal");
  become_follower(term_, ReplicaId());
  removed_ = true;
}

}  // namespace meridian::raft
