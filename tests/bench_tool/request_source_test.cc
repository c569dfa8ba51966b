#include "tools/bench/request_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

constexpr std::uint64_t kKeys = 1'000;

RequestSource make_source(const Workload& workload, std::shared_ptr<InsertSequence> inserts, std::uint64_t seed = 5) {
  return RequestSource(workload, kKeys, zipf_table_for(workload.distribution, kKeys), std::move(inserts), seed);
}

std::map<OpKind, double> shares_of(const Workload& workload, int requests = 100'000) {
  auto inserts = std::make_shared<InsertSequence>(kKeys);
  RequestSource source = make_source(workload, inserts);
  std::map<OpKind, double> shares;
  for (int i = 0; i < requests; ++i) {
    const Request request = source.next();
    shares[request.kind] += 1.0 / requests;
    if (request.kind == OpKind::kInsert) inserts->end(request.key);
  }
  return shares;
}

void expect_shares(const Workload& workload, const std::map<OpKind, double>& expected) {
  const auto shares = shares_of(workload);
  ASSERT_EQ(shares.size(), expected.size()) << workload.name;
  // Five standard deviations of a share of a half.
  for (const auto& [kind, share] : expected) EXPECT_NEAR(shares.at(kind), share, 0.008) << workload.name;
}

TEST(RequestSource, YcsbsWorkloadsHaveYcsbsShares) {
  expect_shares(*ycsb_workload("a"), {{OpKind::kGet, 0.5}, {OpKind::kPut, 0.5}});
  expect_shares(*ycsb_workload("b"), {{OpKind::kGet, 0.95}, {OpKind::kPut, 0.05}});
  expect_shares(*ycsb_workload("c"), {{OpKind::kGet, 1}});
  expect_shares(*ycsb_workload("d"), {{OpKind::kGet, 0.95}, {OpKind::kInsert, 0.05}});
  expect_shares(*ycsb_workload("e"), {{OpKind::kScan, 0.95}, {OpKind::kInsert, 0.05}});
  expect_shares(*ycsb_workload("f"), {{OpKind::kGet, 0.5}, {OpKind::kRmw, 0.5}});
  EXPECT_EQ(ycsb_workload("d")->distribution, Distribution::kLatest);
  for (const char* letter : {"a", "b", "c", "e", "f"}) {
    EXPECT_EQ(ycsb_workload(letter)->distribution, Distribution::kZipf) << letter;
  }
  EXPECT_FALSE(ycsb_workload("g"));
  EXPECT_FALSE(ycsb_workload("ab"));
}

TEST(RequestSource, SimpleWorkloadsAreWhatTheyAreCalled) {
  expect_shares(*simple_workload("put", 0.5), {{OpKind::kPut, 1}});
  expect_shares(*simple_workload("get", 0.5), {{OpKind::kGet, 1}});
  expect_shares(*simple_workload("scan", 0.5), {{OpKind::kScan, 1}});
  expect_shares(*simple_workload("batch", 0.5), {{OpKind::kBatch, 1}});
  expect_shares(*simple_workload("mixed", 0.8), {{OpKind::kGet, 0.8}, {OpKind::kPut, 0.2}});
  expect_shares(*simple_workload("mixed", 1), {{OpKind::kGet, 1}});
  EXPECT_FALSE(simple_workload("del", 0.5));
}

TEST(Mix, ChoosesByTheRatioOfWeightsAndNeverWhatHasNone) {
  const Mix mix{.weights = {0, 3, 0, 1, 0}};
  EXPECT_EQ(mix.kinds(), 2u);
  EXPECT_EQ(mix.choose(0), OpKind::kPut);
  EXPECT_EQ(mix.choose(0.7499), OpKind::kPut);
  EXPECT_EQ(mix.choose(0.7501), OpKind::kInsert);
  EXPECT_EQ(mix.choose(0x1.fffffffffffffp-1), OpKind::kInsert);
}

TEST(RequestSource, ScansAreOfEachLengthAsOften) {
  Workload workload = *ycsb_workload("e");
  RequestSource source = make_source(workload, std::make_shared<InsertSequence>(kKeys));
  std::array<int, 101> seen{};
  int scans = 0;
  while (scans < 100'000) {
    const Request request = source.next();
    if (request.kind != OpKind::kScan) continue;
    ASSERT_GE(request.scan_length, 1u);
    ASSERT_LE(request.scan_length, 100u);
    ++seen[request.scan_length];
    ++scans;
  }
  double statistic = 0;
  for (std::size_t i = 1; i <= 100; ++i) statistic += std::pow(seen[i] - 1'000.0, 2) / 1'000;
  EXPECT_LT(statistic, 160);  // 99 degrees of freedom
  EXPECT_GT(statistic, 50);
}

TEST(RequestSource, InsertsAreNewKeysAndReadsOnlyThoseThatAreThere) {
  auto inserts = std::make_shared<InsertSequence>(kKeys);
  RequestSource source = make_source(*ycsb_workload("d"), inserts);
  std::uint64_t expected = kKeys;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t present = inserts->present();
    const Request request = source.next();
    if (request.kind == OpKind::kInsert) {
      EXPECT_EQ(request.key, expected++);
      if (request.key % 2 == 0) inserts->end(request.key);  // the odd ones are under way for ever
    } else {
      EXPECT_LT(request.key, present);
    }
  }
  EXPECT_GT(expected, kKeys + 300);
  EXPECT_EQ(inserts->present(), kKeys + 1);
}

TEST(InsertSequence, ReachesAsFarAsEverythingBelowIsThere) {
  InsertSequence inserts(10);
  EXPECT_EQ(inserts.begin(), 10u);
  EXPECT_EQ(inserts.begin(), 11u);
  EXPECT_EQ(inserts.begin(), 12u);
  inserts.end(12);
  inserts.end(11);
  EXPECT_EQ(inserts.present(), 10u);
  inserts.end(10);
  EXPECT_EQ(inserts.present(), 13u);
}

TEST(RequestSource, KeyNamesSortByNumberAndBeforeTheEnd) {
  EXPECT_EQ(key_name(42), "key000000000042");
  EXPECT_LT(key_name(9), key_name(10));
  EXPECT_LT(key_name(999'999'999'999), kBehindAllKeys);
}

TEST(RequestSource, KeysOfABatchAreDifferentAndThere) {
  for (const Distribution distribution : {Distribution::kUniform, Distribution::kZipf, Distribution::kLatest}) {
    for (const std::uint64_t keys : {UINT64_C(2), UINT64_C(10), kKeys}) {
      Workload workload = *simple_workload("batch", 0);
      workload.distribution = distribution;
      workload.batch_keys = std::min<std::uint64_t>(keys, 10);
      RequestSource source = make_source(workload, std::make_shared<InsertSequence>(kKeys));
      for (int i = 0; i < 1'000; ++i) {
        const Request request = source.next();
        std::set<std::uint64_t> all(request.more_keys.begin(), request.more_keys.end());
        all.insert(request.key);
        ASSERT_EQ(all.size(), workload.batch_keys);
        ASSERT_LT(*all.rbegin(), kKeys);
      }
    }
  }
}

}  // namespace
}  // namespace meridian::bench
