#include "client/core/throttle.h"

#include <gtest/gtest.h>

namespace meridian::client {
namespace {

// Proxies that take so many calls in each millisecond and refuse the rest, and callers that offer so many.
struct Overload {
  Throttle throttle;
  MonoTime now{1'000'000};
  std::uint64_t draws = 0;
  int sent = 0, accepted = 0;

  void run(int milliseconds, int offered, int taken) {
    sent = accepted = 0;
    for (int ms = 0; ms < milliseconds; ++ms, now = now + Duration(1000)) {
      int room = taken;
      for (int i = 0; i < offered; ++i) {
        const double draw = static_cast<double>(++draws * 0x9e3779b97f4a7c15 >> 11) / static_cast<double>(1ull << 53);
        if (throttle.refuses(now, draw)) continue;
        ++sent;
        if (room-- > 0) {
          ++accepted;
          throttle.accepted(now);
        } else {
          throttle.refused(now, 7);
        }
      }
    }
  }
};

TEST(Throttle, RefusesNothingWhereNothingIsRefused) {
  Overload load;
  load.run(5'000, 20, 20);
  EXPECT_EQ(load.accepted, 100'000);
  EXPECT_EQ(load.throttle.share(), 0);
}

TEST(Throttle, SendsLittleMoreThanIsTaken) {
  Overload load;
  load.run(5'000, 40, 20);
  load.run(5'000, 40, 20);
  EXPECT_GT(load.accepted, 99'000);   // nearly all that the proxies can do is done
  EXPECT_LT(load.sent, 120'000);      // of 200,000 offered
  EXPECT_NEAR(load.throttle.share(), 0.45, 0.05);
  EXPECT_EQ(load.throttle.refusal().code(), ErrorCode::kBusy);
  EXPECT_EQ(load.throttle.refusal().retry_after_ms(), 7u);
}

TEST(Throttle, RefusesEarlyByTheShareOfAMomentAgo) {
  Overload load;
  EXPECT_FALSE(load.throttle.refuses_early(load.now, 0));
  load.run(5'000, 40, 20);
  const double share = load.throttle.share();
  EXPECT_TRUE(load.throttle.refuses_early(load.now, share - 0.05));
  EXPECT_FALSE(load.throttle.refuses_early(load.now, share + 0.05));
  for (int i = 0; i < 1'000; ++i) load.throttle.refuses_early(load.now, 0);
  load.throttle.refused(load.now, 7);  // counts them
  EXPECT_GT(load.throttle.share(), share);
  EXPECT_FALSE(load.throttle.refuses_early(load.now + Duration(300'000), 0));
}

TEST(Throttle, FollowsProxiesThatCanDoMoreAgain) {
  Overload load;
  load.run(5'000, 40, 10);
  load.run(4'000, 40, 40);
  load.run(1'000, 40, 40);
  EXPECT_GT(load.accepted, 39'900);
}

TEST(Throttle, ForgetsAnOverloadThatIsOver) {
  Overload load;
  load.run(5'000, 40, 10);
  load.now = load.now + Duration(20'000'000);
  load.run(1'000, 1, 1);
  EXPECT_EQ(load.accepted, 1'000);
}

}  // namespace
}  // namespace meridian::client
