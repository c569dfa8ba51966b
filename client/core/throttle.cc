#include "client/core/throttle.h"

#include <algorithm>
#include <cmath>

namespace meridian::client {

namespace {

constexpr double kAsked = 1.25;
constexpr double kMemorySeconds = 1;
constexpr double kGrainSeconds = 0.05;  // of forgetting
// So few refusals are no overload.
constexpr double kSurplus = 50;

}  // namespace

double Throttle::share() const { return std::max(0.0, (ended_ - kAsked * accepted_ - kSurplus) / (ended_ + 1)); }

bool Throttle::refuses(MonoTime now, double draw) {
  forget(now);
  if (draw >= share()) return false;
  ++ended_;
  return true;
}

void Throttle::accepted(MonoTime now) {
  forget(now);
  ++ended_;
  ++accepted_;
}

void Throttle::refused(MonoTime now, std::uint32_t retry_after_ms) {
  forget(now);
  ++ended_;
  retry_after_ms_ = retry_after_ms;
}

void Throttle::forget(MonoTime now) {
  const double seconds = static_cast<double>((now - forgot_at_).count()) / 1e6;
  if (seconds < kGrainSeconds) return;
  const double kept = std::exp(-seconds / kMemorySeconds);
  ended_ *= kept;
  accepted_ *= kept;
  forgot_at_ = now;
}

}  // namespace meridian::client
