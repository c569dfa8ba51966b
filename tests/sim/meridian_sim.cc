// meridian-sim: whole clusters of production code under virtual time and faults, from a seed.
// Exit codes: 0 all passed (with --expect-failure: some seed failed), 1 not so, 2 usage.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "tests/sim/run.h"
#include "tests/sim/shrink.h"
#include "tests/sim/sweep.h"
#include "tests/sim/sweep_report.h"

namespace {

using namespace meridian;
using namespace meridian::sim;

constexpr int kPassed = 0, kFailed = 1, kUsage = 2;

struct Arguments {
  std::string scenario = "register", seeds, bug, history, ledger, timeline;
  Narrowing narrowing;
  std::uint64_t seed = 1, first = 0, last = 0;
  int jobs = 1;
  unsigned seed_timeout_s = 120;
  double minutes = 0;
  LogLevel print_log = LogLevel::kOff;
  bool twice = false, expect_failure = false, verbose = false, shrink = false;
};

std::string scenario_path(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".txt")) return name;
  return std::string(MERIDIAN_SIM_SCENARIOS) + "/" + name + ".txt";
}

std::string repeat_command(const Arguments& arguments, std::uint64_t seed) {
  std::string command = fmt::format("meridian-sim --scenario {} --seed {}", arguments.scenario, seed);
  if (!arguments.bug.empty()) command += " --bug " + arguments.bug;
  if (arguments.minutes > 0) command += fmt::format(" --minutes {}", arguments.minutes);
  return command + arguments.narrowing.flags();
}

void print_counts(const char* what, const std::map<std::string, std::uint64_t>& counts) {
  std::string line;
  for (const auto& [name, count] : counts) line += fmt::format(" {}={}", name, count);
  std::printf("%s:%s\n", what, line.empty() ? " none" : line.c_str());
}

bool is_write(const check::Event& e) {
  switch (e.f) {
    case check::Function::kWrite:
    case check::Function::kCas:
    case check::Function::kRemove:
    case check::Function::kBatch:
    case check::Function::kAdd:
    case check::Function::kIncrement: return true;
    case check::Function::kTxn:
      return std::any_of(e.ops.begin(), e.ops.end(), [](const check::MicroOp& op) { return op.append; });
    default: return false;
  }
}

// By the processor's time, for there is one thread, and it never waits. The judges' time is part of it.
void print_speed(const RunResult& result, double cpu_s) {
  std::uint64_t writes = 0;
  for (const check::Event& e : result.history.events) writes += e.type == check::EventType::kOk && is_write(e);
  std::printf("speed: %.1f times real time, %.1f operations per virtual second, %.0f %% of them writes\n",
              static_cast<double>(result.virtual_us) / 1e6 / cpu_s,
              static_cast<double>(result.answered) * 1e6 / static_cast<double>(result.working_us),
              100.0 * static_cast<double>(writes) / static_cast<double>(result.answered));
}

bool run_seed(const Arguments& arguments, const Scenario& scenario, std::uint64_t seed, bool full) {
  RunOptions options = scenario.draw(seed);
  arguments.narrowing.apply(&options);
  options.bug = arguments.bug;
  options.picture = full && !arguments.timeline.empty();
  options.print_log = arguments.print_log;
  if (full) std::printf("%s\n", options.to_string().c_str());
  const std::clock_t began = std::clock();
  RunResult result = run(options);
  const double cpu_s = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  if (result.ok() && arguments.twice) {
    const RunResult again = run(options);
    if (again.hash != result.hash || again.failure != result.failure) {
      result.failure = fmt::format("not deterministic: hash {:016x}, and then {:016x}", result.hash, again.hash);
    }
  }
  if (!result.ok() && arguments.expect_failure && !arguments.bug.empty()) {
    // Caught only if the correct code passes the same seed.
    options.bug.clear();
    const RunResult correct = run(options);
    if (!correct.ok()) {
      std::printf("seed %llu fails without the bug too: %s\n", static_cast<unsigned long long>(seed),
                  correct.failure.c_str());
      return true;
    }
  }
  if (!result.picture.empty()) std::ofstream(arguments.timeline) << result.picture;
  if (!arguments.history.empty()) {
    std::ofstream out(arguments.history);
    check::write_history(result.history, out);
  }
  std::printf(
      "seed %llu: %s hash=%016llx, %llu answered, %llu unknown, %llu faults, %llu events, %llu messages, %.1f s "
      "virtual%s\n",
      static_cast<unsigned long long>(seed), result.ok() ? "passed," : "FAILED,",
      static_cast<unsigned long long>(result.hash), static_cast<unsigned long long>(result.answered),
      static_cast<unsigned long long>(result.unknown), static_cast<unsigned long long>(result.faults),
      static_cast<unsigned long long>(result.events), static_cast<unsigned long long>(result.messages),
      static_cast<double>(result.virtual_us) / 1e6,
      arguments.bug.empty() ? "" : fmt::format(", bug fired {} times", result.bug_hits).c_str());
  if (full) {
    print_speed(result, cpu_s);
    print_counts("faults", result.kinds);
    print_counts("probes", result.probes);
    print_counts("buggified", result.buggified);
  } else {
    std::printf("%s", sweep_lines(result).c_str());
  }
  if (result.ok()) return true;
  if (!full) std::printf("%s\n", options.to_string().c_str());
  std::printf("last events:\n");
  for (const std::string& line : result.last_events) std::printf("%s\n", line.c_str());
  std::printf("\n%s\n\nrepeat it: %s\n", result.failure.c_str(), repeat_command(arguments, seed).c_str());
  return false;
}

