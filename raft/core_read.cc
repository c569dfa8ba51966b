// Reading without a log entry: leases (L1 to L5), read-index (thesis §6.4), and the check that a quorum still
// answers at all (thesis §6.2).
#include <algorithm>

#include "raft/impl.h"

namespace meridian::raft {

// The voters promised not to vote for T after they heard this leader. Each counts from its own hearing, which
// is after the sending; rates differ by ρ on both sides: T(1 − 2ρ) from the sending is within every promise.
bool Core::Impl::has_lease(MonoTime now) const {
  if (!is_leader() || lease_barred_) return false;
  const std::optional<MonoTime> since = rounds_.confirmed_since(now);
  const double length = static_cast<double>(options_.election_timeout.count()) * (1 - 2 * options_.clock_drift);
  return since && now < *since + Duration(static_cast<std::int64_t>(length));
}

std::optional<LogIndex> Core::Impl::lease_read(MonoTime now) const {
  if (!may_evaluate()) return std::nullopt;
  if (!has_lease(std::max(now, now_)) && !DELIBERATE_BUG("read_without_lease")) return std::nullopt;
  return commit_;
}

Result<> Core::Impl::read_index(std::uint64_t context) {
  if (!is_leader()) return fail(ErrorCode::kNotLeader, "not the leader");
  // Any round that leaves from now on: who answers it had not elected another when this was asked. Until an
  // entry of this term is committed the commit index may be behind what was acknowledged: wait for that entry.
  pending_reads_.push_back({context, rounds_.last_round() + 1, std::max(commit_, term_start_)});
  round_due_ = true;
  confirm_rounds();
  return {};
}

// What a quorum of every configuration in force has echoed: the start of the lease, and the end of waiting reads.
void Core::Impl::confirm_rounds() {
  const auto round = quorum_value<std::uint64_t>(membership(), [&](ReplicaId id) -> std::uint64_t {
    if (id == options_.id) return LeaseTracker::kAlways;
    const Progress* p = progress_of(id);
    return p != nullptr ? p->acked_round : 0;
  });
  rounds_.confirm(round);
  while (!pending_reads_.empty() && pending_reads_.front().round <= round) {
    reads_.push_back({pending_reads_.front().context, pending_reads_.front().index});
    pending_reads_.pop_front();
  }
}

void Core::Impl::fail_reads() {
  for (const PendingRead& read : pending_reads_) reads_.push_back({read.context, std::nullopt});
  pending_reads_.clear();
}

// The latest moment by which a quorum of every configuration had answered in this term.
MonoTime Core::Impl::quorum_heard() const {
  return quorum_value<MonoTime>(membership(), [&](ReplicaId id) {
    if (id == options_.id) return now_;
    for (const Progress& p : progress_) {
      if (p.id == id) return p.last_active;
    }
    return MonoTime();
  });
}

// A leader that no quorum answers can commit nothing; it makes way, and says so to those who wait.
void Core::Impl::check_quorum() {
  if (now_ - quorum_heard() < options_.election_timeout) return;
  PROBE("raft.quorum_silent");
  become_follower(term_, ReplicaId());
}

}  // namespace meridian::raft
