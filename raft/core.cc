// Construction, time, and what may be asked; the other core_*.cc hold the protocol (see impl.h).
#include "raft/core.h"

#include <algorithm>
#include <memory>

#include "raft/impl.h"

namespace meridian::raft {

namespace {

bool votes_alone(ReplicaId id, const Membership& m) { return m.voters == std::vector{id} && !m.joint(); }

}  // namespace

bool Output::empty() const {
  return messages.empty() && !persist && committed.empty() && reads.empty() && stored_needed.empty() &&
         snapshots_needed.empty() && !install && !removed &&
         lost_memory.empty() && !stop;
}

Core::Impl::Impl(Options options, InitialState initial, MonoTime now)
    : options_(options), random_(options.seed ^ (options.id.value() * 0x9e3779b97f4a7c15)), now_(now) {
  CHECK(options_.id != ReplicaId());
  CHECK(options_.heartbeat_interval.count() > 0 && options_.heartbeat_interval * 2 <= options_.election_timeout);
  CHECK(options_.clock_drift >= 0 && options_.clock_drift < 0.5);
  CHECK(well_formed(initial.membership));
  term_ = initial.hard_state.term;
  vote_ = initial.hard_state.vote;
  handed_ballot_ = durable_ballot_ = {term_, vote_};
  log_ = LogTail(initial.base.index, initial.base.term, std::move(initial.stored), std::move(initial.entries));
  CHECK_F(log_.evicted() <= initial.applied, "entries up to {} are not here, applied is {}", log_.evicted(),
          initial.applied);
  CHECK(options_.max_append_bytes > 0);  // 0 would send empty messages for ever
  CHECK_F(initial.applied >= log_.base_index() && initial.applied <= log_.last_index(), "applied {} of ({}, {}]",
          initial.applied, log_.base_index(), log_.last_index());
  if (term_ < log_.last_term()) {
    // A snapshot was installed and the node stopped before the term that brought it was stored. No vote can
    // have been given in that term: it would have been stored.
    term_ = log_.last_term();
    vote_ = ReplicaId();
  }
  applied_ = handed_ = initial.applied;
  // The stored commit index is a hint, and a log that was discarded may end before it (S5, S6).
  commit_ = std::min(std::max(initial.hard_state.commit, applied_), log_.last_index());
  memberships_ = MembershipLog(options_.id, applied_, std::move(initial.membership));
  for (LogIndex i = applied_.next(); i <= log_.last_index(); i = i.next()) note_appended(log_.at(i));

  sticky_until_ = quiet_until_ = now;
  // L2: it may have helped a lease into being just before it stopped, and has forgotten.
  if (!initial.fresh && !promised_nobody() && !DELIBERATE_BUG("forget_promise_at_restart"))
    quiet_until_ = now + std::max(options_.election_timeout, options_.restart_silence);
  reset_election_deadline();
  if (votes_alone(options_.id, membership())) election_deadline_ = quiet_until_;
}

// At a start: it votes alone, has done so in every membership since what is known to be committed, and in its term it
// voted for itself. That it votes alone in the one in force does not say it: {1,2} shrinks to {1} under 2, whose lease
// stands on the echo of 1 until 2 hears that this is committed.
bool Core::Impl::promised_nobody() const {
  const bool in_force_only = DELIBERATE_BUG("only_voter_in_force_is_exempt");
  if (vote_ != options_.id && !in_force_only) return false;
  const LogIndex since = in_force_only ? memberships_.index() : memberships_.as_of(commit_).index;
  return std::ranges::all_of(memberships_.records(), [&](const MembershipLog::Record& r) {
    return r.index < since || votes_alone(options_.id, r.membership);
  });
}

void Core::Impl::touch(MonoTime now) {
  // Clocks of one machine never go back; an entry point that is handed an older reading uses the newest.
  now_ = std::max(now_, now);
}

void Core::Impl::tick() {
  if (is_leader()) {
    if (transferee_ != ReplicaId() && now_ >= transfer_deadline_) give_up_transfer();
    if (now_ >= heartbeat_deadline_) {
      heartbeat_deadline_ = now_ + options_.heartbeat_interval;
      heartbeat_due_ = true;
      check_quorum();
      if (is_leader()) maybe_hand_over();
      if (is_leader()) maybe_leave_slow_disk();
    }
    return;
  }
  if (now_ < election_deadline_ || stop_) return;
  campaign(true);
}

MonoTime Core::Impl::next_deadline() const {
  if (is_leader()) {
    return transferee_ != ReplicaId() ? std::min(heartbeat_deadline_, transfer_deadline_) : heartbeat_deadline_;
  }
  if (removed_ || installing_ || stop_) return MonoTime::max();
  if (may_lead() || may_ask_whether_removed()) return election_deadline_;
  return MonoTime::max();
}

Message Core::Impl::make(MessageType type, ReplicaId to) const {
  Message m;
  m.type = type;
  m.from = options_.id;
  m.to = to;
  m.term = term_;
  m.priority = would_lead() ? options_.priority : UINT32_MAX;
  return m;
}

Status Core::Impl::status() const {
  Status s;
  s.id = options_.id;
  s.role = role_ == Role::kFollower && !is_voter() ? Role::kLearner : role_;
  s.leader = leader_;
  s.term = term_;
  s.first_index = log_.first_index();
  s.last_index = log_.last_index();
  s.commit = commit_;
  s.applied = applied_;
  s.stable = log_.stable();
  s.membership = membership();
  s.membership_index = memberships_.index();
  for (const Progress& p : progress_) {
    const bool active = now_ < p.last_active + options_.election_timeout;
    const LogIndex holds = p.state == Progress::State::kReplicate ? p.match : p.next.previous();
    s.followers.push_back({p.id, p.match, holds, p.learner, active, p.state == Progress::State::kSnapshot,
                           p.lost > LogIndex()});
  }
  return s;
}

Core::Core(Options options, InitialState initial, MonoTime now)
    : impl_(std::make_unique<Impl>(options, std::move(initial), now)) {}
Core::Core(const Core& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(const Core& other) {
  if (this != &other) impl_ = std::make_unique<Impl>(*other.impl_);
  return *this;
}
Core& Core::operator=(Core&&) noexcept = default;
Core::~Core() = default;

void Core::step(MonoTime now, const Message& message) {
  impl_->touch(now);
  impl_->step(message);
}
void Core::tick(MonoTime now) {
  impl_->touch(now);
  impl_->tick();
}
MonoTime Core::next_deadline() const { return impl_->next_deadline(); }
Output Core::take_output() { return impl_->take_output(); }

Result<LogIndex> Core::propose(MonoTime now, Term evaluated_in, Payload command) {
  impl_->touch(now);
  return impl_->propose(evaluated_in, std::move(command));
}
Result<LogIndex> Core::propose_membership(MonoTime now, std::vector<ReplicaId> voters,
                                          std::vector<ReplicaId> learners) {
  impl_->touch(now);
  return impl_->propose_membership(std::move(voters), std::move(learners));
}
Result<> Core::transfer_leadership(MonoTime now, ReplicaId to) {
  impl_->touch(now);
  return impl_->transfer_leadership(to);
}
ReplicaId Core::successor(MonoTime now, std::vector<ReplicaId> passed_over) {
  impl_->touch(now);
  return impl_->successor({.of = impl_->membership(), .passed_over = std::move(passed_over)});
}
void Core::set_room(bool room) { impl_->has_room_ = room; }
void Core::campaign(MonoTime now) {
  impl_->touch(now);
  impl_->campaign(false);
}
std::optional<LogIndex> Core::lease_read(MonoTime now) const { return impl_->lease_read(now); }
Result<> Core::read_index(MonoTime now, std::uint64_t context) {
  impl_->touch(now);
  return impl_->read_index(context);
}
void Core::persisted(MonoTime now, std::uint64_t sequence) {
  impl_->touch(now);
  impl_->persisted(sequence);
}
void Core::applied(MonoTime now, LogIndex index) {
  impl_->touch(now);
  impl_->applied(index);
}
void Core::snapshot_installed(MonoTime now, const SnapshotMeta& meta) {
  impl_->touch(now);
  impl_->snapshot_installed(meta);
}
void Core::snapshot_sent(MonoTime now, ReplicaId to, LogIndex index, bool ok) {
  impl_->touch(now);
  impl_->snapshot_sent(to, index, ok);
}
void Core::report_unreachable(ReplicaId to) { impl_->report_unreachable(to); }
void Core::stored_read(MonoTime now, ReplicaId to, std::vector<Entry> entries) {
  impl_->touch(now);
  impl_->stored_read(to, std::move(entries));
}
void Core::compact(LogIndex index) { impl_->compact(index); }
void Core::limit_memory(std::size_t bytes) {
  impl_->log_.evict(std::min(impl_->applied_, impl_->log_.stable()), bytes);
}

bool Core::is_leader() const { return impl_->is_leader(); }
bool Core::may_evaluate() const { return impl_->may_evaluate(); }
Term Core::term() const { return impl_->term_; }
ReplicaId Core::leader() const { return impl_->leader_; }
LogIndex Core::last_index() const { return impl_->log_.last_index(); }
LogIndex Core::commit_index() const { return impl_->commit_; }
LogIndex Core::applied_index() const { return impl_->applied_; }
std::size_t Core::uncommitted_bytes() const { return impl_->uncommitted_bytes_; }
SnapshotMeta Core::snapshot_meta() const { return impl_->snapshot_meta(); }
Status Core::status() const { return impl_->status(); }
void Core::check_invariants() const { impl_->check_invariants(); }
std::uint64_t Core::hash(MonoTime now) const { return impl_->hash(now); }

}  // namespace meridian::raft
