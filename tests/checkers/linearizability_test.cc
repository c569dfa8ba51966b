#include "tests/checkers/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/checkers/history_builder.h"
#include "tests/checkers/model.h"

namespace meridian::check {
namespace {

void expect_verdict(const HistoryBuilder& h, Verdict verdict) {
  const Finding finding = check_linearizable(h.operations());
  EXPECT_EQ(finding.verdict, verdict) << finding.explanation;
}

TEST(Linearizability, AnEmptyHistoryHolds) { expect_verdict(HistoryBuilder(), Verdict::kOk); }

TEST(Linearizability, AReadSeesTheLastWrite) {
  HistoryBuilder h;
  h.read(0).saw(0, std::nullopt).write(0, "a").ok(0).read(1).saw(1, "a").write(0, "b").ok(0).read(1).saw(1, "b");
  h.write(0, std::nullopt).ok(0).read(1).saw(1, std::nullopt);
  expect_verdict(h, Verdict::kOk);
}

TEST(Linearizability, AStaleReadIsCaught) {
  HistoryBuilder h;
  h.write(0, "a").ok(0).write(0, "b").ok(0).read(1).saw(1, "a");
  const Finding finding = check_linearizable(h.operations());
  EXPECT_EQ(finding.verdict, Verdict::kViolation);
  EXPECT_NE(finding.explanation.find("read k -> a"), std::string::npos) << finding.explanation;
}

TEST(Linearizability, AStaleReadOfAnyReplicaIsAllowed) {
  HistoryBuilder h;
  h.write(0, "a").ok(0).write(0, "b").ok(0).read(1, false).saw(1, "a");
  expect_verdict(h, Verdict::kOk);
}

TEST(Linearizability, AConcurrentWriteMayOrMayNotBeSeen) {
  HistoryBuilder h;
  h.write(0, "a").ok(0).write(0, "b").read(1).saw(1, "a").read(1).saw(1, "b").ok(0);
  expect_verdict(h, Verdict::kOk);
}

TEST(Linearizability, ReadsNeverGoBack) {
  HistoryBuilder h;
  h.write(0, "a").ok(0).write(0, "b").read(1).saw(1, "b").read(2).saw(2, "a").ok(0);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Linearizability, AnUnknownWriteMayTakeEffectLateOrNever) {
  HistoryBuilder never, late, twice;
  never.write(0, "a").ok(0).write(1, "b").ends(1, EventType::kInfo).read(2).saw(2, "a");
  expect_verdict(never, Verdict::kOk);
  late.write(0, "a").ok(0).write(1, "b").ends(1, EventType::kInfo).read(2).saw(2, "a").read(2).saw(2, "b");
  expect_verdict(late, Verdict::kOk);
  twice.write(0, "a").ok(0).write(1, "b").ends(1, EventType::kInfo).read(2).saw(2, "b");
  twice.write(2, "c").ok(2).read(2).saw(2, "b");
  expect_verdict(twice, Verdict::kViolation);
}

TEST(Linearizability, AnUnknownWriteTakesNoEffectBeforeItsCall) {
  HistoryBuilder h;
  h.read(2).saw(2, "b").write(1, "b").ends(1, EventType::kInfo);
  expect_verdict(h, Verdict::kViolation);
}

TEST(Linearizability, AFailedWriteIsNeverSeen) {
  HistoryBuilder h;
  h.write(1, "b").ends(1, EventType::kFail, "unavailable").read(2).saw(2, "b");
  const Finding finding = check_linearizable(h.operations());
  EXPECT_EQ(finding.verdict, Verdict::kViolation);
  EXPECT_EQ(finding.anomaly, "phantom-value");
}

TEST(Linearizability, ACompareAndSetNeedsItsExpectation) {
  HistoryBuilder good, bad, race;
  good.write(0, "a").ok(0).cas(0, "a", "b").ok(0).cas(1, "a", "c").ends(1, EventType::kFail, "condition");
  expect_verdict(good, Verdict::kOk);
  bad.write(0, "a").ok(0).cas(0, "a", "b").ok(0).cas(1, "a", "c").ok(1);
  expect_verdict(bad, Verdict::kViolation);
  race.write(0, "a").ok(0).cas(0, "a", "b").cas(1, "a", "c").ok(0).ok(1);
  expect_verdict(race, Verdict::kViolation);
}

TEST(Linearizability, AConditionFailsOnlyIfItDidNotHold) {
  HistoryBuilder wrong, other;
  wrong.write(0, "a").ok(0).cas(0, "a", "b").ends(0, EventType::kFail, "condition");
  expect_verdict(wrong, Verdict::kViolation);
  other.write(0, "a").ok(0).cas(0, "a", "b").ends(0, EventType::kFail, "unavailable");
  expect_verdict(other, Verdict::kOk);
}

TEST(Linearizability, AnUnknownWriteThatNobodySawExplainsAFailedCondition) {
  HistoryBuilder h;
  h.write(0, "a").ok(0).write(1, "x").ends(1, EventType::kInfo).cas(0, "a", "b").ends(0, EventType::kFail, "condition");
  h.write(0, "c").ok(0).read(0).saw(0, "c");
  expect_verdict(h, Verdict::kOk);
}

TEST(Linearizability, ABatchAndAScanAreTakenApartByKey) {
  HistoryBuilder good, bad;
  const auto scan = [](std::map<std::string, Value> values) {
    return Event{.type = EventType::kOk, .f = Function::kScan, .key = "a", .end = "z", .values = std::move(values)};
  };
  const Event batch{.f = Function::kBatch, .values = {{"a", "1"}, {"b", "2"}}};
  good.call(0, batch).ok(0).call(1, {.f = Function::kScan, .key = "a", .end = "z"});
  good.answer(1, scan({{"a", "1"}, {"b", "2"}}));
  expect_verdict(good, Verdict::kOk);
  bad.call(0, batch).ok(0).call(1, {.f = Function::kScan, .key = "a", .end = "z"}).answer(1, scan({{"a", "1"}}));
  expect_verdict(bad, Verdict::kViolation);
}

std::vector<Operation> make_register(Model& model, int operations, int clients, double unknown) {
  RegisterModel registers(model, 1);
  const History history = model.make(
      {.operations = operations, .clients = clients, .unknown = unknown}, [&] { return registers.draw(); },
      [&](Event& e) { registers.apply(e); });
  std::vector<Operation> paired;
  EXPECT_EQ(pair_operations(history, &paired), std::nullopt);
  return paired;
}

TEST(Linearizability, AcceptsWhatARegisterDid) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Model model(seed);
    const Finding finding =
        check_linearizable(make_register(model, 300, 2 + static_cast<int>(seed % 8), seed % 3 == 0 ? 0.0 : 0.05));
    ASSERT_TRUE(finding.ok()) << "seed " << seed << ": " << finding.explanation;
  }
}

