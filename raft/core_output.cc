// What leaves the core, and what comes back from the disk and the state machine.
//
// Nothing that vouches for the disk is queued: votes, acknowledgements and vote requests are derived, at the
// moment they leave, from what is durable then. So a late report, or a change of term in between, can't let
// one out that is not true any more.
#include <algorithm>

#include "raft/impl.h"

namespace meridian::raft {

Output Core::Impl::take_output() {
  Output out;
  if (stop_) {
    out.messages = std::exchange(messages_, {});
    out.reads = std::exchange(reads_, {});
    if (!std::exchange(stop_told_, true)) out.stop = stop_;
    return out;
  }
  if (installing_) {
    if (!std::exchange(install_told_, true)) out.install = installing_;
    return out;
  }
  if (is_leader()) {
    replicate();
  } else {
    answer_leader();
    answer_candidate();
  }
  out.messages = std::exchange(messages_, {});
  take_persist(out);
  take_committed(out);
  out.reads = std::exchange(reads_, {});
  out.stored_needed = std::exchange(stored_needed_, {});
  out.snapshots_needed = std::exchange(snapshots_needed_, {});
  out.lost_memory = std::exchange(lost_memory_, {});
  if (removed_ && handed_ == commit_) out.removed = !std::exchange(removed_told_, true);
  return out;
}

void Core::Impl::take_persist(Output& out) {
  const Ballot ballot{term_, vote_};
  if (ballot == handed_ballot_ && !log_.has_unsaved()) return;  // a new commit index alone is not worth a sync
  Persist& persist = out.persist.emplace();
  persist.sequence = ++persist_sequence_;
  if (ballot != handed_ballot_ || commit_ > handed_commit_) {
    persist.hard_state = HardState{term_, vote_, commit_};
    handed_commit_ = commit_;
  }
  handed_ballot_ = ballot;
  ballot_flights_.emplace_back(persist.sequence, ballot);
  log_.begin_persist(persist);
}

// S3: an entry that is committed elsewhere but not durable here would, after a power cut, be in the data and
// not in the log.
void Core::Impl::take_committed(Output& out) {
  const LogIndex end = DELIBERATE_BUG("apply_before_durable") ? commit_ : std::min(commit_, log_.stable());
  if (end <= handed_) return;
  log_.copy(handed_.next(), end, SIZE_MAX, out.committed);
  handed_ = end;
}

void Core::Impl::persisted(std::uint64_t sequence) {
  CHECK_F(sequence <= persist_sequence_, "persist {} was never asked for", sequence);
  while (!ballot_flights_.empty() && ballot_flights_.front().first <= sequence) {
    durable_ballot_ = ballot_flights_.front().second;
    ballot_flights_.pop_front();
  }
  log_.finish_persist(sequence);
  if (is_leader()) {
    maybe_commit();
  } else if (role_ == Role::kCandidate) {
    if (!requests_due_ || durable_ballot_ != Ballot{term_, options_.id}) return;
    requests_due_ = false;
    ask_for_votes(MessageType::kVote, term_);
    record_vote(options_.id, true);
    count_votes();
  } else if (leader_ != ReplicaId() && std::min(acknowledgeable(), verified_) > acked_) {
    answer_append_ = true;
  }
}

void Core::Impl::applied(LogIndex index) {
  if (index <= applied_) return;  // reported late, from before a snapshot
  CHECK_F(index <= handed_, "applied {} of what was handed out up to {}", index, handed_);
  applied_ = index;
  memberships_.prune(applied_);
}

}  // namespace meridian::raft
