#include "base/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace meridian {
namespace {

std::unexpected<Error> fail_errno(int error, std::string_view what, std::string_view path) {
  ErrorCode code = ErrorCode::kIo;
  if (error == ENOSPC || error == EDQUOT) code = ErrorCode::kDiskFull;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::kNotFound;
  if (error == EEXIST) code = ErrorCode::kAlreadyExists;
  return fail(code, fmt::format("{} {}: {}", what, path, std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);  // never retried: on Linux it is closed even when it answers EINTR
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Repeats a call that a signal interrupted.
template <class Call>
auto retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

Descriptor open_descriptor(const std::string& path, int flags) {
  return Descriptor(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); }));
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path, std::uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  Result<> append(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t n = retry([&] { return ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(size_)); });
      if (n < 0) return fail_errno(errno, "cannot write", path_);
      // A write of nothing to a regular file is a disk without room that has not said so yet.
      if (n == 0) return fail_errno(ENOSPC, "cannot write", path_);
      size_ += static_cast<std::uint64_t>(n);
      data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  Result<std::string> read(std::uint64_t offset, std::size_t n) const override {
    std::string out;
    if (offset >= size_) return out;
    out.resize(std::min<std::uint64_t>(n, size_ - offset));
    std::size_t have = 0;
    while (have < out.size()) {
      const ssize_t got = retry(
          [&] { return ::pread(fd_.get(), out.data() + have, out.size() - have, static_cast<off_t>(offset + have)); });
      if (got < 0) return fail_errno(errno, "cannot read", path_);
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    out.resize(have);
    return out;
  }

  Result<> sync() override {
    if (::fdatasync(fd_.get()) != 0) return fail_errno(errno, "cannot sync", path_);
    return {};
  }

  Result<> truncate(std::uint64_t size) override {
    if (retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return fail_errno(errno, "cannot truncate", path_);
    }
    size_ = size;
    reserved_ = 0;
    return {};
  }

  void reserve(std::uint64_t bytes) override {
    if (bytes <= reserved_ || bytes <= size_) return;
    // On a full disk, or a file system that can't, it goes on as it would without.
    (void)retry([&] { return ::fallocate(fd_.get(), 0, static_cast<off_t>(size_), static_cast<off_t>(bytes - size_)); });
    reserved_ = bytes;
  }

  Result<std::uint64_t> size() const override { return size_; }

 private:
  Descriptor fd_;
  std::string path_;
  std::uint64_t size_;
  std::uint64_t reserved_ = 0;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

// To remove 64 MiB at once holds up the file system's journal for tens of milliseconds, and with it every fsync: the log's.
// So only what is left of a file's front is removed at once. A file with a second name stays whole under that one.
void shorten(const std::string& path) {
  constexpr off_t kStep = 1 << 20;
  constexpr std::chrono::milliseconds kPause(1);
  struct stat status{};
  const Descriptor fd = open_descriptor(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd.ok() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) return;
  for (off_t size = status.st_size - kStep; size >= kStep; size -= kStep) {
    if (retry([&] { return ::ftruncate(fd.get(), size); }) != 0) return;
    std::this_thread::sleep_for(kPause);
  }
}

std::string read_holder(int fd) {
  char text[32];
  const ssize_t n = retry([&] { return ::pread(fd, text, sizeof text, 0); });
  std::string holder(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.empty() ? "another process" : "process " + holder;
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, Open how) {
  int flags = O_RDWR;
  if (how == Open::kCreateNew) flags |= O_CREAT | O_EXCL;
  if (how == Open::kCreateOrOpen) flags |= O_CREAT;
  Descriptor fd = open_descriptor(path, flags);
  if (!fd.ok()) return fail_errno(errno, "cannot open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat", path);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kIo, fmt::format("{} is not a regular file", path));
  return std::make_unique<PosixFile>(std::move(fd), path, static_cast<std::uint64_t>(status.st_size));
}

Result<bool> PosixFileSystem::exists(const std::string& path) const {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return fail_errno(errno, "cannot stat", path);
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), &::closedir);
  if (handle == nullptr) return fail_errno(errno, "cannot list", directory);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(handle.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail_errno(errno, "cannot list", directory);
  std::sort(names.begin(), names.end());
  return names;
}

Result<> PosixFileSystem::create_directories(const std::string& directory) {
  const auto make = [&] { return ::mkdir(directory.c_str(), 0755) == 0 ? 0 : errno; };
  const std::string parent = parent_directory(directory);
  int error = make();
  if (error == ENOENT && parent != directory) {
    RETURN_IF_ERROR(create_directories(parent));
    error = make();  // where nothing can be made, as in /proc, it still says that the parent is missing
  }
  if (error == 0) return sync_directory(parent);
  struct stat status{};
  if (error == EEXIST && ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return sync_directory(parent);  // a crash may have come between creating and syncing
  }
  return fail_errno(error, "cannot create", directory);
}

Result<> PosixFileSystem::remove(const std::string& path) {
  shorten(path);
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "cannot remove", path);
  return {};
}

Result<> PosixFileSystem::remove_all(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return fail_errno(error.value(), "cannot remove", directory);
  return {};
}

Result<> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "cannot rename", from);
  return {};
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& directory) const {
  struct statvfs disk;
  if (::statvfs(directory.c_str(), &disk) != 0) return fail_errno(errno, "ask for the room at", directory);
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

Result<> PosixFileSystem::sync_directory(const std::string& directory) {
  const Descriptor fd = open_descriptor(directory, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return fail_errno(errno, "cannot open", directory);
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "cannot sync", directory);
  return {};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT);
  if (!fd.ok()) return fail_errno(errno, "cannot open", path);
  if (retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "cannot lock", path);
    return fail(ErrorCode::kFailedPrecondition, fmt::format("{} is held by {}", path, read_holder(fd.get())));
  }
  // Only for people; the lock itself is the kernel's, so a full disk does not matter here.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) == 0) [[maybe_unused]]
    const ssize_t n = ::pwrite(fd.get(), pid.data(), pid.size(), 0);
  return std::make_unique<PosixFileLock>(std::move(fd));
}

}  // namespace meridian
