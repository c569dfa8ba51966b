#include "server/rocks/rocks_engine.h"

#include <atomic>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "base/fault.h"
#include "base/keys.h"
#include "server/rocks/counting_cache.h"
#include "server/rocks/gradual_removal.h"
#include "server/rocks/rocks_iterator.h"
#include "server/rocks/rocks_options.h"
#include "server/rocks/rocks_status.h"
#include "server/rocks/rocks_transfer.h"
#include "server/rocks/table_space.h"

namespace meridian {

namespace {

class RocksSnapshot final : public EngineSnapshot {
 public:
  explicit RocksSnapshot(std::shared_ptr<rocksdb::DB> db) : db_(std::move(db)), snapshot_(db_->GetSnapshot()) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  std::shared_ptr<rocksdb::DB> db_;
  const rocksdb::Snapshot* snapshot_;
};

const rocksdb::Snapshot* to_rocks(const EngineSnapshot* snapshot) {
  return snapshot == nullptr ? nullptr : static_cast<const RocksSnapshot*>(snapshot)->get();
}

Result<rocksdb::WriteBatch> to_rocks(const WriteBatch& batch) {
  rocksdb::WriteBatch out(batch.bytes() + 16 * batch.ops().size() + 16);
  for (const auto& op : batch.ops()) {
    rocksdb::Status status;
    switch (op.kind) {
      case WriteBatch::Op::Kind::kPut: status = out.Put(op.key, op.value); break;
      case WriteBatch::Op::Kind::kDelete: status = out.Delete(op.key); break;
      case WriteBatch::Op::Kind::kDeleteRange: {
        const std::string_view end = op.value.empty() ? last_key_bound() : std::string_view(op.value);
        if (op.key < end) status = out.DeleteRange(op.key, to_slice(end));
        break;
      }
    }
    RETURN_IF_ERROR(to_result(status, "make a batch"));
  }
  return out;
}

constexpr int kFlushAttempts = 5;

// Behind every key of the port: no range reaches it.
std::string marker_key() { return std::string(last_key_bound()) + "flush"; }

class RocksEngine final : public Engine {
 public:
  // written: counts what is written.
  RocksEngine(const RocksOptions& options, std::shared_ptr<rocksdb::Cache> cache, std::shared_ptr<rocksdb::DB> db,
              std::shared_ptr<std::atomic<std::uint64_t>> written)
      : options_(options), cache_(std::move(cache)), db_(std::move(db)), written_(std::move(written)) {}

  using Engine::get;
  Result<std::optional<std::string>> get(std::string_view key, const EngineReadOptions& options) override {
    rocksdb::ReadOptions read;
    read.snapshot = to_rocks(options.snapshot);
    if (options.may_block == MayBlock::kYes) return get(key, read);
    read.read_tier = rocksdb::kBlockCacheTier;
    return get(key, read);
  }

  Result<std::optional<std::string>> get_persisted(std::string_view key) override {
    rocksdb::ReadOptions read;
    read.read_tier = rocksdb::kPersistedTier;
    return get(key, read);
  }

  std::unique_ptr<EngineIterator> iterate(KeyRange range, const EngineReadOptions& options) override {
    return make_rocks_iterator(db_, std::move(range), options.may_block, to_rocks(options.snapshot));
  }

  std::unique_ptr<EngineSnapshot> snapshot() override { return std::make_unique<RocksSnapshot>(db_); }

  Result<> write(const WriteBatch& batch, MayBlock may_block) override {
    for (const auto& op : batch.ops()) {
      if (op.kind == WriteBatch::Op::Kind::kDeleteRange || op.key < last_key_bound()) continue;
      return fail(ErrorCode::kInvalidArgument, "a key starts with sixteen 0xff bytes");
    }
    return write_unchecked(batch, may_block);
  }

  // Flush() of RocksDB 7.8 says OK without having waited for it while the error of an earlier attempt to recover
  // from a full disk lingers (facebook/rocksdb#8046); the log would then be cut too early. So a marker is written
  // behind all else, and what says that all else is durable is that the marker is found on disk: a flush is a
  // prefix of the writes. Resuming clears that error.
  Result<> flush() override {
    const std::uint64_t target = db_->GetLatestSequenceNumber();
    if (target <= durable_sequence_.load()) return {};
    std::string marker;
    append_u64(marker, target);
    WriteBatch batch;
    batch.put(marker_key(), marker);
    RETURN_IF_ERROR(write_unchecked(batch, MayBlock::kYes));
    for (int attempt = 0; attempt < kFlushAttempts; ++attempt) {
      RETURN_IF_ERROR(flush_once());
      ASSIGN_OR_RETURN(const auto persisted, get_persisted(marker_key()));
      if (!persisted || *persisted < marker) {
        resume();
        continue;
      }
      if (attempt > 0) PROBE("rocks.flush_again");
      // With the marker's own number: if that is still the latest next time, nothing was written.
      std::uint64_t before = durable_sequence_.load();
      while (before <= target && !durable_sequence_.compare_exchange_weak(before, target + 1)) continue;
      return {};
    }
    return fail(ErrorCode::kIo, "a flush did not reach the disk, although it was said to have");
  }

  Result<ExportedFiles> export_ranges(const std::vector<KeyRange>& ranges, const EngineSnapshot& snapshot,
                                      const std::string& directory) override {
    return export_tables(*db_, options_, ranges, to_rocks(&snapshot), directory);
  }

