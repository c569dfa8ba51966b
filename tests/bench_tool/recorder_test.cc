#include "tools/bench/recorder.h"

#include <deque>

#include <gtest/gtest.h>

#include "tools/bench/load.h"

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(5));

TEST(Recorder, KindsAndCodesAreCountedApart) {
  Recorder recorder(kStart);
  const sdk::Error busy(sdk::ErrorCode::kBusy, "full");
  const sdk::Error unknown(sdk::ErrorCode::kUnknownOutcome, "cut off");
  const auto at = [](int ms) { return kStart + milliseconds(ms); };
  recorder.ended(OpKind::kGet, at(0), at(2), {.not_found = true});
  recorder.ended(OpKind::kGet, at(0), at(4), {});
  recorder.ended(OpKind::kRmw, at(0), at(8), {.retries = 3});
  recorder.ended(OpKind::kPut, at(0), at(1), {.error = &busy});
  recorder.ended(OpKind::kPut, at(0), at(1), {.error = &busy});
  recorder.ended(OpKind::kPut, at(0), at(1), {.error = &unknown});
  recorder.dropped(at(5), at(6));
  recorder.sent(at(5), at(7));
  const LoadResult result = recorder.finish(at(1'000), at(1'500));
  EXPECT_EQ(result.seconds, 1.5);
  EXPECT_EQ(result.of(OpKind::kGet).latency_ns.count(), 2u);
  EXPECT_EQ(result.of(OpKind::kGet).latency_ns.max(), 4'000'000u);
  EXPECT_EQ(result.of(OpKind::kRmw).latency_ns.max(), 8'000'000u);
  EXPECT_EQ(result.of(OpKind::kPut).latency_ns.count(), 0u);
  EXPECT_EQ(result.of(OpKind::kPut).errors, 3u);
  EXPECT_EQ(result.latency_ns().count(), 3u);
  EXPECT_EQ(result.errors(), 3u);
  EXPECT_EQ(result.busy(), 2u);
  EXPECT_EQ(result.errors_by_code.at(sdk::ErrorCode::kUnknownOutcome), 1u);
  EXPECT_EQ(result.first_error, busy.to_string());
  EXPECT_EQ(result.not_found, 1u);
  EXPECT_EQ(result.rmw_retries, 3u);
  EXPECT_EQ(result.dropped, 1u);
  EXPECT_EQ(result.send_delay_ns.max(), 2'000'000u);
}

TEST(Recorder, WhatStartsInTheWarmUpDoesNotCount) {
  Recorder recorder(kStart);
  const sdk::Error busy(sdk::ErrorCode::kBusy, "full");
  const TimePoint before = kStart - milliseconds(1);
  recorder.ended(OpKind::kGet, before, kStart + milliseconds(5), {});
  recorder.ended(OpKind::kGet, before, kStart + milliseconds(5), {.error = &busy});
  recorder.dropped(before, kStart);
  recorder.sent(before, kStart);
  const LoadResult result = recorder.finish(kStart + seconds(1), kStart + seconds(1));
  EXPECT_EQ(result.latency_ns().count() + result.errors() + result.dropped + result.send_delay_ns.count(), 0u);
  EXPECT_EQ(result.series.size(), 1u);
}

// A server with one request at a time, 1 ms each, that stands still from 100 ms to 600 ms; 500 requests a second. A
// closed loop's client would feel one slow request; here all that were due in the stall count from when they were due.
TEST(Recorder, InTheOpenLoopLatenciesCountFromTheIntendedStart) {
  OpenLoopCore core = OpenLoopCore(ArrivalSchedule(Arrivals::kUniform, 500, kStart, 1), kStart + seconds(1), 1'000'000);
  Recorder recorder(kStart);
  std::deque<TimePoint> waiting;
  TimePoint busy_until = kStart;
  for (TimePoint now = kStart; now < kStart + seconds(3); now += milliseconds(1)) {
    const auto due = core.advance(now, waiting.size());
    EXPECT_TRUE(due.dropped.empty());
    for (const TimePoint intended : due.send) waiting.push_back(intended);
    if (now >= kStart + milliseconds(100) && now < kStart + milliseconds(600)) continue;
    if (waiting.empty() || busy_until > now) continue;
    busy_until = now + milliseconds(1);
    recorder.ended(OpKind::kPut, waiting.front(), busy_until, {});
    waiting.pop_front();
  }
  const LoadResult result = recorder.finish(kStart + seconds(1), kStart + seconds(1));
  const Histogram latency_ns = result.latency_ns();
  EXPECT_EQ(latency_ns.count(), 499u);
  EXPECT_EQ(latency_ns.min(), 1'000'000u);
  // The request due at 100 ms is answered at 601 ms. Those behind wait less: two are due in the time of one gap.
  EXPECT_EQ(latency_ns.max(), 501'000'000u);
  EXPECT_NEAR(static_cast<double>(latency_ns.percentile(50)) / 1e6, 250, 60);
  // 49 before the stall, then one in each millisecond; the one that ends at 1,000 ms is the next second's.
  EXPECT_EQ(result.series.at(0).ops, 49u + 399u);
}

TEST(ClosedLoop, WaitsAfterAnErrorAsTheClusterAsksAndNeverAsksAgainAtOnce) {
  const auto busy = [](int ms) { return sdk::Error(sdk::ErrorCode::kBusy, "full", true, {}, milliseconds(ms)); };
  EXPECT_EQ(wait_after(busy(250)), milliseconds(250));
  EXPECT_EQ(wait_after(busy(0)), milliseconds(10));
  EXPECT_EQ(wait_after(busy(2)), milliseconds(10));
  EXPECT_EQ(wait_after(sdk::Error(sdk::ErrorCode::kUnavailable, "gone")), milliseconds(10));
}

}  // namespace
}  // namespace meridian::bench
