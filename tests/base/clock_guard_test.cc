#include "base/clock_guard.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace meridian {
namespace {

using Fault = ClockGuard::Fault;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kEpoch = 1'700'000'000'000'000;

// A guard with clocks that a test turns; `true` time is the test's own.
class ClockGuardTest : public ::testing::Test {
 protected:
  ClockGuardTest() { guard.follow({}); }
  WallTime read() { return guard.read(mono(), wall()); }
  MonoTime mono() const { return MonoTime(77 * kHour + static_cast<std::int64_t>(static_cast<double>(now) * rate)); }
  WallTime wall() const { return WallTime(kEpoch + now + offset); }
  // Reads every 100 ms.
  void pass(std::int64_t us) {
    for (const std::int64_t end = now + us; now < end;) {
      now += 100'000;
      read();
    }
  }
  void peers(int count) {
    std::vector<NodeId> ids;
    for (int i = 0; i < count; ++i) ids.emplace_back(2 + static_cast<std::uint64_t>(i));
    guard.follow(ids);
  }
  // A peer's clock, that far from true time, over a round trip of 10 ms.
  void measure(std::uint64_t peer, std::int64_t peer_offset, std::int64_t error = 0) {
    const MonoTime sent = mono();
    now += 5'000;
    const WallTime shown(kEpoch + now + peer_offset);
    now += 5'000;
    guard.measured(NodeId(peer), {shown, Duration(error), shown}, sent, mono());
    read();
  }

