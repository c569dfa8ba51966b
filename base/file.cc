#include "base/file.h"

#include <fmt/format.h>

namespace meridian {

std::string parent_directory(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const std::size_t slash = path.find_last_of('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

Result<> write_file_atomically(FileSystem& fs, const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(const auto file, fs.open(temporary, FileSystem::Open::kCreateOrOpen));
    RETURN_IF_ERROR(file->truncate(0));  // what an earlier attempt left
    RETURN_IF_ERROR(file->append(contents));
    RETURN_IF_ERROR(file->sync());
  }
  RETURN_IF_ERROR(fs.rename(temporary, path));
  return fs.sync_directory(parent_directory(path));
}

Result<std::string> read_file(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, fs.open(path, FileSystem::Open::kExisting));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
  ASSIGN_OR_RETURN(std::string contents, file->read(0, size));
  if (contents.size() != size) {
    return fail(ErrorCode::kIo, fmt::format("{}: read {} of {} bytes", path, contents.size(), size));
  }
  return contents;
}

}  // namespace meridian
