// Watches every replica of a group from outside and CHECKs the paper's five safety properties (Figure 3) and
// those of reads. It sees only what leaves the cores: what they persist, commit, apply and answer.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "raft/core.h"

namespace meridian::raft::testing {

// A log as one replica has handed it to its disk. A digest stands for an entry and all before it.
struct LogView {
  struct Item {
    Term term;
    std::uint64_t digest;
  };
  LogIndex base;
  std::uint64_t base_digest = 0;
  Term base_term;
  std::vector<Item> items;

  LogIndex last() const { return base + items.size(); }
  bool covers(LogIndex index) const { return index >= base && index <= last(); }
  Item at(LogIndex index) const { return index == base ? Item{base_term, base_digest} : items[index - base - 1]; }
};

std::uint64_t extend_digest(std::uint64_t digest, const Entry& entry);

class Judge {
 public:
  // From now on the group may be wrong: disks were meddled with.
  void rest() { resting_ = true; }
  // Where a group starts its log, with an empty state.
  void on_bootstrap(LogIndex index) { committed_[index.value()] = 0; }
  // What a replica hands to its disk. Leader append-only, and log matching.
  void on_persist(LogView& view, const Persist& persist, bool is_leader);
  void on_reset(LogView& view, LogIndex base, Term term, std::uint64_t digest);
  // After every step: election safety, leader completeness, and what is committed stays.
  void on_state(const Core& core, const LogView& view);
  // State machine safety: the digest of all that was applied up to index.
  void on_apply(LogIndex index, std::uint64_t digest);
  // An answer of lease_read, or of a read_index asked when `acknowledged` was the newest commit.
  void on_read(ReplicaId id, LogIndex index, LogIndex acknowledged) const;
  // The newest index that any leader has committed.
  LogIndex newest_commit() const { return newest_commit_; }
  Term newest_term() const { return newest_term_; }
  std::size_t leaders_seen() const { return leaders_.size(); }

 private:
  bool resting_ = false;
  std::map<std::uint64_t, ReplicaId> leaders_;                               // by term
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> prefix_;  // (index, term) → digest
  std::map<std::uint64_t, std::uint64_t> committed_;                         // index → digest
  // (no later leader than of this term can have committed it, index): ascending in both.
  std::vector<std::pair<Term, LogIndex>> commits_by_term_;
  LogIndex newest_commit_;
  Term newest_term_;
};

}  // namespace meridian::raft::testing
