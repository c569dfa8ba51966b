// Writing to segments. Blocking; on the pool, or at a start.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "shard/log/format.h"

namespace meridian {

// Both answer kDiskFull only when they left everything as it was, so that they can be tried again. A failed
// sync is never that, whatever it says: nothing is known after it.

// The header and the file's name are on disk when it returns.
Result<std::shared_ptr<File>> create_segment(FileSystem& fs, const std::string& directory,
                                             const log_format::SegmentHeader& header);
// Appends at offset, the file's end, and syncs.
Result<> append_synced(File& file, std::uint64_t offset, std::string_view bytes);

}  // namespace meridian
