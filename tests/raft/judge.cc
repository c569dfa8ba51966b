#include "tests/raft/judge.h"

#include <algorithm>

#include "base/check.h"
#include "raft/hasher.h"

namespace meridian::raft::testing {

std::uint64_t extend_digest(std::uint64_t digest, const Entry& entry) {
  Hasher h;
  h.add(digest, entry.index.value(), entry.term.value(), static_cast<std::uint64_t>(entry.type));
  h.add_bytes(entry.data);
  return h.value();
}

void Judge::on_persist(LogView& view, const Persist& persist, bool is_leader) {
  if (persist.truncate_from) {
    CHECK_F(!is_leader, "leader append-only: a leader truncates at {}", *persist.truncate_from);
    CHECK(*persist.truncate_from > view.base);
    if (*persist.truncate_from <= view.last()) view.items.resize(*persist.truncate_from - view.base - 1);
  }
  for (const Entry& entry : persist.entries) {
    CHECK_F(entry.index == view.last().next(), "persists {} after {}", entry.index, view.last());
    const std::uint64_t digest = extend_digest(view.at(view.last()).digest, entry);
    const auto [it, fresh] = prefix_.try_emplace({entry.index.value(), entry.term.value()}, digest);
    CHECK_F(fresh || resting_ || it->second == digest, "log matching: two logs differ at or before {} of term {}", entry.index,
            entry.term);
    view.items.push_back({entry.term, digest});
  }
}

void Judge::on_reset(LogView& view, LogIndex base, Term term, std::uint64_t digest) {
  view = LogView{base, digest, term, {}};
}

void Judge::on_state(const Core& core, const LogView& view) {
  if (resting_) return;
  newest_term_ = std::max(newest_term_, core.term());
  if (core.is_leader()) {
    const ReplicaId id = core.status().id;
    const auto [it, fresh] = leaders_.try_emplace(core.term().value(), id);
    CHECK_F(it->second == id, "election safety: {} and {} lead in term {}", it->second, id, core.term());
    if (fresh) {
      for (auto c = commits_by_term_.rbegin(); c != commits_by_term_.rend(); ++c) {
        if (c->first >= core.term()) continue;
        CHECK_F(c->second <= view.last(), "leader completeness: {} leads in term {} without {}", id, core.term(),
                c->second);
        if (!view.covers(c->second)) break;
        CHECK_F(view.at(c->second).digest == committed_.at(c->second.value()),
                "leader completeness: {} leads in term {} with another {}", id, core.term(), c->second);
        break;
      }
    }
  }
  const LogIndex commit = core.commit_index();
  // What is not handed to the disk yet is judged with the next output.
  for (LogIndex i = commit; i > view.base && view.covers(i); i = i.previous()) {
    const auto [it, fresh] = committed_.try_emplace(i.value(), view.at(i).digest);
    CHECK_F(it->second == view.at(i).digest, "replica {}: two different entries are committed at {}", core.status().id,
            i);
    if (!fresh) break;
  }
  if (commit > newest_commit_ && view.covers(commit)) {
    newest_commit_ = commit;
    commits_by_term_.emplace_back(newest_term_, commit);
  }
}

void Judge::on_apply(LogIndex index, std::uint64_t digest) {
  if (resting_) return;
  const auto it = committed_.find(index.value());
  CHECK_F(it != committed_.end() && it->second == digest, "state machine safety: another entry is applied at {}",
          index);
}

void Judge::on_read(ReplicaId id, LogIndex index, LogIndex acknowledged) const {
  CHECK_F(resting_ || index >= acknowledged, "stale read: {} answers as of {}, {} was acknowledged", id, index, acknowledged);
}

}  // namespace meridian::raft::testing
