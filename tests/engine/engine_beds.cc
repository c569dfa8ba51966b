#include "tests/engine/engine_beds.h"

#include <mutex>
#include <random>

#include "base/check.h"
#include "base/mem_engine.h"
#include "server/rocks/rocks_engine.h"
#include "tests/engine/file_system_env.h"

namespace meridian {

namespace {

class Bed : public EngineBed {
 public:
  explicit Bed(std::uint64_t seed) : random_(seed), fs_([this] { return random_(); }) {
    CHECK(fs_.create_directories("/disk").has_value());
  }
  std::string new_directory() override {
    const std::lock_guard lock(mutex_);
    const std::string path = "/disk/export" + std::to_string(++directories_);
    CHECK(fs_.create_directories(path).has_value());
    return path;
  }
  void flip_bit(const std::string& path, std::uint64_t offset) override {
    const std::lock_guard lock(mutex_);
    fs_.flip_bit(path, offset, 3);
  }

 protected:
  std::mt19937_64 random_;
  std::mutex mutex_;
  SimFileSystem fs_;

 private:
  int directories_ = 0;
};

class MemBed final : public Bed {
 public:
  explicit MemBed(std::uint64_t seed) : Bed(seed), engine_(fs_) {}
  Engine& engine() override { return engine_; }
  void crash() override {
    engine_.crash([this] { return random_(); });
    fs_.crash();
  }
  void restart() override { CHECK(engine_.flush().has_value()); }
  void set_disk_full(bool full) override { engine_.set_disk_full(full); }
  void drop_cache() override {}

 private:
  MemEngine engine_;
};

class RocksBed final : public Bed {
 public:
  explicit RocksBed(std::uint64_t seed) : Bed(seed) { open(); }
  ~RocksBed() override { engine_.reset(); }
  Engine& engine() override { return *engine_; }
  void crash() override {
    env_->cut();
    engine_.reset();
    fs_.crash();
    open();
  }
  void restart() override {
    engine_.reset();
    open();
  }
  void set_disk_full(bool full) override {
    const std::lock_guard lock(mutex_);
    fs_.set_capacity(full ? std::optional(fs_.used_bytes()) : std::nullopt);
  }
  // The blocks that an open put into the cache are few.
  void drop_cache() override { restart(); }

 private:
  void open() {
    env_ = std::make_unique<FileSystemEnv>(fs_, mutex_);
    // As small as RocksDB allows: flushes and compactions all the time.
    auto engine = open_rocks_engine({.path = "/disk/db",
                                     .block_cache_bytes = 1 << 20,
                                     .write_buffer_bytes = 64 << 10,
                                     .background_bytes_per_s = 256 << 20,
                                     .export_file_bytes = 4 << 10,
                                     .env = env_->env()});
    CHECK_F(engine.has_value(), "{}", engine.error().to_string());
    engine_ = *std::move(engine);
  }

  std::unique_ptr<FileSystemEnv> env_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

std::string to_string(EngineKind kind) { return kind == EngineKind::kMem ? "MemEngine" : "RocksEngine"; }

std::unique_ptr<EngineBed> make_bed(EngineKind kind, std::uint64_t seed) {
  if (kind == EngineKind::kMem) return std::make_unique<MemBed>(seed);
  return std::make_unique<RocksBed>(seed);
}

}  // namespace meridian
