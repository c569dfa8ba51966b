// What a leader remembers of the requests it has appended, so that no retry applies twice (protocols R2).
// Belongs to one leadership: a new leader starts empty and seeks older ids in the stored versions.
// A pure core; lives on the shard's loop.
//
// Invariant: an id not found here and not above search_below() must be sought in the stored versions and
// outcomes; one above it was certainly never appended.
#pragma once

#include <cstddef>
#include <deque>
#include <variant>

#include "base/lookup_map.h"
#include "base/types.h"
#include "txn/types.h"

namespace meridian::txn {

class RequestMemory {
 public:
  struct Unknown {};
  struct Pending {};
  struct OtherPayload {};
  using Lookup = std::variant<Unknown, Pending, WriteOutcome, OtherPayload>;

  // started: the wall clock at which the own-term entry was applied. max_offset: δ.
  RequestMemory(WallTime started, Duration max_offset, std::size_t capacity)
      : search_below_us_(static_cast<std::uint64_t>((started + 2 * max_offset).us())), capacity_(capacity) {}

  Lookup find(const RequestId& id, std::uint64_t payload_hash) const;
  // The request was appended to the log (not yet applied).
  void appended(const RequestId& id, std::uint64_t payload_hash);
  // It was applied: from now on this is every attempt's answer.
  void applied(const RequestId& id, const WriteOutcome& outcome);
  // Learnt from a stored version or outcome: remembered like an applied one.
  void learnt(const RequestId& id, std::uint64_t payload_hash, const WriteOutcome& outcome);

  bool must_search(const RequestId& id) const { return id.time_us <= search_below_us_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t payload_hash;
    bool pending;
    WriteOutcome outcome;
  };
  void evict();

  LookupMap<RequestId, Entry, RequestIdHash> entries_;
  std::deque<RequestId> done_;  // in order of application: the order of eviction
  std::uint64_t search_below_us_;
  std::size_t capacity_;
};

}  // namespace meridian::txn
