// Hybrid logical clocks. A Timestamp is 64 bits: physical microseconds since 1970 in the upper 52,
// a logical counter in the lower 12, so that integer order is timestamp order.
#pragma once

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
// Invariant: now() is strictly above everything that now() returned and observe() was given before.
class Hlc {
 public:
  // A fresh timestamp: the wall clock, or one step above the last one where the wall clock has not passed it.
  Timestamp now(WallTime wall) {
    const Timestamp physical = Timestamp::from_wall(wall);
    last_ = physical > last_ || DELIBERATE_BUG("hlc_backwards") ? physical : last_.next();
    return last_;
  }
  // Everything from now on is stamped above t. The caller has checked that t is not too far ahead.
  void observe(Timestamp t) {
    if (t > last_) last_ = t;
  }
  Timestamp last() const { return last_; }

 private:
  Timestamp last_;
};

}  // namespace meridian

template <>
struct fmt::formatter<meridian::Timestamp> : fmt::formatter<std::string> {
  auto format(meridian::Timestamp t, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(t.to_string(), context);
  }
};
