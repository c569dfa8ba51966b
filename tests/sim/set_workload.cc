// The set workload: elements that nobody else adds, each a key of its own that must be absent before; the sets are read
// by paged scans. Every acknowledged element must be there from then on, and no other.
#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {

constexpr std::uint64_t kElements = 48;  // then another set is begun, so that reads stay short

class SetWorkload final : public WorkloadBase {
 public:
  explicit SetWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {}

  Task<> operate(Slot& slot) override {
    if (slot.rng.chance(0.6)) return add(slot);
    return read_set(slot, name(slot.rng.below(added_ / kElements + 1)), slot.rng.chance(0.7), false);
  }

  Task<> finish(Slot& slot) override {
    for (std::uint64_t set = 0; set * kElements <= added_; ++set) co_await read_set(slot, name(set), true, true);
  }

 private:
  static std::string name(std::uint64_t set) { return fmt::format("s{:03}", set); }

  Task<> add(Slot& slot) {
    Event event{.f = Function::kAdd, .key = name(added_++ / kElements), .value = recorder_.new_element()};
    v1::CompareAndSetRequest request;
    request.set_key(event.key + '/' + *event.value);
    request.set_value(padded(*event.value));
    request.set_expected_absent(true);
    const auto out = co_await record(slot, v1::kCompareAndSet, std::move(request), event, {.chance = 0.8});
    if (out.answer && !out.done()) {
      recorder_.violated(
          fmt::format("element {} of set {} is said to have been there before it was added", *event.value, event.key));
    }
  }

  Task<> read_set(Slot& slot, std::string set, bool linearizable, bool last) {
    Event event{.f = Function::kReadSet, .key = std::move(set), .linearizable = linearizable};
    v1::ScanRequest request;
    request.set_prefix(event.key + '/');
    request.set_limit(slot.rng.chance(0.5) ? 1 + static_cast<std::uint32_t>(slot.rng.below(20)) : 0);
    *request.mutable_options() = read_options({linearizable});
    recorder_.invoke(slot, event);
    const auto found = co_await scan_pages(slot, std::move(request), last);
    if (!found) {
      if (last) recorder_.violated("the last read of a set failed: " + found.error().to_string());
      co_return recorder_.failed(slot, std::move(event), found.error().to_string());
    }
    for (const auto& [key, value] : found->values) {
      if (key != event.key + '/' + *value) recorder_.violated(fmt::format("key {} holds element {}", key, *value));
      event.elements.push_back(*value);
    }
    describe(found->info, &event);
    recorder_.ok(slot, std::move(event));
  }

  std::uint64_t added_ = 0;
};

}  // namespace

std::unique_ptr<Workload> make_set_workload(const WorkloadDeps& deps) { return std::make_unique<SetWorkload>(deps); }

}  // namespace meridian::sim
