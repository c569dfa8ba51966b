// The leader: proposing, replicating (probe, replicate, snapshot), counting copies.
#include <algorithm>

#include <fmt/format.h>

#include "raft/impl.h"

namespace meridian::raft {

Result<LogIndex> Core::Impl::propose(Term evaluated_in, Payload command) {
  if (!is_leader()) return fail(ErrorCode::kNotLeader, "not the leader");
  if (evaluated_in != term_) {  // L7
    return fail(ErrorCode::kConflict, fmt::format("evaluated in term {}, it is {} now", evaluated_in, term_));
  }
  if (transferee_ != ReplicaId()) return fail(ErrorCode::kFailedPrecondition, "leadership is being handed over");
  const std::size_t bytes = Entry{.data = command}.bytes();
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.max_uncommitted_bytes) {
    return fail(ErrorCode::kBusy, fmt::format("{} bytes are not committed yet; the limit is {}", uncommitted_bytes_,
                                              options_.max_uncommitted_bytes));
  }
  return append_own(EntryType::kCommand, std::move(command));
}

// Only notes the entry: however many are proposed before the next take_output(), they leave in one write and
// in one message for each follower.
LogIndex Core::Impl::append_own(EntryType type, Payload data) {
  CHECK(is_leader());
  Entry entry{log_.last_index().next(), term_, type, std::move(data)};
  uncommitted_bytes_ += entry.bytes();
  log_.append(std::move(entry));
  return log_.last_index();
}

Progress* Core::Impl::progress_of(ReplicaId id) {
  const auto it = std::lower_bound(progress_.begin(), progress_.end(), id,
                                   [](const Progress& p, ReplicaId wanted) { return p.id < wanted; });
  return it != progress_.end() && it->id == id ? &*it : nullptr;
}

// What the leader has durable itself: it counts its own copy like any other (thesis §10.2.1).
LogIndex Core::Impl::own_match() const { return acknowledgeable(); }

std::uint64_t Core::Impl::current_round() {
  // One round for all that leaves together. now_ is at or before the real moment of sending: safe for leases.
  if (output_round_ == 0) output_round_ = rounds_.begin_round(now_);
  return output_round_;
}

void Core::Impl::replicate() {
  output_round_ = 0;
  if (heartbeat_due_) rounds_.forget_before(now_ - options_.election_timeout);
  for (Progress& p : progress_) send_to(p, heartbeat_due_);
  heartbeat_due_ = round_due_ = false;
  maybe_send_timeout_now();
}

void Core::Impl::send_to(Progress& p, bool beat) {
  using State = Progress::State;
  if (beat && p.state == State::kProbe) p.probe_sent = false;
  const bool sent = send_entries(p);
  if (beat && !sent && p.state == State::kReplicate && p.match.next() < p.next &&
      p.next.previous() >= log_.base_index()) {
    // Something is unanswered. An empty append after it is refused if it was lost.
    send_append(p, 0);
  } else if (beat || (round_due_ && !p.learner)) {
    // Also beside entries: it is answered at once, they only after the follower's disk.
    send_heartbeat(p, true);
  } else if (!sent && p.state == State::kReplicate && p.idle() && p.commit_sent < std::min(commit_, p.match)) {
    send_heartbeat(p, false);  // nothing else is on the way that would tell it what is committed
  }
}

bool Core::Impl::send_entries(Progress& p) {
  bool sent = false;
  // A full window does not matter to one that needs what was compacted: waiting would not bring it back.
  const bool behind = p.state == Progress::State::kReplicate && p.next.previous() < log_.base_index();
  while (behind || p.may_send(options_.max_inflight_bytes)) {
    const bool probing = p.state == Progress::State::kProbe;
    if (probing ? p.match >= log_.last_index() : p.next > log_.last_index()) break;
    const bool active = now_ < p.last_active + options_.election_timeout;
    if (p.next.previous() < log_.base_index()) {
      if (!active) break;  // a snapshot is not made for one that may be gone
      PROBE("raft.snapshot_needed");
      p.become_snapshot();
      snapshots_needed_.push_back(p.id);
      break;
    }
    // One that does not answer is only knocked at.
    const bool knock = probing && !active;
    if (!knock && !at_hand(p)) {
      ask_stored(p);
      break;
    }
    send_append(p, knock ? 0 : options_.max_append_bytes);
    sent = true;
  }
  return sent;
}

void Core::Impl::send_append(Progress& p, std::size_t max_bytes) {
  Message m = make(MessageType::kAppend, p.id);
  m.log_index = p.next.previous();
  m.log_term = log_.term_at(m.log_index).value();
  m.commit = commit_;
  m.round = current_round();
  LogIndex last = m.log_index;
  if (max_bytes > 0 && p.next <= log_.last_index()) {
    const std::size_t bytes = log_.in_memory(p.next) ? log_.copy(p.next, log_.last_index(), max_bytes, m.entries)
                                                     : p.take_stored(max_bytes, m.entries);
    last = m.entries.back().index;
    p.sent(last, bytes);
  } else if (p.state == Progress::State::kProbe) {
    p.probe_sent = true;
  }
  p.commit_sent = std::max(p.commit_sent, std::min(commit_, last));
  messages_.push_back(std::move(m));
}

// What is to be sent next, if there is any: in memory, or read back for this follower.
bool Core::Impl::at_hand(const Progress& p) const { return p.next > log_.evicted() || p.has_stored(); }

