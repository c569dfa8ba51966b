// Snapshots, as an output: the core says who needs one and that a newer state has arrived; the driver moves it.
#include <algorithm>

#include "raft/impl.h"

namespace meridian::raft {

void Core::Impl::handle_snapshot(const Message& m) {
  const SnapshotMeta& meta = m.snapshot;
  if (!well_formed(meta.membership) || meta.term > m.term) return;
  if (!hear_leader(m) || contradicts_commit(m)) return;
  if (meta.index <= commit_ || log_.holds(meta.index, meta.term)) {
    // Nothing in it is news, or the log has caught up by itself: it is enough to know that it is committed.
    PROBE("raft.snapshot_not_needed");
    commit_to(std::max(commit_, meta.index));
    answer_append_ = true;
    return;
  }
  PROBE("raft.snapshot_to_install");
  installing_ = meta;
  install_told_ = false;
  // Answers owed for the log as it was are not sent: it is about to be replaced.
  answer_append_ = false;
}

// Only the leader is listened to, so that nothing is promised on behalf of a log that is about to go; what it
// said last is answered when the snapshot is in.
void Core::Impl::step_while_installing(const Message& m) {
  if (m.term < term_) return;
  if (m.term > term_) become_follower(m.term, ReplicaId());
  if (!hear_leader(m)) return;
  answer_heartbeat_ = true;
}

void Core::Impl::snapshot_installed(const SnapshotMeta& meta) {
  CHECK_F(installing_ && installing_->index == meta.index && installing_->term == meta.term,
          "snapshot {} was not asked to be installed", meta.index);
  log_.reset(meta.index, meta.term);
  memberships_.reset(meta.index, meta.membership, commit_);
  commit_ = applied_ = handed_ = verified_ = meta.index;
  acked_ = LogIndex();
  installing_.reset();
  if (!membership().contains(options_.id) && memberships_.was_member_before(commit_)) removed_ = true;
  answer_append_ = leader_ != ReplicaId();
  reset_election_deadline();
}

void Core::Impl::snapshot_sent(ReplicaId to, LogIndex index, bool ok) {
  Progress* p = is_leader() ? progress_of(to) : nullptr;
  if (p == nullptr || p->state != Progress::State::kSnapshot) return;  // it caught up meanwhile, or is gone
  // Its own answer decides. Until then, or if that gets lost, it is probed with each heartbeat.
  p->become_probe(ok ? index.next() : p->match.next());
  p->probe_sent = true;
}

void Core::Impl::report_unreachable(ReplicaId to) {
  Progress* p = is_leader() ? progress_of(to) : nullptr;
  if (p != nullptr && p->state == Progress::State::kReplicate) {
    p->become_probe(p->match.next());
    p->probe_sent = true;  // with the next heartbeat
  }
}

void Core::Impl::compact(LogIndex index) {
  CHECK_F(index <= applied_, "compacting {} above the applied {}", index, applied_);
  log_.compact(index);
}

SnapshotMeta Core::Impl::snapshot_meta() const {
  return {applied_, log_.term_at(applied_).value(), memberships_.as_of(applied_).membership};
}

}  // namespace meridian::raft
