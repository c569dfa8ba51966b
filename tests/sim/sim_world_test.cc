#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/task.h"
#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_world.h"

namespace meridian::sim {
namespace {

TEST(SimWorld, RunsEventsInOrderOfTimeThenOfScheduling) {
  SimWorld world(1);
  std::vector<int> order;
  world.at(20, EventKind::kWorld, nullptr, [&] { order.push_back(4); });
  world.at(10, EventKind::kWorld, nullptr, [&] {
    order.push_back(2);
    world.at(10, EventKind::kWorld, nullptr, [&] { order.push_back(3); });
  });
  world.at(0, EventKind::kWorld, nullptr, [&] { order.push_back(1); });
  const EventId cancelled = world.at(15, EventKind::kWorld, nullptr, [&] { order.push_back(99); });
  world.cancel(cancelled);
  world.run_until(30);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(world.now(), 30);
}

TEST(SimWorld, APausedActorRunsItsEventsAfterThePauseInOrder) {
  SimWorld world(1);
  Actor actor{.id = world.next_actor_id()};
  std::vector<std::pair<int, std::int64_t>> ran;
  for (int i = 0; i < 3; ++i) {
    world.at(10 * (i + 1), EventKind::kTimer, &actor, [&, i] { ran.push_back({i, world.now()}); });
  }
  world.run_until(10);
  world.pause(&actor, 100);
  world.run_until(500);
  EXPECT_EQ(ran, (std::vector<std::pair<int, std::int64_t>>{{0, 10}, {1, 110}, {2, 110}}));
}

TEST(SimClocks, StayWithinTheirBounds) {
  SimWorld world(7);
  for (int machine = 0; machine < 20; ++machine) {
    SimClocks clocks(world, machine, {});
    std::int64_t last = 0;
    for (int i = 1; i < 200; ++i) {
      const std::int64_t t = i * 37'171;
      if (i % 20 == 0) clocks.adjust(t);
      EXPECT_LE(std::abs(clocks.wall(t).us() - SimClocks::kEpochUs - t), 125'000);
      EXPECT_NEAR((clocks.mono(t) - clocks.mono(last)).count(), t - last, (t - last) * 0.01 + 2);
      EXPECT_EQ(clocks.mono(clocks.world_at(clocks.mono(t))), clocks.mono(t));
      last = t;
    }
  }
}

// A node in miniature: an object graph with coroutines that refer to it.
struct ToyNode {
  explicit ToyNode(Runtime& runtime) : runtime(runtime) {}
  Runtime& runtime;
  std::vector<std::move_only_function<void(int)>> waiters;
  int ticks = 0, waiting = 0, gone = 0;
  std::shared_ptr<int> counter = std::make_shared<int>(0);

  struct Guard {
    std::shared_ptr<int> counter;
    explicit Guard(std::shared_ptr<int> c) : counter(std::move(c)) { ++*counter; }
    ~Guard() { --*counter; }
  };
  Task<> ticker() {
    Guard guard(counter);
    for (;;) {
      co_await sleep_for(runtime, Duration(100));
      ++ticks;
    }
  }
  Task<int> wait() {
    Guard guard(counter);
    co_return co_await suspend<int>(
        runtime, [this](std::move_only_function<void(int)> done) { waiters.push_back(std::move(done)); });
  }
  Task<> waiter() {
    Guard guard(counter);
    ++waiting;
    co_await wait();
  }
  Task<> blocked(std::vector<int>* disk) {
    Guard guard(counter);
    for (int i = 0;; ++i) {
      const int n = co_await offload(runtime, [disk, i] {
        disk->push_back(i);
        return i;
      });
      CHECK(n == i);
      ++gone;
    }
  }
};

TEST(SimRuntime, ACrashDestroysSuspendedCoroutinesBeforeTheNode) {
  int after_news = 0, before_news = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimWorld world(seed);
    SimClocks clocks(world, 1, {});
    const SimDisk disk;
    std::vector<int> written;
    std::shared_ptr<int> counter;
    {
      SimRuntime runtime(world, "n1", clocks, disk);
      auto node = std::make_unique<ToyNode>(runtime);
      counter = node->counter;
      for (int i = 0; i < 3; ++i) {
        spawn(runtime, node->ticker());
        spawn(runtime, node->waiter());
      }
      spawn(runtime, node->blocked(&written));
      world.run_until(5'000 + static_cast<std::int64_t>(seed * 7));
      EXPECT_GT(node->ticks, 30);
      EXPECT_EQ(node->waiting, 3);
      EXPECT_GT(*counter, 0);
      (static_cast<int>(written.size()) > node->gone ? after_news : before_news)++;
      runtime.kill();
      EXPECT_EQ(*counter, 6) << "those that wait inside the node go with it";
      runtime.post([] { FAIL(); });
      EXPECT_EQ(runtime.at(MonoTime(1), [] { FAIL(); }), 0u);
      const std::size_t n = written.size();
      world.run_until(100'000);
      EXPECT_EQ(written.size(), n);
      node.reset();
      EXPECT_EQ(*counter, 0);
    }
  }
  EXPECT_GT(after_news, 0);  // the work was done and nobody learnt of it
  EXPECT_GT(before_news, 0);
}

TEST(SimRuntime, WorkMayHaveHappenedWithoutAnyoneLearning) {
  SimWorld world(3);
  SimClocks clocks(world, 1, {});
  const SimDisk disk;
  SimRuntime runtime(world, "n1", clocks, disk);
  int worked = 0;
  for (int i = 0; i < 10; ++i) runtime.run_blocking([&] { ++worked; }, [] { FAIL(); });
  runtime.hasten_blocking(0.5);
  EXPECT_GT(worked, 0);
  EXPECT_LT(worked, 10);
  const int before = worked;
  runtime.kill();
  world.run_for(1'000'000);
  EXPECT_EQ(worked, before);
}

TEST(SimRuntime, TheSameSeedGivesTheSameHash) {
  const auto run = [](std::uint64_t seed) {
    SimWorld world(seed);
    SimClocks clocks(world, 1, {});
    const SimDisk disk;
    std::vector<int> written;
    SimRuntime runtime(world, "n1", clocks, disk);
    ToyNode node(runtime);
    spawn(runtime, node.ticker());
    spawn(runtime, node.blocked(&written));
    world.run_until(100'000);
    const std::uint64_t hash = world.hash();
    runtime.kill();
    return hash;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(SimFaults, AQuarterOfThePointsIsAwakeAndFiresAQuarterOfTheTime) {
  int awake = 0, fired = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SimWorld world(seed);
    SimFaults faults(world);
    int n = 0;
    for (int i = 0; i < 100; ++i) n += BUGGIFY("a.point") ? 1 : 0;
    awake += n > 0;
    fired += n;
    PROBE("a.probe");
    EXPECT_EQ(faults.probes().at("a.probe"), 1u);
  }
  EXPECT_NEAR(awake, 100, 30);
  EXPECT_NEAR(fired / awake, 25, 3);
}

}  // namespace
}  // namespace meridian::sim
