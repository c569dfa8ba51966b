// Both loops against a client that refuses every request (ConnectOptions::inject_faults): there is no cluster.
#include <gtest/gtest.h>

#include "tools/bench/load.h"
#include "tools/bench/run.h"

namespace meridian::bench {
namespace {

using std::chrono::milliseconds;

std::vector<sdk::Client> make_refusing_connections() {
  std::vector<sdk::Client> connections;
  for (int i = 0; i < 2; ++i) {
    auto client =
        sdk::Client::connect(sdk::ConnectOptions({"127.0.0.1:1"}).connect_timeout(milliseconds(0)).inject_faults(1));
    EXPECT_TRUE(client.ok());
    connections.push_back(std::move(*client));
  }
  return connections;
}

LoadOptions make_reads() {
  LoadOptions options;
  options.workload.mix = Mix{.weights = {1, 0, 1, 0, 1}};  // gets, scans, rmws: all begin with a read
  options.keys = 100;
  options.timeout = milliseconds(500);
  options.duration = milliseconds(300);
  return options;
}

std::uint64_t sum_of_codes(const LoadResult& result) {
  std::uint64_t sum = 0;
  for (const auto& [code, count] : result.errors_by_code) sum += count;
  return sum;
}

TEST(ClosedLoop, RefusedClientsDoNotSpin) {
  LoadOptions options = make_reads();
  options.clients = 4;
  const LoadResult result = run_load(make_refusing_connections(), options);
  EXPECT_GE(result.errors(), 4u);
  EXPECT_LE(result.errors(), 4u * 31);  // 10 ms of quiet after each
  EXPECT_EQ(sum_of_codes(result), result.errors());
  EXPECT_FALSE(result.first_error.empty());
  EXPECT_EQ(result.latency_ns().count(), 0u);
}

TEST(OpenLoop, EveryArrivalIsAccountedForAndBusyIsToldApart) {
  LoadOptions options = make_reads();
  options.open_loop = {.per_second = 1'000, .arrivals = Arrivals::kUniform, .max_in_flight = 65'536};
  const LoadResult result = run_load(make_refusing_connections(), options);
  EXPECT_EQ(result.errors(), 299u);  // at 1 ms to 299 ms
  EXPECT_EQ(result.dropped, 0u);
  EXPECT_EQ(result.send_delay_ns.count(), 299u);
  EXPECT_EQ(sum_of_codes(result), 299u);
  EXPECT_NEAR(static_cast<double>(result.busy()), 150, 60);  // the other half is unavailable
  std::uint64_t in_series = 0;
  for (const Second& each : result.series) in_series += each.errors;
  EXPECT_EQ(in_series, 299u);
  for (const OpKind kind : {OpKind::kGet, OpKind::kScan, OpKind::kRmw}) EXPECT_GT(result.of(kind).errors, 50u);
}

TEST(OpenLoop, TheWarmUpIsSentButNotCounted) {
  LoadOptions options = make_reads();
  options.open_loop = {.per_second = 1'000, .arrivals = Arrivals::kUniform, .max_in_flight = 65'536};
  options.warmup = milliseconds(200);
  options.duration = milliseconds(100);
  EXPECT_EQ(run_load(make_refusing_connections(), options).errors(), 100u);  // at 200 ms to 299 ms
}

TEST(Execute, AFailedInsertDoesNotHoldUpTheKeysBehindIt) {
  Timer timer;
  auto run = std::make_shared<bench::Run>(make_reads(), timer);
  const auto connections = make_refusing_connections();
  // Begun in one order, ended in the other.
  const Request first{.kind = OpKind::kInsert, .key = run->inserts->begin()};
  const Request second{.kind = OpKind::kInsert, .key = run->inserts->begin()};
  EXPECT_TRUE(execute(connections[0], run, second).get().error);
  EXPECT_EQ(run->inserts->present(), 100u);
  EXPECT_TRUE(execute(connections[0], run, first).get().error);
  EXPECT_EQ(run->inserts->present(), 102u);
}

}  // namespace
}  // namespace meridian::bench
