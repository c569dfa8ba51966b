// The counter workload: increments by a loop around compare-and-set, each try under one request id until its outcome is
// known. What was acknowledged counts exactly once.
#include <charconv>

#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {

constexpr std::uint64_t kLargest = 5;

class CounterWorkload final : public WorkloadBase {
 public:
  explicit CounterWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {
    for (int i = 0; i < deps.options.keys + 1; ++i) keys_.push_back(fmt::format("n{:02}", i));
  }

  Task<> operate(Slot& slot) override {
    const std::string& key = keys_[slot.rng.below(keys_.size())];
    if (slot.rng.chance(0.6)) return increment(slot, key);
    return read_counter(slot, key, {.linearizable = slot.rng.chance(0.7)});
  }

  Task<> finish(Slot& slot) override {
    for (const std::string& key : keys_) co_await read_counter(slot, key, {.last = true});
  }

 private:
  Task<> increment(Slot& slot, std::string key) {
    Event event{.f = Function::kIncrement, .key = key};
    event.number = 1 + static_cast<std::int64_t>(slot.rng.below(kLargest));
    recorder_.invoke(slot, event);
    const auto add = [this, by = event.number](const check::Value& before) {
      return fmt::format("{}", (before ? number(*before) : 0) + by);
    };
    const Modified out = co_await modify(slot, std::move(key), add, {.chance = 0.9});
    complete(slot, std::move(event), out);
  }

  Task<> read_counter(Slot& slot, std::string key, ReadHow how) {
    Event event{.f = Function::kReadCounter, .key = std::move(key), .linearizable = how.linearizable};
    v1::GetRequest request;
    request.set_key(event.key);
    *request.mutable_options() = read_options(how);
    recorder_.invoke(slot, event);
    const auto answer = co_await slot.client->core->get(request, how.last ? long_deadline(slot) : deadline(slot));
    if (!answer) {
      if (how.last) recorder_.violated("the last read of a counter failed: " + answer.error().to_string());
      co_return recorder_.failed(slot, std::move(event), answer.error().to_string());
    }
    event.number = answer->found() ? number(unpad(answer->value())) : 0;
    event.version = answer->version();
    describe(answer->info(), &event);
    recorder_.ok(slot, std::move(event));
  }

  std::int64_t number(const std::string& text) {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size()) recorder_.violated("a counter holds " + text);
    return n;
  }

  std::vector<std::string> keys_;
};

}  // namespace

std::unique_ptr<Workload> make_counter_workload(const WorkloadDeps& deps) {
  return std::make_unique<CounterWorkload>(deps);
}

}  // namespace meridian::sim
