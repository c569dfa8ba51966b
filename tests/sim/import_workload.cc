// The import workload: many records, loaded in batches that are repeated under their ids until they are acknowledged,
// whatever happens to nodes meanwhile. At the end each record of an acknowledged batch is there once, as it was
// written; of a batch whose outcome nobody knows all are, or none; and nothing else is.
#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::EventType;
using check::Function;

namespace {

constexpr char kPrefix = 'i';
constexpr std::uint64_t kFewest = 4, kMost = 24;  // records of a batch

class ImportWorkload final : public WorkloadBase {
 public:
  explicit ImportWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {}

  Task<> operate(Slot& slot) override {
    if (!loaded_.empty() && slot.rng.chance(0.2)) return read_back(slot, loaded_[slot.rng.below(loaded_.size())]);
    return load(slot);
  }

  Task<> finish(Slot& slot) override {
    v1::ScanRequest request;
    request.set_prefix(std::string(1, kPrefix));
    co_await scan(slot, std::move(request), {.last = true});
  }

  std::vector<std::string> listed_keys() const override {
    std::vector<std::string> keys;
    for (const std::string& batch : loaded_) keys.push_back(batch + "00");
    return keys;
  }

 private:
  Task<> load(Slot& slot) {
    // Files are loaded by several at once, and not in the order of their keys.
    const std::uint64_t number = next_++;
    const std::string prefix = fmt::format("{}{:02}.{:04}/", kPrefix, slot.rng.below(100), number);
    Event event{.f = Function::kBatch};
    v1::WriteBatchRequest request;
    const std::uint64_t records = kFewest + slot.rng.below(kMost - kFewest + 1);
    for (std::uint64_t i = 0; i < records; ++i) {
      const std::string key = fmt::format("{}{:02}", prefix, i);
      auto* mutation = request.add_mutations();
      mutation->set_key(key);
      event.values[key] = recorder_.new_value(slot);
      mutation->set_value(padded(*event.values[key]));
    }
    const auto out = co_await record(slot, v1::kWriteBatch, std::move(request), std::move(event), {.chance = 1});
    if (out.done()) loaded_.push_back(prefix);
  }

  Task<> read_back(Slot& slot, std::string batch) {
    v1::ScanRequest request;
    request.set_prefix(std::move(batch));
    request.set_limit(slot.rng.chance(0.5) ? 5 : 0);
    co_await scan(slot, std::move(request), {.linearizable = slot.rng.chance(0.5)});
  }

  std::uint64_t next_ = 0;
  std::vector<std::string> loaded_;
};

}  // namespace

std::string judge_import(const check::History& history) {
  std::map<std::uint64_t, const Event*> open;               // by process
  std::vector<std::pair<const Event*, EventType>> batches;  // and how they ended
  const Event* last = nullptr;
  for (const Event& e : history.events) {
    if (e.f == Function::kScan && e.type == EventType::kOk && e.key == std::string(1, kPrefix)) last = &e;
    if (e.f != Function::kBatch || e.values.begin()->first[0] != kPrefix) continue;
    if (e.type == EventType::kInvoke) {
      open[e.process] = &e;
    } else {
      batches.emplace_back(open[e.process], e.type);
      open.erase(e.process);
    }
  }
  if (last == nullptr) return batches.empty() ? "" : "import: nobody looked at the end";
  for (const auto& [process, event] : open) batches.emplace_back(event, EventType::kInfo);
  std::size_t expected = 0;
  for (const auto& [batch, end] : batches) {
    std::size_t there = 0;
    for (const auto& [key, value] : batch->values) {
      const auto found = last->values.find(key);
      if (found == last->values.end()) continue;
      if (found->second != value) return fmt::format("import: {} holds {}, not {}", key, *found->second, *value);
      ++there;
    }
    const bool whole = there == batch->values.size();
    if (end == EventType::kOk ? !whole : there != 0 && (!whole || end == EventType::kFail)) {
      return fmt::format("import: of the {} records of {} (event {}) {} are there", batch->values.size(),
                         end == EventType::kOk     ? "an acknowledged batch"
                         : end == EventType::kFail ? "a batch that certainly failed"
                                                   : "a batch",
                         batch->index, there);
    }
    expected += there;
  }
  if (expected != last->values.size()) {
    return fmt::format("import: {} records are there, {} were loaded", last->values.size(), expected);
  }
  return {};
}

std::unique_ptr<Workload> make_import_workload(const WorkloadDeps& deps) {
  return std::make_unique<ImportWorkload>(deps);
}

}  // namespace meridian::sim
