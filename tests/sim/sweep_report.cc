#include "tests/sim/sweep_report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace meridian::sim {

namespace {

constexpr char kMark = '\x01';
constexpr std::uint64_t kEnoughOperations = 2000, kEnoughKinds = 3, kSeedsPerKind = 20;

void print_map(const char* what, const std::map<std::string, std::uint64_t>& counts) {
  std::string line;
  for (const auto& [name, count] : counts) line += fmt::format(" {}={}", name, count);
  std::printf("%s:%s\n", what, line.empty() ? " none" : line.c_str());
}

}  // namespace

std::string sweep_lines(const RunResult& result) {
  std::string out;
  const auto line = [&](const char* what, const std::string& name, std::uint64_t count) {
    out += fmt::format("{}{} {} {}\n", kMark, what, name, count);
  };
  line("sum", "answered", result.answered);
  line("sum", "unknown", result.unknown);
  line("sum", "faults", result.faults);
  line("sum", "events", result.events);
  line("sum", "messages", result.messages);
  line("sum", "virtual_s", static_cast<std::uint64_t>(result.virtual_us / 1'000'000));
  for (const auto& [kind, count] : result.kinds) line("kind", kind, count);
  for (const auto& [probe, count] : result.probes) line("probe", probe, count);
  return out;
}

std::string SweepReport::take(bool ok, const std::string& text) {
  (ok ? passed_ : failed_)++;
  std::istringstream in(text);
  std::string people, line;
  std::uint64_t kinds = 0, answered = 0;
  while (std::getline(in, line)) {
    if (!line.starts_with(kMark)) {
      people += line + '\n';
      continue;
    }
    std::istringstream fields(line.substr(1));
    std::string what, name;
    std::uint64_t count = 0;
    fields >> what >> name >> count;
    if (what == "sum") sums_[name] += count;
    if (what == "sum" && name == "answered") answered = count;
    if (what == "probe") ++probe_seeds_[name];
    if (what == "kind") ++kinds, kinds_[name] += count, ++kind_seeds_[name];
  }
  if (ok && (kinds < kEnoughKinds || answered < kEnoughOperations)) ++thin_;
  return people;
}

void SweepReport::print(double cpu_seconds) const {
  const std::uint64_t seeds = passed_ + failed_;
  print_map("in all", sums_);
  print_map("faults by kind", kinds_);
  print_map("seeds in which each kind occurred", kind_seeds_);
  print_map("seeds in which each probe was hit", probe_seeds_);
  if (thin_ > 0) {
    std::printf("%llu seeds had fewer than %llu operations or %llu kinds of fault\n",
                static_cast<unsigned long long>(thin_), static_cast<unsigned long long>(kEnoughOperations),
                static_cast<unsigned long long>(kEnoughKinds));
  }
  for (const auto& [kind, count] : kind_seeds_) {
    if (count * kSeedsPerKind < seeds)
      std::printf("rare: %s in %llu seeds\n", kind.c_str(), static_cast<unsigned long long>(count));
  }
  std::printf("%llu seeds passed, %llu failed, in %.0f s of processor time: %.1f seeds/s on one core\n",
              static_cast<unsigned long long>(passed_), static_cast<unsigned long long>(failed_), cpu_seconds,
              static_cast<double>(seeds) / std::max(1.0, cpu_seconds));
}

Ledger::Ledger(std::string path, std::string scenario) : path_(std::move(path)), scenario_(std::move(scenario)) {
  if (path_.empty()) return;
  std::ifstream in(path_);
  std::string name;
  std::uint64_t seed = 0;
  while (in >> name >> seed) {
    if (name == scenario_) passed_.insert(seed);
  }
}

void Ledger::passed(std::uint64_t seed) {
  if (path_.empty()) return;
  passed_.insert(seed);
  std::ofstream(path_, std::ios::app) << scenario_ << ' ' << seed << '\n';
}

}  // namespace meridian::sim
