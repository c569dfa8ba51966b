#include "tools/bench/series.h"

#include <algorithm>
#include <utility>

namespace meridian::bench {

void Series::answered(Duration time, std::uint64_t latency_ns) {
  Open& open = at(time);
  ++open.second.ops;
  open.latency_ns.record(latency_ns);
}

void Series::failed(Duration time, bool busy) {
  Second& second = at(time).second;
  ++second.errors;
  if (busy) ++second.busy;
}

void Series::dropped(Duration time) { ++at(time).second.dropped; }

std::vector<Second> Series::finish(Duration length) {
  const double seconds = std::chrono::duration<double>(length).count();
  if (length > Duration::zero()) at(length - Duration(1));
  while (!open_.empty()) close_first();
  for (Second& each : closed_) each.covered = std::clamp(seconds - static_cast<double>(each.second), 0.0, 1.0);
  return std::exchange(closed_, {});
}

Series::Open& Series::at(Duration time) {
  const auto number = static_cast<std::uint64_t>(std::max(Duration::zero(), time) / std::chrono::seconds(1));
  while (number >= closed_.size() + open_.size()) {
    const std::uint64_t opened = closed_.size() + open_.size();
    open_.emplace_back().second.second = opened;
    if (open_.size() > kOpenSeconds) close_first();
  }
  // What comes later than its second is kept open counts in the oldest one that is.
  return open_[std::max<std::size_t>(number, closed_.size()) - closed_.size()];
}

void Series::close_first() {
  auto& [second, latency_ns] = open_.front();
  second.p50_ns = latency_ns.percentile(50);
  second.p99_ns = latency_ns.percentile(99);
  second.p999_ns = latency_ns.percentile(99.9);
  second.max_ns = latency_ns.max();
  closed_.push_back(second);
  open_.pop_front();
}

}  // namespace meridian::bench
