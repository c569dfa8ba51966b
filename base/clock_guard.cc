#include "base/clock_guard.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "base/fault.h"

namespace meridian {
namespace {

constexpr Duration kFastLinks{5'000'000};  // by then a round trip short enough to confirm anything was seen, if any is
constexpr Duration kFresh{10'000'000};     // a measurement counts for so long
// Where all have jumped alike (every machine of a cluster was suspended and resumed) nobody is left to confirm it. What
// all agree on for so long is not a mistake that somebody is about to correct.
constexpr Duration kBelieved{300'000'000};

}  // namespace

// Between two clocks that keep their promise: each runs up to ρ fast or slow.
Duration ClockGuard::drift(Duration elapsed) const {
  return Duration(static_cast<std::int64_t>(static_cast<double>(elapsed.count()) * 2 * options_.rate_error));
}

WallTime ClockGuard::read(MonoTime now, WallTime wall) {
  raw_ = wall.us() - now.us();
  if (!known_) {
    known_ = true;
    started_ = now;
    believe(now);
    judge(now);
    return wall;
  }
  if (DELIBERATE_BUG("clock_not_guarded")) return wall;
  const Duration epsilon = options_.max_offset + options_.max_offset / 4;
  const std::int64_t deviation = raw_ - base_;
  const std::int64_t allowed = drift(now - (jumped_ ? jumped_at_ : read_at_)).count();
  if (std::abs(deviation) > epsilon.count() + allowed) {
    if (!jumped_) {
      PROBE("clock.jumped");
      jumped_at_ = read_at_;
      agreed_since_ = now;
    }
    if (std::abs(deviation - jumped_by_) > epsilon.count() + allowed) agreed_since_ = now;  // once more
    jumped_ = true;
    jumped_by_ = deviation;
  } else if (jumped_) {
    PROBE("clock.jump_undone");
    believe(now);
  } else if (allowed > 0) {
    base_ += std::clamp(deviation, -allowed, allowed);
    read_at_ = now;
  }
  judge(now);
  return jumped_ ? WallTime(now.us() + base_) : wall;
}

ClockReading ClockGuard::reading(MonoTime now) const {
  return {WallTime(now.us() + (jumped_ ? base_ : raw_)), jumped_ ? drift(now - jumped_at_) : Duration(0),
          WallTime(now.us() + raw_)};
}

void ClockGuard::believe(MonoTime now) {
  base_ = raw_;
  read_at_ = now;
  jumped_ = false;
}

void ClockGuard::follow(const std::vector<NodeId>& peers) {
  followed_ = true;
  std::map<NodeId, std::optional<Sample>> next;
  for (const NodeId peer : peers) next[peer] = peers_[peer];
  peers_ = std::move(next);
}

void ClockGuard::measured(NodeId peer, const ClockReading& reading, MonoTime sent, MonoTime received) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  const Duration trip = received - sent;
  const std::int64_t middle = sent.us() + trip.count() / 2;
  const Sample sample{reading.time.us() - middle, reading.wall.us() - middle, trip / 2 + Duration(1) + drift(trip),
                      reading.error, received};
  // A quick answer is worth more than a slow one, as long as they don't contradict each other.
  std::optional<Sample>& known = it->second;
  const Duration known_error = known ? error_of(*known, received) : Duration(0);
  const bool agree = known && std::abs(known->time - sample.time) <= (known_error + sample.error).count() &&
                     std::abs(known->wall - sample.wall) <= (known_error + sample.error).count();
  if (!agree || sample.error <= known_error || received - known->at > kFresh / 2) known = sample;
}

void ClockGuard::judge(MonoTime now) {
  if (jumped_) {
    watch_agreement(now);
    if (!confirmed(now) && now - agreed_since_ <= kBelieved) return;
    believe(now);
    compared_ = true;
  }
  compared_ =
      compared_ || (followed_ && (peers_.empty() || confirmed(now) || (now - started_ > kFastLinks && !refuted(now))));
  std::size_t away = 0;
  for (const auto& [peer, sample] : peers_) {
    if (!sample || now - sample->at > kFresh) continue;
    const Duration certain = Duration(std::abs(sample->time - raw_)) - error_of(*sample, now) - sample->time_error;
    if (certain > options_.max_offset) ++away;
  }
  if (2 * away > peers_.size() + 1 && !off_) PROBE("clock.off");
  off_ = 2 * away > peers_.size() + 1;
}

// What others go by, and have not extrapolated for long, is where this clock is now.
bool ClockGuard::confirmed(MonoTime now) const {
  std::size_t agree = 0;
  for (const auto& [peer, sample] : peers_) {
    if (!sample || now - sample->at > kFresh) continue;
    const Duration apart = Duration(std::abs(sample->time - raw_)) + error_of(*sample, now) + sample->time_error;
    if (apart <= options_.max_offset + options_.max_offset / 4) ++agree;
  }
  return agree > 0 && 2 * (agree + 1) > peers_.size() + 1;
}

// What far peers say is too inexact to confirm anything, but it would show a clock that is far off.
bool ClockGuard::refuted(MonoTime now) const {
  std::size_t near = 0;
  for (const auto& [peer, sample] : peers_) {
    if (!sample || now - sample->at > kFresh) continue;
    const Duration error = error_of(*sample, now) + sample->time_error;
    if (error <= 4 * options_.max_offset && Duration(std::abs(sample->time - raw_)) <= options_.max_offset + error)
      ++near;
  }
  return near == 0 || 2 * (near + 1) <= peers_.size() + 1;
}

// Since when most wall clocks agree, whether their nodes go by them or not.
void ClockGuard::watch_agreement(MonoTime now) {
  std::size_t agree = 0;
  for (const auto& [peer, sample] : peers_) {
    const bool fresh = sample && now - sample->at <= kFresh;
    if (fresh && Duration(std::abs(sample->wall - raw_)) <= options_.max_offset + error_of(*sample, now)) ++agree;
  }
  if (2 * (agree + 1) <= peers_.size() + 1) agreed_since_ = now;
}

std::string ClockGuard::describe() const {
  if (jumped_) {
    return fmt::format("the wall clock jumped by {:+.3f} s against the monotonic clock, the limit is {:.3f} s",
                       static_cast<double>(jumped_by_) / 1e6,
                       static_cast<double>(options_.max_offset.count()) * 1.25 / 1e6);
  }
  if (!off_) return compared_ ? "" : "it has not been compared with the clocks of most nodes yet";
  std::vector<std::int64_t> ahead;
  for (const auto& [peer, sample] : peers_) {
    if (sample) ahead.push_back(raw_ - sample->time);
  }
  std::ranges::sort(ahead);
  return fmt::format("the wall clock is {:+.3f} s from those of most nodes, the limit is {:.3f} s",
                     static_cast<double>(ahead[ahead.size() / 2]) / 1e6,
                     static_cast<double>(options_.max_offset.count()) / 1e6);
}

std::vector<ClockGuard::Offset> ClockGuard::offsets(MonoTime now) const {
  std::vector<Offset> out;
  for (const auto& [peer, sample] : peers_) {
    if (!sample || now - sample->at > kFresh) continue;
    out.push_back({peer, Duration(raw_ - sample->time), error_of(*sample, now) + sample->time_error});
  }
  return out;
}

}  // namespace meridian
