// Transactions over lists: what a serializable database did must pass, what was spoilt must not; and on small
// histories the judge agrees with trying every order.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/checkers/model.h"
#include "tests/checkers/serializability.h"

namespace meridian::check {
namespace {

using Lists = std::map<std::string, std::vector<std::string>>;

std::vector<Operation> paired(const History& history) {
  std::vector<Operation> operations;
  EXPECT_EQ(pair_operations(history, &operations), std::nullopt);
  return operations;
}

std::vector<Operation> make_lists(Model& model, const ModelOptions& options, int keys, int steps, bool read_at_end) {
  ListModel lists(model, keys, steps, 30);
  History history = model.make(options, [&] { return lists.draw(); }, [&](Event& e) { lists.apply(e); });
  std::vector<Operation> operations = paired(history);
  if (!read_at_end) return operations;
  Event last{.index = 10'000, .process = 10'000, .f = Function::kTxn};
  for (const auto& [key, list] : lists.state()) last.ops.push_back({.key = key});
  Operation read{.invoke = last, .complete = last, .called = 1'000'000, .returned = 1'000'001};
  read.complete.type = EventType::kOk;
  for (MicroOp& op : read.complete.ops) op.list = lists.state().at(op.key);
  operations.push_back(std::move(read));
  return operations;
}

std::string text_of(const std::vector<Operation>& operations) {
  std::string text;
  for (const Operation& o : operations) text += describe(o) + '\n';
  return text;
}

TEST(ListsProperty, AcceptsWhatASerializableDatabaseDid) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Model model(seed);
    const auto operations = make_lists(model,
                                       {.operations = 300,
                                        .clients = 2 + static_cast<int>(seed % 10),
                                        .unknown = seed % 3 == 0 ? 0.0 : 0.1,
                                        .failed = 0.05},
                                       4, 4, seed % 2 == 0);
    const Finding finding = check_serializable(operations);
    ASSERT_TRUE(finding.ok()) << "seed " << seed << ": " << finding.explanation;
  }
}

// The ways to spoil a read; each returns whether it could.
struct Spoiler {
  Model& model;
  std::vector<Operation>& operations;

  const Operation* writer(const MicroOp& op, const std::string& element) const {
    for (const Operation& o : operations) {
      for (const MicroOp& other : o.invoke.ops) {
        if (other.append && other.key == op.key && other.element == element) return &o;
      }
    }
    return nullptr;
  }
  // Misses its last elements, the first of which was acknowledged before the call.
  bool stale(Operation& o, MicroOp& op) {
    for (std::size_t i = op.list->size(); i-- > 0;) {
      const Operation* by = writer(op, (*op.list)[i]);
      if (by == nullptr || !by->ok() || by->returned >= o.called) continue;
      op.list->resize(i);
      return true;
    }
    return false;
  }
  bool swapped(Operation& o, MicroOp& op) {
    if (op.list->size() < 2) return false;
    // Someone else saw the right order.
    const auto saw = [&](const Operation& other) {
      return other.ok() && &other != &o &&
             std::any_of(other.complete.ops.begin(), other.complete.ops.end(), [&](const MicroOp& seen) {
               return seen.key == op.key && seen.list && seen.list->size() >= op.list->size();
             });
    };
    if (std::none_of(operations.begin(), operations.end(), saw)) return false;
    std::swap((*op.list)[op.list->size() - 1], (*op.list)[op.list->size() - 2]);
    return true;
  }
  bool doubled(Operation&, MicroOp& op) {
    if (op.list->empty()) return false;
    op.list->push_back((*op.list)[model.below(op.list->size())]);
    return true;
  }
  bool aborted(Operation&, MicroOp& op) {
    for (const Operation& o : operations) {
      if (o.complete.type != EventType::kFail) continue;
      for (const MicroOp& other : o.invoke.ops) {
        if (!other.append || other.key != op.key) continue;
        op.list->push_back(other.element);
        return true;
      }
    }
    return false;
  }
  bool invented(Operation&, MicroOp& op) {
    op.list->push_back("999999");
    return true;
  }
  // Sees what was appended only after it had returned.
  bool prescient(Operation& o, MicroOp& op) {
    for (const Operation& later : operations) {
      if (!later.ok() || later.called < o.returned) continue;
      for (const MicroOp& other : later.invoke.ops) {
        if (!other.append || other.key != op.key) continue;
        op.list->push_back(other.element);
        return true;
      }
    }
    return false;
  }
};

