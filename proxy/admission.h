// How many requests a proxy takes on at once. More than the cluster can work on only wait, each behind all others:
// throughput stays the same and every answer comes later. So what is too much is refused at once, as busy.
//
// By Little's law, (completions per second) x (the time a request takes when nothing waits) are under way without any
// waiting; the limit allows for a short queue on top. Both are measured from the requests that end: the rate as it is,
// the time as the lowest mean of late. While the limit binds, a longer time lowers nothing and a shorter one raises
// the rate, so it settles where a request waits about `queueing`.
//
// Pure; on the loop.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace meridian::proxy {

class Admission {
 public:
  struct Options {
    std::size_t at_least;  // never below: so many callers in closed loops are served whatever happens
    std::size_t at_most;
    Duration queueing;
  };
  explicit Admission(const Options& options);

  bool admits(std::size_t under_way) const { return under_way < limit_; }
  // A request that was admitted has been answered, so long after it came.
  void ended(MonoTime now, Duration took);

  std::size_t limit() const { return limit_; }
  // When so many will have ended, at the present rate: what a refused caller should wait.
  std::uint32_t wait_ms(std::size_t under_way) const;

 private:
  void close_window(MonoTime now);

  const Options options_;
  std::size_t limit_;
  double per_second_ = 0;  // 0: not known
  double unloaded_s_ = 0;

  MonoTime window_began_;
  std::size_t window_ended_ = 0;
  double window_took_s_ = 0;
};

}  // namespace meridian::proxy
