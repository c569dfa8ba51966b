// Many seeds, each in a child process of its own: a CHECK that fails, a sanitizer's report or a seed that hangs
// fails that seed and no other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace meridian::sim {

// What a child tells its parent, as text.
struct SeedReport {
  std::uint64_t seed = 0;
  bool ok = false;
  std::string text;  // one line if ok, else everything there is to say
};

// Runs job(seed) for first..last, `jobs` at a time. job returns true if the seed passed and prints what it has to
// say to its standard output. report is called in order of completion, in the parent; once it answers false no more
// seeds are started.
void sweep(std::uint64_t first, std::uint64_t last, int jobs, unsigned seed_timeout_s,
           const std::function<bool(std::uint64_t seed)>& job, const std::function<bool(const SeedReport&)>& report);

}  // namespace meridian::sim
