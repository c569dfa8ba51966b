// check_invariants(): everything the class promises, CHECKed after every step in tests. hash(): the whole state.
#include <algorithm>

#include "raft/impl.h"

namespace meridian::raft {

void Core::Impl::check_invariants() const {
  log_.check_invariants();
  CHECK_F(log_.base_index() <= applied_ && applied_ <= handed_ && handed_ <= commit_,
          "base {} applied {} handed {} commit {} stable {}", log_.base_index(), applied_, handed_, commit_,
          log_.stable());
  CHECK(commit_ <= log_.last_index() && log_.last_term() <= term_);
  CHECK(durable_ballot_.term <= handed_ballot_.term && handed_ballot_.term <= term_);
  CHECK(!ballot_flights_.empty() || durable_ballot_ == handed_ballot_);
  if (handed_ballot_.term == term_ && handed_ballot_.vote != ReplicaId()) CHECK(vote_ == handed_ballot_.vote);

  CHECK(memberships_.records().front().index <= applied_);
  LogIndex scanned = memberships_.records().front().index;
  for (LogIndex i = std::max(scanned, log_.evicted()).next(); i <= log_.last_index(); i = i.next()) {
    if (log_.at(i).type == EntryType::kMembership) scanned = i;
  }
  CHECK_F(memberships_.index() == scanned, "membership of {}, the newest is at {}", memberships_.index(), scanned);
  for (const auto& record : memberships_.records()) CHECK(well_formed(record.membership));

  CHECK(vote_answer_to_ == ReplicaId() || vote_answer_to_ == vote_);
  CHECK(!installing_ || (role_ == Role::kFollower && installing_->index > commit_));
  CHECK(acked_ <= verified_ && verified_ <= std::max(commit_, log_.last_index()));
  CHECK(!requests_due_ || role_ == Role::kCandidate);
  CHECK(role_ == Role::kFollower || !removed_);
  if (role_ == Role::kCandidate) CHECK(vote_ == options_.id && leader_ == ReplicaId());
  if (role_ == Role::kPreCandidate) CHECK(leader_ == ReplicaId());
  if (is_leader()) {
    check_leader();
  } else {
    CHECK(leader_ != options_.id && progress_.empty() && pending_reads_.empty() && uncommitted_bytes_ == 0);
    CHECK(transferee_ == ReplicaId());
  }
}

void Core::Impl::check_leader() const {
  CHECK(leader_ == options_.id && (durable_ballot_ == Ballot{term_, options_.id}));
  CHECK(log_.term_at(term_start_).value_or(term_) == term_ && term_start_ <= log_.last_index());
  CHECK(log_.last_term() == term_);
  std::vector<ReplicaId> expected = members(membership());
  std::erase(expected, options_.id);
  CHECK(std::equal(progress_.begin(), progress_.end(), expected.begin(), expected.end(),
                   [](const Progress& p, ReplicaId id) { return p.id == id; }));
  for (const Progress& p : progress_) {
    p.check_invariants();
    CHECK(p.learner == membership().is_learner(p.id));
    CHECK(p.match <= log_.last_index() && p.next <= log_.last_index().next());
    CHECK(p.acked_round <= rounds_.last_round());
  }
  CHECK_F(uncommitted_bytes_ == log_.bytes_after(commit_), "{} != {}", uncommitted_bytes_, log_.bytes_after(commit_));
  // A lease never reaches further than T(1 − 2ρ) from now, and L3 bars it.
  if (const auto since = rounds_.confirmed_since(now_)) CHECK(*since <= now_);
  CHECK(!lease_barred_ || !has_lease(now_));
}

std::uint64_t Core::Impl::hash(MonoTime now) const {
  Hasher h;
  const auto relative = [&](MonoTime t) { return static_cast<std::uint64_t>((t - now).count()); };
  // A moment that has passed is like any other that has.
  const auto remaining = [&](MonoTime t) { return t <= now ? 0 : relative(t); };
  h.add(options_.id.value(), options_.priority, random_.state(), term_.value(), vote_.value());
  for (const Ballot& b : {handed_ballot_, durable_ballot_}) h.add(b.term.value(), b.vote.value());
  for (const auto& [sequence, b] : ballot_flights_) h.add(sequence, b.term.value(), b.vote.value());
  h.add(persist_sequence_, handed_commit_.value(), commit_.value(), applied_.value(), handed_.value());
  log_.hash_into(h);
  for (const auto& record : memberships_.records()) h.add(record.index.value()), h.add_membership(record.membership);
  h.add(static_cast<std::uint64_t>(role_), leader_.value(), relative(election_deadline_), remaining(sticky_until_),
        remaining(quiet_until_), relative(now_));
  for (const auto& [voter, granted] : votes_) h.add(voter.value(), granted);
  h.add(transfer_election_, requests_due_, vote_answer_to_.value(), removed_, removed_told_);
  h.add(verified_.value(), acked_.value(), echo_round_, answer_append_, answer_heartbeat_);
  h.add(term_start_.value(), uncommitted_bytes_, is_leader() ? relative(heartbeat_deadline_) : 0, heartbeat_due_,
        round_due_);
  for (const Progress& p : progress_) p.hash_into(h, now);
  rounds_.hash_into(h, now);
  h.add(lease_barred_, transferee_.value(), remaining(transfer_deadline_), remaining(hand_over_after_),
        timeout_now_sent_, answered_, handed_over_ ? handed_over_->index.value() : 0,
        handed_over_ ? handed_over_->answered : 0, inherited_.value_or(0), own_lag_.index.value(),
        own_lag_.index == LogIndex() ? 0 : relative(own_lag_.since));
  for (const PendingRead& r : pending_reads_) h.add(r.context, r.round, r.index.value());
  for (const Message& m : messages_) {
    h.add(static_cast<std::uint64_t>(m.type), m.to.value(), m.term.value(), m.log_index.value(), m.reject, m.answered);
  }
  held_.hash_into(h);
  h.add(stop_.has_value(), stop_told_, has_room_, remaining(reluctant_until_), slow_disk_left_);
  h.add_ids(lost_memory_);
  for (const ReadState& r : reads_) h.add(r.context, r.index.value_or(LogIndex()).value());
  h.add_ids(snapshots_needed_);
  h.add(installing_ ? installing_->index.value() : 0, install_told_);
  return h.value();
}

}  // namespace meridian::raft
