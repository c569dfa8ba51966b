// Order-dependent 64-bit mixing of a core's state, and the core's only source of randomness.
#pragma once

#include <xxhash.h>

#include <concepts>
#include <cstdint>

#include "raft/types.h"

namespace meridian::raft {

// splitmix64: one word of state, so that copying and hashing a core include it.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_;
};

class Hasher {
 public:
  template <std::convertible_to<std::uint64_t>... Values>
  void add(Values... values) {
    (mix(static_cast<std::uint64_t>(values)), ...);
  }
  void add_ids(const std::vector<ReplicaId>& ids) {
    mix(ids.size());
    for (const ReplicaId id : ids) mix(id.value());
  }
  void add_membership(const Membership& m) {
    for (const auto* ids : {&m.voters, &m.outgoing, &m.learners, &m.learners_next}) add_ids(*ids);
  }
  void add_bytes(const Payload& data) { mix(data ? XXH3_64bits(data->data(), data->size()) : 0); }
  std::uint64_t value() const { return value_; }

 private:
  void mix(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x9fb21c651e98df25;
    value_ ^= value_ >> 29;
  }
  std::uint64_t value_ = 0x2545f4914f6cdd1d;
};

}  // namespace meridian::raft
