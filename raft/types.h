// The plain structs of the consensus core: entries, memberships, messages. Names follow the Raft paper
// and Ongaro's thesis. raft/ knows nothing of threads, disks, networks or protobuf; shard/wire encodes these.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/types.h"

namespace meridian::raft {

// Shared between the log's tail, messages in flight and the apply queue; never changed once made.
using Payload = std::shared_ptr<const std::string>;

// The numbers are stored in logs; append only.
enum class EntryType : std::uint8_t {
  kNoop = 0,        // a new leader's first entry; nothing to apply
  kCommand = 1,     // opaque to raft
  kMembership = 2,  // data is encode(Membership) (raft/membership.h)
};

struct Entry {
  LogIndex index;
  Term term;
  EntryType type = EntryType::kNoop;
  Payload data;  // may be null: empty

  std::size_t bytes() const { return 32 + (data ? data->size() : 0); }
};

// Entries first to last have this term.
struct TermRun {
  LogIndex first, last;
  Term term;
  friend bool operator==(const TermRun&, const TermRun&) = default;
};

// Who decides and who follows. All vectors are sorted and free of duplicates.
// Invariants: no replica is both voter (of either half) and learner; learners_next (outgoing voters that
// become learners when the joint phase ends) is a subset of outgoing; outgoing is empty unless joint.
struct Membership {
  std::vector<ReplicaId> voters;
  std::vector<ReplicaId> outgoing;  // joint consensus: the old voters
  std::vector<ReplicaId> learners;
  std::vector<ReplicaId> learners_next;

  bool joint() const { return !outgoing.empty(); }
  bool is_voter(ReplicaId id) const;  // in either half
  bool is_learner(ReplicaId id) const;
  bool contains(ReplicaId id) const { return is_voter(id) || is_learner(id); }
  friend bool operator==(const Membership&, const Membership&) = default;
};

// What must survive a restart besides the log itself. vote 0: none.
struct HardState {
  Term term;
  ReplicaId vote;
  LogIndex commit;  // a hint: may lag behind what was really committed
  friend bool operator==(const HardState&, const HardState&) = default;
};

// The state that replaces the log up to and including index.
struct SnapshotMeta {
  LogIndex index;
  Term term;
  Membership membership;
  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

enum class MessageType : std::uint8_t {  // travels between versions; append only
  kAppend = 1,             // entries after (log_index, log_term); commit; round
  kAppendResponse = 2,     // log_index: match, or with reject the `log_index` that was refused; round echoed
  kHeartbeat = 3,          // no entries: commit (never above the follower's match), round
  kHeartbeatResponse = 4,  // round echoed
  kPreVote = 5,
  kPreVoteResponse = 6,
  kVote = 7,               // transfer: sent because of TimeoutNow, bypasses stickiness
  kVoteResponse = 8,
  kTimeoutNow = 9,
  kSnapshot = 10,          // the snapshot has arrived whole at this node's driver (its files are beside it)
  kReadIndex = 11,         // follower -> leader (reserved)
  kReadIndexResponse = 12,
  kRemoved = 13,           // "you are not a member any more"; log_index: of the membership entry that says so
  // "You have told me that you hold the entry log_index of log_term"; with reject: "I did, and do not any more".
  kLostMemory = 14,
};

struct Message {
  MessageType type = MessageType::kHeartbeat;
  ReplicaId from;
  ReplicaId to;
  Term term;
  // Also, in a heartbeat, the last entry that the follower has acknowledged, and in an acknowledgement its term (0: not said).
  LogIndex log_index;
  Term log_term;
  LogIndex commit;
  std::vector<Entry> entries;
  bool reject = false;
  bool transfer = false;
  LogIndex hint_index;  // reject: the last index that can match ...
  Term hint_term;       // ... and its term there
  // Identifies the leader's sending moment: the leader keeps the time it sent each round and takes a
  // lease from the SENDING time of a round that a quorum echoed (never from a peer's clock).
  std::uint64_t round = 0;
  std::uint32_t priority = 0;  // of the sender; 0 is the most preferred
  std::uint64_t answered = 0;  // kTimeoutNow: HandOver's, of the log that ends with (log_index, log_term)
  SnapshotMeta snapshot;
};

// What a leader tells its successor with TimeoutNow (L3). `answered` bounds what the leader has answered with, beyond
// what its log up to `index` says; its unit is the driver's.
struct HandOver {
  LogIndex index;
  std::uint64_t answered = 0;
  friend bool operator==(const HandOver&, const HandOver&) = default;
};

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader, kLearner };

}  // namespace meridian::raft
