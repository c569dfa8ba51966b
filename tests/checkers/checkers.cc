#include "tests/checkers/checkers.h"

#include <algorithm>

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

template <Finding (*kCheck)(const Operations&)>
Finding bounded(const Operations& operations, std::uint64_t) {
  return kCheck(operations);
}

template <bool kStrict, bool kPart>
Finding serializable(const Operations& operations, std::uint64_t max_steps) {
  return check_serializable(operations, {.strict = kStrict, .part = kPart, .budget = max_steps});
}

constexpr Checker kCheckers[] = {
    {"linearizability", "is every key an atomic register?", has_registers, check_linearizable, check_linearizable},
    {"versions", "do versions and timestamps agree with each other and with time?", has_registers,
     bounded<check_versions>, bounded<check_versions>},
    {"replicas", "do all replicas hold the same at the end?",
     [](const Operations& o) { return has(o, {Function::kVersions}); }, bounded<check_replicas>,
     bounded<check_replicas>},
    {"sets", "is nothing lost from a set, nothing invented, nothing seen late?",
     [](const Operations& o) { return has(o, {Function::kAdd, Function::kReadSet}); }, bounded<check_sets>,
     bounded<check_sets>},
    {"counters", "did every increment happen exactly once?",
     [](const Operations& o) { return has(o, {Function::kIncrement, Function::kReadCounter}); },
     bounded<check_counters>, bounded<check_counters>},
    {"sessions", "does every session see what it has read and written?",
     [](const Operations& o) {
       return std::any_of(o.begin(), o.end(), [](const Operation& each) { return each.invoke.session != 0; });
     },
     bounded<check_sessions>, bounded<check_sessions>},
    {"strict-serializability", "does an order of the transactions that agrees with time explain them?",
     [](const Operations& o) { return has(o, {Function::kTxn}); }, serializable<true, false>, serializable<true, true>},
    {"serializability", "does any order of the transactions explain them?",
     [](const Operations&) { return false; },  // the strict one says it too
     serializable<false, false>, serializable<false, true>},
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

}  // namespace meridian::check
