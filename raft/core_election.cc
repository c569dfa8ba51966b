// Elections: pre-vote (thesis §9.6), votes that wait for the disk, and the changes of role.
#include <algorithm>

#include "raft/impl.h"

namespace meridian::raft {

void Core::Impl::reset_election_deadline() {
  const Duration t = options_.election_timeout;
  // Who is less preferred waits longer, so that a preferred replica usually campaigns first.
  const Duration patience = t / 4 * std::min<std::uint32_t>(options_.priority, 4);
  const auto spread = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(t.count())));
  election_deadline_ = now_ + t + patience + Duration(spread);
}

bool Core::Impl::may_campaign() const {
  return !is_leader() && may_lead() && !removed_ && !installing_ && now_ >= quiet_until_ && now_ >= sticky_until_;
}

void Core::Impl::campaign(bool by_timer) {
  if (by_timer) reset_election_deadline();
  if (!may_campaign()) {
    if (by_timer && may_ask_whether_removed()) ask_whether_removed();
    return;
  }
  if (by_timer || role_ == Role::kFollower) start_prevote();
}

// A poll that changes nothing, neither here nor there: a replica that nobody would elect does not raise its
// term, and so disturbs nobody when it comes back.
void Core::Impl::start_prevote() {
  become_follower(term_, ReplicaId());
  role_ = Role::kPreCandidate;
  ask_for_votes(MessageType::kPreVote, term_.next());
  record_vote(options_.id, true);
  count_votes();
}

void Core::Impl::start_election(bool transfer) {
  become_follower(term_.next(), ReplicaId());
  role_ = Role::kCandidate;
  vote_ = options_.id;
  transfer_election_ = transfer;
  reset_election_deadline();
  // Asked only once this vote is durable (see persisted()): else, after a crash, votes given to the log of
  // today would elect the shorter one that was left of it.
  requests_due_ = true;
}

void Core::Impl::ask_for_votes(MessageType type, Term term) {
  for (const ReplicaId id : members(membership())) {
    if (id == options_.id || !membership().is_voter(id)) continue;
    Message m = make(type, id);
    m.term = term;
    m.log_index = log_.last_index();
    m.log_term = log_.last_term();
    m.transfer = transfer_election_;
    messages_.push_back(std::move(m));
  }
}

void Core::Impl::record_vote(ReplicaId from, bool granted) {
  const auto known = std::find_if(votes_.begin(), votes_.end(), [&](const auto& v) { return v.first == from; });
  if (known == votes_.end()) votes_.emplace_back(from, granted);
}

void Core::Impl::count_votes() {
  const auto vote_of = [&](ReplicaId id) {
    for (const auto& [voter, granted] : votes_) {
      if (voter == id) return granted ? 1 : -1;
    }
    return 0;
  };
  switch (raft::count_votes(membership(), vote_of)) {
    case VoteResult::kPending: return;
    case VoteResult::kLost: return become_follower(term_, ReplicaId());
    case VoteResult::kWon: return role_ == Role::kPreCandidate ? start_election(false) : become_leader();
  }
}

void Core::Impl::set_term(Term term) {
  CHECK_F(term > term_, "term {} after {}", term, term_);
  term_ = term;
  vote_ = vote_answer_to_ = ReplicaId();
  lease_barred_ = false;
  answered_ = 0;
  handed_over_.reset();
  inherited_.reset();
}

void Core::Impl::become_follower(Term term, ReplicaId leader) {
  if (is_leader()) {
    fail_reads();
    progress_.clear();
    rounds_.clear();
    snapshots_needed_.clear();
    lost_memory_.clear();
    uncommitted_bytes_ = 0;
    heartbeat_due_ = round_due_ = timeout_now_sent_ = false;
    transferee_ = ReplicaId();
    term_start_ = LogIndex();
    reset_election_deadline();
  }
  if (term > term_) set_term(term);
  role_ = Role::kFollower;
  leader_ = leader;
  votes_.clear();
  transfer_election_ = requests_due_ = false;
  // What is committed is in every later leader's log (leader completeness); more is known only when it says so.
  verified_ = commit_;
  acked_ = LogIndex();
  echo_round_ = 0;
  answer_append_ = answer_heartbeat_ = false;
}

