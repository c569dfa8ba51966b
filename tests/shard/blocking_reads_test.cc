#include "shard/blocking_reads.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_world.h"

namespace meridian {
namespace {

class BlockingReadsTest : public ::testing::Test {
 protected:
  void run(int n, MonoTime deadline) {
    for (int i = 0; i < n; ++i) {
      reads_->run({deadline,
                   [this] {
                     ++begun_;
                     most_ = std::max(most_, begun_ - ended_);
                   },
                   [this, i](bool ran) {
                     if (ran) {
                       ++ended_;
                       order_.push_back(i);
                     } else {
                       ++late_;
                     }
                   }});
    }
  }

  sim::SimWorld world_{7};
  sim::SimClocks clocks_{world_, 1, {.wall_bound_us = 0, .rate_bound = 0, .jump_chance = 0}};
  sim::SimDisk disk_;
  sim::SimRuntime runtime_{world_, "node", clocks_, disk_};
  std::optional<BlockingReads> reads_{std::in_place, runtime_};
  std::size_t begun_ = 0, ended_ = 0, most_ = 0, late_ = 0;
  std::vector<int> order_;
};

// What is read stays in memory until it is done.
TEST_F(BlockingReadsTest, AreUnderWaySoManyAtATime) {
  runtime_.post([this] { run(100, runtime_.now() + std::chrono::hours(1)); });
  ASSERT_TRUE(world_.run_until([this] { return ended_ == 100; }, world_.now() + 60'000'000));
  EXPECT_LE(most_, BlockingReads::kAtOnce);
  EXPECT_GT(most_, 1u);
}

TEST_F(BlockingReadsTest, AreNotBegunPastTheirDeadline) {
  runtime_.post([this] {
    run(20, runtime_.now() + std::chrono::hours(1));
    run(5, runtime_.now());
  });
  ASSERT_TRUE(world_.run_until([this] { return ended_ + late_ == 25; }, world_.now() + 60'000'000));
  EXPECT_EQ(begun_, 20u);
  EXPECT_EQ(late_, 5u);
}

TEST_F(BlockingReadsTest, EndWithWhoeverAskedForThem) {
  runtime_.post([this] { run(20, runtime_.now() + std::chrono::hours(1)); });
  ASSERT_TRUE(world_.run_until([this] { return begun_ > 0; }, world_.now() + 60'000'000));
  runtime_.post([this] { reads_.reset(); });
  world_.run_for(60'000'000);
  EXPECT_LE(begun_, 2 * BlockingReads::kAtOnce);
}

}  // namespace
}  // namespace meridian
