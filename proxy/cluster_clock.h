// The cluster's time as learnt from nodes' answers, for Hello and for the request ids that the proxy makes (rule R1).
// Pure; lives on its proxy's loop.
#pragma once

#include "base/types.h"

namespace meridian::proxy {

class ClusterClock {
 public:
  // A node read its clock at some moment within [sent, now].
  void learn(std::uint64_t cluster_time_us, MonoTime sent, MonoTime now) {
    if (cluster_time_us == 0) return;
    const WallTime time(static_cast<std::int64_t>(cluster_time_us));
    // What the answer's age explains says nothing new; taking it would set the clock back.
    if (known_) {
      const Duration ahead = since_learnt(now) - time;
      if (ahead > Duration(0) && ahead <= now - sent) return;
    }
    known_ = true;
    time_ = time;
    at_ = now;
  }
  bool known() const { return known_; }
  Duration age(MonoTime now) const { return now - at_; }

  // Rather a little late than early: an id of the future is refused.
  WallTime estimate(MonoTime now, WallTime own) const {
    if (!known_) return own;
    if (age(now) <= kTrusted) return since_learnt(now);
    // So old that the clocks' rates matter. Too late would be as bad: nodes forget old ids.
    return std::max(since_learnt(now), own);
  }

 private:
  static constexpr Duration kTrusted = std::chrono::seconds(60);
  // The monotonic clocks' rates differ by up to 2 %.
  WallTime since_learnt(MonoTime now) const { return time_ + (now - at_) * 49 / 50; }

  bool known_ = false;
  WallTime time_;
  MonoTime at_;
};

}  // namespace meridian::proxy
