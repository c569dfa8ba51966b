// The session workload: every slot is a session that carries the newest timestamp it knows of: of its own writes and of
// what it read. Reading any replica as of that timestamp it sees its own writes, and never goes back.
#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace meridian::sim {

using check::Event;
using check::Function;

namespace {

class SessionWorkload final : public WorkloadBase {
 public:
  explicit SessionWorkload(const WorkloadDeps& deps) : WorkloadBase(deps) {
    for (int i = 0; i < deps.options.keys + 2; ++i) keys_.push_back(fmt::format("w{:02}", i));
  }

  Task<> operate(Slot& slot) override {
    std::uint64_t& newest = newest_[slot.session];
    std::string key = keys_[slot.rng.below(keys_.size())];
    const std::uint64_t kind = slot.rng.below(100);
    if (kind < 45) return write(slot, std::move(key), newest);
    if (kind < 55) return probe(slot, std::move(key), newest);
    if (kind < 70 || newest == 0) return read_newest(slot, std::move(key), newest);
    return read_as_of(slot, std::move(key), newest);
  }

  Task<> finish(Slot& slot) override {
    for (const std::string& key : keys_) co_await read(slot, {.key = key}, {.last = true});
  }

  std::vector<std::string> listed_keys() const override { return keys_; }

 private:
  Task<> write(Slot& slot, std::string key, std::uint64_t& newest) {
    Event event{.f = Function::kWrite, .key = std::move(key), .session = slot.session};
    event.value = recorder_.new_value(slot);
    v1::PutRequest request;
    request.set_key(event.key);
    request.set_value(padded(*event.value));
    const auto out = co_await record(slot, v1::kPut, std::move(request), std::move(event), {});
    if (out.done()) newest = std::max(newest, out.answer->version());
  }

  // Whatever a near replica holds. It is not read in the session's name, but may bring it forward.
  Task<> probe(Slot& slot, std::string key, std::uint64_t& newest) {
    const auto event = co_await read(slot, {.key = std::move(key)}, {.linearizable = false});
    if (event) newest = std::max(newest, event->timestamp);
  }

  Task<> read_newest(Slot& slot, std::string key, std::uint64_t& newest) {
    const auto event = co_await read(slot, {.key = std::move(key), .session = slot.session}, {});
    if (event) newest = std::max(newest, event->timestamp);
  }

  Task<> read_as_of(Slot& slot, std::string key, std::uint64_t& newest) {
    co_await read(slot, {.key = std::move(key), .session = slot.session}, {.linearizable = false, .at = newest});
  }

  std::vector<std::string> keys_;
  std::map<std::uint64_t, std::uint64_t> newest_;  // by session
};

}  // namespace

std::unique_ptr<Workload> make_session_workload(const WorkloadDeps& deps) {
  return std::make_unique<SessionWorkload>(deps);
}

}  // namespace meridian::sim
