// The result of a load as a table or as one line of JSON, whose first fields are those of the other stores' load
// generators.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/load.h"

namespace meridian::bench {

// One load of a sweep, or the only one.
struct Measured {
  LoadOptions options;
  LoadResult result;
};

double operations_per_second(const LoadResult& result);
// "ycsb-a, 64 clients, 100,000 keys, values of 256 B".
std::string describe(const LoadOptions& options);

// with_series: also what happened in each second.
std::string render_json(const Measured& measured, bool with_series);
std::string render_table(const Measured& measured, bool with_series);
// Requires: not empty.
std::string render_sweep_json(const std::vector<Measured>& rows, bool with_series);
std::string render_sweep_table(const std::vector<Measured>& rows);

}  // namespace meridian::bench
