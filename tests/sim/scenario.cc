#include "tests/sim/scenario.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "tests/sim/workload.h"

namespace meridian::sim {

namespace {
constexpr double kOneWorkload = 0.25;
constexpr double kOnRocks = 0.05;
constexpr double kWithPriorities = 0.15;
}  // namespace

constexpr double kLargest = 1e9;  // of any number in a scenario

// Collects the first mistake.
struct Scenario::Reader {
  const toml::table& table;
  std::string error;

  void bounds(const char* path, Bounds* out) {
    const auto node = table.at_path(path);
    const toml::array* array = node.as_array();
    const auto low = array != nullptr && array->size() == 2 ? (*array)[0].value<double>() : std::nullopt;
    const auto high = array != nullptr && array->size() == 2 ? (*array)[1].value<double>() : std::nullopt;
    if (!low || !high || !(*low >= 0 && *low <= *high && *high <= kLargest)) {
      return complain(path, "is not [lowest, highest], of 0 to a thousand million");
    }
    *out = {*low, *high};
  }
  void number(const char* path, double* out) {
    const auto value = table.at_path(path).value<double>();
    if (!value || !(*value >= 0 && *value <= kLargest))
      return complain(path, "is not a number of 0 to a thousand million");
    *out = *value;
  }
  void complain(const char* path, const char* what) {
    if (error.empty()) error = fmt::format("{} {}", path, what);
  }
};

Result<Scenario> Scenario::load(const std::string& path) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& e) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
  }
  Scenario s;
  Reader reader{table, {}};
  s.name_ = table["name"].value_or(std::string("unnamed"));
  const std::pair<const char*, Bounds*> bounds[] = {{"cluster.nodes", &s.nodes_},
                                                    {"cluster.spares", &s.spares_},
                                                    {"cluster.regions", &s.regions_},
                                                    {"cluster.proxies", &s.proxies_},
                                                    {"cluster.clients", &s.clients_},
                                                    {"cluster.slots", &s.slots_},
                                                    {"cluster.keys", &s.keys_},
                                                    {"cluster.operations", &s.operations_},
                                                    {"cluster.think_ms", &s.think_ms_},
                                                    {"cluster.value_bytes", &s.value_bytes_},
                                                    {"cluster.chaos_s", &s.chaos_s_},
                                                    {"network.loss", &s.loss_},
                                                    {"network.duplicate", &s.duplicate_},
                                                    {"network.reorder", &s.reorder_},
                                                    {"network.straggler_ms", &s.straggler_ms_},
                                                    {"network.local_ms", &s.local_ms_},
                                                    {"network.remote_ms", &s.remote_ms_},
                                                    {"disk.sync_ms", &s.sync_ms_},
                                                    {"disk.slow_factor", &s.slow_factor_},
                                                    {"clocks.wall_bound_ms", &s.wall_bound_ms_},
                                                    {"clocks.rate_bound", &s.rate_bound_},
                                                    {"timing.election_ms", &s.election_ms_},
                                                    {"timing.attempt_ms", &s.attempt_ms_},
                                                    {"storage.segment_kb", &s.segment_kb_},
                                                    {"storage.trim_kb", &s.trim_kb_},
                                                    {"storage.keep_log_kb", &s.keep_log_kb_},
                                                    {"storage.flush_kb", &s.flush_kb_},
                                                    {"storage.chunk_kb", &s.chunk_kb_},
                                                    {"storage.append_kb", &s.append_kb_},
                                                    {"faults.mean_ms", &s.mean_ms_},
                                                    {"faults.down_ms", &s.down_ms_},
                                                    {"faults.pause_ms", &s.pause_ms_},
                                                    {"faults.cut_ms", &s.cut_ms_},
                                                    {"faults.slow_ms", &s.slow_ms_}};
  for (const auto& [name, target] : bounds) reader.bounds(name, target);
  double least = 0;
  reader.number("network.quiet_chance", &s.quiet_chance_);
  reader.number("faults.least_kinds", &least);
  reader.number("faults.kind_chance", &s.kind_chance_);
  reader.number("limits.progress_s", &s.progress_s_);
  reader.number("limits.converge_s", &s.converge_s_);
  s.least_kinds_ = static_cast<int>(least);
  if (const toml::array* kinds = table["faults"]["kinds"].as_array()) {
    for (const auto& kind : *kinds) s.kinds_.push_back(kind.value_or(std::string()));
  }
  s.workloads_ = {"register"};
  if (const toml::array* workloads = table["workloads"].as_array()) {
    s.workloads_.clear();
    for (const auto& workload : *workloads) {
      s.workloads_.push_back(workload.value_or(std::string()));
      const auto& names = workload_names();
      if (std::ranges::find(names, s.workloads_.back()) == names.end()) reader.complain("workloads", "names none");
    }
    if (s.workloads_.empty()) reader.complain("workloads", "is empty");
  }
  if (!reader.error.empty()) return fail(ErrorCode::kInvalidArgument, path + ": " + reader.error);
  return s;
}

