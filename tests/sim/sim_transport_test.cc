#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/task.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_transport.h"
#include "tests/sim/sim_world.h"

namespace meridian::sim {
namespace {

constexpr MethodId kEcho = 1, kSilent = 2, kNote = 3;

// A process that echoes, keeps some requests unanswered for ever, and notes one-way messages.
struct ToyServer {
  ToyServer(SimNetwork& network, SimRuntime& runtime, const Address& address) : transport(network, runtime, address) {
    transport.handle(kEcho, [this](IncomingCall call) {
      ++served;
      call.respond("echo:" + call.payload);
    });
    transport.handle(kSilent, [this](IncomingCall call) { kept.push_back(std::move(call.respond)); });
    transport.handle(kNote, [this](IncomingCall call) { notes.push_back(call.payload); });
  }
  SimTransport transport;
  int served = 0;
  std::vector<Responder> kept;
  std::vector<std::string> notes;
};

struct Process {
  Process(SimWorld& world, SimNetwork& network, SimClocks& clocks, const Address& address)
      : runtime(world, address, clocks, disk), server(std::make_unique<ToyServer>(network, runtime, address)) {}
  ~Process() { crash(true); }
  void crash(bool abrupt) {
    if (server == nullptr) return;
    runtime.kill();
    server->transport.kill(abrupt);
    server.reset();
  }
  Result<std::string> call(const Address& to, MethodId method, Duration timeout) {
    std::optional<Result<std::string>> answer;
    runtime.post([&] {
      server->transport.call(to, method, "x", {.deadline = runtime.now() + timeout},
                             [&](Result<std::string> result) { answer = std::move(result); });
    });
    runtime.world().run_until([&] { return answer.has_value(); }, runtime.world().now() + 60'000'000);
    if (!answer) return fail(ErrorCode::kInternal, "never answered");
    return *answer;
  }
  SimDisk disk;
  SimRuntime runtime;
  std::unique_ptr<ToyServer> server;
};

struct Fixture : testing::Test {
  SimWorld world{42};
  SimNetwork network{world, {}};
  SimClocks clocks_a{world, 1, {}}, clocks_b{world, 2, {}};
  std::unique_ptr<Process> a = std::make_unique<Process>(world, network, clocks_a, "a:1");
  std::unique_ptr<Process> b = std::make_unique<Process>(world, network, clocks_b, "b:1");
};
using SimTransportTest = Fixture;

TEST_F(SimTransportTest, AnswersCalls) {
  EXPECT_EQ(a->call("b:1", kEcho, Duration(1'000'000)).value(), "echo:x");
  EXPECT_EQ(a->call("a:1", kEcho, Duration(1'000'000)).value(), "echo:x");
  EXPECT_EQ(a->call("b:1", 99, Duration(1'000'000)).error().code(), ErrorCode::kUnimplemented);
}

TEST_F(SimTransportTest, WhatWasNeverSentIsDefinite) {
  b->crash(true);
  EXPECT_EQ(a->call("b:1", kEcho, Duration(5'000'000)).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(a->call("b:1", kEcho, Duration(10)).error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(a->call("nobody:1", kEcho, Duration(5'000'000)).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(a->call("a:1", kEcho, Duration(-5)).error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(SimTransportTest, WhatMayHaveArrivedIsUnknown) {
  EXPECT_EQ(a->call("b:1", kSilent, Duration(500'000)).error().code(), ErrorCode::kUnknownOutcome);
  b->server->kept.clear();
  // The process dies with the call inside: the connection breaks, now or at the next keep-alive.
  for (const bool abrupt : {true, false}) {
    b = nullptr;
    world.run_for(10'000'000);
    b = std::make_unique<Process>(world, network, clocks_b, "b:1");
    world.at(world.now() + 100'000, EventKind::kFault, nullptr, [&] { b->crash(abrupt); });
    EXPECT_EQ(a->call("b:1", kSilent, Duration(30'000'000)).error().code(), ErrorCode::kConnectionLost);
  }
}

TEST_F(SimTransportTest, ADroppedRequestIsAnswered) {
  world.at(50'000, EventKind::kWorld, nullptr, [&] { b->server->kept.clear(); });
  EXPECT_EQ(a->call("b:1", kSilent, Duration(500'000)).error().code(), ErrorCode::kUnknownOutcome);
  EXPECT_LT(world.now(), 400'000);
}

TEST_F(SimTransportTest, ACutIsOneWayAndHeals) {
  EXPECT_TRUE(a->call("b:1", kEcho, Duration(500'000)));
  network.cut("b:1", "a:1");  // requests arrive, answers do not
  const int before = b->server->served;
  EXPECT_FALSE(a->call("b:1", kEcho, Duration(300'000)));
  EXPECT_GT(b->server->served, before);
  network.heal();
  world.run_for(10'000'000);
  EXPECT_TRUE(a->call("b:1", kEcho, Duration(5'000'000)));
}

TEST_F(SimTransportTest, OneWayMessagesStayInOrderOnAGoodNetwork) {
  a->runtime.post([&] {
    for (int i = 0; i < 100; ++i) a->server->transport.send("b:1", kNote, std::to_string(i), {});
  });
  world.run_for(1'000'000);
  ASSERT_EQ(b->server->notes.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b->server->notes[i], std::to_string(i));
}

TEST_F(SimTransportTest, ABadNetworkAnswersEveryCallOnce) {
  network.options().loss = 0.2;
  network.options().duplicate = 0.2;
  network.options().reorder = 0.2;
  std::map<ErrorCode, int> errors;
  int ok = 0, done = 0;
  a->runtime.post([&] {
    for (int i = 0; i < 1000; ++i) {
      a->server->transport.call("b:1", kEcho, std::to_string(i),
                                {.deadline = a->runtime.now() + Duration(1'000'000 + i * 1000)},
                                [&, i](Result<std::string> answer) {
                                  ++done;
                                  if (answer) {
                                    ++ok;
                                    EXPECT_EQ(*answer, "echo:" + std::to_string(i));
                                  } else {
                                    ++errors[answer.error().code()];
                                  }
                                });
    }
  });
  world.run_for(20'000'000);
  EXPECT_EQ(done, 1000);
  EXPECT_GT(ok, 100);
  EXPECT_GT(errors[ErrorCode::kConnectionLost], 10);
  EXPECT_GT(b->server->served, ok);
}

// A register on three nodes, each write to all and acknowledged by two: enough to crash, restart and compare hashes.
struct ToyRegister {
  static constexpr MethodId kWrite = 7;
  ToyRegister(SimNetwork& network, SimRuntime& runtime, int self, std::string* disk)
      : runtime(runtime), transport(network, runtime, address(self)), disk(disk) {
    transport.handle(kWrite, [this](IncomingCall call) { spawn(this->runtime, store(std::move(call))); });
  }
  static Address address(int i) { return "r" + std::to_string(i) + ":1"; }
  Task<> store(IncomingCall call) {
    const bool stored = co_await offload(runtime, [disk = disk, value = call.payload] {
      *disk = value;
      return true;
    });
    if (stored) call.respond("stored");
  }
  Task<> write_for_ever(int peers, int* acknowledged) {
    for (int i = 0;; ++i) {
      const std::string value = std::to_string(i);
      int copies = 0;
      for (int peer = 0; peer < peers; ++peer) {
        const CallOptions options{.deadline = runtime.now() + Duration(200'000)};
        auto answer = co_await suspend<Result<std::string>>(
            runtime, [&](std::move_only_function<void(Result<std::string>)> done) {
              transport.call(address(peer), kWrite, value, options, std::move(done));
            });
        if (answer) ++copies;
      }
      if (copies * 2 > peers) ++*acknowledged;
    }
  }
  SimRuntime& runtime;
  SimTransport transport;
  std::string* disk;
};

std::uint64_t run_register(std::uint64_t seed, int* acknowledged) {
  SimWorld world(seed);
  SimNetwork network(world, {.loss = 0.05, .duplicate = 0.05, .reorder = 0.05});
  std::vector<std::unique_ptr<SimClocks>> clocks;
  std::vector<std::string> disks(3);
  const SimDisk disk;
  struct Running {
    std::unique_ptr<SimRuntime> runtime;
    std::unique_ptr<ToyRegister> node;
  };
  std::vector<Running> running(3);
  const auto start = [&](int i) {
    running[i].runtime = std::make_unique<SimRuntime>(world, ToyRegister::address(i), *clocks[i], disk);
    running[i].node = std::make_unique<ToyRegister>(network, *running[i].runtime, i, &disks[i]);
    spawn(*running[i].runtime, running[i].node->write_for_ever(3, acknowledged));
  };
  const auto crash = [&](int i) {
    running[i].runtime->kill();
    running[i].node->transport.kill(world.now() % 2 == 0);
    running[i] = {};
  };
  for (int i = 0; i < 3; ++i) clocks.push_back(std::make_unique<SimClocks>(world, i, SimClocks::Options{}));
  for (int i = 0; i < 3; ++i) start(i);
  Rng rng = world.rng("faults");
  for (int round = 0; round < 20; ++round) {
    world.run_for(rng.between(std::int64_t{1'000}, std::int64_t{300'000}));
    const int victim = static_cast<int>(rng.below(3));
    if (rng.chance(0.3)) {
      running[victim].runtime->pause(Duration(100'000));
      continue;
    }
    crash(victim);
    world.run_for(rng.between(std::int64_t{0}, std::int64_t{300'000}));
    start(victim);
  }
  for (int i = 0; i < 3; ++i) crash(i);
  return world.hash();
}

TEST(SimTransportToyRegister, SurvivesCrashesAndRepeatsItself) {
  int total = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    int first = 0, second = 0;
    EXPECT_EQ(run_register(seed, &first), run_register(seed, &second));
    EXPECT_EQ(first, second);
    total += first;
  }
  EXPECT_GT(total, 1000);
}

}  // namespace
}  // namespace meridian::sim
