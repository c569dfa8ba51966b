#include "server/rocks/rocks_status.h"

#include <fmt/format.h>

#include "base/check.h"

namespace meridian {

namespace {

ErrorCode code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return ErrorCode::kDiskFull;
  switch (status.code()) {
    case rocksdb::Status::kIncomplete: return ErrorCode::kWouldBlock;
    case rocksdb::Status::kCorruption: return ErrorCode::kCorruption;
    case rocksdb::Status::kNotFound: return ErrorCode::kNotFound;
    case rocksdb::Status::kInvalidArgument:
    case rocksdb::Status::kNotSupported: return ErrorCode::kInternal;
    // What is left cannot be waited out: a failed disk, or a database that stopped because of one.
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error to_error(const rocksdb::Status& status, std::string_view what) {
  CHECK(!status.ok());
  return Error(code_of(status), fmt::format("cannot {}: {}", what, status.ToString()));
}

Result<> to_result(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) [[likely]]
    return {};
  return fail(to_error(status, what));
}

}  // namespace meridian