void Core::Impl::ask_stored(Progress& p) {
  if (std::exchange(p.reading, true)) return;
  PROBE("raft.stored_entries_needed");
  p.stored.clear();
  stored_needed_.push_back({p.id, p.next, log_.evicted(), options_.max_inflight_bytes / 2});
}

// What was read in another term, or for another place, is of no use; what fits is the log's.
void Core::Impl::stored_read(ReplicaId to, std::vector<Entry> entries) {
  Progress* p = is_leader() ? progress_of(to) : nullptr;
  if (p == nullptr || !std::exchange(p->reading, false) || p->state == Progress::State::kSnapshot) return;
  if (entries.empty() || entries.front().index != p->next || p->next.previous() < log_.base_index()) return;
  for (const Entry& entry : entries) {
    CHECK_F(log_.holds(entry.index, entry.term), "entry {} of term {} was read back; the log's is of term {}",
            entry.index, entry.term, log_.term_at(entry.index).value_or(Term()));
  }
  p->stored.assign(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
}

void Core::Impl::send_heartbeat(Progress& p, bool wants_answer) {
  Message m = make(MessageType::kHeartbeat, p.id);
  m.commit = std::min(commit_, p.match);  // beyond its match its log may still differ
  m.log_index = std::max(p.match, p.lost);
  m.log_term = log_.term_at(m.log_index).value_or(Term());
  m.round = wants_answer ? current_round() : 0;
  p.commit_sent = std::max(p.commit_sent, m.commit);
  messages_.push_back(std::move(m));
}

Progress* Core::Impl::hear_follower(const Message& m) {
  if (!is_leader()) return nullptr;
  Progress* p = progress_of(m.from);
  if (p == nullptr) return nullptr;
  p->last_active = now_;
  p->priority = m.priority;
  if (p->id == transferee_ && p->priority == UINT32_MAX) give_up_transfer();  // it says that it would not
  if (m.round > p->acked_round && m.round <= rounds_.last_round() && p->lost == LogIndex()) {
    p->acked_round = m.round;
    confirm_rounds();
  }
  return p;
}

void Core::Impl::handle_append_response(const Message& m) {
  Progress* p = hear_follower(m);
  if (p == nullptr) return;
  if (m.reject) return handle_reject(*p, m);
  if (m.log_index < p->lost || !believes(m)) return;
  p->lost = LogIndex();  // it holds it after all
  const bool news = p->acknowledge(m.log_index);
  if (news) p->match_round = rounds_.last_round();  // what it refuses in a later round, it refuses after this
  const bool caught_up = p->state == Progress::State::kSnapshot && p->match >= log_.base_index();
  if (p->state == Progress::State::kProbe || caught_up) p->become_replicate();
  if (news) maybe_commit();
  p = is_leader() ? progress_of(m.from) : nullptr;  // committing may have changed the members
  if (p != nullptr) remember(*p);
}

// m.log_index: the `prev` that was refused; hint: where its log may match (the paper's end of §5.3, by term).
void Core::Impl::handle_reject(Progress& p, const Message& m) {
  if (p.lost != LogIndex() || shows_lost_memory(p, m)) return;
  const bool probing = p.state == Progress::State::kProbe;
  if (p.state == Progress::State::kSnapshot || m.log_index <= p.match) return;
  if (probing && m.log_index != p.next.previous()) return;  // of an older probe
  LogIndex last = m.hint_index;
  if (last > log_.base_index()) last = log_.last_that_may_match(last, m.hint_term);
  p.become_probe(std::min(m.log_index, last.next()));
}

void Core::Impl::handle_heartbeat_response(const Message& m) {
  if (const Progress* p = hear_follower(m); p != nullptr) remember(*p);
}

// A deliberate bug: as many copies as a majority of the voters are enough, whoever has them.
LogIndex Core::Impl::with_learners_counted(LogIndex by_voters) const {
  std::vector<LogIndex> matches{own_match()};
  for (const Progress& p : progress_) matches.push_back(p.match);
  std::sort(matches.begin(), matches.end(), std::greater<>());
  return std::max(by_voters, matches[std::min(matches.size() - 1, membership().voters.size() / 2)]);
}

// An entry of an older term is never committed by counting its copies (paper §5.4.2, Figure 8); it commits
// with the first entry of the current term.
void Core::Impl::maybe_commit() {
  CHECK(is_leader());
  LogIndex index = quorum_value<LogIndex>(membership(), [&](ReplicaId id) {
    if (id == options_.id) return own_match();
    const Progress* p = progress_of(id);
    return p != nullptr ? p->match : LogIndex();
  });
  if (DELIBERATE_BUG("count_learners")) index = with_learners_counted(index);
  if (index <= commit_) return;
  if (log_.term_at(index) != term_ && !DELIBERATE_BUG("commit_older_terms")) return;
  commit_to(index);
  if (is_leader()) maybe_leave_joint();
}

void Core::Impl::commit_to(LogIndex index) {
  CHECK_F(index <= log_.last_index(), "committing {} of {}", index, log_.last_index());
  if (index <= commit_) return;
  const LogIndex before = commit_;
  if (is_leader()) {
    for (LogIndex i = before.next(); i <= index; i = i.next()) uncommitted_bytes_ -= log_.at(i).bytes();
  }
  commit_ = index;
  verified_ = std::max(verified_, commit_);
  membership_committed(before);
}

}  // namespace meridian::raft
