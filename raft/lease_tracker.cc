#include "raft/lease_tracker.h"

#include "base/check.h"

namespace meridian::raft {

std::uint64_t LeaseTracker::begin_round(MonoTime now) {
  CHECK(rounds_.empty() || rounds_.back().sent <= now);
  rounds_.push_back({++last_round_, now});
  return last_round_;
}

void LeaseTracker::confirm(std::uint64_t round) {
  confirmed_ = round;
  if (round == kAlways) return;
  CHECK(round <= last_round_);
  while (!rounds_.empty() && rounds_.front().round < round) rounds_.pop_front();
}

std::optional<MonoTime> LeaseTracker::confirmed_since(MonoTime now) const {
  if (confirmed_ == kAlways) return now;
  if (confirmed_ == 0 || rounds_.empty() || rounds_.front().round > confirmed_) return std::nullopt;
  const std::size_t at = confirmed_ - rounds_.front().round;
  CHECK(at < rounds_.size());
  return rounds_[at].sent;
}

void LeaseTracker::forget_before(MonoTime time) {
  while (!rounds_.empty() && rounds_.front().sent < time) rounds_.pop_front();
}

void LeaseTracker::clear() {
  rounds_.clear();
  confirmed_ = 0;
}

}  // namespace meridian::raft
