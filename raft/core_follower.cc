// What a follower does with a leader's appends and heartbeats, and how it answers.
#include <algorithm>

#include <fmt/format.h>

#include "raft/impl.h"

namespace meridian::raft {
namespace {

// Entries come from another node: what can't be is dropped before it reaches the log.
bool plausible(const Message& m) {
  LogIndex index = m.log_index;
  Term term = m.log_term;
  for (const Entry& entry : m.entries) {
    index = index.next();
    if (entry.index != index || entry.term < term || entry.term > m.term) return false;
    term = entry.term;
    if (entry.type != EntryType::kMembership) continue;
    if (!entry.data || !decode_membership(*entry.data)) return false;
  }
  return m.log_term <= m.term;
}

}  // namespace

// Answers false if it is not to be heard.
bool Core::Impl::hear_leader(const Message& m) {
  if (is_leader()) {
    PROBE("raft.two_leaders");
    stop(Stop::Why::kContradicted, fmt::format("replicas {} and {} both lead term {}: a voter has forgotten its vote",
                                               options_.id, m.from, term_));
    return false;
  }
  if (role_ != Role::kFollower || leader_ != m.from) {
    if (leader_ != ReplicaId()) {  // it follows the one it heard first; the two will hear of each other
      PROBE("raft.second_leader_not_heard");
      return false;
    }
    become_follower(term_, m.from);
  }
  sticky_until_ = now_ + options_.election_timeout;  // L1: no votes for T
  reset_election_deadline();
  echo_round_ = std::max(echo_round_, m.round);
  return true;
}

void Core::Impl::handle_append(const Message& m) {
  if (!plausible(m)) {
    PROBE("raft.implausible_append");
    return;
  }
  if (!hear_leader(m) || contradicts_commit(m)) return;
  if (m.log_index >= commit_) {
    if (!log_.holds(m.log_index, m.log_term)) return reject_append(m);
    append_from_leader(m, m.log_index);
  } else {
    // Committed here, and so the leader's too (leader completeness); what follows may be news.
    append_from_leader(m, commit_);
  }
  verified_ = std::max({verified_, commit_, std::min(m.log_index + m.entries.size(), log_.last_index())});
  commit_to(std::min(m.commit, verified_));
  // Entries that are not durable yet are answered by persisted(); an empty append only asks how things stand.
  const bool durable = m.log_index + m.entries.size() <= acknowledgeable();
  if (durable || m.entries.empty()) answer_append_ = true;
}

void Core::Impl::append_from_leader(const Message& m, LogIndex after) {
  for (const Entry& entry : m.entries) {
    if (entry.index <= after) continue;
    if (log_.holds(entry.index, entry.term)) continue;
    if (entry.index <= log_.last_index()) {
      // A conflict: this suffix was never committed (log matching, paper §5.3).
      CHECK_F(entry.index > commit_, "entry {} of term {} conflicts with what is committed up to {}", entry.index,
              entry.term, commit_);
      PROBE("raft.conflict_truncated");
      log_.truncate(entry.index);
      verified_ = std::min(verified_, log_.last_index());
      if (memberships_.truncate(entry.index)) membership_changed();
    }
    log_.append(entry);
    note_appended(entry);
  }
}

void Core::Impl::reject_append(const Message& m) {
  Message answer = make(MessageType::kAppendResponse, m.from);
  answer.reject = true;
  answer.log_index = m.log_index;
  answer.hint_index = log_.last_that_may_match(m.log_index, m.log_term);
  answer.hint_term = log_.term_at(answer.hint_index).value();
  if (durable_ballot_.term == term_) answer.round = echo_round_;
  messages_.push_back(std::move(answer));
}

void Core::Impl::handle_heartbeat(const Message& m) {
  if (!hear_leader(m)) return;
  // log_index is what this replica has acknowledged in this term, commit never above it: the log up to there is the
  // leader's.
  if (!remembers(m.log_index, m.log_term, m.from) || !remembers(m.commit, Term(), m.from)) return;
  commit_to(std::min(m.commit, log_.last_index()));
  if (m.round != 0) answer_heartbeat_ = true;
}

// What this replica may vouch for. One acknowledged early would let a leader count a copy that a power cut
// can still erase.
LogIndex Core::Impl::acknowledgeable() const {
  return DELIBERATE_BUG("ack_before_fsync") ? log_.last_index() : log_.stable();
}

// One answer for all that came in since the last. It waits until the term is durable: an echo is a promise
// not to vote (L1), and a replica whose term was never stored comes back without L2's silence.
void Core::Impl::answer_leader() {
  if (role_ != Role::kFollower || leader_ == ReplicaId() || durable_ballot_.term != term_) return;
  if (!answer_append_ && !answer_heartbeat_) return;
  Message answer = make(answer_append_ ? MessageType::kAppendResponse : MessageType::kHeartbeatResponse, leader_);
  answer.round = echo_round_;
  if (answer_append_) {
    acked_ = answer.log_index = std::min(acknowledgeable(), verified_);
    answer.log_term = log_.term_at(acked_).value_or(Term());
  }
  answer_append_ = answer_heartbeat_ = false;
  messages_.push_back(std::move(answer));
}

void Core::Impl::answer_candidate() {
  if (vote_answer_to_ == ReplicaId() || durable_ballot_ != Ballot{term_, vote_}) return;
  CHECK(vote_answer_to_ == vote_);
  messages_.push_back(make(MessageType::kVoteResponse, std::exchange(vote_answer_to_, ReplicaId())));
}

}  // namespace meridian::raft
