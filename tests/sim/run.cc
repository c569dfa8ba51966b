#include "tests/sim/run.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "tests/sim/cluster.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/workload_mix.h"

namespace meridian::sim {

namespace {

constexpr std::size_t kKinds = 3;                 // of faults that a seed must have seen, if it has so many
constexpr std::uint64_t kProgress = 30;          // operations that must be answered soon after healing
constexpr std::int64_t kFinishUs = 900'000'000;  // for the operations that are still missing; two slots of scans take long
constexpr std::int64_t kIdleUs = 300'000'000;    // longer than any operation with all its repetitions, or pages

// The process's log, for as long as it lives: with virtual times, and warnings among the last events.
class SimLog {
 public:
  SimLog(SimWorld& world, LogLevel print) {
    set_log_level(std::min(print, LogLevel::kWarning));
    set_log_clock([&world] { return WallTime(SimClocks::kEpochUs + world.now()); });
    set_log_sink([&world, print](const LogRecord& record) {
      const std::string text = format_log_text(record);
      const std::string who = world.running() != nullptr ? world.running()->name : "world";
      if (record.level >= print) fmt::print(stderr, "{:>12.6f} {:<10} {}\n", world.now() / 1e6, who, text);
      if (record.level >= LogLevel::kWarning) world.remark(who + ": " + text);
    });
  }
  ~SimLog() {
    set_log_sink(nullptr);
    set_log_clock(nullptr);
  }
};

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        world_(options.seed),
        log_(world_, options.print_log),
        faults_(world_, options.bug),
        cluster_(picture_on(options_.picture), options_),
        workloads_(world_, cluster_, options_, result_.history),
        nemesis_(world_, cluster_, options_) {}

  RunResult finish() {
    go();
    if (!cluster_.died().empty() && result_.failure.empty()) result_.failure = cluster_.died();
    result_.hash = world_.hash();
    result_.answered = workloads_.answered();
    result_.unknown = workloads_.unknown();
    result_.events = world_.events_run();
    result_.messages = cluster_.network().stats().messages;
    result_.virtual_us = world_.now();
    result_.bug_hits = faults_.bug_hits();
    result_.kinds = nemesis_.counts();
    for (const auto& [kind, count] : result_.kinds) result_.faults += count;
    result_.probes = faults_.probes();
    result_.buggified = faults_.buggified();
    if (!result_.ok()) result_.last_events = world_.last_events();
    if (options_.picture) {
      result_.picture = timeline_.html(fmt::format("{}, seed {}", options_.scenario, options_.seed), result_.failure);
    }
    return std::move(result_);
  }

 private:
  SimWorld& picture_on(bool wanted) {
    if (wanted) world_.draw_on(&timeline_);
    return world_;
  }

  void failed(std::string what) {
    if (result_.failure.empty()) result_.failure = std::move(what);
  }

  void go() {
    std::string why;
    if (!cluster_.form(&why)) return failed("the cluster was not formed: " + why);
    workloads_.start();
    const std::int64_t began = world_.now();
    if (options_.kinds.empty() || !options_.buggify) faults_.set_buggify(false);
    if (!options_.kinds.empty()) nemesis_.start();
    const auto enough = [&] { return workloads_.answered() >= options_.operations; };
    const std::size_t kinds = options_.max_faults < UINT64_MAX ? 0 : std::min(kKinds, std::set<std::string>(options_.kinds.begin(), options_.kinds.end()).size());
    const auto varied = [&] { return nemesis_.counts().size() >= kinds; };
    const auto broken = [&] {
      return !workloads_.violation().empty() || !cluster_.died().empty() || !nemesis_.violation().empty();
    };
    world_.run_until([&] { return (enough() && varied()) || broken(); }, world_.now() + options_.chaos_us);
    if (!varied()) world_.run_until([&] { return varied() || broken(); }, world_.now() + options_.chaos_us);
    if (broken()) return failed(workloads_.violation() + nemesis_.violation());

    nemesis_.stop();
    faults_.set_buggify(false);
    cluster_.heal();
    world_.note("everything is healed");
    const std::uint64_t before = workloads_.answered();
    if (!world_.run_until([&] { return workloads_.answered() >= before + kProgress || broken(); },
                          world_.now() + options_.progress_us)) {
      return failed(fmt::format("no progress: {} operations answered in {} s after everything had healed",
                                workloads_.answered() - before, options_.progress_us / 1'000'000) +
                    cluster_.describe());
    }
    if (options_.operations != UINT64_MAX &&
        !world_.run_until([&] { return enough() || broken(); }, world_.now() + kFinishUs)) {
      return failed(fmt::format("slow progress: {} operations answered in all", workloads_.answered()));
    }
    workloads_.stop();
    if (!world_.run_until([&] { return workloads_.idle(); }, world_.now() + kIdleUs)) {
      return failed("an operation never ended");
    }
    result_.working_us = world_.now() - began;
    if (!broken()) converge();
    failed(workloads_.violation());
    failed(judge(result_.history));
  }

  void converge() {
    // Looked at a few times a second: comparing whole engines at each event would be slow.
    std::string why;
    const std::int64_t deadline = world_.now() + options_.converge_us;
    while (!cluster_.converged(&why)) {
      if (world_.now() >= deadline) {
        return failed(
            fmt::format("no convergence in {} s: {}", options_.converge_us / 1'000'000, why + cluster_.describe()));
      }
      world_.run_for(200'000);
    }
    workloads_.finish();
    if (!world_.run_until([&] { return workloads_.idle(); }, world_.now() + kIdleUs)) {
      return failed("a last read never ended");
    }
    workloads_.list_versions();
  }

  const RunOptions options_;
  RunResult result_;
  Timeline timeline_;
  SimWorld world_;
  SimLog log_;
  SimFaults faults_;
  SimCluster cluster_;
  WorkloadMix workloads_;
  Nemesis nemesis_;
};

}  // namespace

RunResult run(const RunOptions& options) { return Run(options).finish(); }

}  // namespace meridian::sim