  ClockGuard guard{ClockGuard::Options{}};
  std::int64_t now = kHour;
  std::int64_t offset = 0;  // of the wall clock
  double rate = 1;          // of the monotonic clock
};

TEST_F(ClockGuardTest, AJumpIsNotGoneByAndOverWhenItIsUndone) {
  read();
  pass(10 * kSecond);
  for (const std::int64_t jump : {kHour, -kHour, 2 * kSecond, -2 * kSecond}) {
    offset = jump;
    EXPECT_NEAR(static_cast<double>(read().us()), static_cast<double>(kEpoch + now), 100'000.0);
    EXPECT_EQ(guard.fault(), Fault::kJumped);
    EXPECT_NE(guard.describe(), "");
    pass(60 * kSecond);
    EXPECT_EQ(guard.fault(), Fault::kJumped);
    offset = 0;
    EXPECT_EQ(read(), wall());
    EXPECT_EQ(guard.fault(), Fault::kNone);
    EXPECT_EQ(guard.describe(), "");
    pass(10 * kSecond);
  }
}

TEST_F(ClockGuardTest, MonotonicClocksThatRunWrongAndSlewingAreNoJump) {
  for (const double skew : {0.99, 1.0, 1.01}) {
    rate = skew;
    guard = ClockGuard(ClockGuard::Options{});
    guard.follow({});
    read();
    for (int i = 0; i < 3600; ++i) {
      now += i % 60 == 0 ? 20 * kSecond : kSecond;  // a process that was stopped for a while, too
      offset += i % 2 == 0 ? 500 : 499;             // 500 ppm
      read();
      ASSERT_EQ(guard.fault(), Fault::kNone) << i;
    }
  }
}

TEST_F(ClockGuardTest, SmallStepsAddUp) {
  read();
  int steps = 0;
  while (guard.fault() == Fault::kNone && steps < 100) {
    offset += 50'000;
    pass(300'000);
    ++steps;
  }
  EXPECT_LE(steps, 10);
}

// A machine that was suspended while its peers were not.
TEST_F(ClockGuardTest, AQuorumOfPeersConfirmsAStep) {
  peers(4);
  read();
  offset = kHour;
  read();
  measure(2, kHour + 100'000);
  EXPECT_EQ(guard.fault(), Fault::kJumped);
  measure(3, kHour - 100'000);
  EXPECT_EQ(guard.fault(), Fault::kNone);
  EXPECT_EQ(read(), wall());
}

// What a peer has only extrapolated for long confirms nothing.
TEST_F(ClockGuardTest, PeersThatAreUnsureConfirmNothing) {
  peers(2);
  read();
  offset = kHour;
  measure(2, kHour, 400'000);
  measure(3, kHour, 400'000);
  EXPECT_EQ(guard.fault(), Fault::kJumped);
}

TEST_F(ClockGuardTest, WhatAllClocksAgreeOnForLongIsBelieved) {
  peers(2);
  read();
  offset = kHour;
  for (int i = 0; i < 295; i += 5) {
    // They go by what was before, and show what is now.
    const MonoTime at = mono();
    for (const std::uint64_t peer : {2, 3}) {
      guard.measured(NodeId(peer), {WallTime(kEpoch + now), Duration(i * 20'000), wall()}, at, at);
    }
    pass(5 * kSecond);
    ASSERT_EQ(guard.fault(), Fault::kJumped) << i;
  }
  const MonoTime at = mono();
  for (const std::uint64_t peer : {2, 3}) {
    guard.measured(NodeId(peer), {WallTime(kEpoch + now), Duration(10 * kSecond), wall()}, at, at);
  }
  pass(10 * kSecond);
  EXPECT_NE(guard.fault(), Fault::kJumped);
  for (const std::uint64_t peer : {2, 3}) measure(peer, kHour);  // they believe it too
  EXPECT_EQ(guard.fault(), Fault::kNone);
  EXPECT_EQ(read(), wall());
}

TEST_F(ClockGuardTest, AClockThatIsOffFromTheStartIsFoundOutByMostPeers) {
  peers(4);
  offset = kHour;
  read();
  measure(2, 0);
  measure(3, 0);
  EXPECT_EQ(guard.fault(), Fault::kUnknown);  // two against two and this one
  measure(4, 0);
  EXPECT_EQ(guard.fault(), Fault::kOff);
  EXPECT_NE(guard.describe(), "");
  offset = 0;  // repaired: a step, and to where the others are
  read();
  EXPECT_EQ(guard.fault(), Fault::kNone);
}

TEST_F(ClockGuardTest, AMinorityThatIsOffFencesNobodyElse) {
  peers(2);
  read();
  measure(2, kHour);
  EXPECT_EQ(guard.fault(), Fault::kUnknown);
  measure(3, 250'000);
  EXPECT_EQ(guard.fault(), Fault::kNone);
  const auto offsets = guard.offsets(mono());
  ASSERT_EQ(offsets.size(), 2u);
  EXPECT_NEAR(static_cast<double>(offsets[0].ahead.count()), -static_cast<double>(kHour), 10'000.0);
  EXPECT_LT(offsets[0].error, Duration(10'000));
  pass(20 * kSecond);
  EXPECT_TRUE(guard.offsets(mono()).empty());  // too old to count
}

// Whatever legal clocks do (each within δ/2 of true time, stepped or slewed, monotonic rates within ρ, pauses), no
// fence.
RC_GTEST_PROP(ClockGuard, LegalClocksNeverFence, ()) {
  ClockGuard guard{ClockGuard::Options{}};
  guard.follow({NodeId(2), NodeId(3)});
  const double rate = 1 + *rc::gen::inRange(-99, 100) / 10'000.0;
  std::int64_t now = kHour, offset = *rc::gen::inRange(-125'000, 125'001);
  std::int64_t others[2] = {*rc::gen::inRange(-125'000, 125'001), *rc::gen::inRange(-125'000, 125'001)};
  const auto mono = [&] { return MonoTime(kHour + static_cast<std::int64_t>(static_cast<double>(now) * rate)); };
  for (int i = 0; i < 200; ++i) {
    now += *rc::gen::inRange(1, 400'000);
    switch (*rc::gen::inRange(0, 6)) {
      case 0: offset = *rc::gen::inRange(-125'000, 125'001); break;
      case 1: now += *rc::gen::inRange(0, 5'000'000); break;
      case 2: others[*rc::gen::inRange(0, 2)] = *rc::gen::inRange(-125'000, 125'001); break;
      case 3: {
        const auto peer = static_cast<std::size_t>(*rc::gen::inRange(0, 2));
        const MonoTime sent = mono();
        now += *rc::gen::inRange(0, 500'000);
        const WallTime shown(kEpoch + now + others[peer]);
        now += *rc::gen::inRange(0, 500'000);
        guard.measured(NodeId(2 + peer), {shown, Duration(0), shown}, sent, mono());
        break;
      }
      default: break;
    }
    guard.read(mono(), WallTime(kEpoch + now + offset));
    RC_ASSERT(guard.fault() == Fault::kNone || guard.fault() == Fault::kUnknown);
  }
}

}  // namespace
}  // namespace meridian
