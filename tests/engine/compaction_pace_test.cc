#include "server/rocks/compaction_pace.h"

#include <cmath>

#include <gtest/gtest.h>

namespace meridian {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kFile = 64 * kMiB;
constexpr double kFloor = CompactionPace::kFloorPerSecond;

// Written evenly, asked about ten times a second, with a compaction of the first level due.
double after_steady_writes(CompactionPace& pace, double per_second, double seconds, const CompactionPace::Backlog& backlog) {
  double out = 0;
  for (int i = 0; i <= std::lround(seconds * 10); ++i) {
    out = pace.per_second(100 + i * 0.1, static_cast<std::uint64_t>(i * 0.1 * per_second), backlog);
  }
  return out;
}

TEST(CompactionPace, IsDoneWhenThereIsNoMoreRoomOnLevelZero) {
  CompactionPace pace(kFile);
  const CompactionPace::Backlog due{.debt_bytes = 768 * kMiB, .level0_files = 8};
  const double rate = after_steady_writes(pace, 10.0 * kMiB, 3, due);
  const double seconds_until_full = (CompactionPace::kComfortable - 8) * static_cast<double>(kFile) / (10.0 * kMiB);
  EXPECT_NEAR(rate * seconds_until_full, 768.0 * kMiB, 8.0 * kMiB);
}

TEST(CompactionPace, GrowsWithWritesWithDebtAndWithFilesOnLevelZero) {
  const CompactionPace::Backlog due{.debt_bytes = 768 * kMiB, .level0_files = 8};
  CompactionPace slow(kFile), fast(kFile), indebted(kFile), late(kFile);
  const double rate = after_steady_writes(slow, 10.0 * kMiB, 3, due);
  EXPECT_NEAR(after_steady_writes(fast, 20.0 * kMiB, 3, due), 2 * rate, rate / 10);
  EXPECT_NEAR(after_steady_writes(indebted, 10.0 * kMiB, 3, {.debt_bytes = 3 * 768 * kMiB, .level0_files = 8}), 3 * rate,
              rate / 10);
  EXPECT_NEAR(after_steady_writes(late, 10.0 * kMiB, 3, {.debt_bytes = 768 * kMiB, .level0_files = 12}), 3 * rate, rate / 10);
}

TEST(CompactionPace, NeverHoldsUpWriters) {
  CompactionPace pace(kFile);
  EXPECT_TRUE(std::isinf(pace.per_second(1, 0, {.debt_bytes = kMiB, .level0_files = CompactionPace::kComfortable})));
  EXPECT_TRUE(std::isinf(pace.per_second(2, 0, {.debt_bytes = kMiB, .level0_files = 1, .waiting_buffers = 2})));
}

TEST(CompactionPace, GoesOnWithoutWrites) {
  CompactionPace pace(kFile);
  EXPECT_EQ(pace.per_second(1, 0, {}), kFloor) << "nothing is known yet";
  EXPECT_EQ(after_steady_writes(pace, 0, 60, {.debt_bytes = 4096 * kMiB, .level0_files = 8}), kFloor);
}

TEST(CompactionPace, FollowsARiseAtOnceAndAFallSlowly) {
  CompactionPace pace(kFile);
  const CompactionPace::Backlog due{.debt_bytes = 768 * kMiB, .level0_files = 8};
  pace.per_second(100, 0, due);
  const double idle = pace.per_second(160, 0, due);
  const double risen = pace.per_second(160.2, 8 * kMiB, due);  // 40 MiB/s
  EXPECT_NEAR(risen, 2 * 40.0 * kMiB, kMiB);
  const double soon = pace.per_second(161.2, 8 * kMiB, due);
  EXPECT_LT(soon, risen);
  EXPECT_GT(soon, risen / 2);
  EXPECT_EQ(pace.per_second(200, 8 * kMiB, due), idle);
}

}  // namespace
}  // namespace meridian
