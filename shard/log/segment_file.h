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

// The newest segment is noted beside the segments, before anything is acknowledged in it: a log that ends with an older
// one has lost something, however well that one ends. 0: nothing is noted.
Result<> note_newest(FileSystem& fs, const std::string& directory, std::uint64_t number);
Result<std::uint64_t> noted_newest(FileSystem& fs, const std::string& directory);

// The header, the file's name and the note are on disk when it returns.
Result<std::shared_ptr<File>> create_segment(FileSystem& fs, const std::string& directory,
                                             const log_format::SegmentHeader& header);
// Appends at offset, the file's end, and syncs.
Result<> append_synced(File& file, std::uint64_t offset, std::string_view bytes);

}  // namespace meridian
