// Memberships: their bytes in the log, their rules, and the arithmetic of (joint) quorums.
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "raft/types.h"

namespace meridian::raft {

// More voters than this make no sense and are refused; it also bounds what decode accepts.
inline constexpr std::size_t kMaxReplicas = 64;

std::string encode(const Membership& membership);
// kCorruption: cut short, too many replicas, or against the invariants of Membership.
Result<Membership> decode_membership(std::string_view bytes);
// The invariants of types.h; an empty membership (a replica that knows nothing yet) passes.
bool well_formed(const Membership& membership);
// Every replica in it, each once, in order.
std::vector<ReplicaId> members(const Membership& membership);
// The step from `now` to these voters and learners: joint unless only learners differ. Requires: sorted,
// unique, disjoint.
Membership membership_towards(const Membership& now, std::vector<ReplicaId> voters, std::vector<ReplicaId> learners);
// What follows a joint membership.
Membership leave_joint(const Membership& joint);
// "voters 1 2 3 outgoing 1 2 learners 4", for people.
std::string describe(const Membership& membership);

// The largest value that a majority of `voters` has reached. Requires: voters is not empty.
template <class Value, class ValueOf>
Value majority_value(const std::vector<ReplicaId>& voters, const ValueOf& value_of) {
  boost::container::small_vector<Value, 8> values;
  for (const ReplicaId id : voters) values.push_back(value_of(id));
  std::sort(values.begin(), values.end(), std::greater<>());
  return values[values.size() / 2];
}

// The largest value that a quorum of every configuration in force has reached (thesis §4.3).
template <class Value, class ValueOf>
Value quorum_value(const Membership& membership, const ValueOf& value_of) {
  if (membership.voters.empty()) return Value();
  const Value value = majority_value<Value>(membership.voters, value_of);
  if (!membership.joint()) return value;
  return std::min(value, majority_value<Value>(membership.outgoing, value_of));
}

enum class VoteResult : std::uint8_t { kPending, kWon, kLost };

// vote_of(id) answers 1: granted, -1: refused, 0: nothing yet. Both configurations must agree.
template <class VoteOf>
VoteResult count_votes(const Membership& membership, const VoteOf& vote_of) {
  const auto granted = [&](ReplicaId id) { return vote_of(id) > 0 ? 1 : 0; };
  const auto possible = [&](ReplicaId id) { return vote_of(id) >= 0 ? 1 : 0; };
  if (quorum_value<int>(membership, granted) == 1) return VoteResult::kWon;
  return quorum_value<int>(membership, possible) == 1 ? VoteResult::kPending : VoteResult::kLost;
}

}  // namespace meridian::raft
