// The port to disks: append-only files and the few directory operations a log needs. Blocking: called on
// the pool, or at start-up. Implementations: base/posix_file.h, and the simulator's, which loses at a
// crash what was not synced, tears what was being written, and can flip bits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace meridian {

class File {
 public:
  virtual ~File() = default;
  // Appends all of data or fails; after a failure the file's end is unknown. kDiskFull, kIo.
  virtual Result<> append(std::string_view data) = 0;
  // Up to n bytes at offset; fewer only at the end of the file.
  virtual Result<std::string> read(std::uint64_t offset, std::size_t n) const = 0;
  // Data and size are on disk when this returns. After a failure nothing is known: the process must stop.
  virtual Result<> sync() = 0;
  virtual Result<> truncate(std::uint64_t size) = 0;
  // A hint: the file will grow to so many bytes. What is appended up to there then costs its sync no change of the
  // file's size. Until a truncation, or for good, others who open the file may find zeros after what was appended.
  virtual void reserve(std::uint64_t bytes) = 0;
  virtual Result<std::uint64_t> size() const = 0;
};

// Held for as long as it lives; a second holder, in any process, is refused.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  enum class Open { kExisting, kCreateNew, kCreateOrOpen };
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  virtual Result<bool> exists(const std::string& path) const = 0;
  // Names, not paths; sorted.
  virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;
  // With parents; fine if it exists. Made durable by itself.
  virtual Result<> create_directories(const std::string& directory) = 0;
  // A large file may go in steps, from its end: who has it open sees it shrink, and a crash before the directory's sync
  // may leave its front, of kFrontBytes at least where it had so many.
  virtual Result<> remove(const std::string& path) = 0;
  static constexpr std::uint64_t kFrontBytes = 64;
  virtual Result<> remove_all(const std::string& directory) = 0;
  // Atomic; replaces the target.
  virtual Result<> rename(const std::string& from, const std::string& to) = 0;
  // Creations, removals and renames inside are on disk when this returns.
  virtual Result<> sync_directory(const std::string& directory) = 0;
  // How much more the disk under it takes, about.
  virtual Result<std::uint64_t> free_bytes(const std::string& directory) const = 0;
  // kFailedPrecondition, naming the holder where known, if it is held.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

// Writes a small file so that after a crash it is either the old one or the new one, whole.
Result<> write_file_atomically(FileSystem& fs, const std::string& path, std::string_view contents);
Result<std::string> read_file(FileSystem& fs, const std::string& path);
// "a/b" of "a/b/c"; "." of "c"; "/" of "/c" and of "/".
std::string parent_directory(const std::string& path);

}  // namespace meridian
