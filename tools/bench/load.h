// A closed loop of requests: so many clients, each with one request in flight over one of the connections.
// Workers are coroutines; those of one connection run on its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <meridian/client.h>

#include "base/histogram.h"
#include "tools/bench/key_choice.h"

namespace meridian::bench {

enum class Op : std::uint8_t { kPut, kGet, kMixed };

struct LoadOptions {
  Op op = Op::kPut;
  double read_ratio = 0.5;  // of kMixed
  std::uint64_t clients = 64;
  std::uint64_t keys = 100'000;
  std::uint64_t value_bytes = 256;
  bool zipf = false;
  bool any_replica = false;
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds warmup{0};  // not measured
};

struct LoadResult {
  double seconds = 0;
  Histogram latency_ns;  // of the answered operations
  std::uint64_t errors = 0;
  std::string first_error;
};

// "key000000000042", as the other stores' load generators make them.
std::string key_name(std::uint64_t number);

// Writes keys 0 to count - 1, in batches.
sdk::Result<void> preload(std::vector<sdk::Client>& connections, std::uint64_t count, std::uint64_t value_bytes);

// Runs the load to its end. Requires: connections not empty.
LoadResult run_load(std::vector<sdk::Client>& connections, const LoadOptions& options);

}  // namespace meridian::bench
