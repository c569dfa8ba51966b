// Versions written and read through both engines: what a get costs below the replica, and what applying an entry does.
// RocksDB is on a real disk in a temporary directory; what is read is flushed and fits into its cache.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include <fmt/format.h>

#include "base/check.h"
#include "base/mem_engine.h"
#include "base/posix_file.h"
#include "server/rocks/rocks_engine.h"
#include "shard/state_machine.h"
#include "tests/limits/puts.h"
#include "txn/mvcc.h"

namespace meridian {
namespace {

constexpr std::uint64_t kKeysHere = 20'000;
constexpr int kVersions = 3;  // of each key
constexpr RegionId kOrigin{1};

enum class Kind { kMem, kRocks };

// An engine and what goes away with it.
struct Bed {
  explicit Bed(Kind kind) {
    if (kind == Kind::kMem) {
      engine = std::make_unique<MemEngine>(fs);
      return;
    }
    std::string name = std::filesystem::temp_directory_path() / "meridian_micro_XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    directory = name;
    RocksOptions options;
    options.path = directory + "/data";
    Result<std::unique_ptr<Engine>> opened = open_rocks_engine(options);
    CHECK_F(opened.has_value(), "{}", opened.error().to_string());
    engine = std::move(*opened);
  }
  ~Bed() {
    engine.reset();
    if (!directory.empty()) (void)fs.remove_all(directory);
  }

  PosixFileSystem fs;
  std::string directory;
  std::unique_ptr<Engine> engine;
};

std::string user_key(std::uint64_t number) { return fmt::format("key{:012}", number); }

std::unique_ptr<Bed> make_loaded(Kind kind) {
  auto bed = std::make_unique<Bed>(kind);
  const std::string value = txn::version_value({false, {1, 2, 3}, 4}, std::string(256, 'v'));
  for (int version = 1; version <= kVersions; ++version) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < kKeysHere; ++i) {
      batch.put(txn::version_key(limits::kKeyspace, user_key(i), Timestamp(100u * version), kOrigin), value);
    }
    CHECK(bed->engine->write(batch, MayBlock::kYes).has_value());
  }
  CHECK(bed->engine->flush().has_value());
  return bed;
}

template <Kind kKind>
void mvcc_read(benchmark::State& state) {
  const std::unique_ptr<Bed> bed = make_loaded(kKind);
  std::mt19937_64 rng(1);
  for (auto _ : state) {
    const auto read =
        txn::read_version(*bed->engine, limits::kKeyspace, user_key(rng() % kKeysHere), Timestamp(250), {});
    CHECK(read.has_value() && read->version == Timestamp(200));
    benchmark::DoNotOptimize(read);
  }
}
BENCHMARK(mvcc_read<Kind::kMem>)->Name("mvcc_read_mem");
BENCHMARK(mvcc_read<Kind::kRocks>)->Name("mvcc_read_rocks");

template <Kind kKind>
void mvcc_read_absent(benchmark::State& state) {
  const std::unique_ptr<Bed> bed = make_loaded(kKind);
  std::mt19937_64 rng(1);
  for (auto _ : state) {
    const auto read =
        txn::read_version(*bed->engine, limits::kKeyspace, user_key(rng() % kKeysHere) + "/", Timestamp(250), {});
    CHECK(read.has_value() && !read->found);
    benchmark::DoNotOptimize(read);
  }
}
BENCHMARK(mvcc_read_absent<Kind::kRocks>)->Name("mvcc_read_absent_rocks");

template <Kind kKind>
void mvcc_scan(benchmark::State& state) {
  const std::unique_ptr<Bed> bed = make_loaded(kKind);
  std::mt19937_64 rng(1);
  const auto limit = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    const txn::ScanRange range{
        .keyspace = limits::kKeyspace, .start = user_key(rng() % (kKeysHere - limit)), .limit = limit};
    const auto page = txn::scan_versions(*bed->engine, range, Timestamp(250), {});
    CHECK(page.has_value() && page->entries.size() == limit);
  }
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK(mvcc_scan<Kind::kMem>)->Name("mvcc_scan_mem")->Arg(100);
BENCHMARK(mvcc_scan<Kind::kRocks>)->Name("mvcc_scan_rocks")->Arg(100);

// One entry of so many puts: parsed, turned into a batch, written.
void apply_entry_rocks(benchmark::State& state) {
  const Bed bed(Kind::kRocks);
  const auto count = static_cast<std::uint64_t>(state.range(0));
  limits::Puts puts(count, 256);
  Result<StateMachine> machine = load_state_machine(*bed.engine, limits::kShard);
  CHECK(machine.has_value());
  for (auto _ : state) {
    state.PauseTiming();
    const raft::Entry entry = puts.next(WallTime(1'764'000'000'000'000));
    state.ResumeTiming();
    PreparedApply prepared = machine->prepare({entry});
    CHECK(bed.engine->write(prepared.batch, MayBlock::kYes).has_value());
    machine->written(prepared);
  }
  state.SetItemsProcessed(state.range(0) * state.iterations());
}
BENCHMARK(apply_entry_rocks)->ArgName("puts")->Arg(64)->Arg(1024);

}  // namespace
}  // namespace meridian
