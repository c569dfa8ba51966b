#include <gtest/gtest.h>

#include "proxy/cluster_clock.h"
#include "proxy/leader_tracker.h"
#include "proxy/page_token.h"

namespace meridian::proxy {
namespace {

TEST(LeaderTracker, TheHigherTermWins) {
  LeaderTracker tracker;
  EXPECT_EQ(tracker.leader(), nullptr);
  EXPECT_TRUE(tracker.learn(1, 5, "a", false));
  EXPECT_FALSE(tracker.learn(2, 4, "b", true));
  EXPECT_FALSE(tracker.learn(2, 5, "b", true));  // one leader per term
  EXPECT_FALSE(tracker.learn(0, 9, "", false));
  EXPECT_EQ(tracker.leader()->node, 1u);
  EXPECT_TRUE(tracker.learn(2, 6, "b", false));
  EXPECT_EQ(tracker.leader()->address, "b");
}

TEST(LeaderTracker, ASuspectIsTrustedByItsOwnWordOrInAnotherTerm) {
  LeaderTracker tracker;
  tracker.learn(1, 5, "a", false);
  tracker.suspect(1, 4);
  tracker.suspect(2, 5);
  ASSERT_NE(tracker.leader(), nullptr);
  tracker.suspect(1, 5);
  EXPECT_EQ(tracker.leader(), nullptr);
  EXPECT_FALSE(tracker.learn(1, 5, "a", false));
  EXPECT_EQ(tracker.leader(), nullptr);
  EXPECT_TRUE(tracker.learn(1, 5, "a", true));
  ASSERT_NE(tracker.leader(), nullptr);
  tracker.suspect(1, 5);
  EXPECT_TRUE(tracker.learn(1, 6, "a", false));
  EXPECT_NE(tracker.leader(), nullptr);
}

TEST(ClusterClock, IsNeverAheadOfWhatWasLearnt) {
  ClusterClock clock;
  const WallTime own(5'000'000);
  EXPECT_EQ(clock.estimate(MonoTime(0), own), own);
  clock.learn(9'000'000, MonoTime(0), MonoTime(1'000));
  EXPECT_EQ(clock.estimate(MonoTime(1'000), own), WallTime(9'000'000));
  EXPECT_LE(clock.estimate(MonoTime(1'001'000), own), WallTime(10'000'000));
  EXPECT_GE(clock.estimate(MonoTime(1'001'000), own), WallTime(9'900'000));
  // An old answer says nothing new; a clock that was set back does.
  clock.learn(9'000'500, MonoTime(1'000), MonoTime(1'001'000));
  EXPECT_GE(clock.estimate(MonoTime(1'001'000), own), WallTime(9'900'000));
  clock.learn(2'000'000, MonoTime(1'001'000), MonoTime(1'002'000));
  EXPECT_EQ(clock.estimate(MonoTime(1'002'000), own), WallTime(2'000'000));
  // After a long silence the own clock counts, if it is ahead.
  EXPECT_EQ(clock.estimate(MonoTime(100'000'000), WallTime(900'000'000)), WallTime(900'000'000));
}

TEST(PageToken, CarriesAnyBytes) {
  v1::ScanRequest request;
  request.set_keyspace("k");
  for (const PageToken& token :
       {PageToken{1, "", ""}, PageToken{UINT64_MAX, std::string(5000, '\xff'), std::string("\0x", 2)}}) {
    request.set_page_token(encode_page_token(token, request));
    const auto decoded = decode_page_token(request);
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_EQ(decoded->timestamp, token.timestamp);
    EXPECT_EQ(decoded->start, token.start);
    EXPECT_EQ(decoded->end, token.end);
  }
}

}  // namespace
}  // namespace meridian::proxy
