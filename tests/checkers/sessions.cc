#include "tests/checkers/sessions.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tests/checkers/lists.h"

namespace meridian::check {

namespace {

// One thing that an operation says of one key.
struct Observation {
  const Operation* source;
  bool write;
  std::uint64_t version;
  bool ordered = true;  // a write of which is known what came before it
  bool absent = false;  // a read that found nothing: any removal explains it
};

struct Removal {
  const Operation* source;
  std::uint64_t version;  // 0: unknown
};

class SessionChecker {
 public:
  explicit SessionChecker(const std::vector<Operation>& operations) : operations_(operations), lists_(operations) {}

  Finding run() {
    for (const Operation& o : operations_) learn_removals(o);
    for (const Operation& o : operations_) {
      if (o.invoke.session != 0 && o.ok()) observe(o);
    }
    for (const auto& [where, observations] : sessions_) {
      if (Finding f = check(where.second, observations); !f.ok()) return f;
    }
    return {};
  }

 private:
  void learn_removals(const Operation& o);
  void observe(const Operation& o);
  void observe_list(const Operation& o);
  void observe_scan(const Operation& o);
  void read(const Operation& o, const std::string& key, bool found, std::uint64_t version) {
    if (found && version == 0) return;  // not told
    add(key, {&o, false, version, true, !found && version == 0});
  }
  void write(const Operation& o, const std::string& key) {
    if (o.complete.version != 0) add(key, {&o, true, o.complete.version});
  }
  void add(const std::string& key, Observation observation) {
    sessions_[{observation.source->invoke.session, key}].push_back(observation);
  }
  Finding check(const std::string& key, const std::vector<Observation>& observations) const;
  bool may_be_removed(const std::string& key, std::uint64_t since, const Operation& read) const;

  const std::vector<Operation>& operations_;
  const ListHistory lists_;
  std::map<std::string, std::vector<Removal>> removals_;
  std::map<std::pair<std::uint64_t, std::string>, std::vector<Observation>> sessions_;
};

void SessionChecker::learn_removals(const Operation& o) {
  if (o.complete.type == EventType::kFail) return;
  const Removal removal{&o, o.ok() ? o.complete.version : 0};
  if (o.invoke.f == Function::kRemove || (o.invoke.f == Function::kCas && !o.invoke.value)) {
    removals_[o.invoke.key].push_back(removal);
  }
  if (o.invoke.f != Function::kBatch) return;
  for (const auto& [key, value] : o.invoke.values) {
    if (!value) removals_[key].push_back(removal);
  }
}

void SessionChecker::observe(const Operation& o) {
  switch (o.invoke.f) {
    case Function::kRead: return read(o, o.invoke.key, o.complete.value.has_value(), o.complete.version);
    case Function::kWrite:
    case Function::kCas:
    case Function::kRemove: return write(o, o.invoke.key);
    case Function::kBatch:
      for (const auto& [key, value] : o.invoke.values) write(o, key);
      return;
    case Function::kScan: return observe_scan(o);
    case Function::kTxn: return observe_list(o);
    default: return;
  }
}

// Of the keys that the session has met before, a scan also says which are absent.
void SessionChecker::observe_scan(const Operation& o) {
  std::set<std::string> keys;
  for (const auto& [key, value] : o.complete.values) keys.insert(key);
  for (auto it = sessions_.lower_bound({o.invoke.session, o.invoke.key});
       it != sessions_.end() && it->first.first == o.invoke.session &&
       (o.invoke.end.empty() || it->first.second < o.invoke.end);
       ++it) {
    keys.insert(it->first.second);
  }
  for (const std::string& key : keys) {
    const auto version = o.complete.versions.find(key);
    read(o, key, o.complete.values.contains(key), version == o.complete.versions.end() ? 0 : version->second);
  }
}

void SessionChecker::observe_list(const Operation& o) {
  for (const MicroOp& op : o.complete.ops) {
    if (!op.append) {
      if (op.list) add(op.key, {&o, false, op.list->size()});
      continue;
    }
    const std::size_t position = lists_.position(op.key, op.element);
    const bool seen = position != 0;
    add(op.key, {&o, true, seen ? position : lists_.known_length(op.key) + 1, seen});
  }
}

bool SessionChecker::may_be_removed(const std::string& key, std::uint64_t since, const Operation& read) const {
  const auto it = removals_.find(key);
  if (it == removals_.end()) return false;
  return std::any_of(it->second.begin(), it->second.end(), [&](const Removal& removal) {
    return removal.source->called < read.returned && (removal.version == 0 || removal.version >= since);
  });
}

Finding SessionChecker::check(const std::string& key, const std::vector<Observation>& observations) const {
  std::vector<const Observation*> by_return;
  for (const Observation& o : observations) by_return.push_back(&o);
  std::sort(by_return.begin(), by_return.end(),
            [](auto* a, auto* b) { return a->source->returned < b->source->returned; });
  const Observation* newest_read = nullptr;
  const Observation* newest_write = nullptr;
  auto next = by_return.begin();
  for (const Observation& o : observations) {  // in the order of calls
    for (; next != by_return.end() && (*next)->source->returned < o.source->called; ++next) {
      const Observation*& newest = (*next)->write ? newest_write : newest_read;
      if (newest == nullptr || (*next)->version > newest->version) newest = *next;
    }
    for (const Observation* before : {newest_read, newest_write}) {
      if (before == nullptr || o.version > before->version || (!o.write && o.version == before->version)) continue;
      if (o.write && (!o.ordered || !before->ordered)) continue;
      if (o.absent && may_be_removed(key, before->version, *o.source)) continue;
      const char* promise = o.write ? (before->write ? "monotonic-writes" : "writes-follow-reads")
                                    : (before->write ? "read-your-writes" : "monotonic-reads");
      return violation(promise,
                       fmt::format("session {} was promised {}, but of {} the second of these is not {} the first:",
                                   o.source->invoke.session, promise, key, o.write ? "newer than" : "as new as"),
                       {before->source, o.source});
    }
  }
  return {};
}

}  // namespace

Finding check_sessions(const std::vector<Operation>& operations) { return SessionChecker(operations).run(); }

}  // namespace meridian::check
