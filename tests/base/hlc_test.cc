#include "base/hlc.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace meridian {
namespace {

// The wall clock may stand still, jump back and forth; floors are raised to what others have answered.
RC_GTEST_PROP(Hlc, NowIsAboveAllThatWasReturnedAndTheFloor, ()) {
  Hlc node;
  FlooredHlc clock(node, Timestamp());
  Timestamp highest;
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, std::uint16_t>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::arbitrary<std::uint16_t>()));
  for (const auto& [raises, us] : steps) {
    if (raises) {
      const Timestamp seen = Timestamp::from_wall(WallTime(us), us % 4096u);
      clock.raise(seen);
      if (seen > highest) highest = seen;
    } else {
      const Timestamp now = clock.now(WallTime(us));
      RC_ASSERT(now > highest);
      RC_ASSERT(now >= Timestamp::from_wall(WallTime(us)));
      highest = now;
    }
    RC_ASSERT(clock.floor() == highest);
  }
}

TEST(Hlc, AFloorHoldsForItsOwnerOnly) {
  Hlc node;
  FlooredHlc high(node, Timestamp::from_wall(WallTime(5000))), low(node, Timestamp());
  EXPECT_EQ(high.now(WallTime(1000)), Timestamp::from_wall(WallTime(5000), 1));
  EXPECT_EQ(low.now(WallTime(1000)), Timestamp::from_wall(WallTime(1000), 1));
  EXPECT_EQ(high.now(WallTime(6000)), Timestamp::from_wall(WallTime(6000)));
}

TEST(Hlc, FollowsTheWallClockWhereItIsAhead) {
  Hlc clock;
  EXPECT_EQ(clock.now(WallTime(1000)), Timestamp::from_wall(WallTime(1000)));
  EXPECT_EQ(clock.now(WallTime(1000)), Timestamp::from_wall(WallTime(1000), 1));
  EXPECT_EQ(clock.now(WallTime(900)), Timestamp::from_wall(WallTime(1000), 2));
  EXPECT_EQ(clock.now(WallTime(1001)), Timestamp::from_wall(WallTime(1001)));
}

TEST(Hlc, AFullLogicalCounterCarriesIntoThePhysicalPart) {
  const Timestamp full = Timestamp::from_wall(WallTime(5), 4095);
  EXPECT_EQ(full.next(), Timestamp::from_wall(WallTime(6)));
  EXPECT_EQ(full.next().previous(), full);
}

TEST(Hlc, ArithmeticSaturatesAtZero) {
  const Timestamp t = Timestamp::from_wall(WallTime(5), 3);
  EXPECT_EQ(t.plus(Duration(2)), Timestamp::from_wall(WallTime(7), 3));
  EXPECT_EQ(t.minus(Duration(2)), Timestamp::from_wall(WallTime(3), 3));
  EXPECT_TRUE(t.minus(Duration(6)).is_zero());
  EXPECT_LT(t, Timestamp::max());
}

}  // namespace
}  // namespace meridian
