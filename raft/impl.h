// The state of one replica of the consensus core and the operations that core_*.cc share. Included by
// those files only. Plain members: copying an Impl copies the replica.
//
//   core.cc             construction, time, what may be asked; core_invariants.cc  check_invariants(), hash()
//   core_step.cc        who is heard at all: terms, stickiness, removed replicas
//   core_election.cc    pre-vote, vote, becoming follower, candidate, leader
//   core_leader.cc      proposing, replicating, counting; core_follower.cc  appends and heartbeats received
//   core_read.cc        leases, rounds, read-index, check-quorum
//   core_membership.cc  changing who decides; core_transfer.cc  handing leadership over
//   core_snapshot.cc    snapshots sent and received, compaction
//   core_memory.cc      who has forgotten what it acknowledged, or committed what its leader contradicts
//   core_output.cc      what leaves: take_output(), persisted(), applied()
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fault.h"
#include "raft/core.h"
#include "raft/hasher.h"
#include "raft/held_by_others.h"
#include "raft/lease_tracker.h"
#include "raft/log_tail.h"
#include "raft/membership.h"
#include "raft/membership_log.h"
#include "raft/progress.h"

namespace meridian::raft {

class Core::Impl {
 public:
  Impl(Options options, InitialState initial, MonoTime now);

  // core.cc
  void touch(MonoTime now);
  void tick();
  MonoTime next_deadline() const;
  Status status() const;
  bool is_leader() const { return role_ == Role::kLeader; }
  bool may_evaluate() const { return is_leader() && (applied_ >= term_start_ || DELIBERATE_BUG("evaluate_before_own_term")); }  // L5
  const Membership& membership() const { return memberships_.in_force(); }
  bool is_voter() const { return membership().is_voter(options_.id); }
  // Also one whose own removal is in its log but not known to be committed: its log may be the longest, and then
  // only it can be elected, to finish the change without counting itself (thesis §4.2.2).
  bool may_lead() const {
    return is_voter() ||
           (commit_ < memberships_.index() && memberships_.as_of(commit_).membership.is_voter(options_.id));
  }
  bool promised_nobody() const;
  bool would_lead() const { return now_ >= quiet_until_ && has_room_ && now_ >= reluctant_until_; }  // L2, L9
  Message make(MessageType type, ReplicaId to) const;

  // core_step.cc
  void step(const Message& m);
  void dispatch(const Message& m);
  void step_stale(const Message& m);
  bool refuses_votes() const;  // L1, L2
  bool was_removed(const Message& m) const;
  void handle_removed(const Message& m);

  // core_election.cc
  void reset_election_deadline();
  bool may_campaign() const;
  void campaign(bool by_timer);
  void start_prevote();
  void start_election(bool transfer);
  void ask_for_votes(MessageType type, Term term);
  void record_vote(ReplicaId from, bool granted);
  void count_votes();
  void become_follower(Term term, ReplicaId leader);
  void become_leader();
  void set_term(Term term);
  void handle_vote(const Message& m);
  void handle_prevote(const Message& m);
  void handle_vote_response(const Message& m);
  bool may_ask_whether_removed() const;
  void ask_whether_removed();

  // core_leader.cc
  Result<LogIndex> propose(Term evaluated_in, Payload command);
  LogIndex append_own(EntryType type, Payload data);
  Progress* progress_of(ReplicaId id);
  void replicate();
  void send_to(Progress& p, bool beat);
  bool send_entries(Progress& p);
  void send_append(Progress& p, std::size_t max_bytes);
  bool at_hand(const Progress& p) const;
  void ask_stored(Progress& p);
  void stored_read(ReplicaId to, std::vector<Entry> entries);
  void send_heartbeat(Progress& p, bool wants_answer);
  std::uint64_t current_round();
  void handle_append_response(const Message& m);
  void handle_reject(Progress& p, const Message& m);
  void handle_heartbeat_response(const Message& m);
  Progress* hear_follower(const Message& m);
  LogIndex with_learners_counted(LogIndex by_voters) const;
  void maybe_commit();
  void commit_to(LogIndex index);
  LogIndex own_match() const;

  // core_follower.cc
  bool hear_leader(const Message& m);
  void handle_append(const Message& m);
  void append_from_leader(const Message& m, LogIndex after);
  void reject_append(const Message& m);
  void handle_heartbeat(const Message& m);
  LogIndex acknowledgeable() const;
  void answer_leader();
  void answer_candidate();

  // core_read.cc
  std::optional<LogIndex> lease_read(MonoTime now) const;
  bool has_lease(MonoTime now) const;
  Result<> read_index(std::uint64_t context);
  void confirm_rounds();
  void fail_reads();
  MonoTime quorum_heard() const;
  void check_quorum();

  // core_transfer.cc
  Result<> transfer_leadership(ReplicaId to);
  void maybe_send_timeout_now();
  void stop_transfer();
  void give_up_transfer();
  ReplicaId successor(const Successor& wanted) const;
  void hand_over_to(ReplicaId to);
  bool may_prefer_another() const;
  void maybe_hand_over();
  void maybe_leave_slow_disk();
  void step_down_for(const Membership& after);
  void handle_timeout_now(const Message& m);
  void send_timeout_now(ReplicaId to);
  std::optional<HandOver> handed_over() const;