int run_sweep(const Arguments& arguments, const Scenario& scenario) {
  SweepReport totals;
  Ledger ledger(arguments.ledger, scenario.name());
  sweep(
      arguments.first, arguments.last, arguments.jobs, arguments.seed_timeout_s,
      [&](std::uint64_t seed) { return ledger.has(seed) || run_seed(arguments, scenario, seed, false); },
      [&](const SeedReport& report) -> bool {
        std::string text = totals.take(report.ok, report.text);
        if (report.ok && !ledger.has(report.seed)) ledger.passed(report.seed);
        if (!report.ok && text.find("repeat it: ") == std::string::npos) {
          text += "repeat it: " + repeat_command(arguments, report.seed) + '\n';
        }
        if (arguments.verbose || !report.ok) std::printf("%s", text.c_str());
        std::fflush(stdout);
        return report.ok || !arguments.expect_failure;
      });
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  totals.print(static_cast<double>(children.ru_utime.tv_sec + children.ru_stime.tv_sec));
  if (arguments.expect_failure) {
    std::printf("%s\n",
                totals.failed() > 0 ? "a failure was expected and found" : "a failure was expected; none was found");
    return totals.failed() > 0 ? kPassed : kFailed;
  }
  return totals.failed() == 0 ? kPassed : kFailed;
}

// Each attempt in a process of its own: a CHECK that fails ends it.
int run_shrink(Arguments arguments, const Scenario& scenario) {
  const auto fails = [&](const Narrowing& narrowing) {
    bool failed = false;
    Arguments attempt = arguments;
    attempt.narrowing = narrowing;
    sweep(
        arguments.seed, arguments.seed, 1, arguments.seed_timeout_s,
        [&](std::uint64_t seed) { return run_seed(attempt, scenario, seed, false); },
        [&](const SeedReport& report) { return failed = !report.ok, true; });
    return failed;
  };
  if (!fails(arguments.narrowing)) {
    std::printf("seed %llu does not fail\n", static_cast<unsigned long long>(arguments.seed));
    return kFailed;
  }
  arguments.narrowing = shrink(scenario.draw(arguments.seed), arguments.narrowing, fails, [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  });
  std::printf("\nas simple as it gets: %s\n", repeat_command(arguments, arguments.seed).c_str());
  return kPassed;
}

bool parse_seeds(Arguments* arguments) {
  const std::size_t dots = arguments->seeds.find("..");
  if (dots == std::string::npos) return false;
  char* end = nullptr;
  arguments->first = std::strtoull(arguments->seeds.c_str(), &end, 10);
  if (end != arguments->seeds.c_str() + dots) return false;
  arguments->last = std::strtoull(arguments->seeds.c_str() + dots + 2, &end, 10);
  return *end == '\0' && arguments->first <= arguments->last;
}

