// Sets, counters, sessions and replicas: what a right database did must pass, what was spoilt must not.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/checkers/checkers.h"
#include "tests/checkers/counters.h"
#include "tests/checkers/model.h"
#include "tests/checkers/replicas.h"
#include "tests/checkers/sessions.h"
#include "tests/checkers/sets.h"

namespace meridian::check {
namespace {

std::vector<Operation> paired(const History& history) {
  std::vector<Operation> operations;
  EXPECT_EQ(pair_operations(history, &operations), std::nullopt);
  return operations;
}

std::string text_of(const std::vector<Operation>& operations) {
  std::string text;
  for (const Operation& o : operations) text += describe(o) + '\n';
  return text;
}

std::vector<Operation> make_set(Model& model, const ModelOptions& options) {
  std::set<std::string> state;
  int next = 0;
  return paired(model.make(
      options,
      [&] {
        if (model.below(2) == 0) return Event{.f = Function::kReadSet, .key = "s"};
        return Event{.f = Function::kAdd, .key = "s", .value = std::to_string(next++)};
      },
      [&](Event& e) {
        if (e.f == Function::kAdd) {
          state.insert(*e.value);
        } else {
          e.elements.assign(state.begin(), state.end());
        }
      }));
}

TEST(Sets, AcceptsWhatASetDid) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Model model(seed);
    const auto operations = make_set(
        model, {.operations = 150, .clients = 2 + static_cast<int>(seed % 9), .unknown = 0.05, .failed = 0.05});
    const Finding finding = check_sets(operations);
    ASSERT_TRUE(finding.ok()) << "seed " << seed << ": " << finding.explanation;
  }
}

bool some_order_explains_set(const std::vector<Operation>& operations) {
  std::vector<const Operation*> some;
  for (const Operation& o : operations) {
    if (o.ok() || (o.unknown() && o.invoke.f == Function::kAdd)) some.push_back(&o);
  }
  for (unsigned mask = 0; mask < (1u << some.size()); ++mask) {
    std::vector<std::size_t> order;
    bool whole = true;
    for (std::size_t i = 0; i < some.size(); ++i) {
      if ((mask >> i & 1) != 0) {
        order.push_back(i);
      } else {
        whole &= some[i]->unknown();
      }
    }
    if (!whole) continue;
    do {
      std::set<std::string> state;
      bool fits = true;
      for (std::size_t i = 0; i < order.size() && fits; ++i) {
        const Operation& o = *some[order[i]];
        for (std::size_t j = i + 1; j < order.size(); ++j) fits &= some[order[j]]->returned > o.called;
        if (o.invoke.f == Function::kAdd) {
          state.insert(*o.invoke.value);
        } else {
          fits &= std::set(o.complete.elements.begin(), o.complete.elements.end()) == state;
        }
      }
      if (fits) return true;
    } while (std::next_permutation(order.begin(), order.end()));
  }
  return false;
}

TEST(Sets, AgreesWithBruteForceOnSmallHistories) {
  int good = 0;
  std::map<std::string, int> bad;
  for (unsigned seed = 0; seed < 4000; ++seed) {
    Model model(seed);
    auto operations = make_set(model, {.operations = 6, .clients = 3, .unknown = 0.15, .failed = 0.05});
    for (Operation& o : operations) {
      if (o.invoke.f != Function::kReadSet || !o.ok() || model.below(3) != 0) continue;
      o.complete.elements.clear();
      for (int i = 0; i < 3; ++i) {
        if (model.below(2) == 0) o.complete.elements.push_back(std::to_string(i));
      }
    }
    const Finding finding = check_sets(operations);
    ASSERT_EQ(finding.ok(), some_order_explains_set(operations)) << "seed " << seed << '\n'
                                                                 << text_of(operations) << finding.explanation;
    finding.ok() ? ++good : ++bad[finding.anomaly];
  }
  EXPECT_GT(good, 500);
  for (const char* anomaly : {"phantom-element", "lost-element", "stale-element", "incomparable-reads", "set-cycle"}) {
    EXPECT_GE(bad[anomaly], 5) << anomaly;
  }
}

std::vector<Operation> make_counter(Model& model, const ModelOptions& options, bool down) {
  std::int64_t state = 0;
  auto operations = paired(model.make(
      options,
      [&] {
        if (model.below(2) == 0) return Event{.f = Function::kReadCounter, .key = "c"};
        const auto by = static_cast<std::int64_t>(model.below(5)) - (down ? 2 : 0);
        return Event{.f = Function::kIncrement, .key = "c", .number = by};
      },
      [&](Event& e) {
        if (e.f == Function::kIncrement) {
          state += e.number;
        } else {
          e.number = state;
        }
      }));
  return operations;
}

TEST(Counters, AcceptsWhatACounterDid) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Model model(seed);
    const auto operations =
        make_counter(model, {.operations = 200, .clients = 5, .unknown = 0.1, .failed = 0.05}, seed % 2 == 0);
    const Finding finding = check_counters(operations);
    ASSERT_TRUE(finding.ok()) << "seed " << seed << ": " << finding.explanation;
  }
}

