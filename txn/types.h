// What a client asks of one shard, and what a leader made of it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/types.h"

namespace meridian::txn {

// What a page of a scan, or the items of a read of several keys, may take, encoded: with what else is in the answer (a page
// token with two keys, who answered) it stays below the 4 MiB that a gRPC client takes if nobody told it otherwise.
inline constexpr std::size_t kMaxAnswerBytes = (4u << 20) - (256u << 10);
// Lengths, tags and the version of one item, at most.
inline constexpr std::size_t kItemOverheadBytes = 32;

// Identifies one mutation across all its attempts (protocols R1).
struct RequestId {
  std::uint64_t time_us = 0;   // cluster time when the request was first made
  std::uint64_t client = 0;    // random, once per client
  std::uint64_t sequence = 0;  // counts that client's requests

  bool is_zero() const { return time_us == 0 && client == 0 && sequence == 0; }
  friend auto operator<=>(const RequestId&, const RequestId&) = default;
  std::string to_string() const;
};

struct RequestIdHash {
  std::size_t operator()(const RequestId& id) const noexcept {
    return (id.client ^ (id.sequence * 0x9e3779b97f4a7c15u)) + id.time_us * 0xc2b2ae3d27d4eb4fu;
  }
};

struct Mutation {
  std::string key;
  std::optional<std::string> value;  // nullopt: remove
};

// What a key must hold for the request to take effect.
struct Condition {
  enum class Kind { kAbsent, kValue, kVersion };
  std::string key;
  Kind kind = Kind::kAbsent;
  std::string value;  // kValue
  Timestamp version;  // kVersion
};

// Atomic: all mutations or none, at one timestamp. Requires: at least one mutation; no key twice.
struct WriteRequest {
  RequestId id;
  KeyspaceId keyspace;
  std::vector<Mutation> mutations;
  std::optional<Condition> condition;

  // Where the request is sought again after a failover (R2): its first key.
  const std::string& anchor() const { return mutations.front().key; }
  std::size_t bytes() const;
  // Stands for the payload where an id is met again (R4). Stored in version headers: never changes.
  std::uint64_t payload_hash() const;
};

// What became of a request, and stays true for every attempt.
struct WriteOutcome {
  bool applied = false;  // false: the condition did not hold
  Timestamp version;     // applied: the versions written; otherwise the version found (0: absent)
  friend bool operator==(const WriteOutcome&, const WriteOutcome&) = default;
};

}  // namespace meridian::txn
