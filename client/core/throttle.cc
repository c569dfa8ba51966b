#include "client/core/throttle.h"

#include <algorithm>
#include <cmath>

namespace meridian::client {

namespace {

// What proxies refuse costs them, and this process, a good part of what an accepted call does.
constexpr double kAsked = 1.1;
// While they refuse less than kFew of what is sent, they may be able to do much more.
constexpr double kAskedOfWilling = 1.5;
constexpr double kFew = 0.02;
constexpr double kMemorySeconds = 1;
constexpr double kGrainSeconds = 0.05;  // of forgetting
// So few refusals are no overload.
constexpr double kSurplus = 50;
// What is older says nothing any more.
constexpr std::int64_t kPublishedForUs = 200'000;

}  // namespace

double Throttle::share() const {
  const double asked = refused_ < kFew * (accepted_ + refused_) ? kAskedOfWilling : kAsked;
  return std::max(0.0, (ended_ - asked * accepted_ - kSurplus) / (ended_ + 1));
}

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
  // Not formatted: under overload this is what happens most.
  return Error(ErrorCode::kBusy, "the proxies refuse calls as busy, so part of them are not sent; this one was not")
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
  ++refused_;
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
  refused_ *= kept;
  forgot_at_ = now;
}

}  // namespace meridian::client
