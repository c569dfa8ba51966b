#include "tools/bench/arguments.h"

#include <array>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

Arguments parse(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "meridian-bench");
  Arguments arguments;
  EXPECT_EQ(parse_arguments(static_cast<int>(argv.size()), argv.data(), arguments), std::nullopt);
  return arguments;
}

// What it says on standard error.
std::string refused(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "meridian-bench");
  Arguments arguments;
  testing::internal::CaptureStderr();
  EXPECT_EQ(parse_arguments(static_cast<int>(argv.size()), argv.data(), arguments), 2);
  return testing::internal::GetCapturedStderr();
}

TEST(Arguments, WithoutAnyItIsAClosedLoopOfPuts) {
  const Arguments arguments = parse({});
  EXPECT_EQ(arguments.load.workload.name, "put");
  EXPECT_EQ(arguments.load.clients, 64u);
  EXPECT_FALSE(arguments.load.open_loop);
  EXPECT_THAT(arguments.proxies, ElementsAre("127.0.0.1:7400"));
  EXPECT_EQ(arguments.loads().size(), 1u);
  EXPECT_EQ(arguments.preload_of(arguments.load), 0u);
}

TEST(Arguments, WhatTheTestsOfProcessesPassIsUnderstood) {
  const Arguments arguments = parse({"--proxy",
                                     "a:1,b:2",
                                     "-o",
                                     "json",
                                     "--op",
                                     "mixed",
                                     "--clients",
                                     "8",
                                     "--duration",
                                     "500ms",
                                     "--value-bytes",
                                     "100",
                                     "--keys",
                                     "1000",
                                     "--preload",
                                     "10",
                                     "--connections",
                                     "2",
                                     "--warmup",
                                     "1s",
                                     "--distribution",
                                     "zipf",
                                     "--any-replica",
                                     "--read-ratio",
                                     "0.9"});
  EXPECT_THAT(arguments.proxies, ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(arguments.json);
  EXPECT_EQ(arguments.connections, 2u);
  const LoadOptions& load = arguments.load;
  EXPECT_EQ(load.workload.name, "mixed");
  EXPECT_DOUBLE_EQ(load.workload.mix.weight(OpKind::kGet), 0.9);
  EXPECT_EQ(load.workload.distribution, Distribution::kZipf);
  EXPECT_EQ(load.clients, 8u);
  EXPECT_EQ(load.duration, milliseconds(500));
  EXPECT_EQ(load.warmup, milliseconds(1'000));
  EXPECT_EQ(load.value_bytes, 100u);
  EXPECT_EQ(load.keys, 1'000u);
  EXPECT_TRUE(load.any_replica);
  EXPECT_EQ(arguments.preload_of(load), 10u);
}

TEST(Arguments, AWorkloadLoadsItsKeysUnlessToldNotTo) {
  EXPECT_EQ(parse({"--workload", "a", "--keys", "500"}).preload_of(parse({"--keys", "500"}).load), 500u);
  EXPECT_EQ(parse({"--workload", "a", "--preload", "0"}).preload_of(parse({}).load), 0u);
  EXPECT_EQ(parse({"--workload", "d"}).load.workload.distribution, Distribution::kLatest);
  EXPECT_EQ(parse({"--workload", "d", "--distribution", "uniform"}).load.workload.distribution, Distribution::kUniform);
}

TEST(Arguments, ARateMakesTheLoopOpen) {
  const auto open = parse({"--rate", "1500.5", "--arrivals", "uniform", "--max-in-flight", "7"}).load.open_loop;
  ASSERT_TRUE(open);
  EXPECT_EQ(open->per_second, 1'500.5);
  EXPECT_EQ(open->arrivals, Arrivals::kUniform);
  EXPECT_EQ(open->max_in_flight, 7u);
  EXPECT_EQ(parse({"--rate", "10"}).load.open_loop->arrivals, Arrivals::kPoisson);
}

TEST(Arguments, ASweepIsOneLoadForEachCombination) {
  const Arguments arguments = parse({"--sweep-keys", "10,20", "--sweep-value-bytes", "1,2,3", "--op", "get"});
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const LoadOptions& load : arguments.loads()) {
    seen.emplace_back(load.keys, load.value_bytes);
    EXPECT_EQ(arguments.preload_of(load), load.keys);
    EXPECT_EQ(load.workload.name, "get");
  }
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_THAT(seen, ElementsAre(Pair(10, 1), Pair(10, 2), Pair(10, 3), Pair(20, 1), Pair(20, 2), Pair(20, 3)));
}

TEST(Arguments, ErrorsNameTheFlagTheValueAndTheLimit) {
  EXPECT_THAT(refused({"--clients", "0"}), HasSubstr("--clients: '0' is not a whole number from 1 to 65536"));
  EXPECT_THAT(refused({"--rate", "fast"}), HasSubstr("--rate: 'fast' is not a number from 0.01 to 1000000"));
  EXPECT_THAT(refused({"--duration", "soon"}), HasSubstr("--duration: 'soon' is not a time from 1ms to 86400s"));
  EXPECT_THAT(refused({"--weights", "get=x"}), HasSubstr("--weights: 'x' is not a number from 0 to"));
  EXPECT_THAT(refused({"--value-bytes", "1048577"}),
              HasSubstr("--value-bytes: '1048577' is not a whole number from 0"));
  EXPECT_THAT(refused({"--sweep-keys", "1,0"}), HasSubstr("--sweep-keys: '0'"));
  EXPECT_THAT(refused({"--scan-length", "0"}), HasSubstr("--scan-length: '0'"));
  EXPECT_THAT(refused({"--workload", "g"}), HasSubstr("--workload: 'g' is none of YCSB's a to f"));
  EXPECT_THAT(refused({"--proxy", ","}), HasSubstr("--proxy: no proxy given"));
  EXPECT_THAT(refused({"--op", "del"}), HasSubstr("--op: 'del' is none of put, get, scan, batch, mixed"));
  for (const char* number : {"010", "0x10", "1e3", "99999999999999999999"}) {
    EXPECT_THAT(refused({"--keys", number}),
                HasSubstr("--keys: '" + std::string(number) + "' is not a whole number from 1 to 1000000000"));
  }
}

TEST(Arguments, HelpSaysWhatAnOptionTakes) {
  testing::internal::CaptureStdout();
  Arguments arguments;
  const std::array<const char*, 2> argv = {"meridian-bench", "--help"};
  EXPECT_EQ(parse_arguments(2, argv.data(), arguments), 0);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* part : {"--keys COUNT=100000", "--duration DURATION=10s", "--busy wait|fail", "--proxy HOST:PORT="})
    EXPECT_THAT(help, HasSubstr(part));
  EXPECT_THAT(help, testing::Not(HasSubstr("TEXT")));
}

TEST(Arguments, ABatchHasKeysThatAreThereAndFitsALimit) {
  EXPECT_EQ(parse({"--op", "batch"}).load.workload.batch_keys, 2u);
  const Arguments arguments = parse({"--op", "batch", "--batch", "16", "--keys", "16"});
  EXPECT_EQ(arguments.load.workload.name, "batch");
  EXPECT_EQ(arguments.load.workload.batch_keys, 16u);
  EXPECT_THAT(refused({"--op", "batch", "--batch", "0"}), HasSubstr("--batch: '0' is not a whole number from 1"));
  EXPECT_THAT(refused({"--op", "batch", "--batch", "17", "--keys", "16"}), HasSubstr("17 keys at once of 16"));
  EXPECT_THAT(refused({"--weights", "batch=1", "--batch", "5", "--value-bytes", "1048576"}),
              HasSubstr("at most 4194304"));
  EXPECT_THAT(refused({"--op", "batch", "--batch", "20", "--sweep-keys", "10,100"}), HasSubstr("of 10 that"));
}

TEST(Arguments, WhatDoesNotFitTogetherIsRefused) {
  EXPECT_THAT(refused({"--op", "put", "--workload", "a"}), HasSubstr("--workload"));
  EXPECT_THAT(refused({"--weights", "get=1", "--workload", "a"}), HasSubstr("--weights"));
  EXPECT_THAT(refused({"--clients", "3", "--rate", "5"}), HasSubstr("--rate"));
  EXPECT_THAT(refused({"--max-in-flight", "5"}), HasSubstr("--max-in-flight"));
  EXPECT_THAT(refused({"--sweep-keys", "5", "--keys", "5"}), HasSubstr("--keys"));
  EXPECT_THAT(refused({"--sweep-keys", "5", "--svg", "x.svg"}), HasSubstr("--svg"));
}

}  // namespace
}  // namespace meridian::bench
