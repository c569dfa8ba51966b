// The open loop's clockwork: when requests are due, whatever becomes of those before. Pure: the time is given by the
// caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "tools/bench/random.h"

namespace meridian::bench {

using TimePoint = std::chrono::steady_clock::time_point;

// kPoisson: as if from many independent users, the gaps between arrivals being exponential.
enum class Arrivals : std::uint8_t { kUniform, kPoisson };

// Ascending times of arrivals at a rate, kept in fractions of a nanosecond, so that no rounding adds up.
class ArrivalSchedule {
 public:
  // Requires: per_second > 0.
  ArrivalSchedule(Arrivals arrivals, double per_second, TimePoint start, std::uint64_t seed);
  TimePoint next() const { return start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(offset_ns_)); }
  void advance();

 private:
  Arrivals arrivals_;
  double gap_ns_;
  TimePoint start_;
  double offset_ns_ = 0;
  Random random_;
};

class OpenLoopCore {
 public:
  // Arrivals at `end` and later do not happen.
  OpenLoopCore(ArrivalSchedule schedule, TimePoint end, std::uint64_t max_in_flight);

  struct Due {
    std::vector<TimePoint> send;     // intended starts of requests to send now
    std::vector<TimePoint> dropped;  // of those that found max_in_flight requests under way: they are never sent
    std::optional<TimePoint> next;   // nothing is due before; nullopt: that was all
  };
  // Everything due at `now`. A late caller gets all that became due meanwhile, with the times it was meant for: a
  // latency counts from those, so that a stall is felt by every request that it delayed.
  Due advance(TimePoint now, std::uint64_t in_flight);

 private:
  ArrivalSchedule schedule_;
  TimePoint end_;
  std::uint64_t max_in_flight_;
};

}  // namespace meridian::bench
