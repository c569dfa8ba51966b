// The strong types every module shares. Each is an integer that cannot be mistaken for another.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

namespace meridian {

template <class Tag, class Rep = std::uint64_t>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr Strong next() const { return Strong(value_ + 1); }
  constexpr Strong previous() const { return Strong(value_ - 1); }
  friend constexpr auto operator<=>(Strong, Strong) = default;
  friend constexpr Strong operator+(Strong a, Rep n) { return Strong(a.value_ + n); }
  friend constexpr Rep operator-(Strong a, Strong b) { return a.value_ - b.value_; }

 private:
  Rep value_ = 0;
};

using Term = Strong<struct TermTag>;
using LogIndex = Strong<struct LogIndexTag>;
using NodeId = Strong<struct NodeIdTag>;            // 0: none
using ReplicaId = Strong<struct ReplicaIdTag>;      // 0: none; never reused within a shard
using ShardId = Strong<struct ShardIdTag>;
using KeyspaceId = Strong<struct KeyspaceIdTag, std::uint32_t>;
using RegionId = Strong<struct RegionIdTag, std::uint16_t>;  // origin of a version; 0: none
using Epoch = Strong<struct EpochTag>;
using Incarnation = Strong<struct IncarnationTag>;  // raised durably at every start of a process
using ClusterId = Strong<struct ClusterIdTag>;      // random 64 bits; 0: not part of a cluster yet

using Duration = std::chrono::microseconds;

// The monotonic clock (CLOCK_BOOTTIME): for time-outs, leases, deadlines. Comparable within one machine only.
class MonoTime {
 public:
  constexpr MonoTime() = default;
  constexpr explicit MonoTime(std::int64_t us) : us_(us) {}
  constexpr std::int64_t us() const { return us_; }
  static constexpr MonoTime max() { return MonoTime(INT64_MAX); }
  friend constexpr auto operator<=>(MonoTime, MonoTime) = default;
  friend constexpr MonoTime operator+(MonoTime t, Duration d) { return MonoTime(t.us_ + d.count()); }
  friend constexpr MonoTime operator-(MonoTime t, Duration d) { return MonoTime(t.us_ - d.count()); }
  friend constexpr Duration operator-(MonoTime a, MonoTime b) { return Duration(a.us_ - b.us_); }

 private:
  std::int64_t us_ = 0;
};

// The wall clock in microseconds since 1970: for HLC timestamps only; it may jump.
class WallTime {
 public:
  constexpr WallTime() = default;
  constexpr explicit WallTime(std::int64_t us) : us_(us) {}
  constexpr std::int64_t us() const { return us_; }
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr WallTime operator+(WallTime t, Duration d) { return WallTime(t.us_ + d.count()); }
  friend constexpr WallTime operator-(WallTime t, Duration d) { return WallTime(t.us_ - d.count()); }
  friend constexpr Duration operator-(WallTime a, WallTime b) { return Duration(a.us_ - b.us_); }

 private:
  std::int64_t us_ = 0;
};

}  // namespace meridian

template <class Tag, class Rep>
struct std::hash<meridian::Strong<Tag, Rep>> {
  std::size_t operator()(meridian::Strong<Tag, Rep> id) const noexcept { return std::hash<Rep>()(id.value()); }
};

template <class Tag, class Rep>
struct fmt::formatter<meridian::Strong<Tag, Rep>> : fmt::formatter<Rep> {
  auto format(meridian::Strong<Tag, Rep> id, fmt::format_context& context) const {
    return fmt::formatter<Rep>::format(id.value(), context);
  }
};
