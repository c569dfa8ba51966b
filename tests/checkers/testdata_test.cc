// The histories in testdata: each names in its first line what must be found in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/checkers/checkers.h"
#include "tests/checkers/serializability.h"
#include "tests/checkers/shrink.h"

namespace meridian::check {
namespace {

namespace fs = std::filesystem;

struct Example {
  std::string name, expected;
  std::vector<Operation> operations;
};

std::vector<Example> examples(const std::string& kind) {
  std::vector<Example> all;
  for (const auto& entry : fs::directory_iterator("tests/checkers/testdata/" + kind)) {
    std::ifstream file(entry.path());
    Example example{entry.path().stem().string(), {}, {}};
    std::getline(file, example.expected);
    constexpr std::string_view kStart = "// expect: ";
    EXPECT_TRUE(example.expected.starts_with(kStart)) << entry.path();
    example.expected.erase(0, kStart.size());
    History history;
    EXPECT_EQ(read_history(file, &history), std::nullopt) << entry.path();
    EXPECT_EQ(pair_operations(history, &example.operations), std::nullopt) << entry.path();
    EXPECT_FALSE(example.operations.empty()) << entry.path();
    all.push_back(std::move(example));
  }
  std::sort(all.begin(), all.end(), [](const Example& a, const Example& b) { return a.name < b.name; });
  return all;
}

// "sets lost-element; versions lost-write"
std::string found(const std::vector<Operation>& operations) {
  std::string all;
  for (const Judgement& j : judge(operations)) {
    if (j.finding.ok()) continue;
    all += (all.empty() ? "" : "; ") + std::string(j.checker->name) + ' ' + j.finding.anomaly;
  }
  return all.empty() ? "holds" : all;
}

TEST(Testdata, ValidHistoriesHold) {
  const auto all = examples("valid");
  EXPECT_GE(all.size(), 30u);
  for (const Example& example : all) {
    EXPECT_EQ(example.expected, "holds") << example.name;
    EXPECT_EQ(found(example.operations), "holds") << example.name;
  }
}

TEST(Testdata, InvalidHistoriesAreNamed) {
  const auto all = examples("invalid");
  EXPECT_GE(all.size(), 70u);
  for (const Example& example : all) {
    EXPECT_NE(example.expected, "holds") << example.name;
    EXPECT_EQ(found(example.operations), example.expected) << example.name;
  }
}

// What breaks only with time is serializable all the same.
TEST(Testdata, WithoutTimeTheRealtimeAnomaliesAreNone) {
  int timed = 0;
  for (const Example& example : examples("invalid")) {
    const bool expected = example.expected.ends_with("-realtime") || example.expected.ends_with("-process");
    if (!expected) continue;
    ++timed;
    EXPECT_TRUE(check_serializable(example.operations, {.strict = false}).ok()) << example.name;
  }
  EXPECT_GE(timed, 9);
}

// Every cycle is one: each reason leads to the next, and its operations are told.
TEST(Testdata, CyclesAreClosed) {
  int cycles = 0;
  for (const Example& example : examples("invalid")) {
    for (const Judgement& j : judge(example.operations)) {
      const auto& cycle = j.finding.cycle;
      if (cycle.empty()) continue;
      ++cycles;
      EXPECT_GE(cycle.size(), 2u) << example.name;
      for (std::size_t i = 0; i < cycle.size(); ++i) {
        EXPECT_EQ(cycle[i].to, cycle[(i + 1) % cycle.size()].from) << example.name;
        EXPECT_FALSE(cycle[i].why.empty()) << example.name;
        EXPECT_EQ(j.finding.operations[i], cycle[i].from) << example.name;
      }
    }
  }
  EXPECT_GE(cycles, 20);
}

// What is left fails in the same way; and the published ones are as small as they are published.
TEST(Testdata, ShrunkHistoriesStillFail) {
  std::size_t before = 0, after = 0;
  for (const Example& example : examples("invalid")) {
    for (const Judgement& j : judge(example.operations)) {
      if (j.finding.ok()) continue;
      const Shrunk some = shrink(*j.checker, example.operations, j.finding);
      EXPECT_EQ(some.finding.anomaly, j.finding.anomaly) << example.name;
      EXPECT_FALSE(some.operations.empty()) << example.name;
      before += example.operations.size();
      after += some.operations.size();
    }
  }
  EXPECT_LT(after, before * 9 / 10);
}

}  // namespace
}  // namespace meridian::check
