#include "tests/checkers/lists.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace meridian::check {

namespace {

bool begins_with(const std::vector<std::string>& list, const std::vector<std::string>& beginning) {
  return beginning.size() <= list.size() && std::equal(beginning.begin(), beginning.end(), list.begin());
}

std::string shown(const std::vector<std::string>& list) { return fmt::format("[{}]", fmt::join(list, " ")); }

}  // namespace

ListHistory::ListHistory(const std::vector<Operation>& operations, bool part) : part_(part) {
  for (const Operation& o : operations) {
    if (o.invoke.f != Function::kTxn) continue;
    const bool failed = o.complete.type == EventType::kFail;
    const int node = failed ? -1 : static_cast<int>(transactions_.size());
    if (!failed) transactions_.push_back(&o);
    if (o.ok()) committed_.push_back(&o);
    for (auto op = o.invoke.ops.rbegin(); op != o.invoke.ops.rend(); ++op) {
      Key& key = keys_[op->key];
      if (!op->append) continue;
      const bool last = std::none_of(o.invoke.ops.rbegin(), op,
                                     [&](const MicroOp& later) { return later.append && later.key == op->key; });
      const auto [it, inserted] = key.appends.try_emplace(op->element, Append{&o, node, last});
      if (!inserted && malformed_.ok()) {
        malformed_ = violation("duplicate-appends", fmt::format("{} is appended to {} twice:", op->element, op->key),
                               {it->second.source, &o});
      }
    }
  }
  int number = 0;
  for (auto& [name, key] : keys_) key.number = number++;
  each_read([&](const Operation& o, std::size_t, const MicroOp& op) {
    Key& key = keys_[op.key];
    if (key.longest != nullptr && key.longest->size() >= op.list->size()) return;
    key.longest = &*op.list;
    key.reader = &o;
  });
  for (auto& [name, key] : keys_) {
    for (std::size_t i = 0; key.longest != nullptr && i < key.longest->size(); ++i) {
      const auto it = key.appends.find((*key.longest)[i]);
      if (it != key.appends.end()) it->second.position = i + 1;
    }
    for (const auto& [element, append] : key.appends) {
      const bool unseen = append.position == 0 && append.source->ok();
      if (unseen) key.unseen.emplace_back(append.node, &element);
    }
    std::sort(key.unseen.begin(), key.unseen.end());
  }
}

template <class Each>
void ListHistory::each_read(Each each) const {
  for (const Operation* o : committed_) {
    for (std::size_t i = 0; i < o->complete.ops.size(); ++i) {
      if (!o->complete.ops[i].append && o->complete.ops[i].list) each(*o, i, o->complete.ops[i]);
    }
  }
}

Finding ListHistory::check_reads() const {
  if (!malformed_.ok()) return malformed_;
  for (const Operation* o : committed_) {
    if (Finding f = check_internal(*o); !f.ok()) return f;
  }
  // By what is worse, and within that by who came first.
  std::map<std::string, Finding> found;
  each_read([&](const Operation& o, std::size_t, const MicroOp& op) {
    Finding f = check_read(o, op);
    if (!f.ok()) found.try_emplace(f.anomaly, std::move(f));
  });
  for (const char* anomaly : {"duplicate-elements", "phantom-element", "G1a", "G1b", "incompatible-order"}) {
    const auto it = found.find(anomaly);
    if (it != found.end()) return it->second;
  }
  return {};
}

// What a transaction read must fit with what it had read and appended before.
Finding ListHistory::check_internal(const Operation& o) const {
  struct State {
    bool whole = false;  // else only the end of the list is known
    List list;
  };
  std::map<std::string_view, State> states;
  for (const MicroOp& op : o.complete.ops) {
    State& state = states[op.key];
    if (op.append) {
      state.list.push_back(op.element);
      continue;
    }
    if (!op.list) continue;
    const List& seen = *op.list;
    const bool fits = state.whole ? seen == state.list
                                  : seen.size() >= state.list.size() &&
                                        std::equal(state.list.rbegin(), state.list.rend(), seen.rbegin());
    if (!fits) {
      return violation("internal",
                       fmt::format("a transaction read {} = {}, but its own steps had made it [{}{}]:", op.key,
                                   shown(seen), state.whole ? "" : "... ", fmt::join(state.list, " ")),
                       {&o});
    }
    for (const MicroOp& own : o.complete.ops) {
      const bool early = own.append && own.key == op.key &&
                         std::find(state.list.begin(), state.list.end(), own.element) == state.list.end() &&
                         std::find(seen.begin(), seen.end(), own.element) != seen.end();
      if (!early) continue;
      return violation("internal",
                       fmt::format("a transaction read {} in {} before it appended it:", own.element, op.key), {&o});
    }
    state = {true, seen};
  }
  return {};
}

