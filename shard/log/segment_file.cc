#include "shard/log/segment_file.h"

#include <utility>

#include "base/fault.h"

namespace meridian {
namespace {

Result<> not_to_be_retried(Result<> synced) {
  if (synced || synced.error().code() != ErrorCode::kDiskFull) return synced;
  return fail(Error(ErrorCode::kIo, "a sync failed").with_cause(std::move(synced).error()));
}

}  // namespace

Result<std::shared_ptr<File>> create_segment(FileSystem& fs, const std::string& directory,
                                             const log_format::SegmentHeader& header) {
  const std::string path = directory + "/" + log_format::segment_name(header.number);
  std::shared_ptr<File> file;
  const auto write_header = [&]() -> Result<> {
    ASSIGN_OR_RETURN(file, fs.open(path, FileSystem::Open::kCreateNew));
    return file->append(log_format::encode(header));
  };
  if (auto written = write_header(); !written) {
    if (written.error().code() == ErrorCode::kDiskFull && file) {
      file.reset();
      RETURN_IF_ERROR(not_to_be_retried(fs.remove(path)));
    }
    return fail(std::move(written).error());
  }
  RETURN_IF_ERROR(not_to_be_retried(file->sync()));
  RETURN_IF_ERROR(not_to_be_retried(fs.sync_directory(directory)));
  FAILPOINT("log.segment_created");
  return file;
}

Result<> append_synced(File& file, std::uint64_t offset, std::string_view bytes) {
  if (auto appended = file.append(bytes); !appended) {
    if (appended.error().code() == ErrorCode::kDiskFull) RETURN_IF_ERROR(not_to_be_retried(file.truncate(offset)));
    return appended;
  }
  FAILPOINT("log.before_sync");
  RETURN_IF_ERROR(not_to_be_retried(file.sync()));
  FAILPOINT("log.after_sync");
  return {};
}

}  // namespace meridian