void Core::Impl::become_leader() {
  CHECK(role_ == Role::kCandidate && may_lead());
  CHECK((durable_ballot_ == Ballot{term_, options_.id}));
  CHECK(log_.stable() == log_.last_index());  // all of it was handed to the disk before the vote was durable
  PROBE("raft.became_leader");
  role_ = Role::kLeader;
  leader_ = options_.id;
  votes_.clear();
  term_start_ = log_.last_index().next();
  held_.keep(membership());
  for (const ReplicaId id : members(membership())) {
    if (id == options_.id) continue;
    progress_.emplace_back(id, membership().is_learner(id), term_start_, now_);
  }
  uncommitted_bytes_ = log_.bytes_after(commit_);
  heartbeat_deadline_ = now_ + options_.heartbeat_interval;
  heartbeat_due_ = true;
  hand_over_after_ = now_ + options_.election_timeout * 2;
  own_lag_ = {};
  confirm_rounds();
  // Entries of older terms commit with this one (paper §5.4.2), and nothing is evaluated before it is applied (L5).
  append_own(EntryType::kNoop, nullptr);
}

void Core::Impl::handle_vote(const Message& m) {
  const bool free = vote_ == m.from || (vote_ == ReplicaId() && leader_ == ReplicaId()) ||
                    (role_ == Role::kFollower && leader_ == ReplicaId() && DELIBERATE_BUG("forget_vote"));
  if (free && log_.not_newer_than(m.log_index, m.log_term)) {
    CHECK(role_ == Role::kFollower || role_ == Role::kPreCandidate);
    become_follower(term_, ReplicaId());
    vote_ = m.from;
    vote_answer_to_ = m.from;  // leaves when the vote is durable
    reset_election_deadline();
    return;
  }
  Message answer = make(MessageType::kVoteResponse, m.from);
  answer.reject = true;
  messages_.push_back(std::move(answer));
}

void Core::Impl::handle_prevote(const Message& m) {
  Message answer = make(MessageType::kPreVoteResponse, m.from);
  answer.reject = m.term <= term_ || !log_.not_newer_than(m.log_index, m.log_term);
  if (!answer.reject) answer.term = m.term;  // "yes, in that term"; a refusal tells the own term instead
  messages_.push_back(std::move(answer));
}

void Core::Impl::handle_vote_response(const Message& m) {
  if (m.type == MessageType::kPreVoteResponse) {
    if (role_ != Role::kPreCandidate) return;
    if (!m.reject && m.term != term_.next()) return;
  } else if (role_ != Role::kCandidate || requests_due_) {
    return;
  }
  record_vote(m.from, !m.reject);
  count_votes();
}

// Was a member once, and the last membership it holds leaves it out: it hears no leader any more, and can't
// know whether that membership was committed.
bool Core::Impl::may_ask_whether_removed() const {
  return !removed_ && !installing_ && !membership().contains(options_.id) &&
         memberships_.was_member_before(log_.last_index()) && now_ >= sticky_until_;
}

// A pre-vote with the log as it was before that membership: whoever has it, or a later one, committed answers
// kRemoved; other answers are ignored, for this replica is no candidate.
void Core::Impl::ask_whether_removed() {
  const LogIndex before = memberships_.index().previous();
  const std::optional<Term> term = log_.term_at(before);
  if (!term) return;
  for (const ReplicaId id : membership().voters) {
    Message m = make(MessageType::kPreVote, id);
    m.term = term_.next();
    m.log_index = before;
    m.log_term = *term;
    messages_.push_back(std::move(m));
  }
}

}  // namespace meridian::raft
