#include "tools/bench/series.h"

#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Series, BucketsByTheSecondInWhichAnOperationEnded) {
  Series series;
  series.answered(milliseconds(0), 1'000);
  series.answered(milliseconds(999), 3'000);
  series.answered(milliseconds(1'000), 5'000);
  series.failed(milliseconds(1'500), true);
  series.failed(milliseconds(1'500), false);
  series.dropped(milliseconds(1'999));
  const auto seconds_of = series.finish(milliseconds(2'000));
  ASSERT_EQ(seconds_of.size(), 2u);
  EXPECT_EQ(seconds_of[0].ops, 2u);
  EXPECT_EQ(seconds_of[0].max_ns, 3'000u);
  EXPECT_EQ(seconds_of[0].errors, 0u);
  EXPECT_EQ(seconds_of[1].second, 1u);
  EXPECT_EQ(seconds_of[1].ops, 1u);
  EXPECT_EQ(seconds_of[1].errors, 2u);
  EXPECT_EQ(seconds_of[1].busy, 1u);
  EXPECT_EQ(seconds_of[1].dropped, 1u);
}

TEST(Series, SecondsWithoutAnEventAreThere) {
  Series series;
  series.answered(milliseconds(100), 1);
  series.answered(milliseconds(7'100), 1);
  const auto seconds_of = series.finish(seconds(10));
  ASSERT_EQ(seconds_of.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(seconds_of[i].second, i);
    EXPECT_EQ(seconds_of[i].ops, i == 0 || i == 7 ? 1u : 0u) << i;
  }
  EXPECT_TRUE(Series().finish(seconds(0)).empty());
}

TEST(Series, ALateAnswerCountsInTheOldestSecondThatIsStillOpen) {
  Series series;
  for (int i = 0; i < 10; ++i) series.answered(seconds(i), 1);
  series.answered(milliseconds(8'500), 1);  // a thread that was a little late
  series.answered(milliseconds(500), 1);    // and one by far
  std::uint64_t ops = 0;
  const auto seconds_of = series.finish(seconds(10));
  for (const Second& each : seconds_of) ops += each.ops;
  EXPECT_EQ(ops, 12u);
  EXPECT_EQ(seconds_of[8].ops, 2u);
  EXPECT_EQ(seconds_of[0].ops, 1u);
}

TEST(Series, KnowsHowMuchOfASecondWasMeasured) {
  Series series;
  series.answered(milliseconds(3'100), 1);
  const auto seconds_of = series.finish(milliseconds(2'250));
  ASSERT_EQ(seconds_of.size(), 4u);
  EXPECT_EQ(seconds_of[1].covered, 1);
  EXPECT_DOUBLE_EQ(seconds_of[2].covered, 0.25);
  EXPECT_EQ(seconds_of[3].covered, 0);
}

TEST(Series, PercentilesAreOfTheSecondAlone) {
  Series series;
  for (std::uint64_t i = 1; i <= 1'000; ++i) series.answered(milliseconds(10), i);
  for (std::uint64_t i = 1; i <= 1'000; ++i) series.answered(milliseconds(1'010), 1'000 * i);
  const auto seconds_of = series.finish(seconds(2));
  EXPECT_NEAR(static_cast<double>(seconds_of[0].p50_ns), 500, 5);
  EXPECT_NEAR(static_cast<double>(seconds_of[0].p99_ns), 990, 9);
  EXPECT_NEAR(static_cast<double>(seconds_of[1].p50_ns), 500'000, 5'000);
  EXPECT_NEAR(static_cast<double>(seconds_of[1].p999_ns), 999'000, 9'000);
  EXPECT_EQ(seconds_of[1].max_ns, 1'000'000u);
}

}  // namespace
}  // namespace meridian::bench