TEST(Linearizability, ThousandsOfOperationsOnAKeyAreQuick) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    Model model(seed);
    const Finding finding = check_linearizable(make_register(model, 10'000, 12, 0.02));
    EXPECT_TRUE(finding.ok()) << finding.explanation;
  }
}

TEST(Linearizability, ManyUnknownOutcomesAreNoObstacle) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Model model(seed);
    const Finding finding = check_linearizable(make_register(model, 2'000, 10, 0.15), 200'000);
    EXPECT_TRUE(finding.ok()) << "seed " << seed << ": " << finding.explanation;
  }
}

// A read is made to see a value that had been overwritten, for certain, before the read was called.
TEST(Linearizability, CatchesASpoiltRead) {
  int spoilt = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Model model(seed);
    std::vector<Operation> operations = make_register(model, 200, 5, 0.03);
    const auto settled = [](const Operation& o) { return o.ok() && o.invoke.f == Function::kWrite; };
    for (Operation& read : operations) {
      if (!read.ok() || read.invoke.f != Function::kRead || model.below(10) != 0) continue;
      const Operation* victim = nullptr;
      for (const Operation& first : operations) {
        if (!settled(first)) continue;
        for (const Operation& second : operations) {
          if (settled(second) && first.returned < second.called && second.returned < read.called) victim = &first;
        }
      }
      if (victim == nullptr) continue;
      read.complete.value = victim->invoke.value;
      ++spoilt;
      const Finding finding = check_linearizable(operations);
      EXPECT_EQ(finding.verdict, Verdict::kViolation) << "seed " << seed << ": " << describe(read);
      break;
    }
  }
  EXPECT_GT(spoilt, 100);
}

// Every order of every subset that contains what is known to have happened.
bool brute_force(const std::vector<Operation>& operations) {
  std::vector<const Operation*> some;
  for (const Operation& o : operations) {
    if (o.complete.type == EventType::kFail && o.complete.error != "condition") continue;
    if (o.invoke.f == Function::kRead && !o.ok()) continue;
    some.push_back(&o);
  }
  const auto fits = [](const std::vector<const Operation*>& order) {
    Value state;
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        if (order[j]->returned < order[i]->called) return false;
      }
      const Operation& o = *order[i];
      if (o.invoke.f == Function::kRead) {
        if (o.complete.value != state) return false;
      } else if (o.complete.type == EventType::kFail) {
        if (o.invoke.expected == state) return false;
      } else {
        if (o.invoke.f == Function::kCas && o.invoke.expected != state) return false;
        state = o.invoke.value;
      }
    }
    return true;
  };
  for (unsigned mask = 0; mask < (1u << some.size()); ++mask) {
    std::vector<int> chosen;
    bool whole = true;
    for (std::size_t i = 0; i < some.size(); ++i) {
      if ((mask >> i & 1) != 0)
        chosen.push_back(static_cast<int>(i));
      else if (!some[i]->unknown())
        whole = false;
    }
    if (!whole) continue;
    do {
      std::vector<const Operation*> order;
      for (const int i : chosen) order.push_back(some[static_cast<std::size_t>(i)]);
      if (fits(order)) return true;
    } while (std::next_permutation(chosen.begin(), chosen.end()));
  }
  return false;
}

TEST(Linearizability, AgreesWithBruteForceOnSmallHistories) {
  int good = 0, bad = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Model model(seed);
    std::vector<Operation> operations = make_register(model, 6, 3, 0.25);
    // Spoil some: values repeat, reads see anything.
    const bool repeat = model.below(2) == 0;
    for (Operation& o : operations) {
      const auto any = [&] { return model.below(4) == 0 ? Value() : Value("v" + std::to_string(model.below(3))); };
      if (o.invoke.f == Function::kRead && o.ok() && model.below(2) == 0) o.complete.value = any();
      if (repeat && o.invoke.value && model.below(2) == 0) o.invoke.value = "v" + std::to_string(model.below(3));
      if (o.invoke.f == Function::kCas && model.below(3) == 0) o.invoke.expected = any();
    }
    const bool expected = brute_force(operations);
    (expected ? good : bad)++;
    const Finding finding = check_linearizable(operations);
    std::string text;
    for (const Operation& o : operations) text += describe(o) + '\n';
    ASSERT_EQ(finding.ok(), expected) << "seed " << seed << '\n' << text << finding.explanation;
  }
  EXPECT_GT(good, 300);
  EXPECT_GT(bad, 300);
}

}  // namespace
}  // namespace meridian::check
