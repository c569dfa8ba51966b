#include "server/rocks/table_space.h"

#include <string>
#include <utility>

#include <rocksdb/file_system.h>

namespace meridian {

namespace {

class WithTableSpace final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "meridian.WithTableSpace"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(path, options, out, context);
    if (!status.ok() || !path.ends_with(".sst")) return status;
    auto reserved = (*out)->Allocate(0, kTableSpaceBytes, options.io_options, context);
    if (!reserved.IsNoSpace()) return status;
    out->reset();
    DeleteFile(path, options.io_options, context).PermitUncheckedError();
    return reserved;
  }
};

class EnvWithTableSpace final : public rocksdb::EnvWrapper {
 public:
  explicit EnvWithTableSpace(rocksdb::Env* base) : EnvWrapper(base) {
    file_system_ = std::make_shared<WithTableSpace>(base->GetFileSystem());
  }
  const char* Name() const override { return "meridian.EnvWithTableSpace"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_env_with_table_space(rocksdb::Env* base) {
  return std::make_unique<EnvWithTableSpace>(base);
}

}  // namespace meridian
