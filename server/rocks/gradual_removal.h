// Removes large files in steps, as PosixFileSystem does with the log's, and for the same reason: to remove a table of 64 MiB
// at once holds up the file system's journal for tens of milliseconds, and with it the log's fsync.
#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace meridian {

// base with that difference. A file with a second name, or on a file system that can't shorten files, goes at once.
std::shared_ptr<rocksdb::FileSystem> with_gradual_removal(const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace meridian
