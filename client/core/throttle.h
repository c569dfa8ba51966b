// Which calls are refused without asking a proxy, when proxies refuse many of them: what will be refused anyway costs
// the network and the proxy, and this process, what the accepted calls need. Only calls of callers who would rather
// have kBusy than wait take part (Call::fail_when_busy).
//
// After "Handling Overload" in Google's SRE book: of the calls that ended lately, `accepted` were not refused; a tenth more
// than that is still sent. When proxies refuse hardly any of what is sent, half as much more is, so that the pace follows
// within a second or two when they can do more.
//
// Pure; on the loop, but for refuses_early().
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "base/types.h"

namespace meridian::client {

class Throttle {
 public:
  // Of one call. draw: uniform in [0, 1). True: refuse it; that counts as its end.
  bool refuses(MonoTime now, double draw);
  // The same on any thread, before the loop is asked: by the share of a moment ago.
  bool refuses_early(MonoTime now, double draw);
  // A proxy has answered one. retry_after_ms: of a refusal.
  void accepted(MonoTime now);
  void refused(MonoTime now, std::uint32_t retry_after_ms);

  // The share of calls that are refused here, in [0, 1).
  double share() const;
  // What a caller is told who was refused here: kBusy, with the wait that proxies last asked for. Any thread.
  Error refusal() const;

 private:
  void forget(MonoTime now);
  void publish(MonoTime now);

  // Of late: each counts for e^(-age / kMemory).
  double ended_ = 0, accepted_ = 0, refused_ = 0;  // refused: by proxies
  MonoTime forgot_at_;

  std::atomic<std::uint32_t> retry_after_ms_ = 0;
  std::atomic<double> published_share_ = 0;
  std::atomic<std::int64_t> published_at_us_ = 0;
  std::atomic<std::uint64_t> early_ = 0;  // refused so and not counted yet
};

}  // namespace meridian::client
