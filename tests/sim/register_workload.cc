// The register workload: a few keys that several clients read, write, compare and remove, singly, in batches and in
// scans, each value unique. Now and then what was answered is repeated under its id, and must be answered the same.
#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {

constexpr std::size_t kTimestampsKept = 64;
constexpr std::int64_t kFirstWrite = 52;  // of 100 operations, those before read
constexpr double kRepeatAnswered = 0.05;
constexpr double kOtherPayload = 0.2;  // of those

class RegisterWorkload final : public WorkloadBase {
 public:
  explicit RegisterWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {
    for (int i = 0; i < deps.options.keys; ++i) keys_.push_back(fmt::format("k{:02}", i));
  }

  Task<> operate(Slot& slot) override {
    // Some only read and so never notice by themselves that leadership has moved; some only write.
    const bool only_reads = slot.profile >= 0.7, only_writes = slot.profile >= 0.5 && !only_reads;
    const std::uint64_t kind = only_reads    ? slot.rng.below(kFirstWrite)
                               : only_writes ? slot.rng.between(kFirstWrite, std::int64_t{99})
                                             : slot.rng.below(100);
    if (kind < 26) return get(slot, {});
    if (kind < 38) return get(slot, {.linearizable = false});
    if (kind < 42) {
      const bool linearizable = slot.rng.chance(0.5);
      return get(slot, {linearizable, timestamps_.empty() ? 0 : timestamps_[slot.rng.below(timestamps_.size())]});
    }
    if (kind < 47) return multi_get(slot);
    if (kind < kFirstWrite) return scan_keys(slot);
    if (kind < 80) return write(slot);
    if (kind < 94) return compare(slot);
    return batch(slot);
  }

  Task<> finish(Slot& slot) override {
    for (const std::string& key : keys_) co_await read(slot, {.key = key}, {.last = true});
  }

  std::vector<std::string> listed_keys() const override { return keys_; }

 private:
  struct Known {
    check::Value value;
    std::uint64_t version = 0;
  };

  const std::string& draw_key(Slot& slot) { return keys_[slot.rng.below(keys_.size())]; }

  Task<> get(Slot& slot, ReadHow how) {
    const auto event = co_await read(slot, {.key = draw_key(slot)}, how);
    if (event && event->linearizable) known_[event->key] = {event->value, event->version};
  }

  Task<> multi_get(Slot& slot) {
    const std::size_t first = slot.rng.below(keys_.size());
    const std::size_t last = first + slot.rng.below(keys_.size() - first);
    v1::MultiGetRequest request;
    for (std::size_t i = first; i <= last; ++i) request.add_keys(keys_[i]);
    Event event{.f = Function::kScan, .key = keys_[first], .end = keys_[last] + '\x01'};
    event.linearizable = slot.rng.chance(0.7);
    *request.mutable_options() = read_options({event.linearizable});
    recorder_.invoke(slot, event);
    const auto answer = co_await slot.client->core->multi_get(request, deadline(slot));
    if (!answer) co_return recorder_.failed(slot, event, answer.error().to_string());
    if (answer->items_size() != request.keys_size()) {
      co_return recorder_.violated("a multi_get answers another number of keys");
    }
    for (int i = 0; i < answer->items_size(); ++i) {
      if (!answer->items(i).found()) continue;
      event.values[request.keys(i)] = unpad(answer->items(i).value());
      event.versions[request.keys(i)] = answer->items(i).version();
    }
    describe(answer->info(), &event);
    recorder_.ok(slot, std::move(event));
  }

  Task<> scan_keys(Slot& slot) {
    v1::ScanRequest request;
    request.set_prefix("k");
    request.set_limit(slot.rng.chance(0.5) ? 1 + static_cast<std::uint32_t>(slot.rng.below(3)) : 0);
    request.set_reverse(slot.rng.chance(0.3));
    co_await scan(slot, std::move(request), {slot.rng.chance(0.7)});
  }

