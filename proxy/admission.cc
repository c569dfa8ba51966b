#include "proxy/admission.h"

#include <algorithm>

namespace meridian::proxy {

namespace {

constexpr Duration kWindow{250'000};
// A pause is no measurement of how fast the cluster is.
constexpr Duration kLongestWindow{1'000'000};
constexpr double kRateWeight = 0.3;
// The lowest mean is forgotten so slowly that a minute of overload is not taken for how things are.
constexpr double kForgetSeconds = 300;
constexpr std::uint32_t kShortestWaitMs = 1, kLongestWaitMs = 1'000, kUnknownWaitMs = 20;

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

Admission::Admission(const Options& options)
    : options_{std::min(options.at_least, options.at_most), options.at_most, options.queueing},
      limit_(options_.at_least) {}

void Admission::ended(MonoTime now, Duration took) {
  if (now - window_began_ >= kWindow) close_window(now);
  ++window_ended_;
  window_took_s_ += seconds(took);
}

void Admission::close_window(MonoTime now) {
  const Duration length = now - window_began_;
  if (length <= kLongestWindow && window_ended_ > 0) {
    const double rate = static_cast<double>(window_ended_) / seconds(length);
    const double mean = window_took_s_ / static_cast<double>(window_ended_);
    per_second_ = per_second_ == 0 ? rate : per_second_ + kRateWeight * (rate - per_second_);
    const bool lower = unloaded_s_ == 0 || mean < unloaded_s_;
    unloaded_s_ = lower ? mean : unloaded_s_ + (mean - unloaded_s_) * seconds(length) / kForgetSeconds;
    const double limit = per_second_ * (unloaded_s_ + seconds(options_.queueing));
    limit_ = static_cast<std::size_t>(
        std::clamp(limit, static_cast<double>(options_.at_least), static_cast<double>(options_.at_most)));
  }
  window_began_ = now;
  window_ended_ = 0;
  window_took_s_ = 0;
}

std::uint32_t Admission::wait_ms(std::size_t under_way) const {
  if (per_second_ <= 0) return kUnknownWaitMs;
  const double ms = 1e3 * static_cast<double>(under_way) / per_second_;
  return static_cast<std::uint32_t>(std::clamp(ms, double{kShortestWaitMs}, double{kLongestWaitMs}));
}

}  // namespace meridian::proxy
