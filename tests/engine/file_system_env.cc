#include "tests/engine/file_system_env.h"

#include <atomic>
#include <cstdarg>
#include <cstring>
#include <utility>

#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include "tests/engine/background_jobs.h"

namespace meridian {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus to_status(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNotFound: return IOStatus::NotFound(error.message());
    case ErrorCode::kDiskFull: return IOStatus::NoSpace(error.message());
    default: return IOStatus::IOError(error.message());
  }
}

// Nobody reads it here.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

// RocksDB appends slashes to directories, and names to those.
std::string normal(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

template <class T>
IOStatus to_status(const Result<T>& result) {
  return result ? IOStatus::OK() : to_status(result.error());
}

}  // namespace

class FileSystemEnv::Adapter final : public rocksdb::FileSystem {
 public:
  Adapter(meridian::FileSystem& fs, std::mutex& mutex) : fs_(fs), mutex_(mutex) {}

  void cut() {
    const std::lock_guard lock(mutex_);
    cut_ = true;
  }

  // Runs the operation, which returns a Result, while the power is on.
  template <class Operation>
  IOStatus run(Operation operation) {
    const std::lock_guard lock(mutex_);
    if (cut_) return IOStatus::IOError("the power is off");
    return to_status(operation());
  }

  // For writes: a process without power sees no error, so what it still writes goes nowhere and is said to be
  // written. (RocksDB 7.8 aborts at some errors: file_system_env_test.cc.)
  template <class Operation>
  IOStatus run_unseen(Operation operation) {
    const std::lock_guard lock(mutex_);
    if (cut_) return IOStatus::OK();
    return to_status(operation());
  }

  const char* Name() const override { return "meridian.FileSystemEnv"; }
  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* out, IODebugContext*) override;
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* out, IODebugContext*) override;
  IOStatus NewWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* out,
                           IODebugContext*) override;
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext*) override;
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** out, IODebugContext*) override;
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override;

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return run([&]() -> Result<> {
      ASSIGN_OR_RETURN(const bool exists, fs_.exists(normal(path)));
      if (!exists) return fail(ErrorCode::kNotFound, path);
      return {};
    });
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* out,
                       IODebugContext*) override {
    return run([&]() -> Result<> {
      ASSIGN_OR_RETURN(*out, fs_.list(normal(path)));
      return {};
    });
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return run([&] { return fs_.remove(normal(path)); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return run([&] { return fs_.create_directories(normal(path)); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return run([&] { return fs_.create_directories(normal(path)); });
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return run([&] { return fs_.remove_all(normal(path)); });
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size, IODebugContext*) override {
    return run([&]() -> Result<> {
      ASSIGN_OR_RETURN(const auto file, fs_.open(normal(path), meridian::FileSystem::Open::kExisting));
      ASSIGN_OR_RETURN(*size, file->size());
      return {};
    });
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return run([&] { return fs_.rename(normal(from), normal(to)); });
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/tmp";
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out, IODebugContext*) override {
    *out = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory, IODebugContext*) override {
    *is_directory = run([&] { return fs_.list(normal(path)); }).ok();
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* out,
                     IODebugContext*) override {
    *out = std::make_shared<NoLog>();
    return IOStatus::OK();
  }

 private:
  template <class Out>
  IOStatus open(const std::string& path, meridian::FileSystem::Open how, bool truncate, std::unique_ptr<Out>* out);

  meridian::FileSystem& fs_;
  std::mutex& mutex_;
  bool cut_ = false;
};

namespace {

// One class for every way to use a file: RocksDB asks for each by another interface.
template <class Interface, class Adapter>
class AdaptedFile : public Interface {
 public:
  AdaptedFile(Adapter& adapter, std::unique_ptr<File> file) : adapter_(adapter), file_(std::move(file)) {}

 protected:
  IOStatus read_at(std::uint64_t offset, std::size_t n, Slice* result, char* scratch) const {
    *result = Slice();
    return adapter_.run([&]() -> Result<> {
      ASSIGN_OR_RETURN(const std::string bytes, file_->read(offset, n));
      std::memcpy(scratch, bytes.data(), bytes.size());
      *result = Slice(scratch, bytes.size());
      return {};
    });
  }
  Adapter& adapter_;
  std::unique_ptr<File> file_;
};

template <class Adapter>
class Sequential final : public AdaptedFile<rocksdb::FSSequentialFile, Adapter> {
 public:
  using AdaptedFile<rocksdb::FSSequentialFile, Adapter>::AdaptedFile;
  IOStatus Read(std::size_t n, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    const IOStatus status = this->read_at(offset_, n, result, scratch);
    offset_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  std::uint64_t offset_ = 0;
};

template <class Adapter>
class RandomAccess final : public AdaptedFile<rocksdb::FSRandomAccessFile, Adapter> {
 public:
  using AdaptedFile<rocksdb::FSRandomAccessFile, Adapter>::AdaptedFile;
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return this->read_at(offset, n, result, scratch);
  }
};

template <class Adapter>
class Writable final : public AdaptedFile<rocksdb::FSWritableFile, Adapter> {
 public:
  using AdaptedFile<rocksdb::FSWritableFile, Adapter>::AdaptedFile;
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return this->adapter_.run_unseen([&] { return this->file_->append({data.data(), data.size()}); });
  }
  void PrepareWrite(std::size_t, std::size_t, const IOOptions&, IODebugContext*) override {}
  // Reserves nothing, but says whether there is room now: only one of RocksDB's jobs writes at a time.
  IOStatus Allocate(std::uint64_t offset, std::uint64_t size, const IOOptions&, IODebugContext*) override {
    return this->adapter_.run_unseen([&]() -> Result<> {
      ASSIGN_OR_RETURN(const std::uint64_t before, this->file_->size());
      if (before >= offset + size) return {};
      const auto fits = this->file_->append(std::string(offset + size - before, '\0'));
      RETURN_IF_ERROR(this->file_->truncate(before));
      return fits;
    });
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return this->adapter_.run_unseen([&] { return this->file_->sync(); });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    std::uint64_t size = 0;
    this->adapter_
        .run([&]() -> Result<> {
          ASSIGN_OR_RETURN(size, this->file_->size());
          return {};
        })
        .PermitUncheckedError();
    return size;
  }
};

template <class Adapter>
class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(Adapter& adapter, meridian::FileSystem& fs, std::string path)
      : adapter_(adapter), fs_(fs), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return adapter_.run([&] { return fs_.sync_directory(path_); });
  }

 private:
  Adapter& adapter_;
  meridian::FileSystem& fs_;
  std::string path_;
};

// A failed flush makes RocksDB wait a second before it tries again; without power there is nothing to wait for.
class Clock : public rocksdb::SystemClockWrapper {
 public:
  Clock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "meridian.FileSystemEnv.Clock"; }
  void SleepForMicroseconds(int us) override {
    if (!cut_) SystemClockWrapper::SleepForMicroseconds(us);
  }
  void cut() { cut_ = true; }

 private:
  std::atomic<bool> cut_ = false;
};

