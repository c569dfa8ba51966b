// Random faults between a client and a server that applies each id once, also long after its attempt was given
// up: whatever the client is told must be true in the end.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "client/core/client_core.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_world.h"

namespace meridian::client {
namespace {

using std::chrono::milliseconds;

class ChaoticServer final : public Transport {
 public:
  ChaoticServer(Runtime& runtime, sim::Rng rng) : runtime_(runtime), rng_(rng) {}

  std::map<std::string, int> applied;  // by key

  void call(const Address&, MethodId method, std::string request, CallOptions options, ResponseCallback done) override {
    const Duration there = Duration(rng_.between(std::int64_t{10}, std::int64_t{3'000}));
    const double luck = rng_.unit();
    if (luck < 0.10) return later(there, std::move(done), refusal());  // never received
    if (luck < 0.20) return silence(options, std::move(done));         // lost on the way there
    if (luck < 0.28) {  // on its way for long: received after it was given up, or after its retry
      const bool silent = rng_.chance(0.5);
      runtime_.after(Duration(rng_.between(std::int64_t{1'000}, std::int64_t{8'000'000})),
                     [this, method, request, silent, options] {
                       Result<std::string> answer = handle(method, request);
                       const MonoTime now = runtime_.now();
                       if (silent && options.late && now > options.deadline && now <= options.late_until) {
                         options.late(std::move(*answer));
                       }
                     });
      return silent ? silence(options, std::move(done))
                              : later(there, std::move(done), fail(ErrorCode::kConnectionLost, "broke"));
    }
    runtime_.after(there, [this, method, request, luck, options, done = std::move(done)]() mutable {
      Result<std::string> answer = handle(method, request);
      if (luck < 0.36) return silence(options, std::move(done));  // the answer is lost
      if (luck < 0.44) answer = fail(rng_.chance(0.5) ? ErrorCode::kConnectionLost : ErrorCode::kInternal, "broke");
      if (luck < 0.46) answer = std::string("\xff garbage");
      later(Duration(rng_.between(std::int64_t{10}, std::int64_t{3'000})), std::move(done), std::move(answer));
    });
  }
  void send(const Address&, MethodId, std::string, CallOptions) override {}
  void handle(MethodId, CallHandler) override {}
  Address local_address() const override { return "client"; }

 private:
  Result<std::string> refusal() {
    switch (rng_.below(7)) {
      case 0: return fail(ErrorCode::kUnavailable, "no route");
      case 1:
        return fail(Error(ErrorCode::kBusy, "full").with_retry_after(static_cast<std::uint32_t>(rng_.below(300))));
      case 2: return fail(ErrorCode::kOutOfRange, "an id from the future");
      case 3: return fail(ErrorCode::kDiskFull, "full");
      case 4: return fail(ErrorCode::kNotLeader, "not me");
      case 5: return fail(ErrorCode::kFailedPrecondition, "not now");
      default: return fail(ErrorCode::kDeadlineExceeded, "not sent in time");
    }
  }
  Result<std::string> handle(MethodId method, const std::string& request) {
    if (method == v1::kHello.id) {
      v1::HelloResponse hello;
      hello.set_cluster_time_us(static_cast<std::uint64_t>(runtime_.wall_now().us()));
      return encode(hello);
    }
    const v1::PutRequest put = *decode(request, static_cast<v1::PutRequest*>(nullptr));
    EXPECT_TRUE(put.has_id());
    const std::string id = put.id().SerializeAsString();
    const auto [owner, fresh] = ids_.emplace(id, put.key());
    EXPECT_EQ(owner->second, put.key()) << "one id for two writes";
    if (fresh) ++applied[put.key()];
    v1::WriteResponse response;
    response.set_version(1);
    response.set_cluster_time_us(static_cast<std::uint64_t>(runtime_.wall_now().us()));
    return encode(response);
  }
  void later(Duration delay, ResponseCallback done, Result<std::string> answer) {
    runtime_.after(delay, [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
  }
  void silence(const CallOptions& options, ResponseCallback done) {
    runtime_.at(options.deadline,
                [done = std::move(done)]() mutable { done(fail(ErrorCode::kUnknownOutcome, "silence")); });
  }

  Runtime& runtime_;
  sim::Rng rng_;
  std::map<std::string, std::string> ids_;
};

struct Tally {
  int ok = 0, definite = 0, unknown = 0;
};

void run_seed(std::uint64_t seed, Tally& tally) {
  SCOPED_TRACE(seed);
  sim::SimWorld world(seed);
  sim::SimClocks clocks(world, 1, {});
  sim::SimDisk disk;
  sim::SimRuntime runtime(world, "client", clocks, disk);
  ChaoticServer server(runtime, world.rng("server"));
  sim::Rng rng = world.rng("test");
  Options options;
  options.attempt_timeout = milliseconds(200);
  ClientCore core({runtime, server, {"a", "b", "c"}, options});
  std::map<std::string, std::optional<Result<v1::WriteResponse>>> told;
  for (int i = 0; i < 60; ++i) {
    const std::string key = std::to_string(i);
    told[key];
    v1::PutRequest request;
    request.set_key(key);
    Call call;
    call.deadline = runtime.now() + Duration(rng.between(std::int64_t{1'000}, std::int64_t{3'000'000}));
    const CallId id = core.call(v1::kPut, request, call, Done<v1::WriteResponse>([&told, key](auto result) {
                                  EXPECT_FALSE(told[key].has_value()) << "told twice";
                                  told[key].emplace(std::move(result));
                                }));
    if (rng.chance(0.1)) {
      runtime.after(Duration(rng.between(std::int64_t{0}, std::int64_t{50'000})), [&core, id] { core.cancel(id); });
    }
    world.run_for(rng.between(std::int64_t{0}, std::int64_t{40'000}));
  }
  world.run_for(20'000'000);  // every deadline has passed, and what was on its way has arrived
  for (const auto& [key, result] : told) {
    ASSERT_TRUE(result.has_value()) << "never told";
    const int times = server.applied.contains(key) ? server.applied[key] : 0;
    EXPECT_LE(times, 1) << key << " took effect twice";
    if (result->has_value()) {
      EXPECT_EQ(times, 1) << key << " was acknowledged";
      ++tally.ok;
    } else if (is_definite(result->error())) {
      EXPECT_EQ(times, 0) << key << " was said to have failed: " << result->error().to_string();
      ++tally.definite;
    } else {
      EXPECT_EQ(result->error().code(), ErrorCode::kUnknownOutcome);
      ++tally.unknown;
    }
  }
  EXPECT_EQ(core.in_flight(), 0u);
}

TEST(RandomOutcomes, WhatTheCallerIsToldIsTrueInTheEnd) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) run_seed(seed, tally);
  EXPECT_GT(tally.ok, 6'000);
  EXPECT_GT(tally.definite, 500);
  EXPECT_GT(tally.unknown, 500);
}

}  // namespace
}  // namespace meridian::client
