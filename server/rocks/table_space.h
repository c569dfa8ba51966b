// Asks for the space of a small table before RocksDB may begin a table. RocksDB 7.8 aborts if a compaction that
// leaves no key began its table and then finds the disk full; that it could not begin one, it takes as any error.
#pragma once

#include <cstdint>
#include <memory>

#include <rocksdb/file_system.h>

namespace meridian {

// More than a table without a key takes: its properties, its index and its footer.
inline constexpr std::uint64_t kTableSpaceBytes = 64 << 10;

// base with that difference. File systems that can't reserve space are used as they are.
std::shared_ptr<rocksdb::FileSystem> with_table_space(const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace meridian
