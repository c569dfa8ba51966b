// Between RocksDB's types and ours.
#pragma once

#include <string_view>

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include "base/result.h"

namespace meridian {

inline rocksdb::Slice to_slice(std::string_view view) { return {view.data(), view.size()}; }
inline std::string_view to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// `what` was being done: "cannot flush: IO error: ...".
Error to_error(const rocksdb::Status& status, std::string_view what);
Result<> to_result(const rocksdb::Status& status, std::string_view what);

}  // namespace meridian
