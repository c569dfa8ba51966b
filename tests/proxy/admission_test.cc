#include "proxy/admission.h"

#include <gtest/gtest.h>

namespace meridian::proxy {
namespace {

using namespace std::chrono_literals;

// A cluster that works on `parallel` requests at a time, each for `work`; callers keep `wanted` waiting.
class Served {
 public:
  Served(Admission& admission, Duration work, int parallel) : admission_(admission), work_(work), parallel_(parallel) {}
  // What a request took at the end.
  Duration run(Duration length, std::size_t wanted) {
    const MonoTime end = now_ + length;
    Duration took{0};
    while (now_ < end) {
      const std::size_t under_way = std::min(wanted, admission_.limit());
      took = std::max(work_, work_ * static_cast<std::int64_t>(under_way) / parallel_);
      now_ = now_ + std::max(Duration(1), took / static_cast<std::int64_t>(under_way));
      admission_.ended(now_, took);
    }
    return took;
  }

 private:
  Admission& admission_;
  Duration work_;
  int parallel_;
  MonoTime now_{1'000'000};
};

TEST(Admission, BeginsAtTheLeastAndNeverGoesBelow) {
  Admission admission({.at_least = 100, .at_most = 10'000, .queueing = 25ms});
  EXPECT_TRUE(admission.admits(99));
  EXPECT_FALSE(admission.admits(100));
  Served slow(admission, 1s, 1);
  slow.run(20s, 1'000);
  EXPECT_EQ(admission.limit(), 100u);
}

TEST(Admission, AShortQueueIsAllAnOverloadedClusterGets) {
  Admission admission({.at_least = 100, .at_most = 100'000, .queueing = 25ms});
  Served cluster(admission, 5ms, 500);  // 100,000 a second
  EXPECT_EQ(cluster.run(10s, 50), 5ms);
  const Duration loaded = cluster.run(60s, 50'000);
  EXPECT_GE(loaded, 20ms);
  EXPECT_LE(loaded, 45ms) << "a minute of overload is not how things are";
}

// Requests that take long because the way is long are not in each other's way.
TEST(Admission, ALongWayIsNoQueue) {
  Admission admission({.at_least = 100, .at_most = 100'000, .queueing = 25ms});
  Served far(admission, 200ms, 10'000);  // 50,000 a second
  far.run(5s, 90);
  for (std::size_t wanted = 90; wanted < 8'000; wanted = wanted * 11 / 10) far.run(1s, wanted);
  EXPECT_EQ(far.run(10s, 8'000), 200ms);
  EXPECT_GE(admission.limit(), 8'000u);
}

TEST(Admission, APauseSaysNothingAboutThePace) {
  Admission admission({.at_least = 10, .at_most = 100'000, .queueing = 25ms});
  Served cluster(admission, 5ms, 500);
  cluster.run(10s, 500);
  const std::size_t before = admission.limit();
  EXPECT_GT(before, 1'000u);
  admission.ended(MonoTime(3'600'000'000), 5ms);
  EXPECT_EQ(admission.limit(), before);
}

TEST(Admission, TheRefusedAreToldHowLong) {
  Admission admission({.at_least = 10, .at_most = 100'000, .queueing = 25ms});
  EXPECT_EQ(admission.wait_ms(500), 20u) << "nothing is known yet";
  Served cluster(admission, 5ms, 500);
  cluster.run(10s, 500);
  EXPECT_NEAR(admission.wait_ms(5'000), 50, 5);
  EXPECT_GE(admission.wait_ms(0), 1u);
}

TEST(Admission, TheMostBindsTheLeast) {
  Admission admission({.at_least = 1'280, .at_most = 2, .queueing = 25ms});
  EXPECT_EQ(admission.limit(), 2u);
}

}  // namespace
}  // namespace meridian::proxy