Finding ListHistory::check_read(const Operation& o, const MicroOp& op) const {
  const Key& key = keys_.at(op.key);
  const List& list = *op.list;
  const bool prefix = begins_with(*key.longest, list);
  // Of the beginnings of a list only the whole needs a look at each element.
  if (!prefix || key.reader == &o) {
    std::set<std::string_view> seen;
    for (const std::string& element : list) {
      if (!seen.insert(element).second) {
        return violation("duplicate-elements", fmt::format("{} is twice in {} = {}:", element, op.key, shown(list)),
                         {&o});
      }
    }
    for (const std::string& element : list) {
      const auto it = key.appends.find(element);
      if (it == key.appends.end()) {
        if (part_) continue;
        return violation("phantom-element", fmt::format("{} was read in {}, but nobody appended it:", element, op.key),
                         {&o});
      }
      if (it->second.node < 0) {
        return violation(
            "G1a", fmt::format("{} was read in {}, but the transaction that appended it was aborted:", element, op.key),
            {it->second.source, &o});
      }
    }
  }
  if (!list.empty()) {
    const auto it = key.appends.find(list.back());
    if (it != key.appends.end() && !it->second.last && it->second.source != &o) {
      return violation("G1b",
                       fmt::format("{} = {} was read, a state in the middle of a transaction that appended more:",
                                   op.key, shown(list)),
                       {it->second.source, &o});
    }
  }
  if (prefix) return {};
  return violation("incompatible-order",
                   fmt::format("of {} the states {} and {} were read; no order of appends has both:", op.key,
                               shown(*key.longest), shown(list)),
                   {key.reader, &o});
}

Finding ListHistory::check_lost() const {
  // By key, the last read that must see what was acknowledged before.
  std::unordered_map<std::string_view, const Operation*> last;
  each_read([&](const Operation& o, std::size_t, const MicroOp& op) {
    if (!o.invoke.linearizable) return;
    const Operation*& read = last[op.key];
    if (read == nullptr || o.called > read->called) read = &o;
  });
  for (const Operation* o : committed_) {
    for (const MicroOp& op : o->invoke.ops) {
      if (!op.append || position(op.key, op.element) != 0) continue;
      const auto it = last.find(op.key);
      if (it == last.end() || it->second->called < o->returned) continue;
      return violation(
          "lost-append",
          fmt::format("{} was appended to {} and acknowledged, but never seen by anyone:", op.element, op.key),
          {o, it->second});
    }
  }
  return {};
}

std::int32_t ListHistory::note(const std::string* key, const std::string* before, const std::string* after) {
  notes_.push_back({key, before, after});
  return static_cast<std::int32_t>(notes_.size()) - 1;
}

int ListHistory::writer(const Key& key, const std::string& element) const {
  const auto it = key.appends.find(element);
  return it == key.appends.end() ? -1 : it->second.node;
}

std::size_t ListHistory::external_length(const Operation& o, std::size_t step) const {
  const MicroOp& read = o.complete.ops[step];
  std::size_t length = read.list->size();
  for (std::size_t i = step; i-- > 0 && length > 0;) {
    const MicroOp& op = o.complete.ops[i];
    if (op.append && op.key == read.key && (*read.list)[length - 1] == op.element) --length;
  }
  return length;
}

void ListHistory::add_dependencies(PrecedenceGraph* graph) {
  for (const auto& [name, key] : keys_) add_version_order(name, key, graph);
  for (std::size_t node = 0; node < transactions_.size(); ++node) {
    if (transactions_[node]->ok()) add_reads(static_cast<int>(node), *transactions_[node], graph);
  }
}