// A run only grows. Small pages, asked of the kernel one by one and given back in between, cost a fifth of its time.
void keep_memory() {
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)  // which have an allocator of their own
  constexpr int kNever = 1 << 30;
  constexpr std::size_t kPage = 2 << 20, kHeap = 256 * kPage;
  mallopt(M_MMAP_THRESHOLD, kNever);
  mallopt(M_TRIM_THRESHOLD, kNever);
  void* heap = std::malloc(kHeap);  // reserved, not touched
  if (heap == nullptr) return;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(heap) + kPage - 1) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), kHeap - kPage, MADV_HUGEPAGE);
  std::free(heap);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory();
  Arguments arguments;
  CLI::App app("Runs whole Meridian clusters in one thread under virtual time, with faults, from a seed.");
  app.add_option("--scenario", arguments.scenario, "Name or file of the scenario")->capture_default_str();
  app.add_option("--seed", arguments.seed, "One seed, with everything printed")->capture_default_str();
  app.add_option("--seeds", arguments.seeds, "A..B: a sweep; each seed in a process of its own");
  app.add_option("--jobs", arguments.jobs, "Seeds at a time")->check(CLI::Range(1, 256));
  app.add_option("--seed-timeout", arguments.seed_timeout_s, "Real seconds after which a seed of a sweep has failed")
      ->capture_default_str();
  app.add_option("--minutes", arguments.minutes, "Virtual minutes under faults, instead of a number of operations");
  app.add_option("--bug", arguments.bug, "Switch a deliberate bug on (builds with MERIDIAN_DELIBERATE_BUGS)");
  app.add_option("--history", arguments.history, "Write the history of --seed to this file");
  app.add_option("--timeline", arguments.timeline, "Draw the end of --seed into this file, as HTML");
  std::string log = "off";
  app.add_option("--log", log, "Print the nodes' log from this level on: debug, info, warning, error, off");
  app.add_flag("--twice", arguments.twice, "Run each seed twice and compare the hashes");
  app.add_flag("--expect-failure", arguments.expect_failure,
               "Stop at the first seed that fails (with --bug: and passes without it) and exit with 0; else with 1");
  app.add_option("--ledger", arguments.ledger,
                 "A sweep's seeds that have passed are kept in this file, and not run again");
  app.add_flag("--shrink", arguments.shrink,
               "Turn off whatever --seed fails without, and print the command that is left");
  app.add_option("--without", arguments.narrowing.without, "Kinds of fault that do not strike")->delimiter(',');
  app.add_option("--workloads", arguments.narrowing.workloads, "Only these of what the seed draws")->delimiter(',');
  app.add_option("--max-faults", arguments.narrowing.max_faults, "Only the first so many");
  app.add_flag("--no-buggify", arguments.narrowing.no_buggify, "No buggify point is awake");
  app.add_flag("--quiet-network", arguments.narrowing.quiet_network, "Nothing is lost, doubled or reordered");
  app.add_option("--store", arguments.narrowing.store, "mem or rocks, whatever the seed draws")
      ->check(CLI::IsMember({"mem", "rocks"}));
  app.add_flag("-v,--verbose", arguments.verbose, "A line for each seed of a sweep");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kUsage;
  }
  if (!arguments.seeds.empty() && !parse_seeds(&arguments)) {
    std::fprintf(stderr, "--seeds %s is not A..B\n", arguments.seeds.c_str());
    return kUsage;
  }
  const Result<LogLevel> level = parse_log_level(log);
  if (!level) {
    std::fprintf(stderr, "--log: %s\n", level.error().to_string().c_str());
    return kUsage;
  }
  arguments.print_log = *level;
#ifndef MERIDIAN_DELIBERATE_BUGS
  if (!arguments.bug.empty()) {
    std::fprintf(stderr, "--bug %s: this build has no deliberate bugs\n", arguments.bug.c_str());
    return kUsage;
  }
#endif
  Result<Scenario> scenario = Scenario::load(scenario_path(arguments.scenario));
  if (!scenario) {
    std::fprintf(stderr, "%s\n", scenario.error().to_string().c_str());
    return kUsage;
  }
  scenario->set_minutes(arguments.minutes);
  if (arguments.shrink) return run_shrink(arguments, *scenario);
  if (!arguments.seeds.empty()) return run_sweep(arguments, *scenario);
  const bool passed = run_seed(arguments, *scenario, arguments.seed, true);
  return passed != arguments.expect_failure ? kPassed : kFailed;
}
