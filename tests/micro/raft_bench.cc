// The consensus core alone: a leader and two followers that are always up, on disks and a network that take no time.
// One step is what one entry costs all three of them: proposed, appended, persisted, acknowledged, committed, applied.
#include <benchmark/benchmark.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "raft/core.h"

namespace meridian {
namespace {

constexpr std::uint64_t kKept = 1'000;  // entries in memory, as of a log that is trimmed now and then

class Trio {
 public:
  Trio() {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      raft::InitialState initial;
      initial.membership.voters = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
      cores_[id - 1].emplace(raft::Options{.id = ReplicaId(id), .seed = id}, std::move(initial), now_);
    }
    leader().campaign(now_);
    settle();
    CHECK(leader().may_evaluate());
  }

  raft::Core& leader() { return *cores_[0]; }

  void propose(const raft::Payload& payload) { CHECK(leader().propose(now_, leader().term(), payload).has_value()); }

  // Everything that is due without time passing.
  void settle() {
    for (std::optional<raft::Core>& core : cores_) take(*core);
    while (!network_.empty()) {
      const raft::Message message = std::move(network_.front());
      network_.pop_front();
      raft::Core& to = *cores_[message.to.value() - 1];
      to.step(now_, message);
      take(to);
    }
  }

  // The heartbeat: followers learn what is committed, and the lease goes on.
  void pass_time(Duration duration) {
    now_ = now_ + duration;
    for (std::optional<raft::Core>& core : cores_) {
      if (core->next_deadline() <= now_) core->tick(now_);
    }
    settle();
    CHECK(leader().is_leader());
  }

  void compact() {
    for (std::optional<raft::Core>& core : cores_) {
      if (core->applied_index().value() > 2 * kKept) core->compact(LogIndex(core->applied_index().value() - kKept));
    }
  }

 private:
  void take(raft::Core& core) {
    for (raft::Output out = core.take_output(); !out.empty(); out = core.take_output()) {
      for (raft::Message& message : out.messages) network_.push_back(std::move(message));
      if (out.persist) core.persisted(now_, out.persist->sequence);
      if (!out.committed.empty()) core.applied(now_, out.committed.back().index);
    }
  }

  MonoTime now_{1'000'000};
  std::array<std::optional<raft::Core>, 3> cores_;
  std::deque<raft::Message> network_;
};

void raft_propose_to_applied(benchmark::State& state) {
  const auto entries = state.range(0);
  const auto payload = std::make_shared<const std::string>(256, 'x');
  Trio trio;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < entries; ++i) trio.propose(payload);
    trio.settle();
    trio.compact();
  }
  state.SetItemsProcessed(entries * state.iterations());
}
BENCHMARK(raft_propose_to_applied)->ArgName("entries")->Arg(1)->Arg(16)->Arg(256);

void raft_heartbeat_round(benchmark::State& state) {
  Trio trio;
  for (auto _ : state) trio.pass_time(raft::Options().heartbeat_interval);
}
BENCHMARK(raft_heartbeat_round);

void raft_lease_read(benchmark::State& state) {
  Trio trio;
  trio.pass_time(raft::Options().heartbeat_interval);
  const MonoTime now = MonoTime(1'000'000) + raft::Options().heartbeat_interval;
  for (auto _ : state) {
    const auto index = trio.leader().lease_read(now);
    CHECK(index.has_value());
    benchmark::DoNotOptimize(index);
  }
}
BENCHMARK(raft_lease_read);

}  // namespace
}  // namespace meridian
