#include "tests/checkers/linearizability.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace meridian::check {

namespace {

constexpr int kAbsent = 0;
constexpr int kUnseen = 1;  // any value that nobody ever saw
constexpr int kFirstValue = 2;
constexpr int kLanes = 4;  // counters of 16 bits in one word

struct RegisterOp {
  enum class Kind { kRead, kWrite, kCas, kFailedCas } kind = Kind::kRead;
  int before = 0;  // read: what was seen; cas: what was expected
  int after = 0;   // write, cas; a remove writes kAbsent
  std::uint64_t called = 0;
  std::uint64_t returned = Operation::kNever;
  const Operation* source = nullptr;
  // Of interchangeable operations without an end, the one called before this: it goes first.
  int twin = -1;
  // How the memory of visited states tells whether this one was taken: as a member of the set, by counting
  // its class, or not at all, for it can never be taken again.
  static constexpr int kMember = -1, kForgotten = -2;
  int lane = kMember;

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
  std::map<int, int> writers;  // of each value, how many
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
    default: return;  // no register
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
//    met it); and all such values are alike. That a condition that failed expected just that one is then
//    overlooked: leaving the operation out explains the failure as well.
//  - alike ones go in the order of their calls.
void bound_unknown(KeyHistory& key) {
  std::map<int, std::uint64_t> seen;  // value -> when the first who saw it returned
  std::map<int, int>& writers = key.writers;
  std::set<int> refused;  // what conditions expected in vain
  for (const RegisterOp& op : key.ops) {
    if (op.kind == Kind::kFailedCas) refused.insert(op.before);
    if (op.kind == Kind::kRead || op.kind == Kind::kCas) {
      auto [it, inserted] = seen.try_emplace(op.before, op.returned);
      it->second = std::min(it->second, op.returned);
    }
    if (!op.reads_only()) ++writers[op.after];
  }
  std::vector<RegisterOp> kept;
  std::map<std::pair<int, int>, int> last_twin;
  std::map<std::pair<int, int>, int> lanes;
  for (RegisterOp op : key.ops) {
    if (!op.reads_only() && op.after != kAbsent && writers[op.after] == 1) {
      const auto it = seen.find(op.after);
      if (it == seen.end()) {
        if (op.endless() && refused.empty()) continue;
        if (op.endless() || !refused.contains(op.after)) op.after = kUnseen;
      } else if (op.endless()) {
        op.returned = std::max(it->second, op.called);
      }
    }
    if (op.endless() && !op.reads_only()) {
      const std::pair kind(op.kind == Kind::kCas ? op.before : -1, op.after);
      op.twin = std::exchange(last_twin.try_emplace(kind, -1).first->second, static_cast<int>(kept.size()));
      // Once the one value that it expects is gone it does not come back.
      const bool once = op.kind == Kind::kCas && op.before >= kFirstValue && writers[op.before] <= 1;
      const int lane =
          once ? RegisterOp::kForgotten : lanes.try_emplace(kind, static_cast<int>(lanes.size())).first->second;
      op.lane = lane < kLanes ? lane : RegisterOp::kMember;
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
  // Where to go on looking for the next operation: those without an end come last, for they can wait.
  struct Cursor {
    bool endless;
    int entry;
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
  bool remember(int op);
  void count(int op, bool taken);
  void count_mandatory(int op, int change);
  bool take(int entry, bool endless);
  bool still_awaited(int op) const;
  void linearize(int op, bool forced);
  bool take_reads();
  // Takes the next possible operation at or after the cursor.
  bool advance(Cursor cursor);
  bool backtrack(Cursor* cursor);
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
  int mandatory_ = 0;         // not linearized, with an end
  std::vector<int> awaited_;  // of those, how many must find this value
  std::vector<bool> done_;
  std::vector<Frame> stack_;
  // A set of linearized operations is known by the exclusive-or of random words.
  std::uint64_t set_a_ = 0, set_b_ = 0;
  std::uint64_t counts_ = 0;  // by lane
  // With the counts at which it was visited, none of which is at most another one in every lane.
  std::unordered_map<Visited, std::vector<std::uint64_t>, VisitedHash> visited_;
  std::uint64_t steps_ = 0;
  std::vector<Frame> deepest_;
  int deepest_state_ = kAbsent;
  int blocker_ = -1;
};

void Search::build() {
  awaited_.assign(key_.numbers.size() + kFirstValue, 0);
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
    count_mandatory(i, 1);
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

// Fewer operations used up leave more for later: a state is worth a visit only if it was not visited with as few.
bool at_most(std::uint64_t a, std::uint64_t b) {
  for (int shift = 0; shift < 64; shift += 16) {
    if ((a >> shift & 0xffff) > (b >> shift & 0xffff)) return false;
  }
  return true;
}

void Search::count_mandatory(int op, int change) {
  if (ops_[op].endless()) return;
  mandatory_ += change;
  const bool finds = ops_[op].kind == Kind::kRead || ops_[op].kind == Kind::kCas;
  if (finds) awaited_[static_cast<std::size_t>(ops_[op].before)] += change;
}

// A value with one writer that is gone does not come back, so whoever must find it goes first.
bool Search::still_awaited(int op) const {
  if (state_ < kFirstValue) return false;
  const auto writers = key_.writers.find(state_);
  if (writers != key_.writers.end() && writers->second > 1) return false;
  return awaited_[static_cast<std::size_t>(state_)] > (ops_[op].kind == Kind::kCas && !ops_[op].endless() ? 1 : 0);
}

void Search::count(int op, bool taken) {
  if (ops_[op].lane >= 0) {
    const std::uint64_t one = 1ull << (16 * ops_[op].lane);
    counts_ = taken ? counts_ + one : counts_ - one;
  } else if (ops_[op].lane == RegisterOp::kMember) {
    const auto word = static_cast<std::uint64_t>(op) * 2 + 1;
    set_a_ ^= scramble(word * 0x9e3779b97f4a7c15ull);
    set_b_ ^= scramble(word * 0xc2b2ae3d27d4eb4full);
  }
}

// Whether the state after op is new.
bool Search::remember(int op) {
  count(op, true);
  const auto s = static_cast<std::uint64_t>(ops_[op].after) + 1;
  auto& seen = visited_[{set_a_ ^ scramble(s * 0x165667b19e3779f9ull), set_b_ ^ scramble(s * 0x27d4eb2f165667c5ull)}];
  const std::uint64_t counts = counts_;
  count(op, false);
  for (const std::uint64_t other : seen) {
    if (at_most(other, counts)) return false;
  }
  std::erase_if(seen, [&](std::uint64_t other) { return at_most(counts, other); });
  seen.push_back(counts);
  return true;
}

void Search::linearize(int op, bool forced) {
  stack_.push_back({op, state_, forced});
  lift(op);
  done_[op] = true;
  count(op, true);
  count_mandatory(op, -1);
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

bool Search::take(int entry, bool endless) {
  for (int e = entry; e != kEnd && entries_[e].is_call; e = entries_[e].next) {
    const int op = entries_[e].op;
    if (ops_[op].reads_only() || ops_[op].endless() != endless || !ops_[op].allowed(state_)) continue;
    if (ops_[op].twin >= 0 && !done_[ops_[op].twin]) continue;
    if (still_awaited(op)) continue;
    ++steps_;
    if (!remember(op)) continue;
    linearize(op, false);
    return true;
  }
  return false;
}

bool Search::advance(Cursor cursor) {
  if (!cursor.endless) {
    if (take(cursor.entry, false)) return true;
    cursor = {true, head_};
  }
  return take(cursor.entry, true);
}

// Undoes the last choice; *cursor is what comes after it. False: no choice is left.
bool Search::backtrack(Cursor* cursor) {
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
    unlift(frame.op);
    done_[frame.op] = false;
    count(frame.op, false);
    count_mandatory(frame.op, 1);
    state_ = frame.state;
    if (frame.forced) continue;
    *cursor = {ops_[frame.op].endless(), entries_[call_[frame.op]].next};
    return true;
  }
  return false;
}

Finding Search::run(std::uint64_t max_steps) {
  Cursor cursor{false, head_};
  bool fresh = true;  // this state is seen for the first time
  while (mandatory_ > 0) {
    if (fresh && take_reads()) continue;
    if (fresh) cursor = {false, head_};
    fresh = advance(cursor);
    if (!fresh && !backtrack(&cursor)) return explain();
    if (steps_ > max_steps) {
      return no_verdict(
          fmt::format("key {}: no verdict after {} steps over {} operations", name_, steps_, ops_.size()));
    }
  }
  return {};
}

Finding Search::explain() const {
  Finding finding{Verdict::kViolation, "not-linearizable", fmt::format("key {} is not linearizable.\n", name_)};
  std::string& text = finding.explanation;
  const auto show = [&](int op) {
    text += "  " + describe(*ops_[op].source) + '\n';
    finding.operations.push_back(ops_[op].source->invoke.index);
  };
  const std::size_t shown = std::min<std::size_t>(deepest_.size(), 8);
  text += fmt::format("The longest order found has {} operations; its last {}:\n", deepest_.size(), shown);
  for (std::size_t i = deepest_.size() - shown; i < deepest_.size(); ++i) show(deepest_[i].op);
  text += fmt::format("Then {} is {}, and nothing explains:\n", name_, key_.name(deepest_state_));
  if (blocker_ < 0) return finding;
  show(blocker_);
  std::set<int> placed;
  for (const Frame& frame : deepest_) placed.insert(frame.op);
  std::vector<int> others, finders;
  for (int i = 0; i < static_cast<int>(ops_.size()); ++i) {
    if (placed.contains(i)) continue;
    if (i != blocker_ && ops_[i].called <= ops_[blocker_].returned) others.push_back(i);
    const bool finds = ops_[i].kind == Kind::kRead || ops_[i].kind == Kind::kCas;
    if (finds && deepest_state_ >= kFirstValue && ops_[i].before == deepest_state_) finders.push_back(i);
  }
  if (!others.empty()) text += "Not placed, and called before that returned:\n";
  for (const int op : others) show(op);
  if (!finders.empty()) text += fmt::format("Not placed, and must find {}:\n", key_.name(deepest_state_));
  for (const int op : finders) show(op);
  return finding;
}

// The commonest violation has a better explanation than a failed search.
Finding check_origins(const std::string& name, const KeyHistory& key) {
  std::set<int> written = {kAbsent};
  for (const RegisterOp& op : key.ops) {
    if (!op.reads_only()) written.insert(op.after);
  }
  for (const RegisterOp& op : key.ops) {
    const bool found = op.kind == Kind::kRead || (op.kind == Kind::kCas && !op.endless());
    if (!found || written.contains(op.before)) continue;
    return violation(
        "phantom-value",
        fmt::format("key {}: {} was found but never written, or only by what failed:", name, key.name(op.before)),
        {op.source});
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
