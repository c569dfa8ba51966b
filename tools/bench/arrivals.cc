#include "tools/bench/arrivals.h"

#include <cmath>

namespace meridian::bench {

ArrivalSchedule::ArrivalSchedule(Arrivals arrivals, double per_second, TimePoint start, std::uint64_t seed)
    : arrivals_(arrivals), gap_ns_(1e9 / per_second), start_(start), random_(seed) {
  advance();
}

void ArrivalSchedule::advance() {
  const double gap = arrivals_ == Arrivals::kUniform ? 1 : -std::log1p(-random_.chance());
  offset_ns_ += gap * gap_ns_;
}

OpenLoopCore::OpenLoopCore(ArrivalSchedule schedule, TimePoint end, std::uint64_t max_in_flight)
    : schedule_(schedule), end_(end), max_in_flight_(max_in_flight) {}

OpenLoopCore::Due OpenLoopCore::advance(TimePoint now, std::uint64_t in_flight) {
  Due due;
  for (; schedule_.next() < end_ && schedule_.next() <= now; schedule_.advance()) {
    const bool full = in_flight + due.send.size() >= max_in_flight_;
    (full ? due.dropped : due.send).push_back(schedule_.next());
  }
  if (schedule_.next() < end_) due.next = schedule_.next();
  return due;
}

}  // namespace meridian::bench
