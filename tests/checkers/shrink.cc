#include "tests/checkers/shrink.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace meridian::check {

namespace {

using Operations = std::vector<Operation>;

std::vector<std::string> keys_of(const Operation& o) {
  std::vector<std::string> keys;
  if (o.invoke.f != Function::kTxn && o.invoke.f != Function::kBatch) keys.push_back(o.invoke.key);
  for (const auto& [key, value] : o.invoke.values) keys.push_back(key);
  for (const auto& [key, value] : o.complete.values) keys.push_back(key);
  for (const MicroOp& op : o.invoke.ops) keys.push_back(op.key);
  return keys;
}

// Who found what of registers and sets, and so needs an explanation.
class Finders {
 public:
  explicit Finders(const Operations& operations) : operations_(operations) {
    for (std::size_t i = 0; i < operations.size(); ++i) add(i);
  }
  // With a mutation go all who found what it made: otherwise nothing would explain them.
  void close(std::vector<bool>& dropped) const {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      if (dropped[i]) open.push_back(i);
    }
    while (!open.empty()) {
      const Event& in = operations_[open.back()].invoke;
      open.pop_back();
      const auto drop = [&](const std::vector<std::size_t>& finders) {
        for (const std::size_t i : finders) {
          if (!dropped[i]) open.push_back(i);
          dropped[i] = true;
        }
      };
      const auto unmake = [&](const std::string& key, const Value& value) {
        if (const auto it = values_.find({key, value}); it != values_.end()) drop(it->second);
        if (const auto it = refused_.find(key); it != refused_.end()) drop(it->second);
        if (!value) drop(scans_);
      };
      if (in.f == Function::kWrite || in.f == Function::kCas || in.f == Function::kRemove || in.f == Function::kAdd) {
        unmake(in.key, in.value);
      }
      if (in.f == Function::kBatch) {
        for (const auto& [key, value] : in.values) unmake(key, value);
      }
    }
  }

 private:
  void add(std::size_t i) {
    const Operation& o = operations_[i];
    const bool failed = o.complete.type == EventType::kFail;
    // A compare-and-set whose outcome is unknown has found its value if its own was found.
    if (o.invoke.f == Function::kCas && !failed) values_[{o.invoke.key, o.invoke.expected}].push_back(i);
    if (o.invoke.f == Function::kCas && failed && o.complete.error == "condition") refused_[o.invoke.key].push_back(i);
    if (!o.ok()) return;
    if (o.invoke.f == Function::kRead) values_[{o.invoke.key, o.complete.value}].push_back(i);
    for (const std::string& element : o.complete.elements) values_[{o.invoke.key, element}].push_back(i);
    if (o.invoke.f != Function::kScan) return;
    scans_.push_back(i);  // which found nothing of most keys
    for (const auto& [key, value] : o.complete.values) values_[{key, value}].push_back(i);
  }

  const Operations& operations_;
  std::map<std::pair<std::string, Value>, std::vector<std::size_t>> values_;
  std::map<std::string, std::vector<std::size_t>> refused_;  // conditions that failed, by key
  std::vector<std::size_t> scans_;
};

bool only_reads(const Operation& o) {
  switch (o.invoke.f) {
    case Function::kRead:
    case Function::kScan:
    case Function::kReadSet:
    case Function::kReadCounter: return true;
    case Function::kCas: return o.complete.type == EventType::kFail;
    default: return false;
  }
}

class Shrinker {
 public:
  Shrinker(const Checker& checker, const Operations& operations, const Finding& finding, std::uint64_t budget)
      : checker_(checker), budget_(budget), left_{operations, finding} {}

  Shrunk run() {
    if (left_.finding.anomaly.starts_with("phantom")) return named();
    keep_keys();
    // Readers first: writers are then bound to few.
    for (const bool readers : {true, false}) {
      for (std::size_t chunk = std::max<std::size_t>(left_.operations.size() / 2, 1);; chunk /= 2) {
        bool dropped = true;
        while (dropped && !spent_) dropped = pass(chunk, readers);
        if (chunk == 1 || spent_) break;
      }
    }
    return std::move(left_);
  }

 private:
  // It is from nowhere: all that others did is beside the point.
  Shrunk named() {
    const std::set<std::uint64_t> names(left_.finding.operations.begin(), left_.finding.operations.end());
    std::erase_if(left_.operations, [&](const Operation& o) { return !names.contains(o.invoke.index); });
    return std::move(left_);
  }

  bool may_go(const Operation& o) const {
    const std::string& anomaly = left_.finding.anomaly;
    if (o.invoke.f != Function::kIncrement) return true;
    return anomaly != "repeated-increment" && (o.invoke.number >= 0 || anomaly != "lost-increment");
  }

  bool accept(std::vector<bool> dropped) {
    spent_ |= left_.operations.size() > budget_;
    if (spent_) return false;
    Finders(left_.operations).close(dropped);
    Operations fewer;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      if (!dropped[i]) {
        fewer.push_back(left_.operations[i]);
      } else if (!may_go(left_.operations[i])) {
        return false;
      }
    }
    return !fewer.empty() && judge_again(std::move(fewer));
  }

  bool judge_again(Operations fewer) {
    budget_ -= std::min<std::uint64_t>(budget_, fewer.size());
    // A search that needs long may take another way with fewer operations: it is given up early.
    Finding finding = checker_.check_part(fewer, 100'000);
    if (finding.verdict != Verdict::kViolation || finding.anomaly != left_.finding.anomaly) return false;
    left_ = {std::move(fewer), std::move(finding)};
    return true;
  }

  // No key explains another one; only transactions link them.
  void keep_keys() {
    const std::set<std::uint64_t> named(left_.finding.operations.begin(), left_.finding.operations.end());
    std::set<std::string> keys;
    for (const Operation& o : left_.operations) {
      if (!named.contains(o.invoke.index)) continue;
      for (std::string& key : keys_of(o)) keys.insert(std::move(key));
    }
    Operations some;
    for (const Operation& o : left_.operations) {
      const auto of = keys_of(o);
      const bool scan = o.invoke.f == Function::kScan;
      if (scan || std::any_of(of.begin(), of.end(), [&](const std::string& key) { return keys.contains(key); })) {
        some.push_back(o);
      }
    }
    if (some.size() < left_.operations.size()) judge_again(std::move(some));
  }

  // Tries to leave out each piece of that length, the latest first.
  bool pass(std::size_t chunk, bool readers) {
    std::vector<std::uint64_t> pieces;  // by the index of their invocation
    for (const Operation& o : left_.operations) {
      if (!readers || only_reads(o)) pieces.push_back(o.invoke.index);
    }
    bool any = false;
    for (std::size_t end = pieces.size(); end > 0 && !spent_;) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      std::vector<bool> dropped(left_.operations.size(), false);
      bool some = false;
      for (std::size_t i = 0, p = begin; i < dropped.size(); ++i) {
        while (p < end && pieces[p] < left_.operations[i].invoke.index) ++p;
        dropped[i] = p < end && pieces[p] == left_.operations[i].invoke.index;
        some |= dropped[i];
      }
      any |= some && accept(std::move(dropped));
      end = begin;
    }
    return any;
  }

  const Checker& checker_;
  std::uint64_t budget_;
  bool spent_ = false;
  Shrunk left_;
};

}  // namespace

Shrunk shrink(const Checker& checker, const std::vector<Operation>& operations, const Finding& finding,
              std::uint64_t budget) {
  return Shrinker(checker, operations, finding, budget).run();
}

}  // namespace meridian::check