  Result<> ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                  const std::vector<std::pair<std::string, std::string>>& overrides,
                  const std::string& scratch_directory) override {
    ASSIGN_OR_RETURN(const auto tables, write_replacing_tables(options_, ranges, paths, overrides, scratch_directory));
    if (!tables.empty()) {
      RETURN_IF_ERROR(check_fit_to_ingest());
      rocksdb::IngestExternalFileOptions ingest;
      ingest.move_files = true;  // linked into the database, then removed
      ingest.write_global_seqno = false;
      RETURN_IF_ERROR(to_result(db_->IngestExternalFile(tables, ingest), "ingest"));
    }
    for (const auto& path : paths) RETURN_IF_ERROR(to_result(db_->GetEnv()->DeleteFile(path), "remove a table"));
    return {};
  }

  EngineStats stats() const override {
    EngineStats stats;
    std::uint64_t buffers = 0, readers = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &stats.disk_bytes);
    db_->GetIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &buffers);
    db_->GetIntProperty(rocksdb::DB::Properties::kEstimateTableReadersMem, &readers);
    stats.memory_bytes = buffers + readers + cache_->GetUsage();
    return stats;
  }

 private:
  Result<std::optional<std::string>> get(std::string_view key, const rocksdb::ReadOptions& read) {
    std::string value;
    const auto status = db_->Get(read, to_slice(key), &value);
    if (status.ok()) return value;
    if (status.IsNotFound()) return std::nullopt;
    return fail(to_error(status, "read"));
  }

  Result<> write_unchecked(const WriteBatch& batch, MayBlock may_block) {
    ASSIGN_OR_RETURN(rocksdb::WriteBatch rocks_batch, to_rocks(batch));
    rocksdb::WriteOptions write;
    write.disableWAL = true;
    write.no_slowdown = may_block == MayBlock::kNo;
    auto status = db_->Write(write, &rocks_batch);
    if (status.IsNoSpace() && may_block == MayBlock::kYes && resume()) status = db_->Write(write, &rocks_batch);
    if (status.ok()) written_->fetch_add(batch.bytes(), std::memory_order_relaxed);
    return to_result(status, "write");
  }

  // After a full disk RocksDB 7.8 may be left in a state in which it writes and flushes well, says so, and aborts when it
  // is given files (an assertion that a file's number is above 0). Nothing tells but that there ever was an error, and
  // nothing helps but to open it again.
  Result<> check_fit_to_ingest() const {
    std::uint64_t errors = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kBackgroundErrors, &errors);
    if (errors == 0) return {};
    return fail(ErrorCode::kUnavailable,
                "RocksDB had an error, a full disk most likely, and can take no snapshot before this node is started again");
  }

  Result<> flush_once() {
    rocksdb::FlushOptions flush;
    flush.wait = true;
    // Waiting until a flush stalls no one could take for ever under load; writers have their pool.
    flush.allow_write_stall = true;
    auto status = db_->Flush(flush);
    if (status.IsNoSpace() && resume()) status = db_->Flush(flush);
    return to_result(status, "flush");
  }

  // RocksDB stops writing when a flush finds the disk full, and keeps the write buffers. True if they could be
  // flushed now.
  bool resume() {
    const std::unique_lock lock(resuming_, std::try_to_lock);
    return lock.owns_lock() && db_->Resume().ok();
  }

  const RocksOptions options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<rocksdb::DB> db_;
  const std::shared_ptr<std::atomic<std::uint64_t>> written_;
  std::mutex resuming_;
  // All writes up to this one are known to be durable.
  std::atomic<std::uint64_t> durable_sequence_ = 0;
};

Result<> create_directories(rocksdb::Env& env, const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    RETURN_IF_ERROR(to_result(env.CreateDirIfMissing(path.substr(0, at)), "create a directory"));
  }
  return to_result(env.CreateDirIfMissing(path), "create a directory");
}

// What an environment does, on another file system.
class EnvOnFileSystem final : public rocksdb::EnvWrapper {
 public:
  EnvOnFileSystem(rocksdb::Env* base, std::shared_ptr<rocksdb::FileSystem> files) : EnvWrapper(base) {
    file_system_ = std::move(files);
  }
  const char* Name() const override { return "meridian.EnvOnFileSystem"; }
};

}  // namespace

Result<std::unique_ptr<Engine>> open_rocks_engine(const RocksOptions& options) {
  const auto cache = make_counting_cache(options.block_cache_bytes);
  const auto written = std::make_shared<std::atomic<std::uint64_t>>(0);
  rocksdb::Options database_options = make_database_options(options, cache, written);
  RETURN_IF_ERROR(create_directories(*database_options.env, options.path));
  const auto env = std::make_shared<EnvOnFileSystem>(
      database_options.env, with_table_space(with_gradual_removal(database_options.env->GetFileSystem())));
  database_options.env = env.get();
  rocksdb::DB* opened = nullptr;
  RETURN_IF_ERROR(to_result(rocksdb::DB::Open(database_options, options.path, &opened),
                            fmt::format("open the database in {}", options.path)));
  // Snapshots and iterators keep the database, which needs its environment to the end.
  std::shared_ptr<rocksdb::DB> db(opened, [env](rocksdb::DB* ends) { delete ends; });
  return std::make_unique<RocksEngine>(options, cache, std::move(db), written);
}

}  // namespace meridian
