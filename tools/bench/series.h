// What happened in each second of a run. Seconds are counted from the start of the measurement; an operation belongs to
// the one in which it ended, whenever it began. Pure; not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/histogram.h"

namespace meridian::bench {

struct Second {
  std::uint64_t second = 0;
  double covered = 1;         // of this second, by the measurement: less in the last one; 0 after its end
  std::uint64_t ops = 0;      // answered
  std::uint64_t errors = 0;   // failed, whatever the code
  std::uint64_t busy = 0;     // of the errors: refused as busy
  std::uint64_t dropped = 0;  // not sent (open loop)
  std::uint64_t p50_ns = 0;   // zero without answers, as are the others
  std::uint64_t p99_ns = 0;
  std::uint64_t p999_ns = 0;
  std::uint64_t max_ns = 0;
};

class Series {
 public:
  using Duration = std::chrono::nanoseconds;

  // All times are since the measurement's start.
  void answered(Duration at, std::uint64_t latency_ns);
  void failed(Duration at, bool busy);
  void dropped(Duration at);

  // Every second from 0 to the measurement's end, also those without an event, and those behind it in which the last
  // answers came.
  std::vector<Second> finish(Duration length);

 private:
  struct Open {
    Second second;
    Histogram latency_ns;
  };
  Open& at(Duration time);
  void close_first();

  // Threads count a little out of order. Of older seconds the 40 KiB of a histogram are given up for its percentiles.
  static constexpr std::size_t kOpenSeconds = 3;
  std::vector<Second> closed_;
  std::deque<Open> open_;  // closed_.size() and the ones behind
};

}  // namespace meridian::bench
