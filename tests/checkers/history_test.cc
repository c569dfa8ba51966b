#include "tests/checkers/history.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/checkers/history_builder.h"

namespace meridian::check {
namespace {

TEST(History, EveryEventSurvivesJson) {
  HistoryBuilder h;
  h.write(0, "v\"1\n").cas(1, std::nullopt, "v2").read(2).read(3, false);
  h.ok(0, 7'200'000'000'000'000'001ull).ends(1, EventType::kFail, "condition").saw(2, std::nullopt, 0, 99);
  h.ends(3, EventType::kInfo, "unknown outcome");
  h.call(4, {.f = Function::kBatch, .values = {{"a", "x"}, {"b", std::nullopt}}}).ok(4, 12);
  h.call(5, {.f = Function::kScan, .key = "a", .end = "c"});
  h.answer(5, {.type = EventType::kOk,
               .f = Function::kScan,
               .key = "a",
               .end = "c",
               .values = {{"a", "x"}},
               .versions = {{"a", 12}},
               .timestamp = 20,
               .node = 3,
               .role = "leader"});
  h.call(6, {.f = Function::kVersions, .key = "a"});
  h.answer(6,
           {.type = EventType::kOk, .f = Function::kVersions, .key = "a", .stored = {{12, "x"}, {13, std::nullopt}}});
  std::stringstream file;
  write_history(h.history(), file);
  History again;
  ASSERT_EQ(read_history(file, &again), std::nullopt);
  ASSERT_EQ(again.events.size(), h.history().events.size());
  for (std::size_t i = 0; i < again.events.size(); ++i) {
    EXPECT_EQ(to_json(again.events[i]), to_json(h.history().events[i]));
  }
  EXPECT_EQ(again.events[4].version, 7'200'000'000'000'000'001ull);
  EXPECT_EQ(again.events.back().stored.size(), 2u);
}

TEST(History, IsConvertedToEdn) {
  HistoryBuilder h;
  h.cas(1, std::nullopt, "v2").ok(1, 5);
  EXPECT_EQ(to_edn(h.history().events[1]),
            R"({:index 1, :time 1000, :process 1, :type :ok, :f :cas, :key "k", :value [nil "v2"], :version 5})");
}

TEST(History, MalformedLinesAreNamed) {
  for (const char* line :
       {"", "{", R"({"index":0})", R"([1])", R"({"index":0,"time":0,"process":0,"type":"x","f":"read"})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"jump"})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"cas","key":"k","value":["a"]})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"read","key":3})"}) {
    Event event;
    EXPECT_NE(parse_json(line, &event), std::nullopt) << line;
  }
  std::stringstream file("\n{\n");
  History history;
  EXPECT_EQ(read_history(file, &history)->substr(0, 7), "line 2:");
}

TEST(History, UnpairedEventsAreRefused) {
  std::vector<Operation> operations;
  History twice;
  twice.add({.type = EventType::kInvoke});
  twice.add({.type = EventType::kInvoke});
  EXPECT_NE(pair_operations(twice, &operations), std::nullopt);
  History orphan;
  orphan.add({.type = EventType::kOk});
  EXPECT_NE(pair_operations(orphan, &operations), std::nullopt);
}

}  // namespace
}  // namespace meridian::check
