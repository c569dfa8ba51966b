// When did the leader send what a quorum has answered? Every heartbeat and append carries a round; the leader
// remembers when it sent each, and its lease starts at that moment (L1: the SENDING time, by its own clock).
// Invariant: rounds_ is consecutive in number and non-decreasing in time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/types.h"

namespace meridian::raft {

class LeaseTracker {
 public:
  static constexpr std::uint64_t kAlways = UINT64_MAX;  // "a quorum" of only this replica

  std::uint64_t last_round() const { return last_round_; }
  // A message is about to leave: the round it carries.
  std::uint64_t begin_round(MonoTime now);
  // A quorum of every configuration in force has echoed this round or a later one. May go back when the
  // membership changes.
  void confirm(std::uint64_t round);
  std::uint64_t confirmed() const { return confirmed_; }
  // Since when a quorum is known to follow; nullopt: unknown.
  std::optional<MonoTime> confirmed_since(MonoTime now) const;
  // Rounds sent before this can't serve any more.
  void forget_before(MonoTime time);
  void clear();

  template <class Hasher>
  void hash_into(Hasher& h, MonoTime now) const {
    h.add(last_round_, confirmed_, rounds_.size());
    for (const auto& [round, sent] : rounds_) h.add(round, static_cast<std::uint64_t>((now - sent).count()));
  }

 private:
  struct Round {
    std::uint64_t round;
    MonoTime sent;
  };
  std::uint64_t last_round_ = 0;  // never restarts within a process; 0 on the wire: no answer wanted
  std::uint64_t confirmed_ = 0;
  std::deque<Round> rounds_;
};

}  // namespace meridian::raft
