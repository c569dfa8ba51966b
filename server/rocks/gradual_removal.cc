#include "server/rocks/gradual_removal.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace meridian {

namespace {

constexpr std::uint64_t kStep = 1 << 20;
constexpr std::chrono::milliseconds kPause(1);

// RocksDB deletes files on its background threads, and only those that nothing refers to any more, in its manifest either:
// what a crash leaves of one is removed at the next start without being read.
class WithGradualRemoval final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "meridian.WithGradualRemoval"; }

  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    shorten(path, options, context);
    return FileSystemWrapper::DeleteFile(path, options, context);
  }

 private:
  void shorten(const std::string& path, const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) {
    std::uint64_t size = 0, names = 0;
    if (!GetFileSize(path, options, &size, context).ok() || size < 2 * kStep) return;
    if (!NumFileLinks(path, options, &names, context).ok() || names != 1) return;
    std::unique_ptr<rocksdb::FSWritableFile> file;
    if (!ReopenWritableFile(path, {}, &file, context).ok()) return;
    for (size -= kStep; size >= kStep; size -= kStep) {
      if (!file->Truncate(size, options, context).ok()) break;
      std::this_thread::sleep_for(kPause);
    }
    file->Close(options, context).PermitUncheckedError();
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> with_gradual_removal(const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<WithGradualRemoval>(base);
}

}  // namespace meridian
