#include "tests/checkers/shrink.h"

#include <algorithm>
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

// What operations found of registers, and so needs an explanation.
class Found {
 public:
  explicit Found(const Operations& operations) {
    for (const Operation& o : operations) add(o);
  }
  // Whether all of it is explained as well without this mutation.
  bool without(const Operation& o) const {
    switch (o.invoke.f) {
      case Function::kWrite:
      case Function::kCas:
      case Function::kRemove: return without(o.invoke.key, o.invoke.value);
      case Function::kBatch:
        return std::all_of(o.invoke.values.begin(), o.invoke.values.end(),
                           [&](const auto& entry) { return without(entry.first, entry.second); });
      default: return true;
    }
  }

 private:
  void add(const Operation& o) {
    const bool refused = o.complete.type == EventType::kFail && o.complete.error == "condition";
    if (o.invoke.f == Function::kCas && refused) refused_.insert(o.invoke.key);
    // One whose outcome is unknown has found its value if its own was found.
    if (o.invoke.f == Function::kCas && o.complete.type != EventType::kFail) {
      values_.emplace(o.invoke.key, o.invoke.expected);
    }
    if (!o.ok()) return;
    if (o.invoke.f == Function::kRead) values_.emplace(o.invoke.key, o.complete.value);
    if (o.invoke.f != Function::kScan) return;
    scanned_ = true;
    for (const auto& [key, value] : o.complete.values) values_.emplace(key, value);
  }
  bool without(const std::string& key, const Value& value) const {
    if (refused_.contains(key) || values_.contains({key, value})) return false;
    return value || !scanned_;  // a scan finds nothing of most keys
  }

  std::set<std::pair<std::string, Value>> values_;
  std::set<std::string> refused_;  // keys of conditions that failed
  bool scanned_ = false;
};

class Shrinker {
 public:
  Shrinker(const Checker& checker, const Operations& operations, const Finding& finding, std::uint64_t budget)
      : checker_(checker), budget_(budget), left_{operations, finding} {}

  Shrunk run() {
    if (left_.finding.anomaly.starts_with("phantom")) return named();
    keep_keys();
    for (std::size_t chunk = std::max<std::size_t>(left_.operations.size() / 2, 1);; chunk /= 2) {
      bool dropped = true;
      while (dropped && !spent_) dropped = pass(chunk);
      if (chunk == 1 || spent_) return std::move(left_);
    }
  }

 private:
  // It is from nowhere: all that others did is beside the point.
  Shrunk named() {
    const std::set<std::uint64_t> names(left_.finding.operations.begin(), left_.finding.operations.end());
    std::erase_if(left_.operations, [&](const Operation& o) { return !names.contains(o.invoke.index); });
    return std::move(left_);
  }

  bool may_go(const Operation& o, const Found& found) const {
    const std::string& anomaly = left_.finding.anomaly;
    if (o.invoke.f == Function::kIncrement) {
      return anomaly != "repeated-increment" && (o.invoke.number >= 0 || anomaly != "lost-increment");
    }
    return found.without(o);
  }

  // `fewer` are those of left_ but for the ones in [begin, end).
  bool accept(Operations fewer, std::size_t begin, std::size_t end) {
    spent_ |= fewer.size() > budget_;
    if (spent_ || fewer.empty()) return false;
    const Found found(fewer);
    for (std::size_t i = begin; i < end; ++i) {
      if (!may_go(left_.operations[i], found)) return false;
    }
    return judge_again(std::move(fewer));
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

  // Tries to leave out each piece of that length; the latest first, so that readers go before writers.
  bool pass(std::size_t chunk) {
    bool dropped = false;
    for (std::size_t end = left_.operations.size(); end > 0 && !spent_;) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      const auto at = [&](std::size_t i) { return left_.operations.begin() + static_cast<std::ptrdiff_t>(i); };
      Operations fewer(left_.operations.begin(), at(begin));
      fewer.insert(fewer.end(), at(end), left_.operations.end());
      dropped |= accept(std::move(fewer), begin, end);
      end = begin;
    }
    return dropped;
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
