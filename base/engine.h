// The port to the ordered key-value store that holds a node's data: RocksEngine (server/rocks) or
// MemEngine. Thread-safe. Keys are ordered bytewise.
//
// What is written is NOT durable: after a crash the engine holds exactly the state as of some earlier
// write (a consistent prefix of the order of writes, never less than the last flush), plus every
// ingest at once. The log above (shard/log) is the only WAL.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace meridian {

// A half-open range of engine keys. An empty end means "to the end of all keys".
struct KeyRange {
  std::string start;
  std::string end;
};

// Applied atomically, in order.
class WriteBatch {
 public:
  struct Op {
    enum class Kind { kPut, kDelete, kDeleteRange } kind;
    std::string key;    // of a range: its start
    std::string value;  // of a range: its end
  };
  void put(std::string key, std::string value) {
    bytes_ += key.size() + value.size();
    ops_.push_back({Op::Kind::kPut, std::move(key), std::move(value)});
  }
  void remove(std::string key) {
    bytes_ += key.size();
    ops_.push_back({Op::Kind::kDelete, std::move(key), {}});
  }
  void remove_range(KeyRange range) {
    bytes_ += range.start.size() + range.end.size();
    ops_.push_back({Op::Kind::kDeleteRange, std::move(range.start), std::move(range.end)});
  }
  const std::vector<Op>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }
  std::size_t bytes() const { return bytes_; }
  void clear() { ops_.clear(); bytes_ = 0; }

 private:
  std::vector<Op> ops_;
  std::size_t bytes_ = 0;
};

// A consistent view of the engine as of its creation.
class EngineSnapshot {
 public:
  virtual ~EngineSnapshot() = default;
};

enum class MayBlock { kNo, kYes };

struct EngineReadOptions {
  // kNo: answers kWouldBlock rather than touch the disk.
  MayBlock may_block = MayBlock::kYes;
  // Read as of this snapshot; null: the latest state. Borrowed.
  const EngineSnapshot* snapshot = nullptr;
};

class EngineIterator {
 public:
  virtual ~EngineIterator() = default;
  virtual bool valid() const = 0;
  virtual void seek_to_first() = 0;
  virtual void seek_to_last() = 0;
  virtual void seek(std::string_view key) = 0;           // first key >= key
  virtual void seek_for_previous(std::string_view key) = 0;  // last key <= key
  virtual void next() = 0;
  virtual void previous() = 0;
  // Valid until the iterator moves. Require: valid().
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  // Why it is not valid: ok at the end of the range, kWouldBlock, kIo, kCorruption.
  virtual Result<> status() const = 0;
};

// Opaque files in a directory on this machine, made by export_ranges and consumed by ingest.
struct ExportedFiles {
  std::vector<std::string> paths;
  std::uint64_t bytes = 0;
  std::uint64_t keys = 0;
};

struct EngineStats {
  std::uint64_t disk_bytes = 0;
  std::uint64_t memory_bytes = 0;  // write buffers and caches
};

class Engine {
 public:
  virtual ~Engine() = default;

  // nullopt: no such key. kWouldBlock, kIo, kCorruption.
  virtual Result<std::optional<std::string>> get(std::string_view key, const EngineReadOptions& options) = 0;
  Result<std::optional<std::string>> get(std::string_view key) { return get(key, EngineReadOptions{}); }

  // As of the last flush (what a crash now would leave at least). May block.
  virtual Result<std::optional<std::string>> get_persisted(std::string_view key) = 0;

  // Over [range.start, range.end).
  virtual std::unique_ptr<EngineIterator> iterate(KeyRange range, const EngineReadOptions& options) = 0;

  virtual std::unique_ptr<EngineSnapshot> snapshot() = 0;

  // kWouldBlock (only with MayBlock::kNo; nothing was written), kDiskFull, kIo.
  virtual Result<> write(const WriteBatch& batch, MayBlock may_block) = 0;

  // All that was written before is durable when this returns. Blocks.
  virtual Result<> flush() = 0;

  // Writes what the ranges hold as of the snapshot to new files under directory, which must exist. Blocks.
  virtual Result<ExportedFiles> export_ranges(const std::vector<KeyRange>& ranges, const EngineSnapshot& snapshot,
                                              const std::string& directory) = 0;
  // Atomically: the ranges are cleared, the files' keys (all inside the ranges) and overrides are there instead. Durable
  // when it returns. The files are consumed. Blocks. The caller has flushed, and lets no write to the
  // ranges run at the same time.
  virtual Result<> ingest(const std::vector<KeyRange>& ranges, const std::vector<std::string>& paths,
                          const std::vector<std::pair<std::string, std::string>>& overrides,
                          const std::string& scratch_directory) = 0;

  virtual EngineStats stats() const = 0;
};

}  // namespace meridian
