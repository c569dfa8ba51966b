// What a sweep adds up, and the ledger by which it can be resumed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/sim/run.h"

namespace meridian::sim {

// The lines by which the child process of a seed tells its parent what to add up; they are not for people.
std::string sweep_lines(const RunResult& result);

class SweepReport {
 public:
  // Takes the lines of sweep_lines() out of what a child wrote; the rest is for people.
  std::string take(bool ok, const std::string& text);
  // Totals, seeds per second of processor time, and what a sweep of this many seeds should have had and did not: kinds of fault in fewer
  // than one seed of twenty, seeds with fewer than three kinds or 2,000 operations.
  void print(double cpu_seconds) const;

  std::uint64_t passed() const { return passed_; }
  std::uint64_t failed() const { return failed_; }

 private:
  std::uint64_t passed_ = 0, failed_ = 0, thin_ = 0;
  std::map<std::string, std::uint64_t> sums_;  // answered, unknown, faults, events, ...
  std::map<std::string, std::uint64_t> kinds_, kind_seeds_, probe_seeds_;
};

// Seeds that have passed, one line each: "chaos 17". A file that another build wrote is to be removed first.
class Ledger {
 public:
  // An empty path: nothing is kept.
  Ledger(std::string path, std::string scenario);
  bool has(std::uint64_t seed) const { return passed_.contains(seed); }
  void passed(std::uint64_t seed);

 private:
  const std::string path_, scenario_;
  std::set<std::uint64_t> passed_;
};

}  // namespace meridian::sim
