#include "server/rocks/compaction_pace.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace meridian {

namespace {

// Shorter times say little about a rate.
constexpr double kLeastSeconds = 0.1;
// A rate that rises is believed at once, one that falls within some of these.
constexpr double kForgetSeconds = 5;

}  // namespace

double CompactionPace::per_second(double now_s, std::uint64_t written_bytes, const Backlog& backlog) {
  learn(now_s, written_bytes);
  // Writers would soon be held up.
  if (backlog.level0_files >= kComfortable || backlog.waiting_buffers > 1) return std::numeric_limits<double>::infinity();
  const double room = (kComfortable - backlog.level0_files) * file_bytes_;
  return std::max(kFloorPerSecond, static_cast<double>(backlog.debt_bytes) * written_per_s_ / room);
}

void CompactionPace::learn(double now_s, std::uint64_t written_bytes) {
  if (measured_at_s_ < 0) {
    measured_at_s_ = now_s;
    measured_bytes_ = written_bytes;
    return;
  }
  const double seconds = now_s - measured_at_s_;
  if (seconds < kLeastSeconds) return;
  const double rate = static_cast<double>(written_bytes - measured_bytes_) / seconds;
  const double kept = std::exp(-seconds / kForgetSeconds);
  written_per_s_ = std::max(rate, kept * written_per_s_ + (1 - kept) * rate);
  measured_at_s_ = now_s;
  measured_bytes_ = written_bytes;
}

}  // namespace meridian
