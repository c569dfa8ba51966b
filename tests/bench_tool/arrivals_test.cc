#include "tools/bench/arrivals.h"

#include <cmath>

#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(5));

TEST(ArrivalSchedule, UniformArrivalsAreEquallyFarApartAndDoNotDrift) {
  ArrivalSchedule schedule(Arrivals::kUniform, 3'000, kStart, 1);  // a gap that is no whole number of nanoseconds
  TimePoint last = kStart;
  for (int i = 0; i < 300'000; ++i) {
    const auto gap = (schedule.next() - last).count();
    ASSERT_GE(gap, 333'333);
    ASSERT_LE(gap, 333'334);
    last = schedule.next();
    schedule.advance();
  }
  EXPECT_NEAR(static_cast<double>((last - kStart).count()), 100e9, 1'000);
}

TEST(ArrivalSchedule, PoissonGapsAreExponential) {
  ArrivalSchedule schedule(Arrivals::kPoisson, 1'000, kStart, 7);
  constexpr int kArrivals = 100'000;
  double sum_ms = 0;
  double sum_of_squares = 0;
  int above_mean = 0;
  int above_three = 0;
  TimePoint last = kStart;
  for (int i = 0; i < kArrivals; ++i) {
    const double gap_ms = static_cast<double>((schedule.next() - last).count()) / 1e6;
    ASSERT_GE(gap_ms, 0);
    last = schedule.next();
    schedule.advance();
    sum_ms += gap_ms;
    sum_of_squares += gap_ms * gap_ms;
    above_mean += gap_ms > 1;
    above_three += gap_ms > 3;
  }
  const double mean = sum_ms / kArrivals;
  EXPECT_NEAR(mean, 1, 0.015);
  EXPECT_NEAR(sum_of_squares / kArrivals - mean * mean, 1, 0.05);  // the variance of an exponential of mean 1
  EXPECT_NEAR(above_mean, kArrivals * std::exp(-1), 700);
  EXPECT_NEAR(above_three, kArrivals * std::exp(-3), 350);
}

OpenLoopCore make_core(double per_second, seconds length, std::uint64_t max_in_flight) {
  return OpenLoopCore(ArrivalSchedule(Arrivals::kUniform, per_second, kStart, 1), kStart + length, max_in_flight);
}

TEST(OpenLoopCore, SendsWhatIsDueAndSaysUntilWhenToSleep) {
  OpenLoopCore core = make_core(100, seconds(1), 1'000);
  auto due = core.advance(kStart, 0);
  EXPECT_TRUE(due.send.empty());
  EXPECT_EQ(due.next, kStart + milliseconds(10));
  due = core.advance(kStart + milliseconds(10), 0);
  ASSERT_EQ(due.send.size(), 1u);
  EXPECT_EQ(due.send[0], kStart + milliseconds(10));
  EXPECT_EQ(due.next, kStart + milliseconds(20));
  // A caller that overslept gets all, as of when they were meant.
  due = core.advance(kStart + milliseconds(55), 0);
  ASSERT_EQ(due.send.size(), 4u);
  EXPECT_EQ(due.send[0], kStart + milliseconds(20));
  EXPECT_EQ(due.send[3], kStart + milliseconds(50));
  EXPECT_EQ(due.next, kStart + milliseconds(60));
}

TEST(OpenLoopCore, EndsBeforeTheEnd) {
  OpenLoopCore core = make_core(100, seconds(1), 1'000);
  const auto due = core.advance(kStart + seconds(7), 0);
  EXPECT_EQ(due.send.size(), 99u);  // 10 ms to 990 ms
  EXPECT_EQ(due.next, std::nullopt);
  EXPECT_TRUE(core.advance(kStart + seconds(8), 0).send.empty());
}

TEST(OpenLoopCore, CountsAsDroppedWhatFindsTooManyUnderWayRatherThanDelayingIt) {
  OpenLoopCore core = make_core(1'000, seconds(1), 10);
  auto due = core.advance(kStart + milliseconds(5), 8);
  EXPECT_EQ(due.send.size(), 2u);
  ASSERT_EQ(due.dropped.size(), 3u);
  EXPECT_EQ(due.dropped[0], kStart + milliseconds(3));
  // They do not come back when there is room again.
  due = core.advance(kStart + milliseconds(6), 0);
  ASSERT_EQ(due.send.size(), 1u);
  EXPECT_EQ(due.send[0], kStart + milliseconds(6));
}

}  // namespace
}  // namespace meridian::bench
