// What other replicas have acknowledged to this one, and is committed: they hold it for ever, whoever leads (L10).
// Lives as long as the process that was told.
#pragma once

#include <map>

#include "raft/types.h"

namespace meridian::raft {

class HeldByOthers {
 public:
  struct Held {
    LogIndex index;
    Term term;
    Term acknowledged_in;
  };

  void note(ReplicaId id, const Held& held) {
    Held& known = held_[id];
    if (held.index > known.index) known = held;
  }
  // Of one that has told nothing: index 0.
  Held of(ReplicaId id) const {
    const auto known = held_.find(id);
    return known == held_.end() ? Held() : known->second;
  }
  // Forgets who is not a member any more.
  void keep(const Membership& members) {
    std::erase_if(held_, [&](const auto& held) { return !members.contains(held.first); });
  }

  template <class Hasher>
  void hash_into(Hasher& h) const {
    for (const auto& [id, held] : held_)
      h.add(id.value(), held.index.value(), held.term.value(), held.acknowledged_in.value());
  }

 private:
  std::map<ReplicaId, Held> held_;
};

}  // namespace meridian::raft
