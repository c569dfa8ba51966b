// Who leads the shard, by the highest term anybody spoke of, and whether that is still to be believed.
// Pure; one per shard.
//
// A leader that fell silent or said that it does not lead is suspected, and then not trusted because others still name
// it (they have not noticed yet), but by its own word or in another term.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/transport.h"

namespace meridian::proxy {

class LeaderTracker {
 public:
  struct Leader {
    std::uint64_t node = 0;
    std::uint64_t term = 0;
    Address address;  // as the word came; empty: where the topology says
  };

  // nullptr: not known, or suspected.
  const Leader* leader() const { return leader_.node != 0 && !suspected_ ? &leader_ : nullptr; }
  // Also one that is suspected; node 0: none.
  const Leader& last() const { return leader_; }

  // own_word: the leader itself says so. True: leader() is another one now.
  bool learn(std::uint64_t node, std::uint64_t term, Address address, bool own_word) {
    if (node == 0 || term < leader_.term) return false;
    if (term == leader_.term && leader_.node != 0) {
      if (node != leader_.node) return false;  // one leader per term: a message that lies
      if (!address.empty()) leader_.address = std::move(address);
      if (!suspected_ || !own_word) return false;
      suspected_ = false;
      return true;
    }
    leader_ = {node, term, std::move(address)};
    suspected_ = false;
    return true;
  }
  // Of this term: a later one's leader is none the worse for it.
  void suspect(std::uint64_t node, std::uint64_t term) {
    if (leader_.node == node && leader_.term == term) suspected_ = true;
  }

 private:
  Leader leader_;
  bool suspected_ = false;
};

}  // namespace meridian::proxy
