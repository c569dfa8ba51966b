// Each workload's judge catches the mistakes that it is there for: a history of a run in which nothing went wrong
// passes, and no longer does with one answer in it changed.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "tests/checkers/checkers.h"
#include "tests/sim/run.h"
#include "tests/sim/workloads.h"

namespace meridian::sim {
namespace {

using check::Event;
using check::EventType;
using check::Function;
using check::History;

History calm_history(const std::string& workload) {
  const auto scenario = Scenario::load(MERIDIAN_SIM_SCENARIOS "/calm.txt");
  EXPECT_TRUE(scenario.has_value());
  RunOptions options = scenario->draw(1);
  options.workloads = {{workload, 1}};
  options.operations = 300;
  RunResult result = run(options);
  EXPECT_EQ(result.failure, "");
  EXPECT_GE(result.answered, 300u);
  EXPECT_EQ(judge(result.history), "");
  return std::move(result.history);
}

using Which = std::function<bool(const Event&)>;

// The last answer of that kind.
Event& last(History& history, Function f, const Which& which = [](const Event&) { return true; }) {
  const auto it = std::find_if(history.events.rbegin(), history.events.rend(),
                               [&](const Event& e) { return e.f == f && e.type == EventType::kOk && which(e); });
  EXPECT_TRUE(it != history.events.rend());
  return *it;
}

// What `checker` (empty: all of them and the workloads') says of the history after the change.
std::string verdict(History history, const std::function<void(History&)>& change, std::string_view checker = {}) {
  change(history);
  if (checker.empty()) return judge(history);
  std::vector<check::Operation> operations;
  if (auto error = pair_operations(history, &operations)) return *error;
  return check::find_checker(checker)->check(operations, check::kMaxSteps).anomaly;
}

TEST(WorkloadJudges, RegisterNoticesAStaleRead) {
  const History history = calm_history("register");
  const auto stale = [](History& h) {
    Event& read = last(h, Function::kRead, [](const Event& e) { return e.value.has_value(); });
    const Event& older = last(h, Function::kRead,
                              [&](const Event& e) { return e.key == read.key && e.value && e.version < read.version; });
    read.value = older.value, read.version = older.version;
  };
  EXPECT_NE(verdict(history, stale, "linearizability"), "");
  EXPECT_NE(verdict(history, stale, "versions"), "");
}

TEST(WorkloadJudges, SetNoticesWhatIsLostDoubledOrInvented) {
  const History history = calm_history("set");
  const auto full = [](const Event& e) { return !e.elements.empty(); };
  EXPECT_EQ(verdict(
                history, [&](History& h) { last(h, Function::kReadSet, full).elements.pop_back(); }, "sets"),
            "lost-element");
  EXPECT_EQ(verdict(
                history,
                [&](History& h) {
                  auto& elements = last(h, Function::kReadSet, full).elements;
                  elements.push_back(elements.front());
                },
                "sets"),
            "duplicate-elements");
  EXPECT_EQ(verdict(
                history, [&](History& h) { last(h, Function::kReadSet, full).elements.push_back("999999"); }, "sets"),
            "phantom-element");
}

TEST(WorkloadJudges, CounterNoticesAnIncrementLostOrDoubled) {
  const History history = calm_history("counter");
  // What it is called depends on whether another read has seen more.
  EXPECT_NE(verdict(
                history, [](History& h) { --last(h, Function::kReadCounter).number; }, "counters"),
            "");
  EXPECT_EQ(verdict(
                history, [](History& h) { last(h, Function::kReadCounter).number += 5; }, "counters"),
            "repeated-increment");
}

TEST(WorkloadJudges, AppendNoticesWhatIsLostOrReordered) {
  const History history = calm_history("append");
  const auto longest = [](History& h) -> std::vector<std::string>& {
    Event& read = last(h, Function::kTxn,
                       [](const Event& e) { return e.ops.size() > 2 && e.ops[1].list && e.ops[1].list->size() > 2; });
    return *read.ops[1].list;
  };
  EXPECT_NE(verdict(history, [&](History& h) { longest(h).pop_back(); }, "strict-serializability"), "");
  EXPECT_EQ(verdict(
                history, [&](History& h) { std::swap(longest(h)[0], longest(h)[1]); }, "strict-serializability"),
            "incompatible-order");
  // Two that read the same and both appended: a lost update.
  const auto lost_update = [](History& h) {
    Event& append = last(h, Function::kTxn, [](const Event& e) {
      return e.ops.size() == 2 && e.ops[1].append && e.ops[0].list && e.ops[0].list->size() > 2;
    });
    append.ops[0].list->pop_back();
  };
  EXPECT_NE(verdict(history, lost_update, "serializability"), "");
}

TEST(WorkloadJudges, ConditionalNoticesABrokenChain) {
  const History history = calm_history("conditional");
  ASSERT_EQ(judge_conditional(history), "");
  const auto with = [&](const std::function<void(History&)>& change) {
    History h = history;
    change(h);
    EXPECT_NE(judge(h), "");
    return judge_conditional(h);
  };
  const auto chain = [](const Event& e) { return e.stored.size() > 3; };
  EXPECT_NE(with([&](History& h) {
              auto& stored = last(h, Function::kVersions, chain).stored;
              stored.erase(stored.begin() + 1);
            }),
            "");
  EXPECT_NE(with([](History& h) {  // two that replaced the same
              Event& second = last(h, Function::kCas);
              Event& first = last(h, Function::kCas,
                                  [&](const Event& e) { return e.key == second.key && e.value != second.value; });
              second.expected = first.expected;
            }),
            "");
}

TEST(WorkloadJudges, SessionNoticesAReadThatGoesBack) {
  const History history = calm_history("session");
  const auto goes_back = [](History& h) {
    Event& read = last(h, Function::kRead, [&](const Event& late) {
      return late.session != 0 && late.version != 0 &&
             std::any_of(h.events.begin(), h.events.end(), [&](const Event& e) {
               return e.index < late.index && e.type == EventType::kOk && e.session == late.session &&
                      e.key == late.key && e.version == late.version;
             });
    });
    read.version -= 1;
  };
  EXPECT_NE(verdict(history, goes_back, "sessions"), "");
  EXPECT_NE(verdict(history, goes_back), "");
}

TEST(WorkloadJudges, ScanNoticesWhatAPageSkips) {
  const History history = calm_history("scan");
  const auto full = [](const Event& e) { return e.values.size() > 5; };
  const auto skip = [&](History& h) {
    Event& scan = last(h, Function::kScan, full);
    const std::string key = scan.values.begin()->first;
    scan.values.erase(key), scan.versions.erase(key);
  };
  EXPECT_NE(verdict(history, skip, "versions"), "");
}

TEST(WorkloadJudges, ScanNoticesHalfABatch) {
  // Nobody was told what became of the batch, so only the scan itself can show it.
  for (const bool whole : {true, false}) {
    History h;
    h.add({.process = 1, .f = Function::kBatch, .values = {{"c02", "v1"}, {"c04", "v2"}}});
    h.add({.process = 2, .f = Function::kScan, .key = "c", .end = "d"});
    Event scan{.process = 2, .type = EventType::kOk, .f = Function::kScan, .key = "c", .end = "d"};
    scan.values = {{"c02", "v1"}, {"c04", whole ? "v2" : "v0"}};
    scan.versions = {{"c02", 20}, {"c04", whole ? 20 : 10}};
    h.add(scan);
    EXPECT_EQ(judge_scan(h).empty(), whole);
    // One of the keys is outside of the range.
    h.events.back().key = h.events[1].key = "c04";
    h.events.back().values.erase("c02");
    h.events.back().versions.erase("c02");
    EXPECT_EQ(judge_scan(h), "");
  }
}

TEST(WorkloadJudges, ImportNoticesRecordsLostDamagedOrInvented) {
  const History history = calm_history("import");
  ASSERT_EQ(judge_import(history), "");
  const auto with = [&](const std::function<void(Event&)>& change) {
    History h = history;
    change(last(h, Function::kScan, [](const Event& e) { return e.key == "i"; }));
    EXPECT_NE(judge(h), "");
    return judge_import(h);
  };
  EXPECT_NE(with([](Event& e) { e.values.erase(e.values.begin()); }), "");
  EXPECT_NE(with([](Event& e) { e.values.begin()->second = "v0.999999"; }), "");
  EXPECT_NE(with([](Event& e) { e.values["i00.9999/00"] = "v0.999999"; }), "");
}

TEST(WorkloadJudges, ImportNoticesPartOfABatch) {
  for (const auto& [end, records, fine] : {std::tuple{EventType::kInfo, 0, true},
                                           {EventType::kInfo, 1, false},
                                           {EventType::kInfo, 2, true},
                                           {EventType::kFail, 0, true},
                                           {EventType::kFail, 2, false},
                                           {EventType::kOk, 1, false}}) {
    History h;
    const std::map<std::string, check::Value> batch{{"i00/00", "v1"}, {"i00/01", "v2"}};
    h.add({.process = 1, .f = Function::kBatch, .values = batch});
    h.add({.process = 1, .type = end, .f = Function::kBatch, .values = batch});
    Event scan{.process = 2, .type = EventType::kOk, .f = Function::kScan, .key = "i", .end = "j"};
    for (auto it = batch.begin(); static_cast<int>(scan.values.size()) < records; ++it) scan.values.insert(*it);
    h.add(scan);
    EXPECT_EQ(judge_import(h).empty(), fine) << records;
  }
}

}  // namespace
}  // namespace meridian::sim
