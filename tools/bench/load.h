// A load against a cluster: closed (so many clients with one request in flight each) or open (requests at a rate,
// whatever becomes of those before).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <meridian/client.h>

#include "tools/bench/arrivals.h"
#include "tools/bench/recorder.h"
#include "tools/bench/workload.h"

namespace meridian::bench {

struct OpenLoop {
  double per_second = 0;
  Arrivals arrivals = Arrivals::kPoisson;
  std::uint64_t max_in_flight = 4'096;
};

struct LoadOptions {
  Workload workload;
  std::uint64_t clients = 64;         // of the closed loop
  std::optional<OpenLoop> open_loop;  // nullopt: closed
  std::uint64_t keys = 100'000;
  std::uint64_t value_bytes = 256;
  bool any_replica = false;
  std::chrono::milliseconds timeout{10'000};  // of a request, with all its retries
  bool wait_when_busy = true;                 // where the cluster refuses; else that is the request's end
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds warmup{0};  // not measured
};

// How long a client of the closed loop stays quiet after an error: as the cluster asks, at least 10 ms.
std::chrono::milliseconds wait_after(const sdk::Error& error);

// Writes keys 0 to count - 1, in batches. progress(keys written) is called now and then, on this thread.
sdk::Result<void> preload(const std::vector<sdk::Client>& connections, std::uint64_t count, std::uint64_t value_bytes,
                          const std::function<void(std::uint64_t)>& progress);

// Runs the load to its end, which is when the last request was answered. Requires: connections not empty.
LoadResult run_load(const std::vector<sdk::Client>& connections, const LoadOptions& options);

}  // namespace meridian::bench