// The history's own sum is the only answer to a read at its end, if no outcome is unknown.
TEST(Counters, ARestingCounterIsExact) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    for (const int off : {-1, 0, 1}) {
      Model model(seed);
      auto operations = make_counter(model, {.operations = 50, .clients = 4, .unknown = 0, .failed = 0.1}, true);
      std::int64_t sum = off;
      std::erase_if(operations, [](const Operation& o) { return o.unknown(); });  // still running
      for (const Operation& o : operations) {
        if (o.ok() && o.invoke.f == Function::kIncrement) sum += o.invoke.number;
      }
      // What was still running may have been seen.
      std::erase_if(operations, [](const Operation& o) { return o.invoke.f == Function::kReadCounter; });
      Operation read{.called = 1'000'000, .returned = 1'000'001};
      read.invoke.f = read.complete.f = Function::kReadCounter;
      read.invoke.key = read.complete.key = "c";
      read.complete.type = EventType::kOk;
      read.complete.number = sum;
      operations.push_back(read);
      const Finding finding = check_counters(operations);
      EXPECT_EQ(finding.anomaly, off < 0 ? "lost-increment" : off > 0 ? "repeated-increment" : "") << seed;
    }
  }
}

// Sessions over a store whose versions grow; reads are of replicas that lag, but not behind their session.
std::vector<Operation> make_sessions(Model& model, bool forgetful) {
  std::map<std::string, std::vector<std::pair<std::uint64_t, Value>>> store;
  std::map<std::pair<std::uint64_t, std::string>, std::size_t> floor;  // of each session: how many versions it knows
  std::uint64_t clock = 0;
  const auto draw = [&] {
    Event e{.key = std::to_string(model.below(3)), .linearizable = false, .session = 1 + model.below(3)};
    const auto kind = model.below(10);
    if (kind < 5)
      e.f = Function::kWrite, e.value = std::to_string(clock) + "." + std::to_string(model.below(1'000'000));
    if (kind == 5) e.f = Function::kRemove;
    return e;
  };
  const auto apply = [&](Event& e) {
    auto& versions = store[e.key];
    std::size_t& known = floor[{e.session, e.key}];
    if (e.f != Function::kRead) {
      versions.emplace_back(++clock * 10, e.value);
      e.version = clock * 10;
      known = versions.size();
      return;
    }
    const std::size_t least = forgetful && model.below(10) == 0 ? 0 : known;
    const std::size_t at = least + model.below(versions.size() - least + 1);
    e.timestamp = at < versions.size() ? versions[at].first - 1 : clock * 10 + 1;
    if (at > 0) e.value = versions[at - 1].second;
    if (e.value) e.version = versions[at - 1].first;
    known = std::max(known, at);
  };
  return paired(model.make({.operations = 200, .clients = 4, .unknown = 0.05, .failed = 0.05}, draw, apply));
}

TEST(Sessions, AcceptsLaggingReplicasThatWaitForTheirSession) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Model model(seed);
    const auto operations = make_sessions(model, false);
    for (const Judgement& j : judge(operations)) {
      ASSERT_TRUE(j.finding.ok()) << "seed " << seed << ": " << j.checker->name << j.finding.explanation;
    }
  }
}

TEST(Sessions, FindsReplicasThatDoNotWait) {
  std::map<std::string, int> found;
  for (unsigned seed = 0; seed < 100; ++seed) {
    Model model(seed);
    ++found[check_sessions(make_sessions(model, true)).anomaly];
  }
  EXPECT_LE(found[""], 3);  // it forgot where nothing was to be missed
  EXPECT_GE(found["monotonic-reads"], 10);
  EXPECT_GE(found["read-your-writes"], 10);
}

TEST(Replicas, EveryDifferenceIsFound) {
  const auto listed = [](std::vector<std::pair<std::uint64_t, Value>> second) {
    std::vector<Operation> operations;
    for (const auto& stored : {std::vector<std::pair<std::uint64_t, Value>>{{1, "a"}, {2, std::nullopt}}, second}) {
      Operation o;
      o.invoke.f = o.complete.f = Function::kVersions;
      o.complete.type = EventType::kOk;
      o.complete.stored = stored;
      operations.push_back(o);
    }
    return check_replicas(operations).anomaly;
  };
  EXPECT_EQ(listed({{1, "a"}, {2, std::nullopt}}), "");
  EXPECT_EQ(listed({{1, "a"}}), "replicas-differ");
  EXPECT_EQ(listed({{1, "a"}, {2, "b"}}), "replicas-differ");
  EXPECT_EQ(listed({{1, "a"}, {2, std::nullopt}, {3, "c"}}), "replicas-differ");
}

TEST(Checkers, AMalformedHistoryIsNoPass) {
  History history;
  history.add({.type = EventType::kOk});
  EXPECT_EQ(check_all(history).anomaly, "malformed-history");
}

TEST(Checkers, ASearchThatTakesTooLongIsNoPass) {
  Model model(1);
  RegisterModel registers(model, 1);
  const History history = model.make(
      {.operations = 300, .clients = 10}, [&] { return registers.draw(); }, [&](Event& e) { registers.apply(e); });
  EXPECT_EQ(check_all(history).verdict, Verdict::kOk);
  EXPECT_EQ(check_all(history, 20).verdict, Verdict::kTimeout);
}

}  // namespace
}  // namespace meridian::check
