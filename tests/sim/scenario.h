// A scenario: bounds from a TOML file, within which each seed draws the options of its own run (swarm testing).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_transport.h"

namespace meridian::sim {

struct RunOptions {
  std::uint64_t seed = 0;
  std::string scenario;
  std::string bug;                      // a deliberate one; empty: none
  LogLevel print_log = LogLevel::kOff;  // of the nodes, to standard error

  StoreKind store = StoreKind::kMem;
  bool priorities = false;              // some nodes are to lead rather than others
  int nodes = 3, spares = 0, regions = 1, proxies = 1, clients = 1, slots = 1, keys = 1;
  std::uint64_t operations = 1000;  // answered ok before the run may end
  std::vector<std::pair<std::string, double>> workloads{{"register", 1.0}};  // and how often each is drawn
  std::int64_t think_us = 0;
  std::uint64_t value_bytes = 0;
  std::int64_t chaos_us = 0;

  NetworkOptions network;
  std::int64_t remote_min_us = 0, remote_max_us = 0;
  SimDisk disk;
  double slow_factor = 1;
  SimClocks::Options clocks;
  std::int64_t election_us = 0, attempt_us = 0;
  std::uint64_t segment_bytes = 0, trim_bytes = 0, keep_log_bytes = 0, flush_bytes = 0, chunk_bytes = 0,
                append_bytes = 1 << 20;

  std::int64_t fault_mean_us = 0;
  // Longest durations; each is drawn from [down_min_us, longest].
  std::int64_t shortest_us = 0, down_us = 0, pause_us = 0, cut_us = 0, slow_us = 0;
  std::vector<std::string> kinds;
  std::uint64_t max_faults = UINT64_MAX;  // the first so many
  bool buggify = true;
  bool picture = false;  // RunResult::picture is wanted
  std::int64_t progress_us = 0, converge_us = 0;

  void use_store(StoreKind kind);
  std::string to_string() const;  // all of them, for people
};

class Scenario {
 public:
  // kInvalidArgument names the file and what is wrong.
  static Result<Scenario> load(const std::string& path);
  RunOptions draw(std::uint64_t seed) const;
  // Longer chaos and as many operations as fit.
  void set_minutes(double minutes) { minutes_ = minutes; }
  const std::string& name() const { return name_; }

 private:
  struct Bounds {
    double low = 0, high = 0;
    double draw(Rng& rng) const { return rng.between(low, high); }
    std::int64_t draw_us(Rng& rng) const { return static_cast<std::int64_t>(draw(rng) * 1000); }
    std::uint64_t draw_bytes(Rng& rng) const { return static_cast<std::uint64_t>(draw(rng) * 1024); }
    int draw_int(Rng& rng) const {
      return static_cast<int>(rng.between(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
    }
  };
  struct Reader;
  std::vector<std::pair<std::string, double>> draw_workloads(std::uint64_t seed) const;

  std::string name_;
  double minutes_ = 0;
  Bounds nodes_, spares_, regions_, proxies_, clients_, slots_, keys_, operations_, think_ms_, value_bytes_, chaos_s_;
  Bounds loss_, duplicate_, reorder_, straggler_ms_, local_ms_, remote_ms_, sync_ms_, slow_factor_, wall_bound_ms_,
      rate_bound_;
  Bounds election_ms_, attempt_ms_;
  Bounds segment_kb_, trim_kb_, keep_log_kb_, flush_kb_, chunk_kb_, append_kb_;
  Bounds mean_ms_, down_ms_, pause_ms_, cut_ms_, slow_ms_;
  double quiet_chance_ = 0, kind_chance_ = 0, progress_s_ = 0, converge_s_ = 0;
  int least_kinds_ = 0;
  std::vector<std::string> kinds_;
  std::vector<std::string> workloads_;
};

}  // namespace meridian::sim
