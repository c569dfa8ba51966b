#include "tests/sim/sim_runtime.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace meridian::sim {

namespace {
constexpr std::int64_t kDriftPpm = 200;
constexpr std::int64_t kMaxWakeUpUs = 200;
}  // namespace

SimClocks::SimClocks(const SimWorld& world, std::uint64_t machine, Options options)
    : options_(options), rng_(world.rng("clocks", machine)) {
  reboot();
  if (options_.wall_bound_us > 0) {
    wall_from_ = wall_target_ = rng_.between(-options_.wall_bound_us, options_.wall_bound_us);
  }
}

void SimClocks::reboot() {
  mono_base_ = rng_.between(std::int64_t{0}, std::int64_t{1'000'000'000'000});
  const auto bound = static_cast<std::int64_t>(options_.rate_bound * 1e6);
  rate_ppm_ = rng_.between(-bound, bound);
}

MonoTime SimClocks::mono(std::int64_t world_us) const {
  return MonoTime(mono_base_ + world_us + world_us / 1'000'000 * rate_ppm_ +
                  world_us % 1'000'000 * rate_ppm_ / 1'000'000);
}

std::int64_t SimClocks::world_at(MonoTime t) const {
  if (t >= MonoTime(INT64_MAX / 2)) return INT64_MAX;
  if (t.us() <= mono_base_) return 0;
  const double estimate = static_cast<double>(t.us() - mono_base_) / (1.0 + static_cast<double>(rate_ppm_) / 1e6);
  auto world_us = std::max<std::int64_t>(0, static_cast<std::int64_t>(estimate) - 2);
  while (mono(world_us) < t) ++world_us;
  return world_us;
}

WallTime SimClocks::wall(std::int64_t world_us) const {
  const std::int64_t moved = (world_us - wall_since_) * kDriftPpm / 1'000'000;
  const std::int64_t offset = wall_from_ < wall_target_ ? std::min(wall_target_, wall_from_ + moved)
                                                        : std::max(wall_target_, wall_from_ - moved);
  return WallTime(kEpochUs + world_us + offset);
}

void SimClocks::adjust(std::int64_t world_us) {
  if (options_.wall_bound_us == 0) return;
  const std::int64_t target = rng_.between(-options_.wall_bound_us, options_.wall_bound_us);
  wall_from_ = wall(world_us).us() - kEpochUs - world_us;
  wall_since_ = world_us;
  wall_target_ = target;
  if (rng_.chance(options_.jump_chance)) wall_from_ = target;
}

void SimClocks::set_wall_offset(std::int64_t world_us, std::int64_t offset_us) {
  wall_since_ = world_us;
  wall_from_ = wall_target_ = offset_us;
}

SimRuntime::SimRuntime(SimWorld& world, std::string name, SimClocks& clocks, const SimDisk& disk)
    : world_(world), clocks_(clocks), disk_(disk), state_(std::make_shared<State>()), rng_(0), disk_rng_(0) {
  state_->world = &world;
  state_->actor.id = world.next_actor_id();
  state_->actor.name = std::move(name);
  rng_ = world.rng("runtime", state_->actor.id);
  disk_rng_ = world.rng("disk", state_->actor.id);
}

SimRuntime::~SimRuntime() {
  if (alive()) kill();
}

boost::asio::any_io_executor SimRuntime::executor() { return SimExecutor(state_); }

void SimRuntime::post(Callback callback) { world_.at(0, EventKind::kPost, &state_->actor, std::move(callback)); }

TimerId SimRuntime::at(MonoTime when, Callback callback) {
  return world_.at(clocks_.world_at(when), EventKind::kTimer, &state_->actor, std::move(callback));
}

void SimRuntime::run_blocking(Lane lane, Callback work, Callback done) {
  // The work happens at one instant and its news arrives later: a crash falls before both, or in between.
  auto run = [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    work = nullptr;
    world_.at(world_.now() + disk_rng_.between(std::int64_t{0}, kMaxWakeUpUs), EventKind::kDiskDone, &state_->actor,
              std::move(done));
  };
  std::vector<std::int64_t>& workers = free_at_[static_cast<std::size_t>(lane)];
  if (workers.empty()) workers.resize(lane_workers(lane));
  std::int64_t& free_at = *std::ranges::min_element(workers);
  free_at = std::max(free_at, world_.now()) + disk_.latency(disk_rng_);
  world_.at(free_at, EventKind::kDisk, &state_->actor, std::move(run));
}

void SimRuntime::hasten_blocking(double chance) {
  world_.hasten(&state_->actor, EventKind::kDisk, [&] { return disk_rng_.chance(chance); });
}

void SimRuntime::kill() { world_.kill(&state_->actor); }

}  // namespace meridian::sim
