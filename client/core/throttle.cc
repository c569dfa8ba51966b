#include "client/core/throttle.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace meridian::client {

namespace {

constexpr double kAsked = 1.25;
constexpr double kMemorySeconds = 1;
constexpr double kGrainSeconds = 0.05;  // of forgetting
// So few refusals are no overload.
constexpr double kSurplus = 50;
// What is older says nothing any more.
constexpr std::int64_t kPublishedForUs = 200'000;

}  // namespace

double Throttle::share() const { return std::max(0.0, (ended_ - kAsked * accepted_ - kSurplus) / (ended_ + 1)); }

bool Throttle::refuses(MonoTime now, double draw) {
  forget(now);
  if (draw >= share()) return false;
  ++ended_;
  return true;
}

bool Throttle::refuses_early(MonoTime now, double draw) {
  if (draw >= published_share_.load(std::memory_order_relaxed)) return false;
  if (now.us() - published_at_us_.load(std::memory_order_relaxed) > kPublishedForUs) return false;
  early_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Error Throttle::refusal() const {
  return Error(ErrorCode::kBusy,
               fmt::format("the proxies refuse too many calls as busy: {:.0f} % are not sent to them, and this one was not",
                           100 * published_share_.load(std::memory_order_relaxed)))
      .with_retry_after(retry_after_ms_.load(std::memory_order_relaxed));
}

void Throttle::accepted(MonoTime now) {
  forget(now);
  ++ended_;
  ++accepted_;
  publish(now);
}

void Throttle::refused(MonoTime now, std::uint32_t retry_after_ms) {
  forget(now);
  ++ended_;
  retry_after_ms_ = retry_after_ms;
  publish(now);
}

void Throttle::publish(MonoTime now) {
  ended_ += static_cast<double>(early_.exchange(0, std::memory_order_relaxed));
  published_share_.store(share(), std::memory_order_relaxed);
  published_at_us_.store(now.us(), std::memory_order_relaxed);
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
