#include "shard/log/segment_file.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"

namespace meridian {
namespace {

Result<> not_to_be_retried(Result<> synced) {
  if (synced || synced.error().code() != ErrorCode::kDiskFull) return synced;
  return fail(Error(ErrorCode::kIo, "a sync failed").with_cause(std::move(synced).error()));
}

std::string note_path(const std::string& directory) { return directory + "/NEWEST"; }

}  // namespace

Result<> note_newest(FileSystem& fs, const std::string& directory, std::uint64_t number) {
  const std::string path = note_path(directory), temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(const auto file, fs.open(temporary, FileSystem::Open::kCreateOrOpen));
    RETURN_IF_ERROR(file->truncate(0));
    RETURN_IF_ERROR(file->append(fmt::format("{}\n", number)));
    RETURN_IF_ERROR(not_to_be_retried(file->sync()));
  }
  RETURN_IF_ERROR(fs.rename(temporary, path));
  return not_to_be_retried(fs.sync_directory(directory));
}

Result<std::uint64_t> noted_newest(FileSystem& fs, const std::string& directory) {
  const std::string path = note_path(directory);
  ASSIGN_OR_RETURN(const bool noted, fs.exists(path));
  if (!noted) return 0;
  ASSIGN_OR_RETURN(const std::string text, read_file(fs, path));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end + 1 == text.data() + text.size() && *end == '\n') return number;
  return fail(ErrorCode::kCorruption, fmt::format("{} is damaged: it holds no number", path));
}

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
  if (auto noted = note_newest(fs, directory, header.number); !noted) {
    if (noted.error().code() == ErrorCode::kDiskFull) {
      file.reset();
      RETURN_IF_ERROR(not_to_be_retried(fs.remove(path)));
    }
    return fail(std::move(noted).error());
  }
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
