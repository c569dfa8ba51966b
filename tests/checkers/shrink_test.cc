// Where all but one answer is right, whatever is left of the history must still have that answer.
#include "tests/checkers/shrink.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/checkers/drawing.h"
#include "tests/checkers/model.h"

namespace meridian::check {
namespace {

std::vector<Operation> paired(const History& history) {
  std::vector<Operation> operations;
  EXPECT_EQ(pair_operations(history, &operations), std::nullopt);
  return operations;
}

// Spoils an answer, each of which is tried in turn until one shows; then expects it in what is left.
template <class Spoil>
void expect_kept(const char* name, unsigned seed, const std::vector<Operation>& operations, Spoil spoil,
                 std::size_t* sizes, int* count) {
  const Checker& checker = *find_checker(name);
  ASSERT_TRUE(checker.check(operations, kMaxSteps).ok()) << name << ", seed " << seed;
  for (std::size_t i = operations.size(); i-- > 0;) {
    std::vector<Operation> spoilt = operations;
    if (!spoilt[i].ok() || !spoil(spoilt[i])) continue;
    const Finding finding = checker.check(spoilt, kMaxSteps);
    if (finding.ok()) continue;
    const Shrunk some = shrink(checker, spoilt, finding);
    EXPECT_EQ(some.finding.anomaly, finding.anomaly);
    std::set<std::uint64_t> left;
    std::string text;
    for (const Operation& o : some.operations) {
      left.insert(o.invoke.index);
      text += describe(o) + '\n';
    }
    EXPECT_TRUE(left.contains(spoilt[i].invoke.index))
        << name << ", seed " << seed << ": " << describe(spoilt[i]) << "\nis not among\n"
        << text << finding.explanation;
    *sizes += some.operations.size();
    ++*count;
    return;
  }
}

TEST(Shrink, KeepsTheReadOfARegisterThatIsWrong) {
  std::size_t sizes = 0;
  int count = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    Model model(seed);
    RegisterModel registers(model, 2);
    const auto operations = paired(model.make(
        {.operations = 80, .clients = 4, .unknown = 0.05, .failed = 0.05}, [&] { return registers.draw(); },
        [&](Event& e) { registers.apply(e); }));
    const auto spoil = [&](Operation& o) {
      if (o.invoke.f != Function::kRead || model.below(3) != 0) return false;
      o.complete.value = model.below(3) == 0 ? Value() : Value("v" + std::to_string(model.below(20)));
      return true;
    };
    expect_kept("linearizability", seed, operations, spoil, &sizes, &count);
  }
  EXPECT_GE(count, 90);
  EXPECT_LT(sizes, 15u * static_cast<unsigned>(count));
}

TEST(Shrink, KeepsTheTransactionThatIsWrong) {
  std::size_t sizes = 0;
  int count = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Model model(seed);
    ListModel lists(model, 3, 3, 20);
    const auto operations = paired(model.make(
        {.operations = 80, .clients = 4, .unknown = 0.05, .failed = 0.05}, [&] { return lists.draw(); },
        [&](Event& e) { lists.apply(e); }));
    const auto spoil = [&](Operation& o) {
      for (MicroOp& op : o.complete.ops) {
        if (op.append || op.list->empty() || model.below(3) != 0) continue;
        op.list->resize(model.below(op.list->size()));
        return true;
      }
      return false;
    };
    expect_kept("strict-serializability", seed, operations, spoil, &sizes, &count);
  }
  EXPECT_GE(count, 50);
  EXPECT_LT(sizes, 10u * static_cast<unsigned>(count));
}

TEST(Shrink, KeepsTheReadOfACounterThatIsWrong) {
  std::size_t sizes = 0;
  int count = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Model model(seed);
    std::int64_t state = 0;
    const auto operations = paired(model.make(
        {.operations = 60, .clients = 3, .unknown = 0.05, .failed = 0.05},
        [&] {
          if (model.below(2) == 0) return Event{.f = Function::kReadCounter, .key = "c"};
          return Event{.f = Function::kIncrement, .key = "c", .number = static_cast<std::int64_t>(model.below(5)) - 1};
        },
        [&](Event& e) {
          if (e.f == Function::kIncrement) state += e.number;
          if (e.f == Function::kReadCounter) e.number = state;
        }));
    const auto spoil = [&](Operation& o) {
      if (o.invoke.f != Function::kReadCounter || model.below(3) != 0) return false;
      o.complete.number += static_cast<std::int64_t>(model.below(40)) - 20;
      return true;
    };
    expect_kept("counters", seed, operations, spoil, &sizes, &count);
  }
  EXPECT_GE(count, 50);
}

TEST(Drawing, ShowsEachOperationAndEachReason) {
  const auto operation = [](std::uint64_t index, std::uint64_t process, MicroOp op) {
    Operation o{.called = index, .returned = index + 1};
    o.invoke = {.index = index, .process = process, .f = Function::kTxn, .ops = {std::move(op)}};
    o.complete = o.invoke;
    o.complete.type = EventType::kOk;
    return o;
  };
  const std::vector<Operation> operations = {operation(0, 1, {.append = true, .key = "<x>", .element = "1"}),
                                             operation(2, 7, {.key = "<x>", .list = std::vector<std::string>{}}),
                                             operation(4, 8, {.key = "<x>", .list = std::vector<std::string>{"1"}})};
  const Finding finding = find_checker("strict-serializability")->check(operations, kMaxSteps);
  ASSERT_EQ(finding.cycle.size(), 2u) << finding.anomaly;
  const std::string page = draw("a & b", operations, finding);
  for (const char* part : {"a &amp; b", "process 1<", "process 7<", "append 1 to &lt;x&gt;", "url(#rw)",
                           "url(#realtime)", "</svg>", "</html>"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("<x>"), std::string::npos);
}

}  // namespace
}  // namespace meridian::check
