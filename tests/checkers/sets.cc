#include "tests/checkers/sets.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "tests/checkers/precedence.h"

namespace meridian::check {

namespace {

struct Add {
  const std::string* element;
  const Operation* source;
  std::uint64_t known;  // since when every read must show it
  const Operation* witness;
};

struct Read {
  const Operation* source;
  std::vector<int> ids;  // sorted
};

class SetChecker {
 public:
  explicit SetChecker(const std::string& name) : name_(name) {}

  void add(const Operation& o) {
    const auto [it, inserted] = ids_.try_emplace(*o.invoke.value, static_cast<int>(adds_.size()));
    if (inserted) {
      adds_.push_back({&*o.invoke.value, &o, o.ok() ? o.returned : Operation::kNever, &o});
    } else if (repeated_.ok()) {
      repeated_ = violation("duplicate-adds", fmt::format("{} is added to {} twice:", *o.invoke.value, name_),
                            {adds_[it->second].source, &o});
    }
  }
  // After all adds.
  Finding read(const Operation& o);
  Finding finish();

 private:
  Finding check_missing() const;
  Finding check_chain();
  Finding check_cycle() const;

  const std::string& name_;
  std::unordered_map<std::string, int> ids_;
  std::vector<Add> adds_;
  std::vector<Read> reads_;  // linearizable
  Finding repeated_;
};

Finding SetChecker::read(const Operation& o) {
  if (!repeated_.ok()) return repeated_;
  std::vector<int> ids;
  for (const std::string& element : o.complete.elements) {
    const auto it = ids_.find(element);
    if (it == ids_.end()) {
      return violation("phantom-element", fmt::format("{} was read in {}, but never added:", element, name_), {&o});
    }
    const Operation& add = *adds_[it->second].source;
    if (add.complete.type == EventType::kFail || add.called > o.returned) {
      return violation("phantom-element",
                       fmt::format("{} was read in {}, but its add {}:", element, name_,
                                   add.called > o.returned ? "was called later" : "failed"),
                       {&add, &o});
    }
    ids.push_back(it->second);
  }
  std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  if (twice != ids.end()) {
    return violation("duplicate-elements", fmt::format("{} is twice in {}:", *adds_[*twice].element, name_), {&o});
  }
  if (o.invoke.linearizable) reads_.push_back({&o, std::move(ids)});
  return {};
}

Finding SetChecker::finish() {
  if (!repeated_.ok()) return repeated_;
  for (const Read& read : reads_) {
    for (const int id : read.ids) {
      if (read.source->returned >= adds_[id].known) continue;
      adds_[id].known = read.source->returned;
      adds_[id].witness = read.source;
    }
  }
  if (Finding f = check_missing(); !f.ok()) return f;
  if (Finding f = check_chain(); !f.ok()) return f;
  return check_cycle();
}

Finding SetChecker::check_missing() const {
  for (const Read& read : reads_) {
    for (int id = 0; id < static_cast<int>(adds_.size()); ++id) {
      const Add& add = adds_[id];
      if (add.known >= read.source->called || std::binary_search(read.ids.begin(), read.ids.end(), id)) continue;
      const bool again = std::any_of(reads_.begin(), reads_.end(), [&](const Read& later) {
        return later.source->called > read.source->called && std::binary_search(later.ids.begin(), later.ids.end(), id);
      });
      std::vector<const Operation*> shown = {add.source};
      if (add.witness != add.source) shown.push_back(add.witness);
      shown.push_back(read.source);
      return violation(again ? "stale-element" : "lost-element",
                       fmt::format("{} was {} {}, and a later read misses it{}:", *add.element,
                                   add.witness == add.source ? "added to" : "read in", name_,
                                   again ? "" : "; it is never read again"),
                       shown);
    }
  }
  return {};
}

// Of any two states of a set that grows, one contains the other.
Finding SetChecker::check_chain() {
  std::sort(reads_.begin(), reads_.end(), [](const Read& a, const Read& b) {
    return std::pair(a.ids.size(), a.source->called) < std::pair(b.ids.size(), b.source->called);
  });
  for (std::size_t i = 0; i + 1 < reads_.size(); ++i) {
    const std::vector<int>&small = reads_[i].ids, &large = reads_[i + 1].ids;
    if (std::includes(large.begin(), large.end(), small.begin(), small.end())) continue;
    return violation("incomparable-reads",
                     fmt::format("of {} two states were read, neither of which contains the other:", name_),
                     {reads_[i].source, reads_[i + 1].source});
  }
  return {};
}

// Reads of one state come after the adds that they saw, and before all others. Before and after each state stands a
// node through which these edges go, so that there are few.
Finding SetChecker::check_cycle() const {
  std::vector<const Operation*> operations;
  std::vector<int> nodes;
  for (const Read& read : reads_) operations.push_back(read.source);
  for (const Add& add : adds_) operations.push_back(add.source);
  for (int i = 0; i < static_cast<int>(operations.size()); ++i) nodes.push_back(i);
  PrecedenceGraph graph(static_cast<int>(operations.size() + 2 * reads_.size()));
  const auto before = [&](int state) { return static_cast<int>(operations.size()) + 2 * state; };
  const auto after = [&](int state) { return before(state) + 1; };
  std::vector<int> first(adds_.size(), -1);  // by add: the first state that has it
  int state = -1;
  for (int r = 0; r < static_cast<int>(reads_.size()); ++r) {
    if (r == 0 || reads_[r].ids.size() != reads_[r - 1].ids.size()) {
      if (++state > 0) graph.add({after(state - 1), before(state)});
      for (const int id : reads_[r].ids) first[id] = first[id] < 0 ? state : first[id];
    }
    graph.add({before(state), r, EdgeKind::kWr});
    graph.add({r, after(state), EdgeKind::kRw});
  }
  for (std::size_t a = 0; a < adds_.size(); ++a) {
    const int node = static_cast<int>(reads_.size() + a);
    if (first[a] >= 0) graph.add({node, before(first[a]), EdgeKind::kWr});
    const int lacking = first[a] >= 0 ? first[a] - 1 : state;
    if (lacking >= 0) graph.add({after(lacking), node});
    if (first[a] < 0 && !adds_[a].source->ok()) nodes[node] = -1;  // it may never have happened
  }
  add_realtime(operations, nodes, std::vector<bool>(operations.size(), false), &graph);
  graph.freeze();
  constexpr EdgeKinds kAny = bit(EdgeKind::kWr) | bit(EdgeKind::kRw) | bit(EdgeKind::kRealtime) | bit(EdgeKind::kOther);
  bool spent = false;
  const auto cycle = graph.find_cycle(EdgeKind::kRw, kAny, 1'000'000, &spent);
  if (!cycle) return spent ? no_verdict("a cycle exists, but its search took too long") : Finding{};
  std::vector<const Operation*> shown;
  for (const Edge& edge : *cycle) {
    if (edge.from < static_cast<int>(operations.size())) shown.push_back(operations[edge.from]);
  }
  return violation("set-cycle", fmt::format("no order of these operations on {} explains what was read:", name_),
                   shown);
}

}  // namespace

Finding check_sets(const std::vector<Operation>& operations) {
  std::map<std::string, SetChecker> sets;
  for (const Operation& o : operations) {
    if (o.invoke.f != Function::kAdd && o.invoke.f != Function::kReadSet) continue;
    const auto it = sets.find(o.invoke.key);
    SetChecker& set = it != sets.end() ? it->second : sets.try_emplace(o.invoke.key, o.invoke.key).first->second;
    if (o.invoke.f == Function::kAdd) set.add(o);
  }
  for (const Operation& o : operations) {
    if (o.invoke.f != Function::kReadSet || !o.ok()) continue;
    if (Finding f = sets.at(o.invoke.key).read(o); !f.ok()) return f;
  }
  for (auto& [name, set] : sets) {
    if (Finding f = set.finish(); !f.ok()) return f;
  }
  return {};
}

}  // namespace meridian::check
