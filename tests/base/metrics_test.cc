#include "base/metrics.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, SerializesInPrometheusText) {
  Metrics metrics({{"node", "1"}});
  metrics.counter("meridian_raft_elections_total", "Elections started.").add(3);
  metrics.gauge("meridian_raft_term", "Term.", {{"shard", "1"}}).set(7);
  MetricHistogram& latency = metrics.latency("meridian_log_sync_seconds", "Time of an fsync.");
  latency.record(Duration(50));
  latency.record(Duration(51));
  latency.record(Duration(60'000'000));
  const std::string text = metrics.serialize();
  EXPECT_THAT(text, HasSubstr("# HELP meridian_raft_elections_total Elections started.\n"
                              "# TYPE meridian_raft_elections_total counter\n"
                              "meridian_raft_elections_total{node=\"1\"} 3"));
  EXPECT_THAT(text, HasSubstr("meridian_raft_term{node=\"1\",shard=\"1\"} 7"));
  EXPECT_THAT(text, HasSubstr("meridian_log_sync_seconds_bucket{node=\"1\",le=\"+Inf\"} 3"));
  EXPECT_THAT(text, HasSubstr("meridian_log_sync_seconds_count{node=\"1\"} 3"));
  EXPECT_EQ(latency.bucket(0), 1u);  // bounds are inclusive
  EXPECT_EQ(latency.bucket(1), 1u);
  EXPECT_EQ(latency.bucket(latency.bounds().size()), 1u);
}

TEST(Metrics, AnswersTheSameCellForTheSameNameAndLabels) {
  Metrics metrics;
  Counter& a = metrics.counter("meridian_x_y_total", "h", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&a, &metrics.counter("meridian_x_y_total", "h", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&a, &metrics.counter("meridian_x_y_total", "h", {{"a", "2"}}));
}

TEST(Metrics, RefreshesBeforeAScrapeUntilTheTokenIsDropped) {
  Metrics metrics;
  Gauge& gauge = metrics.gauge("meridian_x_size_bytes", "h");
  auto token = metrics.on_scrape([&] { gauge.add(1); });
  EXPECT_THAT(metrics.serialize(), HasSubstr("meridian_x_size_bytes 1"));
  token.reset();
  EXPECT_THAT(metrics.serialize(), HasSubstr("meridian_x_size_bytes 1"));
}

TEST(Metrics, CountsFromManyThreads) {
  Metrics metrics;
  Counter& counter = metrics.counter("meridian_x_y_total", "h");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        metrics.latency("meridian_x_z_seconds", "h").record(Duration(i));
        if (i % 100 == 0) (void)metrics.serialize();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000u);
}

TEST(MetricsDeathTest, RefusesNamesAgainstTheConvention) {
  Metrics metrics;
  EXPECT_DEATH(metrics.counter("meridian_x_y", "h"), "lacks its unit");
  EXPECT_DEATH(metrics.gauge("x_y", "h"), "does not start with");
  EXPECT_DEATH(metrics.latency("meridian_x_y", "h"), "lacks its unit");
}

}  // namespace
}  // namespace meridian
