#include "tools/bench/key_choice.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

// Pearson's statistic against equal expectations. With 99 degrees of freedom it is between 50 and 160 in all but one of
// ten thousand honest runs.
double chi_square(const std::vector<int>& seen, double expected) {
  double sum = 0;
  for (const int count : seen) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

KeyChoice make_choice(Distribution distribution, std::uint64_t keys, std::uint64_t seed, bool growing = false) {
  return KeyChoice(distribution, keys, growing, zipf_table_for(distribution, keys), seed);
}

TEST(KeyChoice, UniformReachesEveryKeyAsOften) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    KeyChoice choice = make_choice(Distribution::kUniform, 100, seed);
    std::vector<int> seen(100);
    for (int i = 0; i < 100'000; ++i) ++seen[choice.next(100)];
    const double statistic = chi_square(seen, 1'000);
    EXPECT_GT(statistic, 50) << "too even, seed " << seed;
    EXPECT_LT(statistic, 160) << "seed " << seed;
  }
}

TEST(KeyChoice, WorkersWithNeighbouringSeedsDoNotAskForTheSameKeysInTurn) {
  KeyChoice a = make_choice(Distribution::kUniform, 1'000'000, 1);
  KeyChoice same = make_choice(Distribution::kUniform, 1'000'000, 1);
  KeyChoice b = make_choice(Distribution::kUniform, 1'000'000, 2);
  std::vector<std::uint64_t> of_a;
  for (int i = 0; i < 1'000; ++i) of_a.push_back(a.next(1'000'000));
  int shared = 0;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(same.next(1'000'000), of_a[static_cast<std::size_t>(i)]);
    shared += static_cast<int>(std::ranges::count(of_a, b.next(1'000'000)));
  }
  EXPECT_LT(shared, 10);  // one is expected by chance
}

TEST(ZipfTable, RanksFollowTheLawWithExponent099) {
  ZipfTable table(1'000);
  std::vector<int> ranks(1'000);
  constexpr int kDraws = 1'000'000;
  for (int i = 0; i < kDraws; ++i) ++ranks[table.rank((i + 0.5) / kDraws)];
  double zeta = 0;
  for (int i = 1; i <= 1'000; ++i) zeta += std::pow(i, -0.99);
  // The first two ranks are exact; the curve that the method lays through the others is off by some percents.
  EXPECT_NEAR(ranks[0], kDraws / zeta, 2);
  EXPECT_NEAR(ranks[1], kDraws / zeta * std::pow(2, -0.99), 2);
  for (std::size_t rank = 4; rank < 1'000; rank += 83) {
    const double expected = kDraws / zeta * std::pow(rank + 1, -0.99);
    EXPECT_NEAR(ranks[rank], expected, 0.15 * expected + 3) << rank;
  }
}

TEST(ZipfTable, GrowingIsTheSameAsMakingItLarge) {
  ZipfTable grown(10);
  for (std::uint64_t items = 11; items <= 500; ++items) grown.grow(items);
  grown.grow(3);
  const ZipfTable made(500);
  EXPECT_EQ(grown.items(), 500u);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(grown.rank(i / 1'000.0), made.rank(i / 1'000.0)) << i;
}

TEST(ZipfTable, StaysInsideHoweverFewItemsThereAre) {
  for (const std::uint64_t items : {1, 2, 3}) {
    const ZipfTable table(items);
    for (int i = 0; i < 1'000; ++i) EXPECT_LT(table.rank(i / 1'000.0), items);
    EXPECT_LT(table.rank(0x1.fffffffffffffp-1), items);
  }
}

// The values that the Java of YCSB's Utils.fnvhash64 gives.
TEST(KeyChoice, HashesAsYcsbDoes) {
  EXPECT_EQ(fnv_hash(0), 6284781860667377211u);
  EXPECT_EQ(fnv_hash(1), 8517097267634966620u);
}

TEST(KeyChoice, ZipfScattersTheHotKeysAndIsAsHotAsYcsb) {
  constexpr std::uint64_t kKeys = 100'000;
  constexpr int kDraws = 400'000;
  KeyChoice choice = make_choice(Distribution::kZipf, kKeys, 3);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < kDraws; ++i) ++seen[choice.next(kKeys)];
  const auto hottest = std::ranges::max_element(seen, {}, [](const auto& each) { return each.second; });
  EXPECT_EQ(hottest->first, fnv_hash(0) % kKeys);
  EXPECT_NEAR(hottest->second, kDraws / 26.469, 700);
  EXPECT_NEAR(seen[fnv_hash(1) % kKeys], kDraws / 26.469 / std::pow(2, 0.99), 700);
  EXPECT_LT(seen.rbegin()->first, kKeys);
}

TEST(KeyChoice, ZipfKeepsItsHotKeysWhileKeysAreInserted) {
  KeyChoice choice = make_choice(Distribution::kZipf, 1'000, 3, true);
  const auto hottest = [&](std::uint64_t present) {
    std::map<std::uint64_t, int> seen;
    for (int i = 0; i < 50'000; ++i) {
      const std::uint64_t key = choice.next(present);
      EXPECT_LT(key, present);
      ++seen[key];
    }
    return std::ranges::max_element(seen, {}, [](const auto& each) { return each.second; })->first;
  };
  const std::uint64_t at_first = hottest(1'000);
  EXPECT_EQ(hottest(1'001), at_first);
  EXPECT_EQ(hottest(1'200), at_first);
  // Until the very hottest is there, which is not loaded but inserted.
  const std::uint64_t of_all = fnv_hash(0) % 2'000;
  ASSERT_GT(of_all, 1'200u);
  EXPECT_EQ(hottest(of_all + 1), of_all);
}

TEST(KeyChoice, LatestPrefersTheNewestKeyWhileItMovesOn) {
  KeyChoice choice = make_choice(Distribution::kLatest, 1'000, 9, true);
  for (const std::uint64_t present : {1'000, 1'001, 2'000}) {
    std::vector<int> seen(present);
    for (int i = 0; i < 50'000; ++i) ++seen.at(choice.next(present));
    double zeta = 0;
    for (std::uint64_t i = 1; i <= present; ++i) zeta += std::pow(i, -0.99);
    EXPECT_NEAR(seen[present - 1], 50'000 / zeta, 400) << present;
    EXPECT_GT(seen[present - 1], seen[present - 2]);
    EXPECT_GT(seen[present - 2], seen[present / 2]);
  }
}

}  // namespace
}  // namespace meridian::bench
