#include "tests/checkers/serializability.h"

#include <map>
#include <string_view>

#include <fmt/format.h>

#include "tests/checkers/lists.h"
#include "tests/checkers/precedence.h"

namespace meridian::check {

namespace {

constexpr EdgeKinds kWw = bit(EdgeKind::kWw) | bit(EdgeKind::kOther);
constexpr EdgeKinds kWrites = kWw | bit(EdgeKind::kWr);
constexpr EdgeKinds kAll = kWrites | bit(EdgeKind::kRw);
constexpr EdgeKinds kProcess = bit(EdgeKind::kProcess);

struct Class {
  std::string_view name;
  EdgeKind pivot;  // one edge of the cycle is of this kind
  EdgeKinds rest;  // the others of these
};
constexpr Class kClasses[] = {
    {"G0", EdgeKind::kWw, kWw},
    {"G1c", EdgeKind::kWr, kWrites},
    {"G-single", EdgeKind::kRw, kWrites},
    {"G2-item", EdgeKind::kRw, kAll},
};

struct Level {
  std::string_view suffix;
  EdgeKinds added;
};
constexpr Level kLevels[] = {{"", 0}, {"-process", kProcess}, {"-realtime", kProcess | bit(EdgeKind::kRealtime)}};

bool knows_time(EdgeKind kind) { return kind == EdgeKind::kProcess || kind == EdgeKind::kRealtime; }

class SerializabilityChecker {
 public:
  SerializabilityChecker(const std::vector<Operation>& operations, const SerializabilityOptions& options)
      : options_(options), lists_(operations, options.part), graph_(lists_.nodes()) {}

  Finding run() {
    if (Finding f = lists_.check_reads(); !f.ok()) return f;
    lists_.add_dependencies(&graph_);
    if (options_.strict) add_time();
    graph_.freeze();
    for (const Level& level : kLevels) {
      if (level.added != 0 && !options_.strict) break;
      for (const Class& c : kClasses) {
        bool spent = false;
        const auto cycle = graph_.find_cycle(c.pivot, c.rest | level.added, options_.budget, &spent);
        if (cycle) return explain(fmt::format("{}{}", c.name, level.suffix), *cycle);
        // Without a cycle the search ends at once, so one exists; of a worse class if this was the last.
        if (spent && c.rest == kAll) return no_verdict("a cycle exists, but its search took too long");
      }
      // A lost append would show as a cycle in real time; this says more.
      if (level.added == kProcess) {
        if (Finding f = lists_.check_lost(); !f.ok()) return f;
      }
    }
    return {};
  }

 private:
  void add_time();
  Finding explain(std::string anomaly, const std::vector<Edge>& cycle) const;
  Reason reason(const Edge& first, const Edge* second, int to) const;
  std::string name(int node) const { return fmt::format("T{}", lists_.transactions()[node]->invoke.index); }

  const SerializabilityOptions options_;
  ListHistory lists_;
  PrecedenceGraph graph_;
};

void SerializabilityChecker::add_time() {
  const auto& transactions = lists_.transactions();
  std::vector<int> nodes(transactions.size());
  std::vector<bool> may_be_early(transactions.size());
  std::map<std::pair<bool, std::uint64_t>, int> last;  // of each process and each session
  for (int i = 0; i < static_cast<int>(transactions.size()); ++i) {
    const Operation& o = *transactions[i];
    nodes[i] = i;
    may_be_early[i] = !o.invoke.linearizable;
    const auto follow = [&](bool session, std::uint64_t number) {
      const auto [it, first] = last.try_emplace({session, number}, i);
      if (first) return;
      const Operation& before = *transactions[it->second];
      if (before.returned < o.called) graph_.add({it->second, i, EdgeKind::kProcess});
      if (o.returned != Operation::kNever) it->second = i;
    };
    // Answers of any replica may go back in time, unless a session promises that they do not.
    if (o.invoke.linearizable) follow(false, o.invoke.process);
    if (o.invoke.session != 0) follow(true, o.invoke.session);
  }
  add_realtime(transactions, nodes, may_be_early, &graph_);
}

Reason SerializabilityChecker::reason(const Edge& first, const Edge* second, int to) const {
  const Operation& before = *lists_.transactions()[first.from];
  const Operation& after = *lists_.transactions()[to];
  Reason r{before.invoke.index, after.invoke.index, "", ""};
  switch (first.kind) {
    case EdgeKind::kProcess:
      r.kind = "process";
      r.why = before.invoke.process == after.invoke.process
                  ? fmt::format("process {} called {} after {}", after.invoke.process, name(to), name(first.from))
                  : fmt::format("session {} called {} after {}", after.invoke.session, name(to), name(first.from));
      return r;
    case EdgeKind::kRealtime:
      r.kind = "realtime";
      r.why = fmt::format("{} had returned before {} was called", name(first.from), name(to));
      return r;
    case EdgeKind::kWw: r.kind = "ww"; break;
    case EdgeKind::kWr: r.kind = "wr"; break;
    default: r.kind = "rw";
  }
  r.why = lists_.why(first, second, name(first.from), name(to));
  return r;
}

Finding SerializabilityChecker::explain(std::string anomaly, const std::vector<Edge>& cycle) const {
  // Begins where no two edges that are told as one are taken apart.
  const int count = static_cast<int>(lists_.transactions().size());
  const auto joins = [&](const Edge& a, const Edge& b) {
    return a.to >= count || (knows_time(a.kind) && knows_time(b.kind) && a.kind == b.kind);
  };
  std::size_t start = 0;
  while (start + 1 < cycle.size() && joins(cycle[(start + cycle.size() - 1) % cycle.size()], cycle[start])) ++start;
  std::vector<Reason> reasons;
  std::vector<const Operation*> operations;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const Edge& first = cycle[(start + i) % cycle.size()];
    const Edge* second = nullptr;
    while (i + 1 < cycle.size() && joins(second != nullptr ? *second : first, cycle[(start + i + 1) % cycle.size()])) {
      second = &cycle[(start + ++i) % cycle.size()];
    }
    operations.push_back(lists_.transactions()[first.from]);
    reasons.push_back(reason(first, second, second != nullptr ? second->to : first.to));
  }
  Finding finding =
      violation(anomaly, fmt::format("{}: these transactions precede each other in a circle:", anomaly), operations);
  for (const Reason& r : reasons) {
    finding.explanation += fmt::format("  T{} before T{} ({}): {}\n", r.from, r.to, r.kind, r.why);
  }
  finding.cycle = std::move(reasons);
  return finding;
}

}  // namespace

Finding check_serializable(const std::vector<Operation>& operations, const SerializabilityOptions& options) {
  return SerializabilityChecker(operations, options).run();
}

}  // namespace meridian::check
