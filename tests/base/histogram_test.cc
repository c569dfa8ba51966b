#include "base/histogram.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace meridian {
namespace {

TEST(Histogram, BucketsTileAllValues) {
  const std::size_t last = Histogram::bucket_of(Histogram::kMaxValue);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i <= last; ++i) {
    ASSERT_EQ(Histogram::lower_bound(i), next);
    ASSERT_EQ(Histogram::bucket_of(Histogram::lower_bound(i)), i);
    ASSERT_EQ(Histogram::bucket_of(Histogram::upper_bound(i)), i);
    next = Histogram::upper_bound(i) + 1;
  }
  EXPECT_EQ(next, Histogram::kMaxValue + 1);
}

TEST(Histogram, PercentilesAreWithinOnePercent) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    // From 1 us to an hour in nanoseconds, log-uniform.
    const double exponent = std::uniform_real_distribution(3.0, 12.55)(random);
    values.push_back(static_cast<std::uint64_t>(std::pow(10, exponent)));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (const double p : {0.01, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(std::ceil(p / 100 * 100'000)) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(p)), exact, exact * 0.01) << p;
  }
  EXPECT_EQ(histogram.percentile(0), values.front());
  EXPECT_EQ(histogram.percentile(100), values.back());
  EXPECT_EQ(histogram.count(), 100'000u);
}

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(50), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(Histogram, MergingEqualsRecordingTogether) {
  Histogram a, b, both;
  for (std::uint64_t i = 1; i < 5000; i += 3) {
    a.record(i * i);
    both.record(i * i);
  }
  for (std::uint64_t i = 1; i < 90; ++i) {
    b.record(i, 7);
    both.record(i, 7);
  }
  a.merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.min(), both.min());
  EXPECT_EQ(a.max(), both.max());
  EXPECT_DOUBLE_EQ(a.mean(), both.mean());
  for (int p = 0; p <= 100; ++p) EXPECT_EQ(a.percentile(p), both.percentile(p));
}

TEST(Histogram, CountsWhatIsTooLargeAsTheGreatest) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.percentile(50), Histogram::kMaxValue);
}

TEST(Histogram, WalksNonEmptyBucketsInOrder) {
  Histogram histogram;
  histogram.record(5, 2);
  histogram.record(1000);
  std::uint64_t counted = 0, last = 0;
  histogram.for_each([&](std::uint64_t low, std::uint64_t high, std::uint64_t count) {
    EXPECT_LE(low, high);
    EXPECT_GE(low, last);
    last = high;
    counted += count;
  });
  EXPECT_EQ(counted, 3u);
}

}  // namespace
}  // namespace meridian