TEST(ListsProperty, FindsEverySpoiltRead) {
  using Spoil = bool (Spoiler::*)(Operation&, MicroOp&);
  const std::pair<const char*, Spoil> ways[] = {{"stale", &Spoiler::stale},       {"swapped", &Spoiler::swapped},
                                                {"doubled", &Spoiler::doubled},   {"aborted", &Spoiler::aborted},
                                                {"invented", &Spoiler::invented}, {"prescient", &Spoiler::prescient}};
  std::map<std::string, int> spoilt;
  for (unsigned seed = 0; seed < 360; ++seed) {
    const auto& [name, spoil] = ways[seed % 6];
    Model model(seed);
    auto operations = make_lists(model, {.operations = 100, .clients = 5, .unknown = 0.05, .failed = 0.1}, 3, 3, true);
    Spoiler spoiler{model, operations};
    const std::size_t start = model.below(operations.size() - 1);
    bool done = false;
    for (std::size_t i = 0; i + 1 < operations.size() && !done; ++i) {
      Operation& o = operations[(start + i) % (operations.size() - 1)];
      if (!o.ok()) continue;
      for (MicroOp& op : o.complete.ops) {
        if (done || op.append) continue;
        done = (spoiler.*spoil)(o, op);
      }
    }
    if (!done) continue;
    ++spoilt[name];
    const Finding finding = check_serializable(operations);
    EXPECT_EQ(finding.verdict, Verdict::kViolation) << name << ", seed " << seed;
    if (seed % 6 == 2) {
      EXPECT_TRUE(finding.anomaly == "duplicate-elements" || finding.anomaly == "internal") << finding.explanation;
    }
    if (seed % 6 == 3) EXPECT_TRUE(finding.anomaly == "G1a" || finding.anomaly == "internal") << finding.explanation;
  }
  for (const auto& [name, spoil] : ways) EXPECT_GE(spoilt[name], 30) << name;
}

// Every order of every subset that contains what is known to have happened.
bool some_order_explains(const std::vector<Operation>& operations, bool strict) {
  std::vector<const Operation*> some;
  for (const Operation& o : operations) {
    if (o.complete.type != EventType::kFail) some.push_back(&o);
  }
  const auto fits = [&](const std::vector<const Operation*>& order) {
    Lists state;
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; strict && j < order.size(); ++j) {
        if (order[j]->returned < order[i]->called) return false;
      }
      for (const MicroOp& op : order[i]->complete.ops) {
        if (op.append) {
          state[op.key].push_back(op.element);
        } else if (op.list && *op.list != state[op.key]) {
          return false;
        }
      }
    }
    return true;
  };
  for (unsigned mask = 0; mask < (1u << some.size()); ++mask) {
    std::vector<std::size_t> chosen;
    bool whole = true;
    for (std::size_t i = 0; i < some.size(); ++i) {
      if ((mask >> i & 1) != 0) {
        chosen.push_back(i);
      } else {
        whole &= some[i]->unknown();
      }
    }
    if (!whole) continue;
    do {
      std::vector<const Operation*> order;
      for (const std::size_t i : chosen) order.push_back(some[i]);
      if (fits(order)) return true;
    } while (std::next_permutation(chosen.begin(), chosen.end()));
  }
  return false;
}

// As all lists are read at the end, the order of their appends is known and the judge must be exact.
TEST(ListsProperty, AgreesWithBruteForceOnSmallHistories) {
  int good = 0, timely = 0, bad = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    Model model(seed);
    auto operations = make_lists(model, {.operations = 5, .clients = 3, .unknown = 0.1, .failed = 0.05}, 2, 3, true);
    for (Operation& o : operations) {
      if (!o.ok() || &o == &operations.back()) continue;
      for (MicroOp& op : o.complete.ops) {
        // A shorter or a longer beginning of what the list became.
        if (op.append || model.below(4) != 0) continue;
        for (const MicroOp& last : operations.back().complete.ops) {
          if (last.key != op.key) continue;
          op.list->assign(last.list->begin(),
                          last.list->begin() + static_cast<std::ptrdiff_t>(model.below(last.list->size() + 1)));
        }
      }
    }
    const bool strict = some_order_explains(operations, true);
    const bool any = strict || some_order_explains(operations, false);
    ++(strict ? good : any ? timely : bad);
    const Finding finding = check_serializable(operations);
    ASSERT_EQ(finding.ok(), strict) << "seed " << seed << '\n' << text_of(operations) << finding.explanation;
    const Finding timeless = check_serializable(operations, {.strict = false});
    ASSERT_EQ(timeless.ok(), any) << "seed " << seed << '\n' << text_of(operations) << timeless.explanation;
  }
  EXPECT_GT(good, 300);
  EXPECT_GT(timely, 30);
  EXPECT_GT(bad, 300);
}

// Without reads at the end it may miss something, but what it finds is wrong.
TEST(ListsProperty, NeverAccusesWithoutCause) {
  int accused = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    Model model(seed);
    auto operations = make_lists(model, {.operations = 6, .clients = 3, .unknown = 0.15}, 2, 2, false);
    for (Operation& o : operations) {
      for (MicroOp& op : o.complete.ops) {
        if (o.ok() && !op.append && model.below(3) == 0) op.list->resize(model.below(op.list->size() + 1));
      }
    }
    const Finding finding = check_serializable(operations);
    if (finding.ok()) continue;
    ++accused;
    ASSERT_FALSE(some_order_explains(operations, true)) << "seed " << seed << '\n'
                                                        << text_of(operations) << finding.explanation;
  }
  EXPECT_GT(accused, 100);
}

}  // namespace
}  // namespace meridian::check
