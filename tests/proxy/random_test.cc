// Random faults: whatever nodes do, what the caller is told is true. Every write has a key of its own, so that what
// became of it can be read off at the end.

#include "tests/proxy/fake_cluster.h"

namespace meridian::proxy {
namespace {

class RandomFaults : public FakeCluster {
 public:
  // Applies it now or some time later, or not at all, and answers truly, falsely late, or never.
  bool misbehave(FakeNode& node, const api::WriteRequest& request, Respond<api::WriteResponse>& reply) {
    if (!node.leads()) return rng.chance(0.1) ? refuse(reply, ErrorCode::kUnavailable) : false;
    if (quiet || rng.chance(0.5)) return false;
    switch (rng.below(8)) {
      case 0: return refuse(reply, ErrorCode::kBusy);
      case 1: return refuse(reply, ErrorCode::kDiskFull);
      case 2: return refuse(reply, ErrorCode::kDeadlineExceeded);
      case 3: apply(request); return refuse(reply, ErrorCode::kUnknownOutcome);
      case 4: apply(request); return refuse(reply, ErrorCode::kIo);
      case 5: node.kept.push_back(std::move(reply)); return true;
      case 6:
        apply(request);
        node.kept.push_back(std::move(reply));
        return true;
      default:
        // In the log of a leader that lost touch: it may yet be committed, long after.
        later(Duration(static_cast<std::int64_t>(rng.below(4'000'000))), [this, request] { apply(request); });
        return refuse(reply, rng.chance(0.5) ? ErrorCode::kUnknownOutcome : ErrorCode::kConnectionLost);
    }
  }
  bool refuse(Respond<api::WriteResponse>& reply, ErrorCode code) {
    reply(fail(code, "scripted"));
    return true;
  }
  void apply(const api::WriteRequest& request) {
    const auto [it, fresh] = outcomes.try_emplace({request.id().client(), request.id().sequence()}, ++clock);
    if (fresh) ++times_applied[request.mutations(0).key()];
  }
  void election() {
    ++term;
    const bool without_leader = rng.chance(0.3);
    const std::uint64_t leader = without_leader ? 0 : 1 + rng.below(3);
    for (const auto& n : nodes) {
      if (rng.chance(0.2)) continue;  // has not heard of it
      n->leader = leader;
      n->term = term;
    }
    if (leader != 0) node(leader).leader = leader, node(leader).term = term;
    if (rng.chance(0.3)) {
      FakeNode& n = node(1 + rng.below(3));
      n.crash(rng.chance(0.5));
      later(300ms, [&n] {
        if (n.runtime == nullptr) n.start();
      });
    }
    if (!quiet) later(Duration(static_cast<std::int64_t>(100'000 + rng.below(900'000))), [this] { election(); });
  }

  sim::Rng rng{0};
  bool quiet = false;
  std::uint64_t term = 5;
  std::map<std::string, int> times_applied;
};

class ProxyUnderRandomFaults : public testing::TestWithParam<int> {};

struct RandomRun : RandomFaults {
  void TestBody() override {}
  void run(int seed) {
    rng = world.rng("test", static_cast<std::uint64_t>(seed));
    network.options().loss = seed % 3 == 0 ? 0.02 : 0;
    for (const auto& n : nodes) {
      n->on_write = [this, &n = *n](const api::WriteRequest& request, auto& reply) {
        if (misbehave(n, request, reply)) return true;
        if (n.leads()) apply(request);
        return false;
      };
    }
    start_proxy();
    election();
    std::map<std::string, std::optional<Result<std::string>>> answers;
    constexpr int kWrites = 60;
    for (int i = 0; i < kWrites; ++i) {
      const std::string key = "k" + std::to_string(i);
      answers[key];
      later(Duration(i * 50'000), [this, key, &answers] {
        proxy_runtime->post([this, key, &answers] {
          v1::PutRequest request;
          request.set_key(key);
          const Duration timeout(static_cast<std::int64_t>(100'000 + rng.below(4'000'000)));
          proxy->dispatch(v1::kPut.id, v1::encode(request), proxy_runtime->now() + timeout,
                          [key, &answers](Result<std::string> answer) {
                            EXPECT_FALSE(answers[key]) << "answered twice";
                            answers[key] = std::move(answer);
                          });
        });
      });
    }
    world.run_for(8'000'000);
    quiet = true;
    world.run_for(10'000'000);
    int succeeded = 0;
    for (const auto& [key, answer] : answers) {
      ASSERT_TRUE(answer) << key << " was never answered";
      const int times = times_applied.contains(key) ? times_applied[key] : 0;
      EXPECT_LE(times, 1) << key;
      if (*answer) EXPECT_EQ(times, 1) << key;
      if (!*answer && is_definite(answer->error())) EXPECT_EQ(times, 0) << key << ": " << answer->error().to_string();
      if (*answer) ++succeeded;
    }
    EXPECT_GT(succeeded, kWrites / 4);
    EXPECT_EQ(proxy->in_flight(), 0u);
  }
};

TEST_P(ProxyUnderRandomFaults, WhatTheCallerIsToldIsTrue) {
  for (int i = 0; i < 10; ++i) {
    SCOPED_TRACE(GetParam() * 10 + i);
    RandomRun().run(GetParam() * 10 + i);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProxyUnderRandomFaults, testing::Range(0, 20));

}  // namespace
}  // namespace meridian::proxy
