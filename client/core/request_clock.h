// Makes request ids by rule R1: the last cluster time learnt plus the monotonic time passed since; 64
// random bits; a counter. Pure; lives on its client's loop.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "meridian/v1/kv.pb.h"

namespace meridian::client {

// How long the cluster remembers an id.
inline constexpr Duration kRequestWindow = std::chrono::minutes(10);

class RequestClock {
 public:
  // The cluster's clock, read by a server at some moment within [sent, now].
  void learn(WallTime cluster_time, MonoTime sent, MonoTime now);

  // What was learnt is wrong: the next id waits for a new answer.
  void forget() { known_ = false; }
  bool known() const { return known_; }

  // Never ahead of the server that was asked last by more than the rates of the two clocks differ. Requires: known().
  WallTime estimate(MonoTime now) const;

  // client: drawn at random once, not 0. Requires: known().
  v1::RequestId next(std::uint64_t client, MonoTime now);

  // Past kRequestWindow the cluster may have forgotten the id. Zero while no time is known.
  Duration age(const v1::RequestId& id, MonoTime now) const;

 private:
  bool known_ = false;
  WallTime base_time_;
  MonoTime base_now_;
  std::uint64_t sequence_ = 0;
};

}  // namespace meridian::client
