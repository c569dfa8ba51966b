// A node's clocks as everything on it goes by them: the wall clock, read through its guard, and the HLC. Lives on its
// node's loop.
#pragma once

#include <optional>

#include "base/clock_guard.h"
#include "base/hlc.h"
#include "base/result.h"
#include "base/runtime.h"

namespace meridian {

class NodeClock {
 public:
  NodeClock(Runtime& runtime, ClockGuard::Options options) : runtime_(runtime), guard_(options) {}

  // The time to go by. Never that of a jump: whoever asked for fault() a moment ago stamps nothing wrong.
  WallTime wall() { return guard_.read(runtime_.now(), runtime_.wall_now()); }
  ClockReading reading() {
    const MonoTime now = runtime_.now();
    guard_.read(now, runtime_.wall_now());
    return guard_.reading(now);
  }
  // kUnavailable: nothing is stamped, bounded or read as of now by this clock (T12). As of now.
  std::optional<Error> fault() {
    wall();
    if (guard_.fault() == ClockGuard::Fault::kNone) return std::nullopt;
    return Error(ErrorCode::kUnavailable, "this node does not go by its clock: " + guard_.describe());
  }
  // Known to be wrong, not only unknown.
  bool wrong() const {
    return guard_.fault() == ClockGuard::Fault::kJumped || guard_.fault() == ClockGuard::Fault::kOff;
  }
  // For those who learn the cluster's time from answers; 0: this clock is no good.
  std::uint64_t told_us() {
    const WallTime time = wall();
    return guard_.fault() == ClockGuard::Fault::kNone ? static_cast<std::uint64_t>(time.us()) : 0;
  }

  Hlc& hlc() { return hlc_; }
  ClockGuard& guard() { return guard_; }

 private:
  Runtime& runtime_;
  ClockGuard guard_;
  Hlc hlc_;
};

}  // namespace meridian
