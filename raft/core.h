// The consensus core: one replica of one Raft group as a pure, synchronous state machine.
//
//   core.step(now, message) / tick(now) / propose(...)   →   core.take_output()
//   then the driver persists, sends and applies what came out, and reports back:
//   persisted(sequence), applied(index), snapshot_installed(...)
//
// There is no call order to get wrong: outputs may be taken at any time, several may be in flight, and
// reports may come late. What must wait for the disk is kept inside until persisted() says so.
//
// Every entry point takes `now`, the monotonic clock read after the inbox was drained (protocols L1).
// Not thread-safe; copyable, so that an explorer can branch it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "raft/types.h"

namespace meridian::raft {

struct Options {
  ReplicaId id;
  Duration election_timeout{500'000};   // T; each election draws from [T, 2T)
  Duration heartbeat_interval{100'000};
  Duration restart_silence{0};          // how long a restarted voter keeps still (L2), if that is more than T
  double clock_drift = 0.01;            // ρ: a lease lasts T(1 − 2ρ)
  std::size_t max_append_bytes = 1 << 20;    // of one append message; a single larger entry goes alone
  std::size_t max_inflight_bytes = 8 << 20;  // unacknowledged, per follower
  std::size_t max_uncommitted_bytes = 64 << 20;  // propose() answers kBusy beyond it
  std::uint32_t priority = 0;           // 0 is preferred; others wait longer and hand leadership over
  std::uint64_t seed = 0;               // the only source of randomness
};

// What a start found on disk.
struct InitialState {
  bool fresh = true;        // no hard state was ever stored: this replica never voted (exempt from L2)
  HardState hard_state;
  SnapshotMeta base;        // where the log starts: its entries follow base.index
  std::vector<TermRun> stored;  // of the entries after base that are not handed in; at or below applied
  std::vector<Entry> entries;   // after those
  LogIndex applied;         // the state machine's applied index; >= base.index
  // The membership as of `applied`, from the state machine; entries after it are scanned for newer ones.
  Membership membership;
};

struct Persist {
  std::uint64_t sequence = 0;              // to be reported by persisted(); increasing
  std::optional<HardState> hard_state;
  std::optional<LogIndex> truncate_from;   // drop stored entries at and after it, before appending
  std::vector<Entry> entries;              // contiguous
};

// Entries that a follower needs and that are not in memory any more.
struct StoredRead {
  ReplicaId to;
  LogIndex from, last;      // of them; as many as max_bytes take are enough
  std::size_t max_bytes = 0;
};

struct ReadState {
  std::uint64_t context = 0;
  // Serve once applied >= index. nullopt: leadership was lost; ask again elsewhere.
  std::optional<LogIndex> index;
};

// Why a replica must not go on, found by itself, in its own log (core_memory.cc).
struct Stop {
  enum class Why : std::uint8_t {
    kLostMemory,    // it does not hold what it has acknowledged: its vote and its copies count for nothing any more
    kContradicted,  // its leader has another entry where it has committed one; or there are two leaders of one term
  };
  Why why;
  std::string what;
};

struct Output {
  std::vector<Message> messages;           // send now, any order, may be lost
  std::optional<Persist> persist;          // to the log, in order of sequence
  std::vector<Entry> committed;            // apply in order: committed AND durable in this node's log (S3)
  std::vector<ReadState> reads;
  std::vector<StoredRead> stored_needed;   // read them back from the log; each ends in stored_read()
  std::vector<ReplicaId> snapshots_needed; // make and send one to each; then snapshot_sent()
  // A newer state than the log's has arrived: install it, reset the log to it, then snapshot_installed().
  // Nothing else comes out until then.
  std::optional<SnapshotMeta> install;
  bool removed = false;                    // this replica is not a member any more; set once
  std::vector<ReplicaId> lost_memory;      // leader: found out about these; each once in a term
  std::optional<Stop> stop;                // set once; send `messages`, and nothing comes out any more
  bool empty() const;
};

struct FollowerStatus {
  ReplicaId id;
  LogIndex match;
  LogIndex holds;  // its log is believed to go up to here: what comes after is needed for it
  bool learner = false;
  bool recently_active = false;
  bool snapshotting = false;
  bool lost_memory = false;  // it has not what it had acknowledged: it has stopped, or will
};

struct Status {
  ReplicaId id;
  Role role = Role::kFollower;
  ReplicaId leader;  // 0: unknown
  Term term;
  LogIndex first_index, last_index, commit, applied, stable;
  Membership membership;
  LogIndex membership_index;
  std::vector<FollowerStatus> followers;  // leader only
};

class Core {
 public:
  Core(Options options, InitialState initial, MonoTime now);
  Core(const Core&);
  Core(Core&&) noexcept;
  Core& operator=(const Core&);
  Core& operator=(Core&&) noexcept;
  ~Core();

  void step(MonoTime now, const Message& message);
  void tick(MonoTime now);
  // When tick() next has something to do. Never in the past for long: tick(that) moves it.
  MonoTime next_deadline() const;
  Output take_output();

  // Appends a command and answers its index. Refused, and nothing changed:
  //   kNotLeader; kConflict: `evaluated_in` is not the current term any more (L7);
  //   kBusy: max_uncommitted_bytes; kFailedPrecondition: a leader transfer is going on.
  Result<LogIndex> propose(MonoTime now, Term evaluated_in, Payload command);

  // Moves to these voters and learners, through joint consensus unless only learners differ.
  //   kNotLeader; kFailedPrecondition: another change is not finished, or no entry of this term is
  //   committed yet; kInvalidArgument: no voters, or a replica is both.
  Result<LogIndex> propose_membership(MonoTime now, std::vector<ReplicaId> voters, std::vector<ReplicaId> learners);

  // Hands leadership to a voter; gives up after T. kNotLeader, kInvalidArgument (not a voter).
  Result<> transfer_leadership(MonoTime now, ReplicaId to);
  // Whom to hand leadership to, whatever for (L9): a voter that is there, caught up if there is one, and would take it.
  // ReplicaId(): nobody, or this is not the leader.
  ReplicaId successor(MonoTime now, std::vector<ReplicaId> passed_over = {});
  // Is there room on this node's disks? If not, nobody hands leadership over to it.
  void set_room(bool room);
  // Whatever is answered from now on, a successor has to know of it: TimeoutNow carries the last of these. 0: unknown.
  void answered_up_to(std::uint64_t answered);
  // Leader: the newest TimeoutNow of this term may still make a successor of one whose log ends with that index, who
  // then believes that nothing above `answered` was answered. While this holds, nothing above it may be. nullopt: none
  // was sent, or an entry behind `index` is committed: then whoever is elected has it, and that TimeoutNow is void.
  std::optional<HandOver> handed_over() const;
  // Leader: what its predecessor had answered at most, by the TimeoutNow that began this term. nullopt: nobody said, or
  // it may have answered more since.
  std::optional<std::uint64_t> inherited() const;
  // Campaigns at once, through pre-vote, unless L1 or L2 forbid it.
  void campaign(MonoTime now);

  // The commit index known now, if this leader holds a lease at `now` and an entry of its own term is
  // applied (L4, L5). The caller serves once applied >= it.
  std::optional<LogIndex> lease_read(MonoTime now) const;
  // Asks a quorum whether this is still the leader; the answer comes in Output::reads. kNotLeader.
  Result<> read_index(MonoTime now, std::uint64_t context);

  void persisted(MonoTime now, std::uint64_t sequence);
  void applied(MonoTime now, LogIndex index);
  void snapshot_installed(MonoTime now, const SnapshotMeta& meta);
  // ok: the follower has it whole. Not ok: it is probed again, and asked for anew when needed.
  void snapshot_sent(MonoTime now, ReplicaId to, LogIndex index, bool ok);
  // From `from` of StoredRead on; none: they are not there any more.
  void stored_read(MonoTime now, ReplicaId to, std::vector<Entry> entries);
  // The transport lost messages to it: fall back from streaming to probing.
  void report_unreachable(ReplicaId to);
  // Forgets entries up to and including index. Requires: applied >= index.
  void compact(LogIndex index);
  // Keeps at most so many bytes of applied entries in memory; older ones are read back when a follower needs them.
  void limit_memory(std::size_t bytes);

  bool is_leader() const;
  // Leader, and an entry of its own term is applied: may evaluate requests (L5).
  bool may_evaluate() const;
  // propose() in this term would be accepted, up to max_uncommitted_bytes: a leader, and no transfer going on.
  bool may_propose(MonoTime now) const;
  Term term() const;
  ReplicaId leader() const;
  LogIndex last_index() const;
  LogIndex commit_index() const;
  LogIndex applied_index() const;
  std::size_t uncommitted_bytes() const;
  // Of the entries kept in memory.
  std::size_t retained_bytes() const;
  // Requires: index is in the log, or its base.
  Term term_at(LogIndex index) const;
  // The index and term that a snapshot at applied_index() must carry.
  SnapshotMeta snapshot_meta() const;
  Status status() const;

  // CHECKs everything this class promises. Called after every step in tests.
  void check_invariants() const;
  // Of the whole state, deadlines taken relative to now.
  std::uint64_t hash(MonoTime now) const;

 private:
  class Impl;  // raft/impl.h: shared by core_*.cc
  std::unique_ptr<Impl> impl_;
};

}  // namespace meridian::raft
