// Hybrid logical clocks. A Timestamp is 64 bits: physical microseconds since 1970 in the upper 52,
// a logical counter in the lower 12, so that integer order is timestamp order.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>

#include "base/fault.h"
#include "base/types.h"

namespace meridian {

class Timestamp {
 public:
  static constexpr int kLogicalBits = 12;

  constexpr Timestamp() = default;  // zero: before everything
  constexpr explicit Timestamp(std::uint64_t packed) : packed_(packed) {}
  static constexpr Timestamp from_wall(WallTime wall, std::uint32_t logical = 0) {
    return Timestamp((static_cast<std::uint64_t>(wall.us()) << kLogicalBits) | logical);
  }
  static constexpr Timestamp max() { return Timestamp(UINT64_MAX); }

  constexpr std::uint64_t packed() const { return packed_; }
  constexpr WallTime physical() const { return WallTime(static_cast<std::int64_t>(packed_ >> kLogicalBits)); }
  constexpr std::uint32_t logical() const { return packed_ & ((1u << kLogicalBits) - 1); }
  constexpr bool is_zero() const { return packed_ == 0; }
  // Neighbours in the total order; next() of a full logical counter carries into the physical part.
  constexpr Timestamp next() const { return Timestamp(packed_ + 1); }
  constexpr Timestamp previous() const { return Timestamp(packed_ - 1); }
  constexpr Timestamp plus(Duration d) const {
    return Timestamp(packed_ + (static_cast<std::uint64_t>(d.count()) << kLogicalBits));
  }
  // Saturates at zero.
  constexpr Timestamp minus(Duration d) const {
    const std::uint64_t delta = static_cast<std::uint64_t>(d.count()) << kLogicalBits;
    return delta > packed_ ? Timestamp() : Timestamp(packed_ - delta);
  }
  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;

  // "1764000000123456.7": microseconds, then the logical counter.
  std::string to_string() const;

 private:
  std::uint64_t packed_ = 0;
};

// One node's clock. Pure: the wall clock is handed in. Not thread-safe; lives on the loop of its owner.
// Invariant: now() is strictly above everything that now() returned before.
class Hlc {
 public:
  // A fresh timestamp: the wall clock, or one step above the last one where the wall clock has not passed it.
  Timestamp now(WallTime wall) {
    last_ = std::max(Timestamp::from_wall(wall), last_.next());
    return last_;
  }
  Timestamp last() const { return last_; }

 private:
  Timestamp last_;
};

// The node's clock above a floor that only some of its users must keep to. What one of them has to be above is no
// reason for the others to run ahead of the wall clock, and to wait for it.
// Invariant: now() is strictly above floor(), and floor() at or above all that now() returned and raise() was given.
class FlooredHlc {
 public:
  // Requires: the node's clock outlives this.
  FlooredHlc(Hlc& node, Timestamp floor) : node_(node), floor_(floor) {}

  Timestamp now(WallTime wall) {
    if (DELIBERATE_BUG("hlc_backwards")) return Timestamp::from_wall(wall);
    floor_ = std::max(node_.now(wall), floor_.next());
    return floor_;
  }
  void raise(Timestamp at_least) { floor_ = std::max(floor_, at_least); }
  Timestamp floor() const { return floor_; }

 private:
  Hlc& node_;
  Timestamp floor_;
};

}  // namespace meridian

template <>
struct fmt::formatter<meridian::Timestamp> : fmt::formatter<std::string> {
  auto format(meridian::Timestamp t, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(t.to_string(), context);
  }
};
