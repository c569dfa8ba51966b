// The log's own work: table, records, checksums, segments, on a file system in memory whose fsync costs nothing. The
// argument is the number of puts in the entry of a batch.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/check.h"
#include "shard/log/log_store.h"
#include "tests/limits/puts.h"
#include "tests/log/fake_runtime.h"
#include "tests/sim/sim_file.h"

namespace meridian {
namespace {

constexpr std::uint64_t kKeptBytes = 4 << 20;

void log_append(benchmark::State& state) {
  const auto puts = static_cast<std::uint64_t>(state.range(0));
  std::mt19937_64 rng(1);
  SimFileSystem fs([&] { return rng(); });
  FakeRuntime runtime([&] { return rng(); });
  LogOptions options;
  options.segment_bytes = 2 << 20;  // what is in memory stays small
  Result<OpenedLog> opened = open_segmented_log(runtime, fs, "/log", options);
  CHECK(opened.has_value());
  LogStore& log = *opened->store;

  const raft::Entry template_entry = limits::Puts(puts, 256).next(WallTime(1));
  const std::uint64_t kept = kKeptBytes / template_entry.bytes() + 1;
  LogIndex index;
  std::uint64_t durable = 0;
  for (auto _ : state) {
    index = index.next();
    LogUpdate update{.shard = limits::kShard, .replica = limits::kReplica};
    update.entries.push_back(template_entry);
    update.entries.back().index = index;
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(update));
    log.append(std::move(updates), [&] { ++durable; });
    if (index.value() % kept == 0 && index.value() > kept) {
      log.truncate_prefix(limits::kShard, {LogIndex(index.value() - kept), limits::kTerm});
    }
    runtime.settle();
  }
  CHECK(durable == index.value());
  state.SetItemsProcessed(static_cast<std::int64_t>(puts) * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(template_entry.data->size()) * state.iterations());
}
BENCHMARK(log_append)->ArgName("puts")->Arg(1)->Arg(64)->Arg(1024);

}  // namespace
}  // namespace meridian
