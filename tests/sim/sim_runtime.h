// Runtime under virtual time: one incarnation of one simulated process, and the machine it runs on.
//
// What a crash does, in this order (see also sim_transport.h):
//   1. kill(): the actor is dead. Its queued posts, timers, disk works and executor functions are destroyed
//      unrun; a coroutine suspended on one of them is destroyed with it, while the node it belongs to still stands.
//   2. The owner destroys the node. Coroutines whose completion waits inside the node's own objects go with
//      those. Whatever a destructor still asks of the runtime (post, at, cancel, run_blocking) does nothing.
//   3. The runtime is destroyed, last.
// A frame's locals must therefore not use, in their destructors, what the frame did not own.
// Asio's frames are destroyed by a post to their executor: a dead executor destroys instead of queueing.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include "base/runtime.h"
#include "tests/sim/sim_world.h"

namespace meridian::sim {

// A machine's clocks. The wall clock stays within its bound of true time, drifting and jumping; the
// monotonic clock starts anywhere at each boot and runs a little fast or slow.
class SimClocks {
 public:
  struct Options {
    std::int64_t wall_bound_us = 125'000;  // two clocks differ by at most δ = 250 ms
    double rate_bound = 0.0099;            // ρ = 1 %
    double jump_chance = 0.5;              // otherwise an adjustment drifts towards its new offset
  };
  SimClocks(const SimWorld& world, std::uint64_t machine, Options options);

  void reboot();  // another monotonic origin and rate
  MonoTime mono(std::int64_t world_us) const;
  // The first world time at which mono() is at least t.
  std::int64_t world_at(MonoTime t) const;
  WallTime wall(std::int64_t world_us) const;
  // From now on the wall clock jumps or drifts to another offset within the bound.
  void adjust(std::int64_t world_us);
  void set_wall_offset(std::int64_t world_us, std::int64_t offset_us);

  // True time at virtual time zero: 2026-01-01T00:00:00Z.
  static constexpr std::int64_t kEpochUs = 1'767'225'600'000'000;

 private:
  Options options_;
  Rng rng_;
  std::int64_t mono_base_ = 0;
  std::int64_t rate_ppm_ = 0;
  // Offset from true time: from_ at since_, moving to target_ by drift_ppm_.
  std::int64_t wall_from_ = 0;
  std::int64_t wall_target_ = 0;
  std::int64_t wall_since_ = 0;
};

// How long blocking work takes.
struct SimDisk {
  std::int64_t min_us = 50;
  std::int64_t max_us = 2'000;  // mostly short, now and then long: the square of a uniform draw
  double slow_factor = 1;       // of a slow disk
  std::int64_t latency(Rng& rng) const {
    const double u = rng.unit();
    return static_cast<std::int64_t>((static_cast<double>(min_us) + static_cast<double>(max_us - min_us) * u * u) *
                                     slow_factor);
  }
};

class SimExecutor;

class SimRuntime final : public Runtime {
 public:
  // clocks and disk belong to the machine and outlive this.
  SimRuntime(SimWorld& world, std::string name, SimClocks& clocks, const SimDisk& disk);
  ~SimRuntime() override;

  MonoTime now() const override { return clocks_.mono(world_.now()); }
  WallTime wall_now() const override { return clocks_.wall(world_.now()); }
  std::uint64_t random() override { return rng_.next(); }
  boost::asio::any_io_executor executor() override;
  void post(Callback callback) override;
  TimerId at(MonoTime when, Callback callback) override;
  void cancel(TimerId timer) override { world_.cancel(timer); }
  using Runtime::run_blocking;
  void run_blocking(Lane lane, Callback work, Callback done) override;

  // Before a crash: each blocking work that waits happens now, by this chance, and nobody learns of it.
  void hasten_blocking(double chance);
  // Step 1 of a crash. Not from one of this runtime's own events.
  void kill();
  bool alive() const { return state_->actor.alive; }
  void pause(Duration duration) { world_.pause(&state_->actor, duration.count()); }

  SimWorld& world() { return world_; }
  SimClocks& clocks() { return clocks_; }
  Actor* actor() { return &state_->actor; }
  const std::string& name() const { return state_->actor.name; }

  // Shared with executors, which may be copied into frames that go last.
  struct State {
    SimWorld* world;
    Actor actor;
    boost::asio::execution_context context;
  };
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  SimWorld& world_;
  SimClocks& clocks_;
  const SimDisk& disk_;
  std::shared_ptr<State> state_;
  Rng rng_;
  Rng disk_rng_;
  // When each worker of each lane will be free: as many as production has, first come first served.
  std::array<std::vector<std::int64_t>, kLanes> free_at_;
};

// An Asio executor that queues every function as an event of the incarnation, at the current instant.
class SimExecutor {
 public:
  explicit SimExecutor(std::shared_ptr<SimRuntime::State> state) : state_(std::move(state)) {}
  friend bool operator==(const SimExecutor&, const SimExecutor&) noexcept = default;

  template <class F>
  void execute(F f) const {
    state_->world->at(0, EventKind::kPost, &state_->actor, Callback(std::move(f)));
  }
  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return state_->context; }
  static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  SimExecutor require(boost::asio::execution::blocking_t::never_t) const { return *this; }

 private:
  std::shared_ptr<SimRuntime::State> state_;
};

}  // namespace meridian::sim