void ListHistory::add_version_order(const std::string& name, const Key& key, PrecedenceGraph* graph) {
  const List none;
  const List& order = key.longest != nullptr ? *key.longest : none;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    const int from = writer(key, order[i]), to = writer(key, order[i + 1]);
    if (from >= 0 && to >= 0) graph->add({from, to, EdgeKind::kWw, note(&name, &order[i], &order[i + 1])});
  }
  if (!order.empty() && writer(key, order.back()) >= 0) {
    add_unseen(name, key, {writer(key, order.back()), unseen_after_write(key), EdgeKind::kWw}, &order.back(), graph);
  }
  for (const auto& [node, element] : key.unseen) {
    for (const int unseen : {unseen_after_read(key), unseen_after_write(key)}) {
      graph->add({unseen, node, EdgeKind::kOther, note(&name, nullptr, element)});
    }
  }
}

// Appends that were acknowledged but never seen come after all that was. The edge leads to the node that precedes them;
// but a transaction that has one itself must not lead to itself. Two such ones exist only where something is wrong
// already, so some of their edges are enough.
void ListHistory::add_unseen(const std::string& name, const Key& key, Edge edge, const std::string* last,
                             PrecedenceGraph* graph) {
  constexpr int kNeighbours = 8;
  const int count = static_cast<int>(key.unseen.size());
  const auto own = std::lower_bound(key.unseen.begin(), key.unseen.end(), edge.from,
                                    [](const auto& entry, int node) { return entry.first < node; });
  if (own == key.unseen.end() || own->first != edge.from) {
    edge.detail = note(&name, last, nullptr);
    return graph->add(edge);
  }
  const int middle = static_cast<int>(own - key.unseen.begin());
  for (int i = std::max(0, middle - kNeighbours); i < std::min(count, middle + kNeighbours); ++i) {
    const auto& [node, element] = key.unseen[static_cast<std::size_t>(i)];
    graph->add({edge.from, node, edge.kind, note(&name, last, element)});
  }
}

void ListHistory::add_reads(int node, const Operation& o, PrecedenceGraph* graph) {
  for (std::size_t i = 0; i < o.complete.ops.size(); ++i) {
    const MicroOp& op = o.complete.ops[i];
    if (op.append || !op.list) continue;
    const Key& key = keys_.at(op.key);
    const std::size_t length = external_length(o, i);
    const std::string* last = length > 0 ? &(*op.list)[length - 1] : nullptr;
    if (last != nullptr && writer(key, *last) >= 0) {
      graph->add({writer(key, *last), node, EdgeKind::kWr, note(&op.key, last, nullptr)});
    }
    if (length == key.longest->size()) {
      add_unseen(op.key, key, {node, unseen_after_read(key), EdgeKind::kRw}, last, graph);
    } else if (const std::string& next = (*key.longest)[length]; writer(key, next) >= 0) {
      graph->add({node, writer(key, next), EdgeKind::kRw, note(&op.key, last, &next)});
    }
  }
}

std::string ListHistory::why(const Edge& first, const Edge* second, const std::string& from,
                             const std::string& to) const {
  const Note& n = notes_[static_cast<std::size_t>(first.detail)];
  const std::string& key = *n.key;
  const std::string* after = second != nullptr ? notes_[static_cast<std::size_t>(second->detail)].after : n.after;
  const std::string state = n.before != nullptr ? fmt::format("{} = [... {}]", key, *n.before) : key + " = []";
  switch (first.kind) {
    case EdgeKind::kWw:
      return fmt::format("{} appended {} to {}, and {} appended {} {}", from, *n.before, key, to, *after,
                         second != nullptr ? "after all that was ever seen of it" : "right after it");
    case EdgeKind::kWr: return fmt::format("{} read {}, whose last element {} had appended", to, state, from);
    case EdgeKind::kRw: return fmt::format("{} read {} and did not see {}, which {} appended", from, state, *after, to);
    default: return "";
  }
}

std::size_t ListHistory::known_length(const std::string& key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() || it->second.longest == nullptr ? 0 : it->second.longest->size();
}

std::size_t ListHistory::position(const std::string& key, const std::string& element) const {
  const auto it = keys_.find(key);
  if (it == keys_.end()) return 0;
  const auto append = it->second.appends.find(element);
  return append == it->second.appends.end() ? 0 : append->second.position;
}

}  // namespace meridian::check
