// Engine on RocksDB: one database, one column family, no WAL (protocols S2), so that what a flush leaves
// is always a prefix of the writes. RocksDB's headers stay inside this folder.
//
// Limits beyond the port's: keys that start with sixteen 0xFF bytes are refused; what follows the user key
// in an MVCC key (mvcc_prefix.h) is at most sixteen bytes long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/engine.h"

namespace rocksdb {
class Env;
}

namespace meridian {

struct RocksOptions {
  std::string path;  // created, with its parents, if missing
  // Data, index and filter blocks; nothing else of the tables is held in memory for long.
  std::size_t block_cache_bytes = 64 << 20;
  // At most three write buffers of this size exist: one is written, two wait for their flush.
  std::size_t write_buffer_bytes = 64 << 20;
  // What flushes and compactions write at most, flushes first: no bursts that a log on the same disk would have to wait
  // for. Compactions go below it, at the pace that keeps up with what is written. 0: no limit and no pace.
  std::uint64_t background_bytes_per_s = 0;
  // Files of an export or an ingest are split at about this size.
  std::size_t export_file_bytes = 32 << 20;
  rocksdb::Env* env = nullptr;  // null: the machine's; tests hand in others. Borrowed
};

// Thread-safe. Snapshots and iterators may outlive the engine; the database closes with the last of them.
//
// A full disk: writes and flushes answer kDiskFull until a flush or a write with MayBlock::kYes finds that there is
// space again.
// kUnavailable, of ingest() after the disk had been full: the process has to be started again for that.
// kIo, kCorruption: the engine can't be trusted any more, and the process has to stop.
Result<std::unique_ptr<Engine>> open_rocks_engine(const RocksOptions& options);

}  // namespace meridian