// Passes by being looked at, so that no wait for it takes long or for ever.
class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(BackgroundJobs& jobs) : jobs_(jobs) {}
  std::uint64_t NowMicros() override { return ++now_us_; }
  std::uint64_t NowNanos() override { return NowMicros() * 1000; }
  std::uint64_t CPUMicros() override { return NowMicros(); }
  std::uint64_t CPUNanos() override { return NowNanos(); }
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override {
    *seconds = kBeganSeconds;
    return rocksdb::Status::OK();
  }
  void SleepForMicroseconds(int us) override {
    now_us_ += static_cast<std::uint64_t>(us);
    jobs_.paused();
  }

 private:
  BackgroundJobs& jobs_;
  static constexpr std::int64_t kBeganSeconds = 1'767'225'600;
  std::atomic<std::uint64_t> now_us_ = std::uint64_t{kBeganSeconds} * 1'000'000;
};

struct HeldLock final : rocksdb::FileLock {
  std::unique_ptr<meridian::FileLock> lock;
};

}  // namespace

template <class Out>
IOStatus FileSystemEnv::Adapter::open(const std::string& path, meridian::FileSystem::Open how, bool truncate,
                                      std::unique_ptr<Out>* out) {
  return run([&]() -> Result<> {
    ASSIGN_OR_RETURN(const bool exists, fs_.exists(normal(path)));
    if (truncate && exists) RETURN_IF_ERROR(fs_.remove(normal(path)));
    ASSIGN_OR_RETURN(auto file, fs_.open(normal(path), how));
    if constexpr (std::is_same_v<Out, rocksdb::FSSequentialFile>) {
      *out = std::make_unique<Sequential<Adapter>>(*this, std::move(file));
    } else if constexpr (std::is_same_v<Out, rocksdb::FSRandomAccessFile>) {
      *out = std::make_unique<RandomAccess<Adapter>>(*this, std::move(file));
    } else {
      *out = std::make_unique<Writable<Adapter>>(*this, std::move(file));
    }
    return {};
  });
}

