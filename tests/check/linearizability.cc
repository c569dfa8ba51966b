#include "tests/check/linearizability.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

namespace meridian::check {

namespace {

constexpr int kAbsent = 0;
constexpr int kUnseen = 1;  // any value that nobody ever saw
constexpr int kFirstValue = 2;

struct RegisterOp {
  enum class Kind { kRead, kWrite, kCas, kFailedCas } kind = Kind::kRead;
  int before = 0;  // read: what was seen; cas: what was expected
  int after = 0;   // write, cas; a remove writes kAbsent
  std::uint64_t called = 0;
  std::uint64_t returned = Operation::kNever;
  const Operation* source = nullptr;
  // Of interchangeable operations without an end, the one called before this: it goes first.
  int twin = -1;

  bool endless() const { return returned == Operation::kNever; }
  bool reads_only() const { return kind == Kind::kRead || kind == Kind::kFailedCas; }
  bool allowed(int state) const {
    switch (kind) {
      case Kind::kRead:
      case Kind::kCas: return state == before;
      case Kind::kFailedCas: return state != before;
      case Kind::kWrite: return !endless() || state != after;
    }
    return false;
  }
};

struct KeyHistory {
  std::vector<RegisterOp> ops;
  std::map<std::string, int> numbers;
  int number(const Value& value) {
    if (!value) return kAbsent;
    return numbers.try_emplace(*value, kFirstValue + static_cast<int>(numbers.size())).first->second;
  }
  std::string name(int value) const {
    if (value == kAbsent) return "absent";
    for (const auto& [text, number] : numbers) {
      if (number == value) return text;
    }
    return "a value that nobody saw";
  }
  void add(RegisterOp::Kind kind, int before, int after, const Operation& source) {
    ops.push_back({kind, before, after, source.called, source.returned, &source});
  }
};

using Kind = RegisterOp::Kind;

void add_operation(const Operation& o, std::map<std::string, KeyHistory>& keys) {
  const bool failed = o.complete.type == EventType::kFail;
  switch (o.invoke.f) {
    case Function::kRead: {
      if (!o.ok() || !o.invoke.linearizable) return;
      KeyHistory& key = keys[o.invoke.key];
      return key.add(Kind::kRead, key.number(o.complete.value), 0, o);
    }
    case Function::kScan:
      if (!o.ok() || !o.invoke.linearizable) return;
      for (auto it = keys.lower_bound(o.invoke.key);
           it != keys.end() && (o.invoke.end.empty() || it->first < o.invoke.end); ++it) {
        const auto seen = o.complete.values.find(it->first);
        const Value value = seen == o.complete.values.end() ? std::nullopt : seen->second;
        it->second.add(Kind::kRead, it->second.number(value), 0, o);
      }
      return;
    case Function::kWrite:
    case Function::kRemove: {
      if (failed) return;
      KeyHistory& key = keys[o.invoke.key];
      return key.add(Kind::kWrite, 0, o.invoke.f == Function::kRemove ? kAbsent : key.number(o.invoke.value), o);
    }
    case Function::kCas: {
      if (failed && o.complete.error != "condition") return;
      KeyHistory& key = keys[o.invoke.key];
      return key.add(failed ? Kind::kFailedCas : Kind::kCas, key.number(o.invoke.expected), key.number(o.invoke.value),
                     o);
    }
    case Function::kBatch:
      if (failed) return;
      for (const auto& [name, value] : o.invoke.values) {
        KeyHistory& key = keys[name];
        key.add(Kind::kWrite, 0, key.number(value), o);
      }
      return;
    case Function::kVersions: return;
  }
}

// All keys are known before any scan is taken apart: a scan says of each key in its range what it held.
std::map<std::string, KeyHistory> partition(const std::vector<Operation>& operations) {
  std::map<std::string, KeyHistory> keys;
  for (const Operation& o : operations) {
    if (o.invoke.f != Function::kScan) {
      add_operation(o, keys);
      continue;
    }
    for (const auto& [key, value] : o.complete.values) keys[key];
  }
  for (const Operation& o : operations) {
    if (o.invoke.f == Function::kScan) add_operation(o, keys);
  }
  for (auto& [name, key] : keys) {
    std::sort(key.ops.begin(), key.ops.end(), [](const auto& a, const auto& b) { return a.called < b.called; });
  }
  return keys;
}

// Operations with an unknown outcome blow the search up, for they stay possible for ever. Three sound cuts:
//  - one whose value was seen took effect before the first who saw it returned;
//  - one whose value was seen by nobody may as well not have happened (unless a failed condition may have
//    met it: then all such values are alike);
//  - alike ones go in the order of their calls.
void bound_unknown(KeyHistory& key) {
  std::map<int, std::uint64_t> seen;  // value -> when the first who saw it returned
  std::map<int, int> writers;
  bool failed_conditions = false;
  for (const RegisterOp& op : key.ops) {
    failed_conditions |= op.kind == Kind::kFailedCas;
    if (op.kind == Kind::kRead || op.kind == Kind::kCas) {
      auto [it, inserted] = seen.try_emplace(op.before, op.returned);
      it->second = std::min(it->second, op.returned);
    }
    if (!op.reads_only()) ++writers[op.after];
  }
  std::vector<RegisterOp> kept;
  std::map<std::pair<int, int>, int> last_twin;
  for (RegisterOp op : key.ops) {
    if (op.endless() && op.after != kAbsent && writers[op.after] == 1) {
      const auto it = seen.find(op.after);
      if (it != seen.end()) {
        op.returned = std::max(it->second, op.called);
      } else if (!failed_conditions) {
        continue;
      } else {
        op.after = kUnseen;
      }
    }
    if (op.endless() && !op.reads_only()) {
      auto [it, inserted] = last_twin.try_emplace({op.kind == Kind::kCas ? op.before : -1, op.after}, -1);
      op.twin = std::exchange(it->second, static_cast<int>(kept.size()));
    }
    kept.push_back(op);
  }
  key.ops = std::move(kept);
}

class Search {
 public:
  Search(const std::string& name, const KeyHistory& key) : name_(name), key_(key), ops_(key.ops) { build(); }

