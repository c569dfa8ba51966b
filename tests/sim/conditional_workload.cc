// The conditional workload: chains. Every value names the one it replaced, and is written only if that one is still
// there: what is stored at the end must be one unbroken chain, of which every acknowledged link is part.
#include <set>

#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::EventType;
using check::Function;

namespace {

constexpr char kPrefix = 'x';
constexpr char kArrow = '<';  // "v3.17<v2.9": v3.17 replaced v2.9

std::string own_name(const std::string& value) { return value.substr(0, value.find(kArrow)); }
std::string replaced_name(const std::string& value) { return value.substr(value.find(kArrow) + 1); }
std::string name_of(const check::Value& value) { return value ? own_name(*value) : "nothing"; }

class ConditionalWorkload final : public WorkloadBase {
 public:
  explicit ConditionalWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {
    for (int i = 0; i < deps.options.keys; ++i) keys_.push_back(fmt::format("{}{:02}", kPrefix, i));
  }

  Task<> operate(Slot& slot) override {
    const std::string& key = keys_[slot.rng.below(keys_.size())];
    Seen& seen = seen_[{slot.session, key}];
    // What it saw itself, perhaps long ago, is what it goes by; who is asked again may be a replica that is behind.
    if (seen.known && slot.rng.chance(0.7)) return replace(slot, key, seen);
    return look(slot, key, seen);
  }

  Task<> finish(Slot& slot) override {
    for (const std::string& key : keys_) co_await read(slot, {.key = key}, {.last = true});
  }

  std::vector<std::string> listed_keys() const override { return keys_; }

 private:
  struct Seen {
    bool known = false;
    check::Value value;
    std::uint64_t version = 0;
  };

  Task<> look(Slot& slot, std::string key, Seen& seen) {
    const auto event = co_await read(slot, {.key = std::move(key)}, {.linearizable = slot.rng.chance(0.8)});
    if (event) seen = {true, event->value, event->version};
  }

  Task<> replace(Slot& slot, std::string key, Seen& seen) {
    Event event{.f = Function::kCas, .key = std::move(key), .expected = seen.value};
    event.value = recorder_.new_value(slot) + kArrow + name_of(seen.value);
    v1::CompareAndSetRequest request;
    request.set_key(event.key);
    request.set_value(padded(*event.value));
    if (!seen.value) {
      request.set_expected_absent(true);
    } else if (slot.rng.chance(0.5)) {
      request.set_expected_version(seen.version);
    } else {
      request.set_expected_value(padded(*seen.value));
    }
    const auto out = co_await record(slot, v1::kCompareAndSet, std::move(request), event, {});
    if (out.done()) {
      seen = {true, event.value, out.answer->version()};
    } else {
      seen.known = false;
    }
  }

  std::vector<std::string> keys_;
  std::map<std::pair<std::uint64_t, std::string>, Seen> seen_;  // by session and key
};

}  // namespace

// Also of values written by calls whose outcome is unknown: they are stored or not, but where they are they fit.
std::string judge_conditional(const check::History& history) {
  std::map<std::string, std::string> successors;  // by key and name, of the acknowledged
  for (const Event& e : history.events) {
    if (e.key.empty() || e.key[0] != kPrefix || e.type != EventType::kOk) continue;
    if (e.f == Function::kCas) {
      const auto [it, first] = successors.emplace(e.key + ' ' + name_of(e.expected), name_of(e.value));
      if (!first)
        return fmt::format("conditional: both {} and {} replaced {} of {}", it->second, name_of(e.value),
                           name_of(e.expected), e.key);
    } else if (e.f == Function::kVersions) {
      std::map<std::uint64_t, check::Value> stored(e.stored.begin(), e.stored.end());
      std::string before = name_of(std::nullopt);
      std::set<std::string> names{before};
      for (const auto& [version, value] : stored) {
        if (!value || replaced_name(*value) != before) {
          return fmt::format("conditional: {} holds {} (version {}) after {}", e.key, check::describe(value), version,
                             before);
        }
        names.insert(before = own_name(*value));
      }
      for (const auto& [replaced, by] : successors) {
        if (replaced.starts_with(e.key + ' ') && !names.contains(by)) {
          return fmt::format("conditional: {} was acknowledged and is not in the chain of {}", by, e.key);
        }
      }
    }
  }
  return {};
}

std::unique_ptr<Workload> make_conditional_workload(const WorkloadDeps& deps) {
  return std::make_unique<ConditionalWorkload>(deps);
}

}  // namespace meridian::sim
