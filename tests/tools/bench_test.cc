#include <array>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "tools/bench/key_choice.h"
#include "tools/bench/report.h"

namespace meridian::bench {
namespace {

TEST(KeyChoice, UniformReachesEveryKeyAboutEquallyOften) {
  KeyChoice choice(10, nullptr, 1);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10'000; ++i) ++seen[choice.next()];
  for (const int count : seen) EXPECT_NEAR(count, 1'000, 150);
}

TEST(KeyChoice, ZipfPrefersFewKeysAndStaysInside) {
  auto table = std::make_shared<const ZipfTable>(1'000);
  std::array<int, 1'000> ranks{};
  for (int i = 0; i < 100'000; ++i) ++ranks[table->rank(i / 100'000.0)];
  // 1 / (1 + 1/2^0.99 + ... + 1/1000^0.99) = 0.129
  EXPECT_NEAR(ranks[0], 12'900, 500);
  EXPECT_NEAR(ranks[1], 6'500, 400);
  EXPECT_GT(ranks[1], ranks[10]);
  EXPECT_GT(ranks[10], ranks[500]);
  KeyChoice choice(1'000, table, 1);
  for (int i = 0; i < 10'000; ++i) EXPECT_LT(choice.next(), 1'000u);
  for (const std::uint64_t keys : {1, 2, 3}) {
    KeyChoice few(keys, std::make_shared<const ZipfTable>(keys), 1);
    for (int i = 0; i < 1'000; ++i) EXPECT_LT(few.next(), keys);
  }
}

TEST(KeyChoice, SeedsDifferAndRepeat) {
  KeyChoice a(1'000'000, nullptr, 1);
  KeyChoice same(1'000'000, nullptr, 1);
  KeyChoice other(1'000'000, nullptr, 2);
  const std::uint64_t first = a.next();
  EXPECT_EQ(first, same.next());
  EXPECT_NE(first, other.next());
}

TEST(Report, JsonIsOneLineInTheFieldsOfTheOtherGenerators) {
  LoadOptions options;
  options.op = Op::kGet;
  options.clients = 64;
  LoadResult result;
  result.seconds = 2;
  for (int i = 1; i <= 1'000; ++i) result.latency_ns.record(static_cast<std::uint64_t>(i) * 10'000);
  result.errors = 3;
  const std::string line = render_json(options, result);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto parsed = boost::json::parse(line);
  EXPECT_EQ(parsed.at("op").as_string(), "get");
  EXPECT_EQ(parsed.at("clients").as_int64(), 64);
  EXPECT_EQ(parsed.at("ops_per_s").as_double(), 500);
  EXPECT_NEAR(parsed.at("p50_ms").as_double(), 5, 0.05);
  EXPECT_NEAR(parsed.at("p99_ms").as_double(), 9.9, 0.1);
  EXPECT_EQ(parsed.at("max_ms").as_double(), 10);
  EXPECT_EQ(parsed.at("errors").as_int64(), 3);
  EXPECT_NE(render_table(options, result).find("P99.9 MS"), std::string::npos);
}

}  // namespace
}  // namespace meridian::bench
