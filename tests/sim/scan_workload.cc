// The scan workload: ranges read in small pages, slowly, through one client after the other, while their keys are
// written, removed and moved. A scan is one snapshot however long it takes and whoever leads meanwhile: nothing is
// skipped or doubled at the ends of its pages, and of a batch it sees all or nothing.
#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::EventType;
using check::Function;

namespace {

constexpr char kPrefix = 'c';
constexpr std::uint64_t kKeys = 40;
constexpr std::int64_t kLongestPauseUs = 600'000;

std::string key_of(std::uint64_t i) { return fmt::format("{}{:02}", kPrefix, i); }
// Keys of even numbers are never removed, so that what a scan does not show of them was not there yet.
bool stays(const std::string& key) { return (key.back() - '0') % 2 == 0; }

class ScanWorkload final : public WorkloadBase {
 public:
  explicit ScanWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {}

  Task<> operate(Slot& slot) override {
    if (slot.rng.chance(0.3)) return scan_range(slot);
    if (slot.rng.chance(0.5)) return batch(slot);
    return write(slot, key_of(slot.rng.below(kKeys)));
  }

  Task<> finish(Slot& slot) override {
    v1::ScanRequest request;
    request.set_prefix(std::string(1, kPrefix));
    request.set_limit(7);
    co_await scan(slot, std::move(request), {.last = true});
  }

  std::vector<std::string> listed_keys() const override {
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < kKeys; ++i) keys.push_back(key_of(i));
    return keys;
  }

 private:
  Task<> write(Slot& slot, std::string key) {
    Event event{.key = std::move(key)};
    if (!stays(event.key) && slot.rng.chance(0.4)) {
      event.f = Function::kRemove;
      v1::RemoveRequest request;
      request.set_key(event.key);
      co_await record(slot, v1::kRemove, std::move(request), std::move(event), {});
      co_return;
    }
    event.f = Function::kWrite;
    event.value = recorder_.new_value(slot);
    v1::PutRequest request;
    request.set_key(event.key);
    request.set_value(padded(*event.value));
    co_await record(slot, v1::kPut, std::move(request), std::move(event), {});
  }

  Task<> batch(Slot& slot) {
    Event event{.f = Function::kBatch};
    v1::WriteBatchRequest request;
    for (std::uint64_t n = 2 + slot.rng.below(5); n > 0; --n) {
      const std::string key = key_of(slot.rng.below(kKeys));
      if (event.values.contains(key)) continue;
      auto* mutation = request.add_mutations();
      mutation->set_key(key);
      if (!stays(key) && slot.rng.chance(0.4)) {
        mutation->set_remove(true);
        event.values[key] = std::nullopt;
      } else {
        event.values[key] = recorder_.new_value(slot);
        mutation->set_value(padded(*event.values[key]));
      }
    }
    co_await record(slot, v1::kWriteBatch, std::move(request), std::move(event), {});
  }

  Task<> scan_range(Slot& slot) {
    v1::ScanRequest request;
    if (slot.rng.chance(0.5)) {
      request.set_prefix(std::string(1, kPrefix));
    } else {
      const std::uint64_t first = slot.rng.below(kKeys - 1);
      request.set_start(key_of(first));
      request.set_end(key_of(first + 1 + slot.rng.below(kKeys - first - 1)));
    }
    request.set_reverse(slot.rng.chance(0.4));
    request.set_limit(1 + static_cast<std::uint32_t>(slot.rng.below(12)));
    ReadHow how{.linearizable = slot.rng.chance(0.6)};
    if (!how.linearizable && last_ != 0 && slot.rng.chance(0.5)) how.at = last_;
    const auto event = co_await scan(slot, request, how, slot.rng.chance(0.5) ? kLongestPauseUs : 0);
    if (!event) co_return;
    if (slot.rng.chance(0.5)) last_ = event->timestamp;
    if (slot.rng.chance(0.3)) co_await again(slot, std::move(request), *event);
  }

  // The same range at the same timestamp is the same, whoever is asked: now without values, in other pages.
  Task<> again(Slot& slot, v1::ScanRequest request, Event first) {
    *request.mutable_options() = read_options({.linearizable = false, .at = first.timestamp});
    request.set_keys_only(true);
    request.set_reverse(slot.rng.chance(0.5));
    request.set_limit(0);
    const auto found = co_await scan_pages(slot, std::move(request), false);
    if (found && found->versions != first.versions) {
      recorder_.violated(fmt::format("scans of {} to {} as of {} found {} versions, and then {} others", first.key,
                                     first.end, first.timestamp, first.versions.size(), found->versions.size()));
    }
  }

  std::uint64_t last_ = 0;  // a timestamp that was read as of
};

}  // namespace

// Of a batch, be its outcome known or not, a scan that shows one write shows them all, or what came later.
std::string judge_scan(const check::History& history) {
  std::map<std::string, const Event*> batches;  // by each value written
  for (const Event& e : history.events) {
    if (e.f == Function::kBatch && e.type == EventType::kInvoke && e.values.begin()->first[0] == kPrefix) {
      for (const auto& [key, value] : e.values) {
        if (value) batches[*value] = &e;
      }
    }
    if (e.f != Function::kScan || e.type != EventType::kOk || e.key[0] != kPrefix) continue;
    for (const auto& [key, value] : e.values) {
      const auto batch = batches.find(*value);
      if (batch == batches.end()) continue;
      const std::uint64_t version = e.versions.at(key);
      for (const auto& [other, written] : batch->second->values) {
        if (!stays(other) || other < e.key || other >= e.end) continue;
        const auto seen = e.versions.find(other);
        if (seen == e.versions.end() || seen->second < version) {
          return fmt::format("scan: event {} shows {} of a batch at {}, and of its {} at {} an older version or none",
                             e.index, *value, key, *written, other);
        }
      }
    }
  }
  return {};
}

std::unique_ptr<Workload> make_scan_workload(const WorkloadDeps& deps) { return std::make_unique<ScanWorkload>(deps); }

}  // namespace meridian::sim
