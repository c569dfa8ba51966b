// log_bench DIRECTORY [SECONDS]: the log on real files under closed-loop appenders, and the same bytes, batch
// by batch, written and synced without a log. Not a test.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/asio_runtime.h"
#include "base/check.h"
#include "base/posix_file.h"
#include "shard/log/log_store.h"

namespace meridian {
namespace {

constexpr std::size_t kValueBytes = 256;

struct Sync {
  Duration took;
  std::uint64_t bytes;
};

struct Run {
  AsioRuntime runtime;
  PosixFileSystem fs;
  std::unique_ptr<LogStore> store;
  MonoTime end;
  std::uint64_t entries = 0;
  int running = 0;
  std::vector<Sync> syncs;
  std::vector<LogIndex> last;

  // One shard each, as many replicas would be: one entry, again when it is durable.
  void append(std::size_t appender) {
    if (runtime.now() >= end) {
      if (--running == 0) runtime.stop();
      return;
    }
    LogIndex& index = last[appender];
    index = index.next();
    LogUpdate update{.shard = ShardId(appender + 1), .replica = ReplicaId(1)};
    update.entries.push_back({index, Term(1), raft::EntryType::kCommand,
                              std::make_shared<const std::string>(kValueBytes, static_cast<char>(index.value()))});
    std::vector<LogUpdate> updates;
    updates.push_back(std::move(update));
    store->append(std::move(updates), [this, appender] {
      ++entries;
      append(appender);
    });
    if (index.value() % 1024 == 0)
      store->truncate_prefix(ShardId(appender + 1), {LogIndex(index.value() - 512), Term(1)});
  }
};

Duration percentile(std::vector<Sync>& syncs, double part) {
  std::sort(syncs.begin(), syncs.end(), [](const Sync& a, const Sync& b) { return a.took < b.took; });
  return syncs[std::min(syncs.size() - 1, static_cast<std::size_t>(part * static_cast<double>(syncs.size())))].took;
}

// Seconds that the bare file takes for the same writes.
double bare_seconds(const std::string& directory, const std::vector<Sync>& syncs) {
  PosixFileSystem fs;
  AsioRuntime clock;
  const std::string path = directory + "/bare";
  auto file = *fs.open(path, FileSystem::Open::kCreateOrOpen);
  CHECK(file->truncate(0).has_value());
  const std::string bytes(
      std::max_element(syncs.begin(), syncs.end(), [](const Sync& a, const Sync& b) { return a.bytes < b.bytes; })
          ->bytes,
      'x');
  const MonoTime start = clock.now();
  for (const Sync& sync : syncs) {
    CHECK(file->append(std::string_view(bytes).substr(0, sync.bytes)).has_value());
    CHECK(file->sync().has_value());
  }
  const Duration took = clock.now() - start;
  CHECK(fs.remove(path).has_value());
  return static_cast<double>(took.count()) / 1e6;
}

void bench(const std::string& directory, std::size_t appenders, int seconds) {
  Run run;
  const std::string log = directory + "/log";
  LogOptions options;
  options.on_synced = [&](Duration took, std::uint64_t bytes) { run.syncs.push_back({took, bytes}); };
  auto opened = open_segmented_log(run.runtime, run.fs, log, options);
  CHECK_F(opened.has_value(), "{}", opened.error().to_string());
  run.store = std::move(opened->store);
  run.last.resize(appenders);
  run.running = static_cast<int>(appenders);
  const MonoTime start = run.runtime.now();
  run.end = start + Duration(seconds * 1'000'000LL);
  run.runtime.post([&] {
    for (std::size_t i = 0; i < appenders; ++i) run.append(i);
  });
  run.runtime.run();
  const double took = static_cast<double>((run.runtime.now() - start).count()) / 1e6;
  const std::vector<Sync> in_order = run.syncs;
  const double bare = bare_seconds(directory, in_order);
  fmt::print(
      "{:5} appenders: {:8.0f} entries/s, {:5.1f} a sync, sync p50 {} p99 {} us; {:.2f} of the bare file's rate\n",
      appenders, static_cast<double>(run.entries) / took,
      static_cast<double>(run.entries) / static_cast<double>(in_order.size()), percentile(run.syncs, 0.5).count(),
      percentile(run.syncs, 0.99).count(), bare / took);
  run.store.reset();
  CHECK(run.fs.remove_all(log).has_value());
}

}  // namespace
}  // namespace meridian

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: log_bench DIRECTORY [SECONDS]\n");
    return 2;
  }
  const std::string directory = argv[1];
  CHECK(meridian::PosixFileSystem().create_directories(directory).has_value());
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 3;
  for (const std::size_t appenders : {1, 16, 64, 256, 1024}) meridian::bench(directory, appenders, seconds);
  return 0;
}
