// The command line of meridian-bench.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/load.h"

namespace meridian::bench {

struct Arguments {
  LoadOptions load;
  std::vector<std::string> proxies;
  std::uint64_t connections = 1;
  std::optional<std::uint64_t> preload;  // nullopt: all keys where the load wants them to be there, else none
  bool preload_by_default = false;
  std::vector<std::uint64_t> sweep_keys;  // both empty: no sweep
  std::vector<std::uint64_t> sweep_value_bytes;
  std::string svg_path;  // empty: none
  bool series = false;
  bool json = false;

  bool sweeps() const { return !sweep_keys.empty() || !sweep_value_bytes.empty(); }
  // One load for each combination; without a sweep the one.
  std::vector<LoadOptions> loads() const;
  // What cannot be done as it was asked for; empty: nothing.
  std::string contradiction() const;
  // Keys to write before that load.
  std::uint64_t preload_of(const LoadOptions& load) const;
};

// nullopt: run it. Else the exit code of a program that has nothing to run, having said why: 0 after --help, or 2.
std::optional<int> parse_arguments(int argc, const char* const* argv, Arguments& arguments);

}  // namespace meridian::bench
