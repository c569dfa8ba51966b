#include "tests/checkers/history.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/checkers/history_builder.h"
#include "tests/checkers/history_edn.h"

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
  h.call(7, {.f = Function::kAdd, .key = "s", .value = "12"}).ok(7);
  h.call(7, {.f = Function::kReadSet, .key = "s", .linearizable = false, .session = 4});
  h.answer(7,
           {.type = EventType::kOk, .f = Function::kReadSet, .key = "s", .elements = {"12", "012", "x"}, .session = 4});
  h.call(7, {.f = Function::kIncrement, .key = "c", .number = -2}).ok(7);
  h.call(7, {.f = Function::kReadCounter, .key = "c"});
  h.answer(7, {.type = EventType::kOk, .f = Function::kReadCounter, .key = "c", .number = 17});
  h.txn(7, {append("x", "1"), read("y"), read("z")}).lists(7, {{}, {"1", "b"}});
  std::stringstream file;
  write_history(h.history(), file);
  History again;
  ASSERT_EQ(read_history(file, &again), std::nullopt);
  ASSERT_EQ(again.events.size(), h.history().events.size());
  for (std::size_t i = 0; i < again.events.size(); ++i) {
    EXPECT_EQ(to_json(again.events[i]), to_json(h.history().events[i]));
  }
  EXPECT_EQ(again.events[4].version, 7'200'000'000'000'000'001ull);
  EXPECT_EQ(again.events[13].stored.size(), 2u);
  EXPECT_EQ(again.events[17].elements, (std::vector<std::string>{"12", "012", "x"}));
  EXPECT_EQ(again.events[17].session, 4u);
  EXPECT_EQ(again.events[18].number, -2);
  EXPECT_EQ(again.events[21].number, 17);
  EXPECT_EQ(again.events.back().ops, h.history().events.back().ops);
  const std::string last = to_json(again.events.back());
  EXPECT_EQ(last.substr(last.find("\"f\"")), R"("f":"txn","value":[["append","x",1],["r","y",[]],["r","z",[1,"b"]]]})");
}

TEST(History, NumbersAreReadAsTextOnly) {
  Event event;
  ASSERT_EQ(parse_json(R"({"index":0,"time":0,"process":0,"type":"ok","f":"txn","value":[["r",3,[1,"2"]]]})", &event),
            std::nullopt);
  EXPECT_EQ(event.ops[0].key, "3");
  EXPECT_EQ(*event.ops[0].list, (std::vector<std::string>{"1", "2"}));
}

// Jepsen's own examples (jepsen.history, Knossos, elle.list-append, set-full, counter) are written just so; what is
// ours follows after the index.
TEST(History, IsConvertedToJepsensForm) {
  HistoryBuilder h;
  h.cas(1, std::nullopt, "v2").ok(1, 5).read(2).saw(2, "7").write(0, "\"q\"\n").ends(0, EventType::kInfo, "timeout");
  h.call(3, {.f = Function::kVersions, .key = "k"}).ok(3);
  h.txn(4, {append("x", "1"), read("5")}).lists(4, {{"1", "2"}});
  h.call(4, {.f = Function::kAdd, .key = "s", .value = "3"}).call(5, {.f = Function::kReadSet, .key = "s"});
  h.answer(5, {.type = EventType::kOk, .f = Function::kReadSet, .key = "s", .elements = {"3", "c"}});
  h.call(6, {.f = Function::kIncrement, .key = "c", .number = 2}).call(7, {.f = Function::kReadCounter, .key = "c"});
  h.answer(7, {.type = EventType::kOk, .f = Function::kReadCounter, .key = "c", .number = 2});
  std::ostringstream out;
  write_edn(h.history(), out);
  EXPECT_EQ(out.str(), R"({:type :invoke, :f :cas, :value [nil "v2"], :process 1, :time 0, :index 0, :key "k"}
{:type :ok, :f :cas, :value [nil "v2"], :process 1, :time 1000000, :index 1, :key "k", :version 5}
{:type :invoke, :f :read, :value nil, :process 2, :time 2000000, :index 2, :key "k"}
{:type :ok, :f :read, :value 7, :process 2, :time 3000000, :index 3, :key "k"}
{:type :invoke, :f :write, :value "\"q\"\n", :process 0, :time 4000000, :index 4, :key "k"}
{:type :info, :f :write, :value "\"q\"\n", :process 0, :time 5000000, :index 5, :key "k", :error "timeout"}
{:type :invoke, :f :txn, :value [[:append "x" 1] [:r 5 nil]], :process 4, :time 8000000, :index 6}
{:type :ok, :f :txn, :value [[:append "x" 1] [:r 5 [1 2]]], :process 4, :time 9000000, :index 7}
{:type :invoke, :f :add, :value 3, :process 4, :time 10000000, :index 8, :key "s"}
{:type :invoke, :f :read, :value nil, :process 5, :time 11000000, :index 9, :key "s"}
{:type :ok, :f :read, :value [3 "c"], :process 5, :time 12000000, :index 10, :key "s"}
{:type :invoke, :f :add, :value 2, :process 6, :time 13000000, :index 11, :key "c"}
{:type :invoke, :f :read, :value nil, :process 7, :time 14000000, :index 12, :key "c"}
{:type :ok, :f :read, :value 2, :process 7, :time 15000000, :index 13, :key "c"}
)");
}

