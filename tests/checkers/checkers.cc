#include "tests/checkers/checkers.h"

#include <algorithm>
#include <set>

#include "tests/checkers/counters.h"
#include "tests/checkers/linearizability.h"
#include "tests/checkers/replicas.h"
#include "tests/checkers/serializability.h"
#include "tests/checkers/sessions.h"
#include "tests/checkers/sets.h"
#include "tests/checkers/versions.h"

namespace meridian::check {

namespace {

using Operations = std::vector<Operation>;

bool has(const Operations& operations, std::initializer_list<Function> functions) {
  return std::any_of(operations.begin(), operations.end(), [&](const Operation& o) {
    return std::find(functions.begin(), functions.end(), o.invoke.f) != functions.end();
  });
}

bool has_registers(const Operations& operations) {
  return has(operations,
             {Function::kRead, Function::kWrite, Function::kCas, Function::kRemove, Function::kBatch, Function::kScan});
}

constexpr Checker kCheckers[] = {
    {"linearizability", "is every key an atomic register?", has_registers, check_linearizable},
    {"versions", "do versions and timestamps agree with each other and with time?", has_registers,
     [](const Operations& o, std::uint64_t) { return check_versions(o); }},
    {"replicas", "do all replicas hold the same at the end?",
     [](const Operations& o) { return has(o, {Function::kVersions}); },
     [](const Operations& o, std::uint64_t) { return check_replicas(o); }},
    {"sets", "is nothing lost from a set, nothing invented, nothing seen late?",
     [](const Operations& o) { return has(o, {Function::kAdd, Function::kReadSet}); },
     [](const Operations& o, std::uint64_t) { return check_sets(o); }},
    {"counters", "did every increment happen exactly once?",
     [](const Operations& o) { return has(o, {Function::kIncrement, Function::kReadCounter}); },
     [](const Operations& o, std::uint64_t) { return check_counters(o); }},
    {"sessions", "does every session see what it has read and written?",
     [](const Operations& o) {
       return std::any_of(o.begin(), o.end(), [](const Operation& each) { return each.invoke.session != 0; });
     },
     [](const Operations& o, std::uint64_t) { return check_sessions(o); }},
    {"strict-serializability", "does an order of the transactions that agrees with time explain them?",
     [](const Operations& o) { return has(o, {Function::kTxn}); },
     [](const Operations& o, std::uint64_t max_steps) {
       return check_serializable(o, {.strict = true, .budget = max_steps});
     }},
    {"serializability", "does any order of the transactions explain them?",
     [](const Operations&) { return false; },  // the strict one says it too
     [](const Operations& o, std::uint64_t max_steps) {
       return check_serializable(o, {.strict = false, .budget = max_steps});
     }},
};

std::vector<std::string> keys_of(const Operation& o) {
  std::vector<std::string> keys;
  if (o.invoke.f != Function::kTxn && o.invoke.f != Function::kBatch) keys.push_back(o.invoke.key);
  for (const auto& [key, value] : o.invoke.values) keys.push_back(key);
  for (const auto& [key, value] : o.complete.values) keys.push_back(key);
  for (const MicroOp& op : o.invoke.ops) keys.push_back(op.key);
  return keys;
}

class Shrinker {
 public:
  Shrinker(const Checker& checker, const Operations& operations, const Finding& finding, std::uint64_t budget)
      : checker_(checker), anomaly_(finding.anomaly), budget_(budget), left_(operations) {}

  Operations run(const Finding& finding) {
    keep_keys_of(finding);
    for (std::size_t chunk = std::max<std::size_t>(left_.size() / 2, 1);; chunk /= 2) {
      bool dropped = true;
      while (dropped && !spent_) dropped = pass(chunk);
      if (chunk == 1 || spent_) return std::move(left_);
    }
  }

 private:
  bool still_fails(const Operations& operations) {
    spent_ = operations.size() > budget_;
    if (spent_) return false;
    budget_ -= operations.size();
    // A search that needs long may take another way with fewer operations: it is given up early.
    const Finding finding = checker_.check(operations, 100'000);
    return finding.verdict == Verdict::kViolation && finding.anomaly == anomaly_;
  }

  void keep_keys_of(const Finding& finding) {
    std::set<std::string> keys;
    const std::set<std::uint64_t> named(finding.operations.begin(), finding.operations.end());
    for (const Operation& o : left_) {
      if (!named.contains(o.invoke.index)) continue;
      for (std::string& key : keys_of(o)) keys.insert(std::move(key));
    }
    Operations some;
    for (const Operation& o : left_) {
      const auto of = keys_of(o);
      if (std::any_of(of.begin(), of.end(), [&](const std::string& key) { return keys.contains(key); })) {
        some.push_back(o);
      }
    }
    if (some.size() < left_.size() && still_fails(some)) left_ = std::move(some);
  }

  // Tries to leave out each piece of that length; the latest first, for what follows a violation is often idle.
  bool pass(std::size_t chunk) {
    bool dropped = false;
    for (std::size_t end = left_.size(); end > 0 && !spent_;) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      Operations fewer(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(begin));
      fewer.insert(fewer.end(), left_.begin() + static_cast<std::ptrdiff_t>(end), left_.end());
      if (!fewer.empty() && still_fails(fewer)) {
        left_ = std::move(fewer);
        dropped = true;
      }
      end = begin;
    }
    return dropped;
  }

  const Checker& checker_;
  const std::string anomaly_;
  std::uint64_t budget_;
  bool spent_ = false;
  Operations left_;
};

}  // namespace

std::span<const Checker> checkers() { return kCheckers; }

const Checker* find_checker(std::string_view name) {
  const auto it = std::find_if(std::begin(kCheckers), std::end(kCheckers),
                               [&](const Checker& checker) { return checker.name == name; });
  return it == std::end(kCheckers) ? nullptr : it;
}

std::vector<Judgement> judge(const std::vector<Operation>& operations, std::uint64_t max_steps) {
  std::vector<Judgement> judgements;
  for (const Checker& checker : kCheckers) {
    if (checker.applies(operations)) judgements.push_back({&checker, checker.check(operations, max_steps)});
  }
  return judgements;
}

Finding check_all(const History& history, std::uint64_t max_steps) {
  std::vector<Operation> operations;
  if (auto error = pair_operations(history, &operations)) return {Verdict::kViolation, "malformed-history", *error};
  for (const Checker& checker : kCheckers) {
    if (!checker.applies(operations)) continue;
    if (Finding finding = checker.check(operations, max_steps); !finding.ok()) {
      finding.explanation = std::string(checker.name) + ": " + finding.explanation;
      return finding;
    }
  }
  return {};
}

std::vector<Operation> shrink(const Checker& checker, const std::vector<Operation>& operations, const Finding& finding,
                              std::uint64_t budget) {
  return Shrinker(checker, operations, finding, budget).run(finding);
}

}  // namespace meridian::check