  Task<> write(Slot& slot) {
    Event event{.key = draw_key(slot)};
    if (slot.rng.chance(0.2)) {
      event.f = Function::kRemove;
      v1::RemoveRequest request;
      request.set_key(event.key);
      return change(slot, v1::kRemove, std::move(request), std::move(event));
    }
    event.f = Function::kWrite;
    event.value = recorder_.new_value(slot);
    v1::PutRequest request;
    request.set_key(event.key);
    request.set_value(padded(*event.value));
    return change(slot, v1::kPut, std::move(request), std::move(event));
  }

  Task<> compare(Slot& slot) {
    Event event{.f = Function::kCas, .key = draw_key(slot)};
    v1::CompareAndSetRequest request;
    request.set_key(event.key);
    const Known& known = known_[event.key];
    event.expected = known.value;
    if (!known.value) {
      request.set_expected_absent(true);
    } else if (known.version != 0 && slot.rng.chance(0.5)) {
      request.set_expected_version(known.version);
    } else {
      request.set_expected_value(padded(*known.value));
    }
    if (slot.rng.chance(0.15)) {
      request.set_remove(true);
    } else {
      event.value = recorder_.new_value(slot);
      request.set_value(padded(*event.value));
    }
    return change(slot, v1::kCompareAndSet, std::move(request), std::move(event));
  }

  Task<> batch(Slot& slot) {
    Event event{.f = Function::kBatch};
    v1::WriteBatchRequest request;
    for (std::uint64_t n = 1 + slot.rng.below(3); n > 0; --n) {
      const std::string& key = draw_key(slot);
      if (event.values.contains(key)) continue;
      auto* mutation = request.add_mutations();
      mutation->set_key(key);
      if (slot.rng.chance(0.2)) {
        mutation->set_remove(true);
        event.values[key] = std::nullopt;
      } else {
        event.values[key] = recorder_.new_value(slot);
        mutation->set_value(padded(*event.values[key]));
      }
    }
    return change(slot, v1::kWriteBatch, std::move(request), std::move(event));
  }

  template <class Request, class Response>
  Task<> change(Slot& slot, const Method<Request, Response>& method, Request request, Event event) {
    auto out = co_await record(slot, method, request, event, {});
    if (!out.answer) co_return;
    const std::uint64_t version = out.answer->version();
    if (out.done() && event.f != Function::kBatch) known_[event.key] = {event.value, version};
    timestamps_.push_back(version);
    if (timestamps_.size() > kTimestampsKept) timestamps_.erase(timestamps_.begin());
    if (slot.rng.chance(kRepeatAnswered)) co_await repeat(slot, method, std::move(request), std::move(out));
  }

  template <class Request, class Response>
  Task<> repeat(Slot& slot, const Method<Request, Response>& method, Request request, Mutated<Response> first) {
    co_await pause(slot, 3'000'000);
    *request.mutable_id() = first.id;
    bool other = false;
    if constexpr (std::is_same_v<Request, v1::PutRequest>) {
      other = slot.rng.chance(kOtherPayload);
      // Were it written, a read would see what nobody wrote.
      if (other) request.set_value(padded("other-payload"));
    }
    const Result<Response> again = co_await slot.client->core->call(method, request, deadline(slot));
    if (!again) co_return;
    if (other) co_return recorder_.violated("an id with another payload was accepted: " + request.ShortDebugString());
    if (again->version() != first.answer->version() || is_condition(*again) != is_condition(*first.answer)) {
      recorder_.violated(fmt::format("a repeated request was answered {} and then {}", first.answer->ShortDebugString(),
                                     again->ShortDebugString()));
    }
  }

  std::vector<std::string> keys_;
  std::map<std::string, Known> known_;     // what was last seen, by anyone
  std::vector<std::uint64_t> timestamps_;  // to read as of
};

}  // namespace

std::unique_ptr<Workload> make_register_workload(const WorkloadDeps& deps) {
  return std::make_unique<RegisterWorkload>(deps);
}

}  // namespace meridian::sim
