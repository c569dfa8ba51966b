// What a leader knows about one follower: how far its log matches, what is on its way to it, and how to send
// more. Three states (etcd's naming):
//   kProbe      it is not known where the logs agree: one message at a time, until one is accepted
//   kReplicate  they agree: entries stream, `next` runs ahead of `match`, bounded by bytes in flight
//   kSnapshot   what it needs was compacted: nothing but heartbeats until the driver has sent a snapshot
// Invariant: match < next; the bytes in flight are those of the sends not acknowledged yet.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/types.h"
#include "raft/types.h"

namespace meridian::raft {

// Whom a leader looks for to take its place.
struct Successor {
  const Membership& of;  // a voter of it
  LogIndex at_least;     // its match
  std::uint32_t priority_below = UINT32_MAX;
  std::vector<ReplicaId> passed_over;
};

class Progress {
 public:
  enum class State : std::uint8_t { kProbe, kReplicate, kSnapshot };

  Progress(ReplicaId id, bool learner, LogIndex next, MonoTime now)
      : id(id), learner(learner), next(next), last_active(now) {}

  ReplicaId id;
  bool learner = false;
  LogIndex match;                 // acknowledged: durable there
  LogIndex next;                  // to be sent
  std::uint64_t match_round = 0;  // the last that had been sent when match was acknowledged
  LogIndex lost;  // it had acknowledged this, and does not hold it any more; 0: nothing is known of that
  State state = State::kProbe;
  bool probe_sent = false;
  LogIndex commit_sent;  // the highest commit index that was put on the way
  std::uint64_t acked_round = 0;
  MonoTime last_active;                 // of its last answer in this term
  std::uint32_t priority = UINT32_MAX;  // as it says; UINT32_MAX: it would not lead, or has said nothing yet
  MonoTime refused_until;               // it let a hand-over pass: not asked again before
  unsigned refusals = 0;

  bool may_send(std::size_t max_inflight_bytes) const;
  void sent(LogIndex last, std::size_t bytes);
  // It holds everything up to index. Answers whether that is news.
  bool acknowledge(LogIndex index);
  // Read back from the disk to be sent: the entries from next on, where they are not in memory.
  std::deque<Entry> stored;
  bool reading = false;  // they were asked for

  bool has_stored() const { return !stored.empty() && stored.front().index == next; }
  // Moves entries into out until max_bytes are reached, at least one; answers their bytes. Requires: has_stored().
  std::size_t take_stored(std::size_t max_bytes, std::vector<Entry>& out);
  // It has forgotten what it had acknowledged: nothing counts, and nothing is sent to it.
  void lose(LogIndex had);
  // It let a hand-over pass. The pause grows each time.
  void refuse(MonoTime now, Duration pause);
  void become_probe(LogIndex next_index);
  void become_replicate();
  void become_snapshot();
  std::size_t inflight_bytes() const { return inflight_bytes_; }
  bool idle() const { return inflight_.empty(); }
  void check_invariants() const;

  template <class Hasher>
  void hash_into(Hasher& h, MonoTime now) const {
    h.add(id.value(), learner, match.value(), next.value(), static_cast<std::uint64_t>(state), probe_sent);
    h.add(refusals, refused_until <= now ? 0 : static_cast<std::uint64_t>((refused_until - now).count()));
    h.add(match_round, lost.value(), commit_sent.value(), acked_round,
          static_cast<std::uint64_t>((now - last_active).count()), priority);
    h.add(reading, stored.size());
    for (const Send& s : inflight_) h.add(s.last.value(), s.bytes);
  }

 private:
  struct Send {
    LogIndex last;
    std::size_t bytes;
  };
  std::deque<Send> inflight_;
  std::size_t inflight_bytes_ = 0;
};

}  // namespace meridian::raft