TEST(History, OneKeyIsProjectedToARegister) {
  HistoryBuilder h;
  h.write(0, "1", "a").ok(0).write(0, "1", "b").ok(0).read(1, false, "a").saw(1, "1");
  h.call(0, {.f = Function::kBatch, .values = {{"a", "2"}, {"b", std::nullopt}}}).ok(0);
  h.call(1, {.f = Function::kScan, .key = "a", .end = "c"});
  h.answer(1, {.type = EventType::kOk, .f = Function::kScan, .key = "a", .end = "c", .values = {{"a", "2"}}});
  h.write(0, std::nullopt, "a").ok(0);
  std::ostringstream a, b;
  write_edn(project_register(h.history(), "a"), a);
  write_edn(project_register(h.history(), "b"), b);
  EXPECT_EQ(a.str(), R"({:type :invoke, :f :write, :value 1, :process 0, :time 0, :index 0, :key "a"}
{:type :ok, :f :write, :value 1, :process 0, :time 1000000, :index 1, :key "a"}
{:type :invoke, :f :write, :value 2, :process 0, :time 6000000, :index 2, :key "a"}
{:type :ok, :f :write, :value 2, :process 0, :time 7000000, :index 3, :key "a"}
{:type :invoke, :f :read, :value nil, :process 1, :time 8000000, :index 4, :key "a"}
{:type :ok, :f :read, :value 2, :process 1, :time 9000000, :index 5, :key "a"}
{:type :invoke, :f :write, :value nil, :process 0, :time 10000000, :index 6, :key "a"}
{:type :ok, :f :write, :value nil, :process 0, :time 11000000, :index 7, :key "a"}
)");
  EXPECT_NE(b.str().find(":f :read, :value nil, :process 1, :time 9000000, :index 5"), std::string::npos) << b.str();
}

TEST(History, MalformedLinesAreNamed) {
  for (const char* line :
       {"", "{", R"({"index":0})", R"([1])", R"({"index":0,"time":0,"process":0,"type":"x","f":"read"})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"jump"})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"cas","key":"k","value":["a"]})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"read","key":[3]})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"txn","value":[["w","x",1]]})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"add","key":"s"})",
        R"({"index":0,"time":0,"process":0,"type":"ok","f":"read-counter","key":"c","value":null})"}) {
    Event event;
    EXPECT_NE(parse_json(line, &event), std::nullopt) << line;
  }
  std::stringstream file("\n{\n");
  History history;
  EXPECT_EQ(read_history(file, &history)->substr(0, 7), "line 2:");
}

TEST(History, AnAnswerToAnotherTransactionIsRefused) {
  std::vector<Operation> operations;
  for (const auto& ops :
       {std::vector{append("x", "1")}, {append("x", "1"), read("z")}, {append("x", "2"), read("y")}}) {
    HistoryBuilder h;
    h.txn(1, {append("x", "1"), read("y")}).answer(1, {.type = EventType::kOk, .f = Function::kTxn, .ops = ops});
    EXPECT_NE(pair_operations(h.history(), &operations), std::nullopt);
  }
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