  Finding run(std::uint64_t max_steps);

 private:
  // Calls and returns in the order of time, doubly linked; a linearized operation's two are taken out.
  struct Entry {
    int op;
    bool is_call;
    int previous, next;
  };
  struct Frame {
    int op;
    int state;    // before it
    bool forced;  // needs no alternative
  };
  struct Visited {
    std::uint64_t a, b;
    friend bool operator==(const Visited&, const Visited&) = default;
  };
  struct VisitedHash {
    std::size_t operator()(const Visited& v) const { return v.a; }
  };
  static constexpr int kEnd = -1;

  void build();
  void lift(int op);
  void unlift(int op);
  bool remember(int op, int state);
  void linearize(int op, bool forced);
  bool take_reads();
  // Takes the next possible operation at or after entry.
  bool advance(int entry);
  bool backtrack(int* entry);
  Finding explain() const;
  static std::uint64_t scramble(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }

  const std::string& name_;
  const KeyHistory& key_;
  const std::vector<RegisterOp>& ops_;
  std::vector<Entry> entries_;
  std::vector<int> call_, return_;  // by op: its entries
  int head_ = kEnd;
  int state_ = kAbsent;
  int mandatory_ = 0;  // not linearized, with an end
  std::vector<bool> done_;
  std::vector<Frame> stack_;
  // A set of linearized operations is known by the exclusive-or of random words.
  std::uint64_t set_a_ = 0, set_b_ = 0;
  std::unordered_set<Visited, VisitedHash> visited_;
  std::uint64_t steps_ = 0;
  std::vector<Frame> deepest_;
  int deepest_state_ = kAbsent;
  int blocker_ = -1;
};

void Search::build() {
  struct Point {
    std::uint64_t position;
    int op;
    bool is_call;
  };
  std::vector<Point> points;
  for (int i = 0; i < static_cast<int>(ops_.size()); ++i) {
    points.push_back({ops_[i].called, i, true});
    if (ops_[i].endless()) continue;
    points.push_back({ops_[i].returned, i, false});
    ++mandatory_;
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::tuple(a.position, !a.is_call, a.op) < std::tuple(b.position, !b.is_call, b.op);
  });
  call_.assign(ops_.size(), kEnd);
  return_.assign(ops_.size(), kEnd);
  done_.assign(ops_.size(), false);
  for (const Point& point : points) {
    const int index = static_cast<int>(entries_.size());
    entries_.push_back({point.op, point.is_call, index - 1, index + 1});
    (point.is_call ? call_ : return_)[point.op] = index;
  }
  if (entries_.empty()) return;
  entries_.back().next = kEnd;
  head_ = 0;
}

void Search::lift(int op) {
  for (const int e : {call_[op], return_[op]}) {
    if (e == kEnd) continue;
    const Entry& entry = entries_[e];
    if (entry.previous == kEnd) {
      head_ = entry.next;
    } else {
      entries_[entry.previous].next = entry.next;
    }
    if (entry.next != kEnd) entries_[entry.next].previous = entry.previous;
  }
}

void Search::unlift(int op) {
  for (const int e : {return_[op], call_[op]}) {
    if (e == kEnd) continue;
    const Entry& entry = entries_[e];
    if (entry.previous == kEnd) {
      head_ = e;
    } else {
      entries_[entry.previous].next = e;
    }
    if (entry.next != kEnd) entries_[entry.next].previous = e;
  }
}

bool Search::remember(int op, int state) {
  const auto word = static_cast<std::uint64_t>(op) * 2 + 1;
  const std::uint64_t a = set_a_ ^ scramble(word * 0x9e3779b97f4a7c15ull);
  const std::uint64_t b = set_b_ ^ scramble(word * 0xc2b2ae3d27d4eb4full);
  const auto s = static_cast<std::uint64_t>(state) + 1;
  return visited_.insert({a ^ scramble(s * 0x165667b19e3779f9ull), b ^ scramble(s * 0x27d4eb2f165667c5ull)}).second;
}

void Search::linearize(int op, bool forced) {
  const auto word = static_cast<std::uint64_t>(op) * 2 + 1;
  stack_.push_back({op, state_, forced});
  lift(op);
  done_[op] = true;
  set_a_ ^= scramble(word * 0x9e3779b97f4a7c15ull);
  set_b_ ^= scramble(word * 0xc2b2ae3d27d4eb4full);
  if (!ops_[op].endless()) --mandatory_;
  if (!ops_[op].reads_only()) state_ = ops_[op].after;
}

// A read that fits now can always be taken now: it changes nothing, and nothing has to precede it.
bool Search::take_reads() {
  for (int e = head_; e != kEnd && entries_[e].is_call; e = entries_[e].next) {
    const RegisterOp& op = ops_[entries_[e].op];
    if (!op.reads_only() || !op.allowed(state_)) continue;
    linearize(entries_[e].op, true);
    return true;
  }
  return false;
}

bool Search::advance(int entry) {
  for (int e = entry; e != kEnd && entries_[e].is_call; e = entries_[e].next) {
    const int op = entries_[e].op;
    if (ops_[op].reads_only() || !ops_[op].allowed(state_)) continue;
    if (ops_[op].twin >= 0 && !done_[ops_[op].twin]) continue;
    ++steps_;
    if (!remember(op, ops_[op].after)) continue;
    linearize(op, false);
    return true;
  }
  return false;
}

// Undoes the last choice; *entry is what comes after it. False: no choice is left.
bool Search::backtrack(int* entry) {
  if (stack_.size() > deepest_.size() || blocker_ < 0) {
    deepest_ = stack_;
    deepest_state_ = state_;
    int e = head_;
    while (e != kEnd && entries_[e].is_call) e = entries_[e].next;
    blocker_ = e == kEnd ? -1 : entries_[e].op;
  }
  while (!stack_.empty()) {
    const Frame frame = stack_.back();
    stack_.pop_back();
    const auto word = static_cast<std::uint64_t>(frame.op) * 2 + 1;
    unlift(frame.op);
    done_[frame.op] = false;
    set_a_ ^= scramble(word * 0x9e3779b97f4a7c15ull);
    set_b_ ^= scramble(word * 0xc2b2ae3d27d4eb4full);
    if (!ops_[frame.op].endless()) ++mandatory_;
    state_ = frame.state;
    if (frame.forced) continue;
    *entry = entries_[call_[frame.op]].next;
    return true;
  }
  return false;
}

Finding Search::run(std::uint64_t max_steps) {
  int entry = head_;
  bool fresh = true;  // this state is seen for the first time
  while (mandatory_ > 0) {
    if (fresh && take_reads()) continue;
    if (fresh) entry = head_;
    fresh = advance(entry);
    if (!fresh && !backtrack(&entry)) return explain();
    if (steps_ > max_steps) {
      return {Verdict::kTimeout,
              fmt::format("key {}: no verdict after {} steps over {} operations", name_, steps_, ops_.size())};
    }
  }
  return {};
}

Finding Search::explain() const {
  std::string text = fmt::format("key {} is not linearizable.\n", name_);
  const std::size_t shown = std::min<std::size_t>(deepest_.size(), 8);
  text += fmt::format("The longest order found has {} operations; its last {}:\n", deepest_.size(), shown);
  for (std::size_t i = deepest_.size() - shown; i < deepest_.size(); ++i) {
    text += "  " + describe(*ops_[deepest_[i].op].source) + '\n';
  }
  text += fmt::format("Then {} is {}, and nothing explains:\n", name_, key_.name(deepest_state_));
  if (blocker_ < 0) return {Verdict::kViolation, text};
  text += "  " + describe(*ops_[blocker_].source) + '\n';
  std::set<int> placed;
  for (const Frame& frame : deepest_) placed.insert(frame.op);
  text += "Not placed, and called before that returned:\n";
  for (int i = 0; i < static_cast<int>(ops_.size()); ++i) {
    if (i == blocker_ || placed.contains(i) || ops_[i].called > ops_[blocker_].returned) continue;
    text += "  " + describe(*ops_[i].source) + '\n';
  }
  return {Verdict::kViolation, text};
}

// The commonest violation has a better explanation than a failed search.
Finding check_origins(const std::string& name, const KeyHistory& key) {
  std::set<int> written = {kAbsent};
  for (const RegisterOp& op : key.ops) {
    if (!op.reads_only()) written.insert(op.after);
  }
  for (const RegisterOp& op : key.ops) {
    if (op.kind != Kind::kRead || written.contains(op.before)) continue;
    return {Verdict::kViolation, fmt::format("key {}: {} was read but never written, or only by what failed:\n  {}\n",
                                             name, key.name(op.before), describe(*op.source))};
  }
  return {};
}

}  // namespace

Finding check_linearizable(const std::vector<Operation>& operations, std::uint64_t max_steps) {
  auto keys = partition(operations);
  for (auto& [name, key] : keys) {
    if (Finding finding = check_origins(name, key); !finding.ok()) return finding;
    bound_unknown(key);
    if (Finding finding = Search(name, key).run(max_steps); !finding.ok()) return finding;
  }
  return {};
}

}  // namespace meridian::check
