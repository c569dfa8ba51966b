// The memberships that the log holds, so that the one in force and the one as of any applied index are at
// hand. A membership is in force from the moment its entry is appended, committed or not (thesis §4.1), and is
// rolled back when the entry is truncated.
// Invariant: records are in order of index; the first is the newest at or below the applied index.
#pragma once

#include <vector>

#include "raft/types.h"

namespace meridian::raft {

class MembershipLog {
 public:
  struct Record {
    LogIndex index;
    Membership membership;
  };

  MembershipLog() = default;
  MembershipLog(ReplicaId self, LogIndex index, Membership membership)
      : self_(self), records_{{index, std::move(membership)}} {}

  const Membership& in_force() const { return records_.back().membership; }
  LogIndex index() const { return records_.back().index; }
  // The newest at or below index. Requires: index is not below the first record's.
  const Record& as_of(LogIndex index) const;
  // Was this replica a member in any membership older than the newest at or below index? What tells one that
  // was removed from one that is new and replays the time before it came.
  bool was_member_before(LogIndex index) const;

  void append(LogIndex index, Membership membership);
  // Answers whether the membership in force changed.
  bool truncate(LogIndex from);
  // A snapshot takes the log's place. Only what is committed says that this replica has been a member: another leader
  // may have taken back an addition that this log still holds.
  void reset(LogIndex index, Membership membership, LogIndex committed);
  // Forgets what is older than the newest at or below applied.
  void prune(LogIndex applied);
  const std::vector<Record>& records() const { return records_; }

 private:
  ReplicaId self_;
  bool pruned_member_ = false;  // a forgotten record contained this replica
  std::vector<Record> records_;
};

}  // namespace meridian::raft
