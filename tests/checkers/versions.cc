#include "tests/checkers/versions.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace meridian::check {

namespace {

struct Write {
  Value value;
  std::uint64_t version = 0;  // 0: unknown
  const Operation* source = nullptr;
};

struct Key {
  std::vector<Write> writes;  // that may have taken effect, in the order of their calls
  // What some answer said of a version: by a write (certain value) or a read.
  std::map<std::uint64_t, Write> known;
  // Of the acknowledged writes by the order of their returns: the newest up to each.
  std::vector<std::pair<std::uint64_t, const Write*>> newest_by_return;

  // The newest version acknowledged before this point of real time.
  const Write* newest_before(std::uint64_t position) const {
    const auto it = std::partition_point(newest_by_return.begin(), newest_by_return.end(),
                                         [&](const auto& entry) { return entry.first < position; });
    return it == newest_by_return.begin() ? nullptr : std::prev(it)->second;
  }
};

class VersionChecker {
 public:
  explicit VersionChecker(const std::vector<Operation>& operations) : operations_(operations) {}

  Finding run() {
    for (const Operation& o : operations_) {
      if (Finding f = learn(o); !f.ok()) return f;
    }
    if (Finding f = check_real_time(); !f.ok()) return f;
    for (const Operation& o : operations_) {
      if (Finding f = check_answer(o); !f.ok()) return f;
    }
    return {};
  }

 private:
  Finding learn(const Operation& o);
  Finding learn_version(const std::string& key, std::uint64_t version, const Value& value, const Operation& o);
  Finding learn_write(const std::string& key, const Value& value, const Operation& o);
  Finding check_real_time();
  Finding check_answer(const Operation& o) const;
  Finding check_as_of(const std::string& key, std::uint64_t version, const Operation& o) const;
  Finding check_stored(const Operation& o) const;
  bool may_be_removed(const Key& key, const Operation& o) const;