RunOptions Scenario::draw(std::uint64_t seed) const {
  Rng rng = SimWorld(seed).rng("options");
  RunOptions o;
  o.seed = seed;
  o.scenario = name_;
  if (SimWorld(seed).rng("store").chance(kOnRocks)) o.use_store(StoreKind::kRocks);
  o.priorities = SimWorld(seed).rng("priorities").chance(kWithPriorities);
  o.nodes = nodes_.draw_int(rng);
  o.spares = spares_.draw_int(rng);
  o.regions = regions_.draw_int(rng);
  o.proxies = proxies_.draw_int(rng);
  o.clients = clients_.draw_int(rng);
  o.slots = slots_.draw_int(rng);
  o.keys = keys_.draw_int(rng);
  o.workloads = draw_workloads(seed);
  o.operations = static_cast<std::uint64_t>(operations_.draw_int(rng));
  o.think_us = think_ms_.draw_us(rng);
  o.value_bytes = static_cast<std::uint64_t>(value_bytes_.draw_int(rng));
  o.chaos_us = chaos_s_.draw_us(rng) * 1000;
  if (minutes_ > 0) {
    o.chaos_us = static_cast<std::int64_t>(minutes_ * 60e6);
    o.operations = UINT64_MAX;
  }
  if (!rng.chance(quiet_chance_)) {
    const double u = rng.unit();
    o.network.loss = loss_.low + (loss_.high - loss_.low) * u * u;
    o.network.duplicate = duplicate_.draw(rng);
    o.network.reorder = reorder_.draw(rng);
  }
  o.network.straggler_max_us = straggler_ms_.draw_us(rng);
  o.network.local_min_us = static_cast<std::int64_t>(local_ms_.low * 1000);
  o.network.local_max_us = local_ms_.draw_us(rng);
  o.remote_min_us = static_cast<std::int64_t>(remote_ms_.low * 1000);
  o.remote_max_us = remote_ms_.draw_us(rng);
  o.disk.max_us = std::max(o.disk.min_us, sync_ms_.draw_us(rng));
  o.slow_factor = slow_factor_.draw(rng);
  o.clocks.wall_bound_us = wall_bound_ms_.draw_us(rng);
  o.clocks.rate_bound = rate_bound_.draw(rng);
  o.election_us = election_ms_.draw_us(rng);
  o.attempt_us = attempt_ms_.draw_us(rng);
  o.segment_bytes = segment_kb_.draw_bytes(rng);
  o.trim_bytes = trim_kb_.draw_bytes(rng);
  o.keep_log_bytes = keep_log_kb_.draw_bytes(rng);
  o.flush_bytes = flush_kb_.draw_bytes(rng);
  o.chunk_bytes = chunk_kb_.draw_bytes(rng);
  o.fault_mean_us = mean_ms_.draw_us(rng);
  o.shortest_us = static_cast<std::int64_t>(down_ms_.low * 1000);
  o.down_us = down_ms_.draw_us(rng);
  o.pause_us = pause_ms_.draw_us(rng);
  o.cut_us = cut_ms_.draw_us(rng);
  o.slow_us = slow_ms_.draw_us(rng);
  o.progress_us = static_cast<std::int64_t>(progress_s_ * 1e6);
  o.converge_us = static_cast<std::int64_t>(converge_s_ * 1e6);

  const double u = rng.unit();
  const double append_kb = append_kb_.low + (append_kb_.high - append_kb_.low) * u * u * u;
  o.append_bytes = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(append_kb * 1024));

  std::vector<std::string> rest = kinds_;
  for (std::size_t i = rest.size(); i > 1; --i) std::swap(rest[i - 1], rest[rng.below(i)]);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (static_cast<int>(i) < least_kinds_ || rng.chance(kind_chance_)) o.kinds.push_back(rest[i]);
  }
  return o;
}

// One alone, or several side by side, some rarely. A stream of its own, so that another list of workloads changes
// nothing else of a seed.
std::vector<std::pair<std::string, double>> Scenario::draw_workloads(std::uint64_t seed) const {
  Rng rng = SimWorld(seed).rng("workloads");
  std::vector<std::string> rest = workloads_;
  for (std::size_t i = rest.size(); i > 1; --i) std::swap(rest[i - 1], rest[rng.below(i)]);
  const std::size_t count = rng.chance(kOneWorkload) ? 1 : 1 + rng.below(rest.size());
  std::map<std::string, double> drawn;  // one that stands twice counts twice
  for (std::size_t i = 0; i < count; ++i) drawn[rest[i]] += rng.between(0.1, 1.0);
  return {drawn.begin(), drawn.end()};
}

void RunOptions::use_store(StoreKind kind) {
  store = kind;
  // RocksDB's tables hold random ids of their writers.
  network.hash_contents = kind == StoreKind::kMem;
}

std::string RunOptions::to_string() const {
  std::string drawn;
  for (const auto& [name, weight] : workloads)
    drawn += fmt::format("{}{}*{:.2f}", drawn.empty() ? "" : ",", name, weight);
  return fmt::format(
      "seed={} scenario={} bug={} store={} priorities={} nodes={} spares={} regions={} proxies={} clients={} slots={} "
      "keys={} operations={} "
      "think={}us value={}B chaos={}us loss={:.3f} duplicate={:.3f} reorder={:.3f} stragglers={}us local={}..{}us "
      "remote={}..{}us "
      "disk={}..{}us slow_factor={:.1f} wall_bound={}us rate_bound={:.4f} election={}us attempt={}us segment={}B "
      "trim={}B keep_log={}B flush={}B chunk={}B append={}B "
      "fault_mean={}us down={}us pause={}us "
      "cut={}us "
      "slow={}us kinds={} workloads={}",
      seed, scenario, bug.empty() ? "none" : bug, sim::to_string(store), priorities, nodes, spares, regions, proxies,
      clients, slots, keys, operations, think_us, value_bytes, chaos_us, network.loss, network.duplicate,
      network.reorder, network.straggler_max_us, network.local_min_us, network.local_max_us, remote_min_us,
      remote_max_us, disk.min_us, disk.max_us, slow_factor, clocks.wall_bound_us, clocks.rate_bound, election_us,
      attempt_us, segment_bytes, trim_bytes, keep_log_bytes, flush_bytes, chunk_bytes, append_bytes, fault_mean_us,
      down_us, pause_us, cut_us, slow_us, fmt::join(kinds, ","), drawn);
}

}  // namespace meridian::sim
