// What the failure of one attempt means, and how long to wait before the next. Pure functions.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/transport.h"
#include "base/types.h"

namespace meridian::client {

enum class CallKind : std::uint8_t {
  kRead,        // changes nothing: tried again freely
  kMutation,    // carries a request id: takes effect at most once, however often it is sent
  kIdempotent,  // carries none, but doing it twice is doing it once
  kOnce,        // carries none: never sent again once it may have been received
};
// Unknown methods are kOnce.
CallKind kind_of(MethodId method);

enum class NextStep : std::uint8_t {
  kFailOver,   // another proxy at once, if a healthy one is left; else after a back-off
  kBackOff,    // wait, then another proxy: whoever is overloaded is not helped by haste
  kTryOthers,  // this proxy, or what it reached, is broken: each other one is asked once
  kStop,       // another attempt can't help
};

struct Verdict {
  // The attempt may have been received, and may take effect now or later.
  bool maybe_received;
  NextStep next;
};
Verdict judge(ErrorCode code);

struct BackOff {
  Duration initial = std::chrono::milliseconds(5);
  Duration max = std::chrono::seconds(1);
  // round: 0 for the first wait. Exponential, then between half of it and the whole; never less than
  // what the server asked for. random: 64 uniform bits.
  Duration wait(int round, std::uint32_t retry_after_ms, std::uint64_t random) const;
};

}  // namespace meridian::client
