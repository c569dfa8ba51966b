#include "tests/checkers/versions.h"

#include <gtest/gtest.h>

#include "tests/checkers/history_builder.h"

namespace meridian::check {
namespace {

void expect_verdict(const HistoryBuilder& h, Verdict verdict) {
  const Finding finding = check_versions(h.operations());
  EXPECT_EQ(finding.verdict, verdict) << finding.explanation;
}

TEST(Versions, AgreeingAnswersHold) {
  HistoryBuilder h;
  h.write(0, "a").ok(0, 10).read(1).saw(1, "a", 10, 12).write(0, "b").ok(0, 20).write(0, std::nullopt).ok(0, 30);
  h.read(1, false).saw(1, "a", 10, 19).read(1, false).saw(1, "b", 20, 29).read(1, false).saw(1, std::nullopt, 0, 31);
  h.read(1, false).saw(1, std::nullopt, 0, 9);
  expect_verdict(h, Verdict::kOk);
}

TEST(Versions, AStaleReadSaysHowStaleItIs) {
  HistoryBuilder h;
  h.write(0, "a").ok(0, 10).write(0, "b").ok(0, 20).read(1, false).saw(1, "a", 10, 25);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Versions, AnAbsentReadMissesNothing) {
  HistoryBuilder h, unknown;
  h.write(0, "a").ok(0, 10).read(1, false).saw(1, std::nullopt, 0, 12);
  expect_verdict(h, Verdict::kViolation);
  unknown.write(0, "a").ok(0, 10).write(2, std::nullopt).ends(2, EventType::kInfo);
  unknown.read(1, false).saw(1, std::nullopt, 0, 12);
  expect_verdict(unknown, Verdict::kOk);
}

TEST(Versions, AVersionIsNotAboveTheReadsTimestamp) {
  HistoryBuilder h;
  h.write(0, "a").ok(0, 10).read(1).saw(1, "a", 10, 9);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Versions, GrowInRealTime) {
  HistoryBuilder h, concurrent;
  h.write(0, "a").ok(0, 20).write(1, "b").ok(1, 10);
  expect_verdict(h, Verdict::kViolation);
  concurrent.write(0, "a").write(1, "b").ok(0, 20).ok(1, 10);
  expect_verdict(concurrent, Verdict::kOk);
}

TEST(Versions, AVersionHasOneValue) {
  HistoryBuilder h;
  h.write(0, "a").write(1, "b").ok(0, 20).ok(1, 20);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Versions, ALinearizableReadIsAsOfAfterWhatWasAcknowledged) {
  HistoryBuilder h;
  h.write(0, "a").ok(0, 10).write(0, "b").ok(0, 20).read(1).saw(1, "a", 10, 15);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Versions, AScanIsOneSnapshot) {
  HistoryBuilder h;
  h.call(0, {.f = Function::kBatch, .values = {{"a", "1"}, {"b", "2"}}}).ok(0, 10);
  h.call(1, {.f = Function::kScan, .key = "a", .end = "c", .linearizable = false});
  h.answer(
      1,
      {.type = EventType::kOk, .f = Function::kScan, .values = {{"a", "1"}}, .versions = {{"a", 10}}, .timestamp = 12});
  expect_verdict(h, Verdict::kViolation);
}

TEST(Versions, WhatIsStoredHoldsEveryWriteOnce) {
  const auto stored = [](std::vector<std::pair<std::uint64_t, Value>> list) {
    HistoryBuilder h;
    h.write(0, "a").ok(0, 10).write(0, std::nullopt).ok(0, 20).write(1, "b").ends(1, EventType::kInfo);
    h.write(2, "c").ends(2, EventType::kFail, "busy");
    h.call(3, {.f = Function::kVersions, .key = "k"});
    h.answer(3, {.type = EventType::kOk, .f = Function::kVersions, .key = "k", .stored = std::move(list)});
    return h;
  };
  expect_verdict(stored({{10, "a"}, {20, std::nullopt}}), Verdict::kOk);
  expect_verdict(stored({{10, "a"}, {20, std::nullopt}, {30, "b"}}), Verdict::kOk);
  expect_verdict(stored({{20, std::nullopt}}), Verdict::kViolation);
  expect_verdict(stored({{10, "a"}, {11, "a"}, {20, std::nullopt}}), Verdict::kViolation);
  expect_verdict(stored({{10, "a"}, {20, std::nullopt}, {30, "b"}, {31, "b"}}), Verdict::kViolation);
  expect_verdict(stored({{10, "a"}, {20, std::nullopt}, {30, "c"}}), Verdict::kViolation);
  expect_verdict(stored({{10, "a"}, {20, std::nullopt}, {21, std::nullopt}}), Verdict::kViolation);
  expect_verdict(stored({{10, "x"}, {20, std::nullopt}}), Verdict::kViolation);
}

}  // namespace
}  // namespace meridian::check
