#include "tools/bench/recorder.h"

#include <algorithm>
#include <utility>

namespace meridian::bench {

Histogram LoadResult::latency_ns() const {
  Histogram all;
  for (const KindResult& kind : kinds) all.merge(kind.latency_ns);
  return all;
}

std::uint64_t LoadResult::errors() const {
  std::uint64_t sum = 0;
  for (const KindResult& kind : kinds) sum += kind.errors;
  return sum;
}

std::uint64_t LoadResult::busy() const {
  const auto found = errors_by_code.find(sdk::ErrorCode::kBusy);
  return found == errors_by_code.end() ? 0 : found->second;
}

void Recorder::ended(OpKind kind, TimePoint start, TimePoint end, const Outcome& outcome) {
  if (start < measure_from_) return;
  std::lock_guard lock(mutex_);
  KindResult& counts = result_.of(kind);
  result_.rmw_retries += outcome.retries;
  if (outcome.error != nullptr) {
    ++counts.errors;
    ++result_.errors_by_code[outcome.error->code()];
    if (result_.first_error.empty()) result_.first_error = outcome.error->to_string();
    series_.failed(end - measure_from_, outcome.error->code() == sdk::ErrorCode::kBusy);
    return;
  }
  const auto latency_ns = static_cast<std::uint64_t>(std::max(end - start, TimePoint::duration::zero()).count());
  counts.latency_ns.record(latency_ns);
  if (outcome.not_found) ++result_.not_found;
  series_.answered(end - measure_from_, latency_ns);
}

void Recorder::dropped(TimePoint intended, TimePoint now) {
  if (intended < measure_from_) return;
  std::lock_guard lock(mutex_);
  ++result_.dropped;
  series_.dropped(now - measure_from_);
}

void Recorder::sent(TimePoint intended, TimePoint now) {
  if (intended < measure_from_) return;
  std::lock_guard lock(mutex_);
  result_.send_delay_ns.record(static_cast<std::uint64_t>((now - intended).count()));
}

LoadResult Recorder::finish(TimePoint until, TimePoint last) {
  std::lock_guard lock(mutex_);
  result_.seconds = std::chrono::duration<double>(std::max(until, last) - measure_from_).count();
  result_.series = series_.finish(until - measure_from_);
  return std::exchange(result_, LoadResult());
}

}  // namespace meridian::bench