IOStatus FileSystemEnv::Adapter::NewSequentialFile(const std::string& path, const FileOptions&,
                                                   std::unique_ptr<rocksdb::FSSequentialFile>* out, IODebugContext*) {
  return open(path, meridian::FileSystem::Open::kExisting, false, out);
}
IOStatus FileSystemEnv::Adapter::NewRandomAccessFile(const std::string& path, const FileOptions&,
                                                     std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                                                     IODebugContext*) {
  return open(path, meridian::FileSystem::Open::kExisting, false, out);
}
IOStatus FileSystemEnv::Adapter::NewWritableFile(const std::string& path, const FileOptions&,
                                                 std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) {
  return open(path, meridian::FileSystem::Open::kCreateNew, true, out);
}
IOStatus FileSystemEnv::Adapter::ReopenWritableFile(const std::string& path, const FileOptions&,
                                                    std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) {
  return open(path, meridian::FileSystem::Open::kCreateOrOpen, false, out);
}
IOStatus FileSystemEnv::Adapter::NewDirectory(const std::string& path, const IOOptions&,
                                              std::unique_ptr<rocksdb::FSDirectory>* out, IODebugContext*) {
  return run([&]() -> Result<> {
    ASSIGN_OR_RETURN(const auto names, fs_.list(normal(path)));
    *out = std::make_unique<Directory<Adapter>>(*this, fs_, normal(path));
    return {};
  });
}
IOStatus FileSystemEnv::Adapter::LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** out,
                                          IODebugContext*) {
  return run([&]() -> Result<> {
    auto held = std::make_unique<HeldLock>();
    ASSIGN_OR_RETURN(held->lock, fs_.lock(normal(path)));
    *out = held.release();
    return {};
  });
}
IOStatus FileSystemEnv::Adapter::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  const std::lock_guard guard(mutex_);
  delete static_cast<HeldLock*>(lock);
  return IOStatus::OK();
}

class FileSystemEnv::WholeEnv final : public rocksdb::EnvWrapper {
 public:
  WholeEnv(const std::shared_ptr<rocksdb::FileSystem>& fs, BackgroundJobs* jobs)
      : EnvWrapper(rocksdb::NewCompositeEnv(fs)),
        clock_(jobs != nullptr ? std::make_shared<VirtualClock>(*jobs) : std::make_shared<Clock>()),
        jobs_(jobs) {
    system_clock_ = clock_;
  }
  const char* Name() const override { return "meridian.FileSystemEnv"; }
  void cut() { clock_->cut(); }

  std::uint64_t NowMicros() override { return clock_->NowMicros(); }
  std::uint64_t NowNanos() override { return clock_->NowNanos(); }
  std::uint64_t NowCPUNanos() override { return clock_->CPUNanos(); }
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override { return clock_->GetCurrentTime(seconds); }
  void SleepForMicroseconds(int us) override { clock_->SleepForMicroseconds(us); }

  void Schedule(void (*run)(void*), void* argument, Priority priority, void* tag,
                void (*unscheduled)(void*)) override {
    if (jobs_ == nullptr) return EnvWrapper::Schedule(run, argument, priority, tag, unscheduled);
    jobs_->add({run, argument, priority, tag, unscheduled});
  }
  int UnSchedule(void* tag, Priority priority) override {
    return jobs_ == nullptr ? EnvWrapper::UnSchedule(tag, priority) : jobs_->remove(tag, priority);
  }
  unsigned GetThreadPoolQueueLen(Priority priority) const override {
    return jobs_ == nullptr ? EnvWrapper::GetThreadPoolQueueLen(priority)
                            : static_cast<unsigned>(jobs_->waiting(priority));
  }

 private:
  std::shared_ptr<Clock> clock_;
  BackgroundJobs* jobs_;
};

FileSystemEnv::FileSystemEnv(FileSystem& fs, std::mutex& mutex, BackgroundJobs* jobs)
    : adapter_(std::make_shared<Adapter>(fs, mutex)), env_(std::make_unique<WholeEnv>(adapter_, jobs)) {}
FileSystemEnv::~FileSystemEnv() = default;
rocksdb::Env* FileSystemEnv::env() { return env_.get(); }
void FileSystemEnv::cut() {
  adapter_->cut();
  env_->cut();
}

}  // namespace meridian