  const std::vector<Operation>& operations_;
  std::map<std::string, Key> keys_;
};

Finding VersionChecker::learn_version(const std::string& name, std::uint64_t version, const Value& value,
                                      const Operation& o) {
  if (version == 0) return {};
  Key& key = keys_[name];
  const auto [it, inserted] = key.known.try_emplace(version, Write{value, version, &o});
  if (!inserted && it->second.value != value) {
    return violation("version-conflict",
                     fmt::format("key {}: version {} is {} to one and {} to another:", name, version,
                                 describe(it->second.value), describe(value)),
                     {it->second.source, &o});
  }
  return {};
}

Finding VersionChecker::learn_write(const std::string& name, const Value& value, const Operation& o) {
  const std::uint64_t version = o.ok() ? o.complete.version : 0;
  keys_[name].writes.push_back({value, version, &o});
  return learn_version(name, version, value, o);
}

Finding VersionChecker::learn(const Operation& o) {
  if (o.complete.type == EventType::kFail) return {};
  switch (o.invoke.f) {
    case Function::kWrite:
    case Function::kCas: return learn_write(o.invoke.key, o.invoke.value, o);
    case Function::kRemove: return learn_write(o.invoke.key, std::nullopt, o);
    case Function::kBatch:
      for (const auto& [key, value] : o.invoke.values) {
        if (Finding f = learn_write(key, value, o); !f.ok()) return f;
      }
      return {};
    case Function::kRead:
      return o.ok() && o.complete.value ? learn_version(o.invoke.key, o.complete.version, o.complete.value, o)
                                        : Finding{};
    case Function::kScan:
      for (const auto& [key, value] : o.complete.values) {
        const auto it = o.complete.versions.find(key);
        if (it == o.complete.versions.end()) continue;
        if (Finding f = learn_version(key, it->second, value, o); !f.ok()) return f;
      }
      return {};
    default: return {};
  }
  return {};
}

// Of two acknowledged writes of a key, one answered before the other was called, the first has the smaller version.
Finding VersionChecker::check_real_time() {
  for (auto& [name, key] : keys_) {
    for (const Write& write : key.writes) {
      if (write.version != 0) key.newest_by_return.emplace_back(write.source->returned, &write);
    }
    std::sort(key.newest_by_return.begin(), key.newest_by_return.end());
    const Write* newest = nullptr;
    for (auto& [returned, write] : key.newest_by_return) {
      if (newest == nullptr || write->version > newest->version) newest = write;
      write = newest;
    }
    for (const Write& write : key.writes) {
      const Write* earlier = write.version == 0 ? nullptr : key.newest_before(write.source->called);
      if (earlier == nullptr || earlier->version < write.version) continue;
      return violation("versions-go-back", fmt::format("key {}: versions go back in real time:", name),
                       {earlier->source, write.source});
    }
  }
  return {};
}

bool VersionChecker::may_be_removed(const Key& key, const Operation& o) const {
  for (const Write& write : key.writes) {
    if (!write.value && write.version == 0 && write.source->called < o.returned) return true;
  }
  return false;
}

// The answer for the key was the newest known version at or below the read's timestamp.
Finding VersionChecker::check_as_of(const std::string& name, std::uint64_t version, const Operation& o) const {
  const std::uint64_t timestamp = o.complete.timestamp;
  const auto it = keys_.find(name);
  if (timestamp == 0 || it == keys_.end()) return {};
  const Key& key = it->second;
  if (version > timestamp) {
    return violation("inexact-read", fmt::format("key {}: a version above the read's timestamp was answered:", name),
                     {&o});
  }
  auto newest = key.known.upper_bound(timestamp);
  if (newest != key.known.begin()) {
    --newest;
    const bool live = newest->second.value.has_value();
    const bool missed = version != 0 ? newest->first > version : live && !may_be_removed(key, o);
    if (missed) {
      return violation("inexact-read",
                       fmt::format("key {}: the read as of {} missed version {} ({}):", name, timestamp, newest->first,
                                   describe(newest->second.value)),
                       {newest->second.source, &o});
    }
  }
  if (!o.invoke.linearizable) return {};
  const Write* earlier = key.newest_before(o.called);
  if (earlier == nullptr || earlier->version <= timestamp) return {};
  return violation("stale-timestamp",
                   fmt::format("key {}: a linearizable read is as of before a write acknowledged earlier:", name),
                   {earlier->source, &o});
}

Finding VersionChecker::check_answer(const Operation& o) const {
  if (!o.ok()) return {};
  if (o.invoke.f == Function::kRead) return check_as_of(o.invoke.key, o.complete.version, o);
  if (o.invoke.f == Function::kVersions) return check_stored(o);
  if (o.invoke.f != Function::kScan) return {};
  for (auto it = keys_.lower_bound(o.invoke.key);
       it != keys_.end() && (o.invoke.end.empty() || it->first < o.invoke.end); ++it) {
    const auto version = o.complete.versions.find(it->first);
    const auto value = o.complete.values.find(it->first);
    if (value != o.complete.values.end() && version == o.complete.versions.end()) continue;  // none was told
    const std::uint64_t seen = version == o.complete.versions.end() ? 0 : version->second;
    if (Finding f = check_as_of(it->first, seen, o); !f.ok()) return f;
  }
  return {};
}

Finding VersionChecker::check_stored(const Operation& o) const {
  const auto it = keys_.find(o.invoke.key);
  std::map<std::uint64_t, Value> stored;
  std::map<std::string, int> values;
  std::size_t removals = 0;
  for (const auto& [version, value] : o.complete.stored) {
    if (!stored.emplace(version, value).second) {
      return violation("version-conflict", fmt::format("key {}: version {} is stored twice:", o.invoke.key, version),
                       {&o});
    }
    value ? static_cast<std::size_t>(++values[*value]) : ++removals;
  }
  std::map<std::string, int> writers;
  std::size_t removers = 0;
  if (it != keys_.end()) {
    for (const Write& write : it->second.writes) {
      write.value ? static_cast<std::size_t>(++writers[*write.value]) : ++removers;
      if (write.version == 0) continue;
      const auto found = stored.find(write.version);
      if (found == stored.end() || found->second != write.value) {
        return violation("lost-write",
                         fmt::format("key {}: an acknowledged write is not stored under its version:", o.invoke.key),
                         {write.source});
      }
    }
  }
  for (const auto& [value, count] : values) {
    if (count > writers[value]) {
      return violation(
          "phantom-version",
          fmt::format("key {}: {} is stored {} times but written {} times", o.invoke.key, value, count, writers[value]),
          {&o});
    }
  }
  if (removals > removers) {
    return violation("phantom-version",
                     fmt::format("key {}: {} removals are stored, {} were asked for", o.invoke.key, removals, removers),
                     {&o});
  }
  return {};
}

}  // namespace

Finding check_versions(const std::vector<Operation>& operations) { return VersionChecker(operations).run(); }

}  // namespace meridian::check