  // core_membership.cc
  Result<LogIndex> propose_membership(std::vector<ReplicaId> voters, std::vector<ReplicaId> learners);
  void note_appended(const Entry& entry);
  void membership_changed();
  void membership_committed(LogIndex before);
  void maybe_leave_joint();
  LogIndex append_membership(Membership next);

  // core_snapshot.cc
  void handle_snapshot(const Message& m);
  void snapshot_installed(const SnapshotMeta& meta);
  void snapshot_sent(ReplicaId to, LogIndex index, bool ok);
  void report_unreachable(ReplicaId to);
  void compact(LogIndex index);
  SnapshotMeta snapshot_meta() const;
  void step_while_installing(const Message& m);

  // core_memory.cc
  void stop(Stop::Why why, std::string what);
  bool remembers(LogIndex index, Term term, ReplicaId told);
  void handle_lost_memory(const Message& m);
  void remind(ReplicaId to, LogIndex index, Term term);
  void note_lost_memory(Progress& p, LogIndex had);
  void remember(const Progress& p);
  bool shows_lost_memory(Progress& p, const Message& m);
  void remind_candidate(const Message& m);
  bool contradicts_commit(const Message& m);
  bool believes(const Message& m);

  // core_output.cc
  Output take_output();
  void take_persist(Output& out);
  void take_committed(Output& out);
  void persisted(std::uint64_t sequence);
  void applied(LogIndex index);

  // core_invariants.cc
  void check_invariants() const;
  void check_leader() const;
  std::uint64_t hash(MonoTime now) const;

  Options options_;
  Random random_;
  MonoTime now_;  // of the last entry point; never goes back

  // What the paper's Figure 2 calls persistent, plus what of it the disk has been given and holds.
  Term term_;
  ReplicaId vote_;
  struct Ballot {
    Term term;
    ReplicaId vote;
    friend bool operator==(const Ballot&, const Ballot&) = default;
  };
  Ballot handed_ballot_;   // to the disk
  Ballot durable_ballot_;  // on the disk
  std::deque<std::pair<std::uint64_t, Ballot>> ballot_flights_;
  std::uint64_t persist_sequence_ = 0;
  LogIndex handed_commit_;  // the hint that the disk has been given
  LogTail log_;
  MembershipLog memberships_;

  LogIndex commit_, applied_;
  LogIndex handed_;  // the last index given out to be applied; applied_ <= handed_ <= commit_

  Role role_ = Role::kFollower;  // kLearner is only how a follower without a vote is shown
  ReplicaId leader_;
  MonoTime election_deadline_;
  MonoTime sticky_until_;                          // heard a leader: no votes before this (L1)
  MonoTime quiet_until_;                           // started: no votes at all before this (L2)
  std::vector<std::pair<ReplicaId, bool>> votes_;  // answers to this (pre-)candidate
  bool transfer_election_ = false;                 // this candidacy comes from TimeoutNow
  bool requests_due_ = false;                      // the vote requests wait for the own vote to be durable
  ReplicaId vote_answer_to_;                       // the granted vote's answer waits for it to be durable
  bool removed_ = false, removed_told_ = false, stop_told_ = false, has_room_ = true;
  std::optional<Stop> stop_;  // this replica must not go on
  HeldByOthers held_;

  // Follower: answers to the leader are derived from these when they leave, so none can be stale.
  LogIndex verified_;  // up to here the log is known to be the current leader's
  LogIndex acked_;     // the highest match told to the current leader
  std::uint64_t echo_round_ = 0;
  bool answer_append_ = false, answer_heartbeat_ = false;

  // Leader.
  LogIndex term_start_;             // its first entry of this term
  std::vector<Progress> progress_;  // of all others, in order of id
  std::size_t uncommitted_bytes_ = 0;
  MonoTime heartbeat_deadline_;
  bool heartbeat_due_ = false;      // to all, and resend what may be lost
  bool round_due_ = false;          // to the voters: a read waits for a round
  std::uint64_t output_round_ = 0;  // of what leaves in the take_output() under way
  LeaseTracker rounds_;
  bool lease_barred_ = false;  // TimeoutNow was sent in this term (L3)
  struct PendingRead {
    std::uint64_t context, round;
    LogIndex index;
  };
  std::deque<PendingRead> pending_reads_;
  ReplicaId transferee_;
  MonoTime transfer_deadline_;
  MonoTime hand_over_after_;  // to a preferred one, or from a slow disk: not before this
  MonoTime reluctant_until_;  // it left because its disk is slow, and would not lead before this
  unsigned slow_disk_left_ = 0;
  // Committed, and not durable here since then; 0: nothing is.
  struct OwnLag {
    LogIndex index;
    MonoTime since;
  } own_lag_;
  bool timeout_now_sent_ = false;
  std::uint64_t answered_ = 0;           // so far, as the driver says
  std::optional<HandOver> handed_over_;  // of this term
  // What the TimeoutNow that made this a candidate said: of the log that it campaigns with, or not at all.
  std::optional<std::uint64_t> inherited_;

  // Waiting to leave with the next take_output().
  std::vector<Message> messages_;
  std::vector<ReadState> reads_;
  std::vector<StoredRead> stored_needed_;
  std::vector<ReplicaId> snapshots_needed_, lost_memory_;
  std::optional<SnapshotMeta> installing_;
  bool install_told_ = false;
};

}  // namespace meridian::raft
