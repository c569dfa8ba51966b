#include "shard/version_cache.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace meridian {
namespace {

Timestamp at(std::uint64_t n) { return Timestamp(n); }
txn::VersionedValue value(std::uint64_t version, std::string text) { return {true, std::move(text), at(version)}; }

TEST(VersionCache, AnswersTheNewestFromItsVersionOn) {
  VersionCache cache(64 << 10);
  EXPECT_EQ(cache.find("k", at(9)), nullptr);
  cache.learn("k", value(5, "five"));
  ASSERT_NE(cache.find("k", at(5)), nullptr);
  EXPECT_EQ(cache.find("k", at(5))->value, "five");
  EXPECT_EQ(cache.find("k", at(4)), nullptr) << "what was newest then is not known";
  cache.applied("k", value(7, "seven"));
  EXPECT_EQ(cache.find("k", at(6)), nullptr);
  EXPECT_EQ(cache.find("k", at(7))->value, "seven");
  cache.applied("k", {false, "", at(8)});
  EXPECT_FALSE(cache.find("k", at(8))->found);
}

TEST(VersionCache, AnAbsentKeyIsKnownUntilItIsWritten) {
  VersionCache cache(64 << 10);
  cache.learn("k", {});
  ASSERT_NE(cache.find("k", at(3)), nullptr);
  EXPECT_FALSE(cache.find("k", at(3))->found);
  cache.applied("k", value(4, "four"));
  EXPECT_EQ(cache.find("k", at(3)), nullptr);
  EXPECT_TRUE(cache.find("k", at(4))->found);
}

TEST(VersionCache, WritesTakeNoPlaceOfTheirOwn) {
  VersionCache cache(64 << 10);
  cache.applied("k", value(4, "four"));
  EXPECT_EQ(cache.find("k", at(4)), nullptr);
  EXPECT_EQ(cache.stats().bytes, 0u);
}

TEST(VersionCache, ForgetsWhatWasReadLongestAgo) {
  VersionCache cache(8 << 10);
  const std::string text(200, 'x');
  cache.learn("kept", value(1, text));
  for (int i = 0; i < 1000; ++i) {
    cache.learn("k" + std::to_string(i), value(1, text));
    ASSERT_NE(cache.find("kept", at(1)), nullptr);
    ASSERT_LE(cache.stats().bytes, std::size_t{8 << 10});
  }
  EXPECT_NE(cache.find("k999", at(1)), nullptr);
  EXPECT_EQ(cache.find("k0", at(1)), nullptr);
}

TEST(VersionCache, HoldsNothingThatWouldPushOutTheRest) {
  VersionCache cache(8 << 10);
  cache.learn("small", value(1, "s"));
  cache.learn("large", value(1, std::string(1000, 'l')));
  EXPECT_EQ(cache.find("large", at(1)), nullptr);
  cache.applied("small", value(2, std::string(1000, 'l')));
  EXPECT_EQ(cache.find("small", at(2)), nullptr);
  EXPECT_EQ(cache.stats().bytes, 0u);
}

TEST(VersionCache, OfNoSizeHoldsNothing) {
  VersionCache cache(0);
  cache.learn("k", value(1, ""));
  EXPECT_EQ(cache.find("k", at(1)), nullptr);
}

// Against the truth: whatever it answers is what the newest version is.
TEST(VersionCache, AgreesWithAMapThroughManyOperations) {
  VersionCache cache(4 << 10);
  std::map<std::string, txn::VersionedValue> truth;
  std::uint64_t random = 7, now = 0;
  const auto draw = [&](std::uint64_t n) {
    random = random * 6364136223846793005 + 1442695040888963407;
    return (random >> 33) % n;
  };
  std::uint64_t hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = "k" + std::to_string(draw(60));
    switch (draw(8)) {
      case 0: {
        txn::VersionedValue written{draw(4) != 0, std::string(draw(300), 'v'), at(++now)};
        truth[key] = written;
        cache.applied(key, std::move(written));
        break;
      }
      case 1:
        if (draw(200) == 0) cache.clear();
        break;
      default: {
        const txn::VersionedValue& expected = truth[key];
        if (const auto* found = cache.find(key, at(now)); found != nullptr) {
          ++hits;
          ASSERT_EQ(found->version, expected.version);
          ASSERT_EQ(found->found, expected.found);
          ASSERT_EQ(found->value, expected.value);
        } else {
          cache.learn(key, expected);
        }
        ASSERT_LE(cache.stats().bytes, std::size_t{4 << 10});
      }
    }
  }
  EXPECT_GT(hits, 5'000u);
}

}  // namespace
}  // namespace meridian
