#include "tests/sim/sim_store.h"

#include <mutex>
#include <utility>

#include <xxhash.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem_engine.h"
#include "server/rocks/rocks_engine.h"
#include "tests/engine/background_jobs.h"
#include "tests/engine/file_system_env.h"
#include "tests/sim/sim_file.h"

namespace meridian::sim {

namespace {

class MemStore final : public SimStore {
 public:
  MemStore(SimFileSystem& fs, Rng rng) : rng_(rng), engine_(fs) {}
  Result<> open() override {
    open_ = true;
    return {};
  }
  Engine& engine() override { return engine_; }
  void close() override {
    if (std::exchange(open_, false)) engine_.crash([this] { return rng_.next(); });
  }
  void set_disk_full(bool full) override { engine_.set_disk_full(full); }
  void wipe() override {
    WriteBatch everything;
    everything.remove_range({});
    CHECK(engine_.write(everything, MayBlock::kYes).has_value() && engine_.flush().has_value());
  }

 private:
  Rng rng_;
  bool open_ = false;
  MemEngine engine_;
};

constexpr double kFlushChance = 0.02;  // after a write
const std::string kDirectory = "/rocks";

// RocksEngine under a single-threaded simulation: whatever a request started in the background has ended before
// the request returns, and nothing begins in between. RocksDB's write buffers fill up by a measure that follows from
// addresses; they are large here, and a drawn chance flushes instead.
class QuietEngine final : public Engine {
 public:
  QuietEngine(std::unique_ptr<Engine> engine, BackgroundJobs& jobs, Rng& rng)
      : engine_(std::move(engine)), jobs_(jobs), rng_(rng) {}

  using Engine::get;
  Result<std::optional<std::string>> get(std::string_view key, const EngineReadOptions& options) override {
    return engine_->get(key, options);
  }
  Result<std::optional<std::string>> get_persisted(std::string_view key) override {
    return engine_->get_persisted(key);
  }
  std::unique_ptr<EngineIterator> iterate(KeyRange range, const EngineReadOptions& options) override {
    return engine_->iterate(std::move(range), options);
  }
  std::unique_ptr<EngineSnapshot> snapshot() override { return engine_->snapshot(); }
  Result<> write(const WriteBatch& batch, MayBlock may_block) override {
    const Busy busy(jobs_);
    auto written = engine_->write(batch, may_block);
    // Nobody asked for this flush, and nobody learns how it went.
    if (written && may_block == MayBlock::kYes && rng_.chance(kFlushChance)) std::ignore = engine_->flush();
    return written;
  }
  Result<> flush() override {
    const Busy busy(jobs_);
    return engine_->flush();
  }
  Result<ExportedFiles> export_ranges(const std::vector<KeyRange>& ranges, const EngineSnapshot& snapshot,
                                      const std::string& directory) override {
    const Busy busy(jobs_);
    return engine_->export_ranges(ranges, snapshot, directory);
  }
  Result<> ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                  const std::vector<std::pair<std::string, std::string>>& overrides,
                  const std::string& scratch_directory) override {
    const Busy busy(jobs_);
    return engine_->ingest(ranges, paths, overrides, scratch_directory);
  }
  EngineStats stats() const override { return engine_->stats(); }

 private:
  class Busy {
   public:
    explicit Busy(BackgroundJobs& jobs) : jobs_(jobs) {
      jobs_.finish();  // an iterator's end may have left some
      jobs_.allow();
    }
    ~Busy() { jobs_.finish(); }

   private:
    BackgroundJobs& jobs_;
  };

  std::unique_ptr<Engine> engine_;
  BackgroundJobs& jobs_;
  Rng& rng_;
};

class RocksStore final : public SimStore {
 public:
  RocksStore(SimFileSystem& fs, Rng rng) : fs_(fs), rng_(rng) {}
  ~RocksStore() override { close(); }

  Result<> open() override {
    CHECK(engine_ == nullptr);
    jobs_ = std::make_unique<BackgroundJobs>();
    env_ = std::make_unique<FileSystemEnv>(fs_, mutex_, jobs_.get());
    jobs_->allow();
    Result<std::unique_ptr<Engine>> engine = open_rocks_engine({.path = kDirectory,
                                                                .block_cache_bytes = 8 << 20,
                                                                .write_buffer_bytes = 4 << 20,
                                                                .export_file_bytes = 16 << 10,
                                                                .env = env_->env()});
    jobs_->finish();
    if (!engine) {
      close();
      return fail(engine.error());
    }
    engine_ = std::make_unique<QuietEngine>(std::move(*engine), *jobs_, rng_);
    return {};
  }
  Engine& engine() override { return *engine_; }
  void close() override {
    if (env_ == nullptr) return;
    env_->cut();
    jobs_->allow();  // closing waits for them
    engine_.reset();
    jobs_.reset();
    env_.reset();
  }
  void set_disk_full(bool) override {}  // the files say so
  void wipe() override {
    CHECK(engine_ == nullptr);
    CHECK(fs_.remove_all(kDirectory).has_value());
  }

 private:
  SimFileSystem& fs_;
  Rng rng_;
  std::mutex mutex_;
  std::unique_ptr<BackgroundJobs> jobs_;
  std::unique_ptr<FileSystemEnv> env_;
  std::unique_ptr<QuietEngine> engine_;
};

}  // namespace

std::string_view to_string(StoreKind kind) { return kind == StoreKind::kMem ? "mem" : "rocks"; }

std::uint64_t hash_contents(Engine& engine, const KeyRange& range) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hasher(XXH3_createState(), &XXH3_freeState);
  CHECK(XXH3_64bits_reset(hasher.get()) == XXH_OK);
  const auto it = engine.iterate(range, {});
  std::string sizes;
  for (it->seek_to_first(); it->valid(); it->next()) {
    sizes.clear();
    put_big_endian<std::uint64_t>(sizes, it->key().size());
    put_big_endian<std::uint64_t>(sizes, it->value().size());
    for (const std::string_view part : {std::string_view(sizes), it->key(), it->value()}) {
      XXH3_64bits_update(hasher.get(), part.data(), part.size());
    }
  }
  CHECK(it->status().has_value());
  return XXH3_64bits_digest(hasher.get());
}

std::unique_ptr<SimStore> make_store(StoreKind kind, SimFileSystem& fs, Rng rng) {
  if (kind == StoreKind::kRocks) return std::make_unique<RocksStore>(fs, rng);
  return std::make_unique<MemStore>(fs, rng);
}

}  // namespace meridian::sim
