// The append workload: lists that grow, recorded as transactions of micro-operations for the checker of cycles. A list
// is one key; reading it and replacing it by compare-and-set on what was read is one transaction [read, append].
// Readers take several lists at one timestamp.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {

constexpr std::size_t kLongest = 32;  // then the list's successor is begun
constexpr std::size_t kReadAtOnce = 50;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

class AppendWorkload final : public WorkloadBase {
 public:
  explicit AppendWorkload(const WorkloadDeps& deps)
      : WorkloadBase(deps), generations_(static_cast<std::size_t>(deps.options.keys) + 2, 0) {}

  Task<> operate(Slot& slot) override {
    if (slot.rng.chance(0.6)) return append(slot);
    std::vector<std::string> keys;
    for (std::size_t list = 0; list < generations_.size(); ++list) {
      if (slot.rng.chance(0.6)) keys.push_back(name(list, generations_[list]));
      if (generations_[list] > 0 && slot.rng.chance(0.1)) keys.push_back(name(list, generations_[list] - 1));
    }
    if (keys.empty()) keys.push_back(name(0, generations_[0]));
    return read_lists(slot, std::move(keys), {.linearizable = slot.rng.chance(0.7)});
  }

  Task<> finish(Slot& slot) override {
    std::vector<std::string> keys;
    for (std::size_t list = 0; list < generations_.size(); ++list) {
      for (std::uint64_t g = 0; g <= generations_[list]; ++g) keys.push_back(name(list, g));
    }
    for (std::size_t i = 0; i < keys.size(); i += kReadAtOnce) {
      const auto first = keys.begin() + static_cast<std::ptrdiff_t>(i);
      co_await read_lists(slot, {first, first + static_cast<std::ptrdiff_t>(std::min(kReadAtOnce, keys.size() - i))},
                          {.last = true});
    }
  }

 private:
  static std::string name(std::size_t list, std::uint64_t generation) {
    return fmt::format("a{:02}.{}", list, generation);
  }

  Task<> append(Slot& slot) {
    const std::size_t list = slot.rng.below(generations_.size());
    const std::uint64_t generation = generations_[list];
    std::string key = name(list, generation);
    Event event{.f = Function::kTxn};
    event.ops = {{.key = key}, {.append = true, .key = key, .element = recorder_.new_element()}};
    recorder_.invoke(slot, event);
    const auto longer = [element = event.ops[1].element](const check::Value& before) {
      return before ? *before + ',' + element : element;
    };
    const Modified out = co_await modify(slot, std::move(key), longer, {.chance = 0.8});
    if (out.end == Modified::End::kDone) {
      event.ops[0].list = out.before ? split(*out.before) : std::vector<std::string>();
      if (event.ops[0].list->size() >= kLongest) generations_[list] = std::max(generations_[list], generation + 1);
    }
    complete(slot, std::move(event), out);
  }

  Task<> read_lists(Slot& slot, std::vector<std::string> keys, ReadHow how) {
    Event event{.f = Function::kTxn, .linearizable = how.linearizable};
    v1::MultiGetRequest request;
    for (std::string& key : keys) {
      request.add_keys(key);
      event.ops.push_back({.key = std::move(key)});
    }
    *request.mutable_options() = read_options(how);
    recorder_.invoke(slot, event);
    const auto answer = co_await slot.client->core->multi_get(request, how.last ? long_deadline(slot) : deadline(slot));
    if (!answer) {
      if (how.last) recorder_.violated("the last read of lists failed: " + answer.error().to_string());
      co_return recorder_.failed(slot, std::move(event), answer.error().to_string());
    }
    for (int i = 0; i < answer->items_size(); ++i) {
      const auto& item = answer->items(i);
      event.ops[static_cast<std::size_t>(i)].list =
          item.found() ? split(unpad(item.value())) : std::vector<std::string>();
    }
    describe(answer->info(), &event);
    recorder_.ok(slot, std::move(event));
  }

  std::vector<std::uint64_t> generations_;  // of each list, the newest
};

}  // namespace

std::unique_ptr<Workload> make_append_workload(const WorkloadDeps& deps) {
  return std::make_unique<AppendWorkload>(deps);
}

}  // namespace meridian::sim
