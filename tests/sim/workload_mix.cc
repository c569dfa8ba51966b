#include "tests/sim/workload_mix.h"

#include <algorithm>

#include "base/check.h"

namespace meridian::sim {
namespace {

// While its wall clock is wrong a node answers by its monotonic one, which may run 1 % fast.
std::int64_t extrapolated_us(const RunOptions& options) {
  const bool jumps =
      std::ranges::any_of(options.kinds, [](const std::string& k) { return k.starts_with("clock_jump"); });
  return jumps ? options.pause_us / 50 : 0;
}

}  // namespace

WorkloadMix::WorkloadMix(SimWorld& world, SimCluster& cluster, const RunOptions& options, check::History& history)
    : world_(world),
      cluster_(cluster),
      options_(options),
      recorder_(world, history, options.clocks.wall_bound_us + extrapolated_us(options)) {
  for (const auto& [name, weight] : options.workloads) {
    auto workload = make_workload(name, {world, cluster, options_, recorder_});
    CHECK_F(workload != nullptr, "there is no workload {}", name);
    entries_.push_back({std::move(workload), weight});
    weights_ += weight;
  }
  CHECK(!entries_.empty());
  if (options.operations != UINT64_MAX) history.events.reserve(options.operations * 3);
}

Slot* WorkloadMix::new_slot(int client) {
  const std::uint64_t process = recorder_.new_process();
  slots_.push_back(
      std::make_unique<Slot>(world_.rng("slot", process), &cluster_.client(client), slots_.size() + 1, process, 0));
  return slots_.back().get();
}

void WorkloadMix::start() {
  for (int c = 0; c < options_.clients; ++c) {
    for (int s = 0; s < options_.slots; ++s) {
      Slot* slot = new_slot(c);
      // The first one does everything, so that something is always written.
      if (slot->session > 1) slot->profile = slot->rng.unit();
      ++busy_;
      spawn(*slot->client->runtime, run(slot));
    }
  }
}

Workload& WorkloadMix::draw(Slot& slot) {
  double left = slot.rng.unit() * weights_;
  for (const Entry& entry : entries_) {
    if ((left -= entry.weight) < 0) return *entry.workload;
  }
  return *entries_.back().workload;
}

Task<> WorkloadMix::run(Slot* slot) {
  while (!stopping_) {
    co_await sleep_for(*slot->client->runtime, Duration(slot->rng.between(std::int64_t{0}, options_.think_us * 2)));
    if (!stopping_) co_await draw(*slot).operate(*slot);
  }
  --busy_;
}

Task<> WorkloadMix::run_finish(Slot* slot, Workload* workload) {
  co_await workload->finish(*slot);
  --busy_;
}

void WorkloadMix::finish() {
  for (const Entry& entry : entries_) {
    Slot* slot = new_slot(0);
    ++busy_;
    spawn(*slot->client->runtime, run_finish(slot, entry.workload.get()));
  }
}

void WorkloadMix::list_versions() {
  // All replicas hold the same bytes by now, or the judge of replicas says so.
  for (const Entry& entry : entries_) {
    for (const std::string& key : entry.workload->listed_keys()) {
      for (const int node : cluster_.members()) {
        recorder_.listed(key, cluster_.node_id(node), cluster_.stored(node, key));
      }
    }
  }
}

}  // namespace meridian::sim
