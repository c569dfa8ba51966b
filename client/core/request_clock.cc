#include "client/core/request_clock.h"

#include "base/check.h"

namespace meridian::client {

void RequestClock::learn(WallTime cluster_time, MonoTime sent, MonoTime now) {
  if (cluster_time.us() <= 0) return;
  if (known_) {
    const Duration ahead = estimate(now) - cluster_time;
    // The answer's age explains the difference: it says nothing that is not known already, and taking it
    // would set the clock back by as long as the answer lay somewhere (after a suspend: for minutes).
    if (ahead > Duration(0) && ahead <= now - sent) return;
  }
  // Taken as of now, not of when it was read: an id may be a little late, never early.
  known_ = true;
  base_time_ = cluster_time;
  base_now_ = now;
}

WallTime RequestClock::estimate(MonoTime now) const {
  CHECK(known_);
  return base_time_ + (now - base_now_);
}

v1::RequestId RequestClock::next(std::uint64_t client, MonoTime now) {
  v1::RequestId id;
  id.set_time_us(static_cast<std::uint64_t>(estimate(now).us()));
  id.set_client(client);
  id.set_sequence(++sequence_);
  return id;
}

Duration RequestClock::age(const v1::RequestId& id, MonoTime now) const {
  return known_ ? estimate(now) - WallTime(static_cast<std::int64_t>(id.time_us())) : Duration(0);
}

}  // namespace meridian::client
