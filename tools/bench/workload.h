// What is asked for: a mix of operations, which keys, how long scans are. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/bench/operations.h"

namespace meridian::bench {

// kZipf: exponent 0.99, the hot keys scattered. kLatest: by Zipf's law too, the newest key being the hottest.
enum class Distribution : std::uint8_t { kUniform, kZipf, kLatest };
std::string_view name_of(Distribution distribution);
std::optional<Distribution> distribution_of(std::string_view name);

struct ScanLength {
  std::uint64_t min = 1;
  std::uint64_t max = 100;  // each length between them is as likely
};

struct Workload {
  std::string name = "put";
  Mix mix{.weights = {0, 1, 0, 0, 0, 0}};
  Distribution distribution = Distribution::kUniform;
  ScanLength scan_length;
  std::uint64_t batch_keys = 2;  // of a batch
};

// "put", "get", "scan", "batch", "mixed" (of gets and puts). nullopt: none of these.
std::optional<Workload> simple_workload(std::string_view op, double read_ratio);

// YCSB's core workloads, "a" to "f". Its updates are puts: they replace the whole value. nullopt: none of these.
std::optional<Workload> ycsb_workload(std::string_view letter);

}  // namespace meridian::bench
