// Engine in memory, for simulation: deterministic, with the crash semantics of RocksDB without a WAL.
// Thread-safe; one object is one disk's engine and outlives the incarnations of its node.
//
// Every key holds a chain of versions stamped with the number of the write that made them. A snapshot is
// a number. The last flush is a number too: a crash throws away what is newer, except what an ingest
// made, which was durable at once.
// Invariant: chains keep every version newer than min(last flush, oldest snapshot), and the newest one
// that is not.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/engine.h"
#include "base/file.h"

namespace meridian {

class MemEngine final : public Engine {
 public:
  // Exports are read and written through fs, so that they can be shipped, and damaged, like any file.
  explicit MemEngine(FileSystem& fs);
  ~MemEngine() override;

  using Engine::get;
  Result<std::optional<std::string>> get(std::string_view key, const EngineReadOptions& options) override;
  Result<std::optional<std::string>> get_persisted(std::string_view key) override;
  std::unique_ptr<EngineIterator> iterate(KeyRange range, const EngineReadOptions& options) override;
  std::unique_ptr<EngineSnapshot> snapshot() override;
  Result<> write(const WriteBatch& batch, MayBlock may_block) override;
  Result<> flush() override;
  Result<ExportedFiles> export_ranges(const std::vector<KeyRange>& ranges, const EngineSnapshot& snapshot,
                                      const std::string& directory) override;
  Result<> ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                  const std::vector<std::pair<std::string, std::string>>& overrides,
                  const std::string& scratch_directory) override;
  EngineStats stats() const override;

  // The power is cut: what is left is the last flush or, as RocksDB flushes by itself now and then, any
  // later prefix of the writes, which `random` draws; and every ingest. Snapshots and iterators of before
  // stay readable and see what they saw.
  void crash(const std::function<std::uint64_t()>& random);

  // While full, writes, flushes, exports and ingests answer kDiskFull and change nothing.
  void set_disk_full(bool full) { disk_full_ = full; }

 private:
  struct State;
  class Snapshot;
  class Iterator;

  FileSystem& fs_;
  std::shared_ptr<State> state_;  // replaced by a crash; snapshots and iterators share it
  std::atomic<bool> disk_full_ = false;
};

}  // namespace meridian
