// What replicas have told each other, and what follows where a log says otherwise (L10).
//
//   A replica's log never ends below what it has acknowledged: within a term, whatever that was; for ever, if it was
//   committed. So "you told me that you hold entry 100 of term 3" can be judged by whoever it is said to, by its own
//   log, however late it comes: heartbeats carry it, and kLostMemory where a refusal or a candidate's log shows the
//   loss. Who can't keep the claim stops. Nobody stops because of what another lacks, and none is stopped by another.
//
//   Contradictions. A follower that has committed what its leader's log contradicts stops, and not the leader: the
//   leader has a majority, and where nobody can tell who forgot, the group goes on with one log. A leader stops where
//   it is told of an entry of its own term that it does not know, for nobody but itself can have made it, and where it
//   hears another leader of its term: one voter has forgotten its vote, and from then on equal terms do not say that
//   logs are equal.
#include <algorithm>

#include <fmt/format.h>

#include "raft/impl.h"

namespace meridian::raft {
namespace {

// A refusal says that the log there does not hold `index`: what was refused lies at or below it, or so does the end of
// what may match above it.
bool refuses(const Message& m, LogIndex index) {
  return index > LogIndex() && (m.log_index <= index || m.hint_index < index);
}

}  // namespace

void Core::Impl::stop(Stop::Why why, std::string what) {
  become_follower(term_, ReplicaId());
  vote_answer_to_ = ReplicaId();
  messages_.clear();
  stop_ = Stop{why, std::move(what)};
}

// Answers true if this log holds the entry that it is said to have acknowledged. Term(): which one is not said.
bool Core::Impl::remembers(LogIndex index, Term term, ReplicaId told) {
  if (index < log_.base_index()) return true;
  const std::optional<Term> here = log_.term_at(index);
  if (here && (term == Term() || *here == term)) return true;
  if (DELIBERATE_BUG("believe_lost_memory")) return true;
  PROBE("raft.memory_lost");
  stop(Stop::Why::kLostMemory,
       fmt::format(
           "replica {} has told replica {} that it holds entry {} of term {}, and does not: its log ends at entry {} "
           "of term {}, its term is {}, voted for {}",
           options_.id, told, index, term, log_.last_index(), log_.last_term(), term_, vote_));
  Message confession = make(MessageType::kLostMemory, told);
  confession.reject = true;
  confession.log_index = log_.last_index();
  confession.log_term = log_.last_term();
  messages_.push_back(std::move(confession));
  return false;
}

void Core::Impl::handle_lost_memory(const Message& m) {
  if (m.reject) {
    Progress* p = is_leader() ? progress_of(m.from) : nullptr;
    if (p != nullptr) note_lost_memory(*p, std::max(p->match, held_.of(p->id).index));
    return;
  }
  // What is not committed may be gone by right in a later term.
  if (m.log_index <= m.commit || m.term == term_) remembers(m.log_index, m.log_term, m.from);
}

void Core::Impl::remind(ReplicaId to, LogIndex index, Term term) {
  Message m = make(MessageType::kLostMemory, to);
  m.log_index = index;
  m.log_term = term;
  m.commit = std::min(commit_, index);
  messages_.push_back(std::move(m));
}

// Requires: leader. Its copies count no more, and it gets no entries: they would cover up what it has forgotten.
void Core::Impl::note_lost_memory(Progress& p, LogIndex had) {
  if (had == LogIndex()) return;  // what it confesses it had told an earlier process of this replica
  if (p.lost == LogIndex()) lost_memory_.push_back(p.id);
  PROBE("raft.follower_lost_memory");
  p.lose(std::max(p.lost, had));
}

// What was acknowledged and is committed is held for ever: whoever has led remembers it for as long as it runs, for a
// later term, and under another leader.
void Core::Impl::remember(const Progress& p) {
  const LogIndex index = std::min(p.match, commit_);
  const std::optional<Term> term = log_.term_at(index);
  if (index == LogIndex() || !term) return;
  held_.note(p.id, {index, *term, term_});
}

// The follower refuses what it has acknowledged: in this term, and then heard something that was sent after that; or in
// an earlier term, and it is committed. What refuses nothing in particular is about terms only.
bool Core::Impl::shows_lost_memory(Progress& p, const Message& m) {
  if (m.log_index == LogIndex()) return false;
  const HeldByOthers::Held held = held_.of(p.id);
  LogIndex had;
  if (refuses(m, p.match) && m.round > p.match_round) had = p.match;
  if (held.acknowledged_in < term_ && refuses(m, held.index)) had = std::max(had, held.index);
  if (had == LogIndex() || DELIBERATE_BUG("believe_lost_memory")) return false;
  note_lost_memory(p, had);
  remind(p.id, had, log_.term_at(had).value_or(Term()));
  return true;
}

// A candidate's log ends before what it once acknowledged here. It judges for itself: the question may be an old one.
void Core::Impl::remind_candidate(const Message& m) {
  const HeldByOthers::Held held = held_.of(m.from);
  if (m.log_index < held.index) remind(m.from, held.index, held.term);
}

// The leader's log has, at or below this replica's commit index, another entry than is committed here.
bool Core::Impl::contradicts_commit(const Message& m) {
  const auto differs = [&](LogIndex index, Term term) {
    const std::optional<Term> here = index <= commit_ ? log_.term_at(index) : std::nullopt;
    if (!here || *here == term) return false;
    PROBE("raft.commit_contradicted");
    stop(
        Stop::Why::kContradicted,
        fmt::format(
            "entry {} of term {} is committed at replica {} (up to {}), but replica {}, the leader of term {}, has one "
            "of term {} there: a majority has forgotten what it had, or this replica holds what never was",
            index, *here, options_.id, commit_, m.from, m.term, term));
    return true;
  };
  if (m.type == MessageType::kSnapshot) return differs(m.snapshot.index, m.snapshot.term);
  if (differs(m.log_index, m.log_term)) return true;
  return std::ranges::any_of(m.entries, [&](const Entry& entry) { return differs(entry.index, entry.term); });
}

// May the leader believe that the follower holds its log up to there? What it holds instead, if it is older, is
// committed there: the follower finds that out with the entries that it is sent.
bool Core::Impl::believes(const Message& m) {
  if (m.log_index < log_.base_index()) return true;
  const std::optional<Term> here = log_.term_at(m.log_index);
  if (here && (m.log_term == Term() || *here == m.log_term)) return true;
  PROBE("raft.acknowledged_another_log");
  if (m.log_term == term_) {
    stop(Stop::Why::kLostMemory,
         fmt::format(
             "replica {} leads term {}, and replica {} holds entry {} of that term, which this log (up to {}) does not "
             "have: it has led this term before, and forgotten it",
             options_.id, term_, m.from, m.log_index, log_.last_index()));
  }
  return false;
}

}  // namespace meridian::raft
