// Counts what becomes of a load's operations. Latencies are from the start that the caller names, which in the open
// loop is the intended one. Only operations that start in the measurement count. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <meridian/result.h>

#include "base/histogram.h"
#include "tools/bench/arrivals.h"
#include "tools/bench/operations.h"
#include "tools/bench/series.h"

namespace meridian::bench {

struct KindResult {
  Histogram latency_ns;  // of the answered operations
  std::uint64_t errors = 0;
};

struct LoadResult {
  double seconds = 0;  // from the measurement's start to the last answer
  std::array<KindResult, kOpKinds> kinds;
  std::map<sdk::ErrorCode, std::uint64_t> errors_by_code;
  std::string first_error;
  std::uint64_t not_found = 0;    // gets of keys that are not there; answered all the same
  std::uint64_t rmw_retries = 0;  // compare-and-sets that found another's write
  std::uint64_t dropped = 0;      // open loop: arrivals that were not sent
  Histogram send_delay_ns;        // open loop: how late this program itself sent
  std::vector<Second> series;

  const KindResult& of(OpKind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
  KindResult& of(OpKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
  Histogram latency_ns() const;  // of all kinds
  std::uint64_t errors() const;
  std::uint64_t busy() const;
};

// What became of one operation.
struct Outcome {
  const sdk::Error* error = nullptr;  // nullptr: answered. Read by ended() only.
  bool not_found = false;
  std::uint64_t retries = 0;
};

class Recorder {
 public:
  explicit Recorder(TimePoint measure_from) : measure_from_(measure_from) {}

  void ended(OpKind kind, TimePoint start, TimePoint end, const Outcome& outcome);
  void dropped(TimePoint intended, TimePoint now);
  void sent(TimePoint intended, TimePoint now);

  // `until`: when the measurement ended; `last`: when the last answer came. Once.
  LoadResult finish(TimePoint until, TimePoint last);

 private:
  const TimePoint measure_from_;
  std::mutex mutex_;
  LoadResult result_;
  Series series_;
};

}  // namespace meridian::bench
