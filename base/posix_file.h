// FileSystem over POSIX. Any thread; one File is used by one thread at a time. sync() is fdatasync, which
// also writes a changed size. Files are not preallocated: measured on ext4 it gained nothing with
// FALLOC_FL_KEEP_SIZE, and a tenth without it, for zeros at the end that recovery would have to judge.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"

namespace meridian {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<bool> exists(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
  Result<> create_directories(const std::string& directory) override;
  Result<> remove(const std::string& path) override;
  Result<> remove_all(const std::string& directory) override;
  Result<> rename(const std::string& from, const std::string& to) override;
  Result<> sync_directory(const std::string& directory) override;
  Result<std::uint64_t> free_bytes(const std::string& directory) const override;
  // flock: released by the kernel however the process ends. The file holds the holder's pid.
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

}  // namespace meridian
